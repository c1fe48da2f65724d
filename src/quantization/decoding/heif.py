"""HEIF (ISO/IEC 23008-12) in boxes of ISO/IEC 14496-12: AVIF 1.1, and HEIC as phones make it."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyvips

from quantization.decoding import libheif
from quantization.decoding.profiles import PRIMARIES, SRGB, SRGB_CURVE, make_profile
from quantization.decoding.srgb import white_of, with_profile, with_white
from quantization.decoding.stored import Stored, by_libvips, damaged, load, mapped, rows_of
from quantization.errors import UnsupportedImage

_CODINGS = {b"av01": b"av1C", b"hvc1": b"hvcC", b"hev1": b"hvcC"}
"""How a frame may be coded, and the box that tells the decoder more: an image has it as well."""

_HIGH_DYNAMIC_RANGE = {16, 18}
"""Transfers by ITU-T H.273: PQ and HLG."""

_SAMPLE_ENTRY = 86
"""Bytes of a visual sample entry before its boxes."""

_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


class _Box(NamedTuple):
    """A box: its type, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


class _Frame(NamedTuple):
    """The first frame of a track: how it is coded, its properties, and the coded pixels."""

    coding: bytes
    properties: list[bytes]
    pixels: bytes


def read_avif(path: Path) -> Stored:
    """Read the header; of a sequence that holds no still image that of its first frame.

    Raises
    ------
    UnsupportedImage
        If it is in high dynamic range.
    """
    source, frames = _still_of(path)
    picture = libheif.describe(source)
    profile = _profile(picture)

    def reopen() -> pyvips.Image:
        return _meant(load("heifload", source), picture, profile)

    stored = by_libvips(reopen(), reopen)
    return stored._replace(frames=max(frames, stored.frames))


def read_heic(path: Path) -> Stored:
    """Read the header; of a sequence that holds no still image that of its first frame.

    Raises
    ------
    UnsupportedImage
        If it is in high dynamic range, or not coded as HEVC.
    """
    source, frames = _still_of(path)
    picture = libheif.describe(source)
    profile = _profile(picture)
    return Stored(
        width=picture.width,
        height=picture.height,
        has_alpha=picture.has_alpha,
        decode=lambda: rows_of(_meant(_decoded(source, picture), picture, profile)),
        frames=max(frames, picture.images),
    )


def _decoded(source: Path | bytes, picture: libheif.Picture) -> pyvips.Image:
    """Decode, and describe the levels to libvips: more than 8 bits are the upper ones of 16."""
    levels = libheif.decode(source, picture)
    size, kind, space = (1, "uchar", "srgb") if picture.bits <= 8 else (2, "ushort", "rgb16")
    bands = 4 if picture.has_alpha else 3
    width = levels.stride // size
    image = pyvips.Image.new_from_memory(levels.buffer, width, picture.height, 1, kind)
    image = image.crop(0, 0, picture.width * bands, picture.height).bandfold(factor=bands)
    image = image.copy(interpretation=space)
    if picture.is_gray and not picture.has_alpha:
        image = image[0].copy(interpretation="b-w" if size == 1 else "grey16")
    return image if size == 1 else image << (16 - picture.bits)


def _meant(image: pyvips.Image, picture: libheif.Picture, profile: bytes | None) -> pyvips.Image:
    """Return the colors that decoded levels stand for, with the profile that says which."""
    kind = image.format
    if picture.is_premultiplied:
        opaque = 255 if kind == "uchar" else white_of(picture.bits)
        image = image.unpremultiply(max_alpha=opaque).rint().cast(kind)
    if kind == "ushort":
        image = with_white(image, white_of(picture.bits))
    return with_profile(image, profile) if profile else image


def _profile(picture: libheif.Picture) -> bytes | None:
    """Return the profile, or one for the primaries that are given by number."""
    if picture.profile or picture.codes is None:
        return picture.profile or None
    primaries, transfer = picture.codes
    if transfer in _HIGH_DYNAMIC_RANGE:
        raise UnsupportedImage(
            "an AVIF or HEIC in high dynamic range is not read; export it as SDR or JPEG"
        )
    # Curves of video are taken for sRGB's, as elsewhere.
    chromaticities = PRIMARIES.get(primaries, SRGB)
    return None if chromaticities == SRGB else make_profile(chromaticities, SRGB_CURVE)


def _still_of(path: Path) -> tuple[Path | bytes, int]:
    """Return the file, and how many frames it has.

    Where it is a sequence without a still image it is a file of the first frame instead.
    """
    with mapped(path) as data:
        kinds = {box.kind for box in _boxes(data, 0, len(data))}
        if b"moov" not in kinds:
            return path, 1
        return (path if b"meta" in kinds else _still(data)), _count_frames(data)


def _boxes(data: mmap.mmap, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        stop = end if length == 0 else min(start + length, end)
        if stop < start + header:
            return
        yield _Box(kind, start + header, stop)
        start = stop


def _inside(data: mmap.mmap, box: _Box, *kinds: bytes) -> _Box:
    """Descend to the first box of a kind in the first of a kind, and so on."""
    for kind in kinds:
        inner = (each for each in _boxes(data, box.start, box.end) if each.kind == kind)
        if not (box := next(inner, _Box(b"", 0, 0))).kind:
            raise damaged("its first frame is not there")
    return box


def _tracks(data: mmap.mmap) -> Iterator[tuple[bytes, _Box]]:
    """Yield each track with its kind: "pict", or "auxv" for transparency."""
    movie = _inside(data, _Box(b"", 0, len(data)), b"moov")
    for track in _boxes(data, movie.start, movie.end):
        if track.kind == b"trak":
            handler = _inside(data, track, b"mdia", b"hdlr")
            yield data[handler.start + 8 : handler.start + 12], track


def _count_frames(data: mmap.mmap) -> int:
    """Count the frames of a sequence; 1 where it does not say how many."""
    try:
        pictures = next(track for kind, track in _tracks(data) if kind == b"pict")
        sizes = _inside(data, pictures, b"mdia", b"minf", b"stbl", b"stsz")
        (count,) = struct.unpack_from(">I", data, sizes.start + 8)
        return max(1, int(count))
    except (StopIteration, UnsupportedImage, struct.error):
        return 1


def _still(data: mmap.mmap) -> bytes:
    """Return a file of a sequence's first frame, with its transparency."""
    frames = {}
    for kind, track in _tracks(data):
        if kind not in frames:
            frames[kind] = _first_frame(data, track)
    if b"pict" not in frames:
        raise damaged("its first frame is not there")
    return _image_file([frames[kind] for kind in (b"pict", b"auxv") if kind in frames])


def _first_frame(data: mmap.mmap, track: _Box) -> _Frame:
    table = _inside(data, track, b"mdia", b"minf", b"stbl")
    descriptions = _inside(data, table, b"stsd")
    entries = _boxes(data, descriptions.start + 8, descriptions.end)
    entry = next((each for each in entries if each.kind in _CODINGS), None)
    if entry is None:
        raise damaged("its first frame is not there")
    width, height = struct.unpack_from(">HH", data, entry.start + 24)
    boxes = _boxes(data, entry.start + _SAMPLE_ENTRY - 8, entry.end)
    properties = [_box(b"ispe", struct.pack(">III", 0, width, height))]
    kept = (_CODINGS[entry.kind], b"colr")
    properties += [_box(b.kind, data[b.start : b.end]) for b in boxes if b.kind in kept]
    sizes = _inside(data, table, b"stsz").start
    common, _, first = struct.unpack_from(">III", data, sizes + 4)
    kinds = {box.kind: box.start for box in _boxes(data, table.start, table.end)}
    if b"stco" in kinds:
        (at,) = struct.unpack_from(">I", data, kinds[b"stco"] + 8)
    else:
        (at,) = struct.unpack_from(">Q", data, _inside(data, table, b"co64").start + 8)
    return _Frame(entry.kind, properties, data[at : at + (common or first)])


def _image_file(frames: list[_Frame]) -> bytes:
    """Return a file of one image, and of its opacity where a second frame tells it."""
    items = range(1, len(frames) + 1)
    brand = b"avif" if frames[0].coding == b"av01" else b"heic"
    kind = _box(b"ftyp", brand + bytes(4) + brand + b"mif1miaf")
    entries = [
        _box(b"infe", struct.pack(">IHH4sB", 2 << 24, item, 0, frame.coding, 0))
        for item, frame in zip(items, frames, strict=True)
    ]
    properties: list[bytes] = []
    links = b""
    for item, frame in zip(items, frames, strict=True):
        own = frame.properties + ([_box(b"auxC", bytes(4) + _ALPHA)] if item > 1 else [])
        numbers = range(len(properties) + 1, len(properties) + len(own) + 1)
        links += struct.pack(">HB", item, len(own)) + bytes(numbers)
        properties += own
    linked = _box(b"ipma", struct.pack(">II", 0, len(frames)) + links)
    is_alpha_of = _box(b"iref", bytes(4) + _box(b"auxl", struct.pack(">HHH", 2, 1, 1)))

    def meta(pixels_at: int) -> bytes:
        places = b""
        for item, frame in zip(items, frames, strict=True):
            places += struct.pack(">HHHII", item, 0, 1, pixels_at, len(frame.pixels))
            pixels_at += len(frame.pixels)
        return _box(
            b"meta",
            bytes(4)
            + _box(b"hdlr", bytes(8) + b"pict" + bytes(13))
            + _box(b"pitm", struct.pack(">IH", 0, 1))
            + _box(b"iloc", struct.pack(">IHH", 0, 0x4400, len(frames)) + places)
            + _box(b"iinf", struct.pack(">IH", 0, len(frames)) + b"".join(entries))
            + (is_alpha_of if len(frames) > 1 else b"")
            + _box(b"iprp", _box(b"ipco", b"".join(properties)) + linked),
        )

    pixels_at = len(kind) + len(meta(0)) + 8
    return kind + meta(pixels_at) + _box(b"mdat", b"".join(frame.pixels for frame in frames))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
