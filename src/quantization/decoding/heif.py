"""AVIF 1.1, which is HEIF (ISO/IEC 23008-12) in boxes of ISO/IEC 14496-12."""

import mmap
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from quantization.decoding.stored import Stored, by_libvips, damaged, load, mapped

_CODED = b"av01"
_PROPERTIES = (b"av1C", b"colr")
"""Boxes of a track's description that an image's properties hold as well."""

_SAMPLE_ENTRY = 86
"""Bytes of a visual sample entry before its boxes."""

_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


class _Box(NamedTuple):
    """A box: its type, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


class _Frame(NamedTuple):
    """The first frame of a track: its properties, and the coded pixels."""

    properties: list[bytes]
    pixels: bytes


def read(path: Path) -> Stored:
    """Read the header; of a sequence that holds no still image that of its first frame."""
    source: Path | bytes = path
    with mapped(path) as data:
        kinds = {box.kind for box in _boxes(data, 0, len(data))}
        if b"meta" not in kinds and b"moov" in kinds:
            source = _still(data)
    reopen = partial(load, "heifload", source)
    return by_libvips(reopen(), reopen)


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


def _still(data: mmap.mmap) -> bytes:
    """Return a file of a sequence's first frame, with its transparency."""
    movie = _inside(data, _Box(b"", 0, len(data)), b"moov")
    frames = {}
    for track in _boxes(data, movie.start, movie.end):
        if track.kind == b"trak":
            handler = _inside(data, track, b"mdia", b"hdlr")
            kind = data[handler.start + 8 : handler.start + 12]
            if kind not in frames:
                frames[kind] = _first_frame(data, track)
    if b"pict" not in frames:
        raise damaged("its first frame is not there")
    return _image_file([frames[kind] for kind in (b"pict", b"auxv") if kind in frames])


def _first_frame(data: mmap.mmap, track: _Box) -> _Frame:
    table = _inside(data, track, b"mdia", b"minf", b"stbl")
    descriptions = _inside(data, table, b"stsd")
    entry = _inside(data, descriptions._replace(start=descriptions.start + 8), _CODED)
    width, height = struct.unpack_from(">HH", data, entry.start + 24)
    boxes = _boxes(data, entry.start + _SAMPLE_ENTRY - 8, entry.end)
    properties = [_box(b"ispe", struct.pack(">III", 0, width, height))]
    properties += [_box(b.kind, data[b.start : b.end]) for b in boxes if b.kind in _PROPERTIES]
    sizes = _inside(data, table, b"stsz").start
    common, _, first = struct.unpack_from(">III", data, sizes + 4)
    kinds = {box.kind: box.start for box in _boxes(data, table.start, table.end)}
    if b"stco" in kinds:
        (at,) = struct.unpack_from(">I", data, kinds[b"stco"] + 8)
    else:
        (at,) = struct.unpack_from(">Q", data, _inside(data, table, b"co64").start + 8)
    return _Frame(properties, data[at : at + (common or first)])


def _image_file(frames: list[_Frame]) -> bytes:
    """Return an AVIF file of one image, and of its opacity where a second frame tells it."""
    items = range(1, len(frames) + 1)
    kind = _box(b"ftyp", b"avif" + bytes(4) + b"avifmif1miaf")
    entries = [_box(b"infe", struct.pack(">IHH4sB", 2 << 24, i, 0, _CODED, 0)) for i in items]
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
