"""TIFF 6.0 and BigTIFF: which varieties are read, checked in the directory before libtiff sees it.

libtiff and libvips show much that may be in a TIFF file, but not always right: levels of 32 bits
turn white, YCbCr is shown as if it were RGB, tiles that are missing are black. So what is not known
to be right is refused by its name.
"""

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyvips

from quantization.decoding.srgb import with_profile
from quantization.decoding.stored import ORIENTATIONS, Stored, by_libvips, damaged, load, mapped
from quantization.errors import UnsupportedImage

# Tags of TIFF 6.0, its supplements, TIFF/EP and DNG.
_SUBFILE_TYPE, _SUB_DIRECTORIES, _CFA_PATTERN, _DNG_VERSION = 254, 330, 33422, 50706
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 258, 259, 262, 277, 284
_TILE_WIDTH, _TILE_OFFSETS, _TILE_BYTES = 322, 324, 325
_INK_SET, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 332, 338, 339
_COEFFICIENTS, _SUBSAMPLING, _REFERENCE = 529, 530, 532
_ORIENTATION = 274

_JPEG = 7
_COMPRESSIONS = {1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946}
_COMPRESSIONS_NOT_READ = {
    6: "JPEG of the old style",
    34661: "JBIG",
    34676: "LogLuv",
    34677: "LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
_COMPRESSIONS_OF_RAW = {32767, 32769, 32770, 34713, 34892, 65000, 65535}

_WHITE_IS_0, _BLACK_IS_0, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_PHOTOMETRICS_OF_RAW = {32803, 34892}
_COLORS = {_WHITE_IS_0: 1, _BLACK_IS_0: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LAB: 3}
_DEPTHS = {
    _WHITE_IS_0: {1, 2, 4, 8, 16},
    _BLACK_IS_0: {1, 2, 4, 8, 16},
    _PALETTE: {1, 2, 4, 8},
    _YCBCR: {8},
}
_NAMES = {2: "signed", 3: "float", 5: "complex", 6: "complex"}
_UNSIGNED, _UNDEFINED = 1, 4
_ASSOCIATED, _UNASSOCIATED = 1, 2

_RAW_ADVICE = "export it as JPEG or TIFF"
_BITS_ADVICE = "export it with 8 or 16 bits as RGB or gray"

_FORMATS = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}
_RATIONAL = 5
_MOST_ENTRIES, _MOST_PAGES = 2**12, 2**14


_KNOWN = {
    *(_SUBFILE_TYPE, _SUB_DIRECTORIES, _CFA_PATTERN, _DNG_VERSION, _BITS, _COMPRESSION),
    *(_PHOTOMETRIC, _SAMPLES, _PLANAR, _TILE_OFFSETS, _TILE_BYTES, _INK_SET, _EXTRA_SAMPLES),
    *(_SAMPLE_FORMAT, _COEFFICIENTS, _SUBSAMPLING, _REFERENCE, _ORIENTATION),
}


class _Directory(NamedTuple):
    """What an image file directory says, as far as it is known here.

    values : mapping of tags to tuples of numbers
    at : mapping of tags to the offsets of their values
    link : offset of the next directory's offset
    """

    values: Mapping[int, tuple[float, ...]]
    at: Mapping[int, int]
    link: int

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        return int(self.values[tag][0]) if self.values.get(tag) else default


class _File:
    """The directories of a file, which is mapped into memory."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = self.number("H", 2) == 43
        self.offset = "Q" if self.big else "I"
        self.head, self.entry = ("Q", 20) if self.big else ("H", 12)

    def number(self, kind: str, at: int) -> int:
        """Read one number."""
        return int(struct.unpack_from(self.order + kind, self.data, at)[0])

    def directory(self) -> _Directory:
        """Read the first directory."""
        start = self.number(self.offset, 8 if self.big else 4)
        entries = self.number(self.head, start)
        if entries > _MOST_ENTRIES:
            raise damaged("its directory is too long")
        start += struct.calcsize(self.head)
        values, offsets = {}, {}
        for at in range(start, start + entries * self.entry, self.entry):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, at)
            if tag in _KNOWN and (kind in _FORMATS or kind == _RATIONAL):
                offsets[tag], numbers = self._values(kind, at + 4)
                if numbers:
                    values[tag] = numbers
        return _Directory(values, offsets, start + entries * self.entry)

    def _values(self, kind: int, at: int) -> tuple[int, tuple[float, ...]]:
        count = self.number(self.offset, at)
        at += struct.calcsize(self.offset)
        form = f"{2 * count}I" if kind == _RATIONAL else f"{count}{_FORMATS[kind]}"
        if struct.calcsize(self.order + form) > struct.calcsize(self.offset):
            at = self.number(self.offset, at)
        numbers = struct.unpack_from(self.order + form, self.data, at)
        if kind == _RATIONAL:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            return at, tuple(above / (below or 1) for above, below in pairs)
        return at, numbers

    def pages(self, link: int) -> int:
        """Count the directories from one's link on, up to the first that is not there."""
        seen: set[int] = set()
        while len(seen) < _MOST_PAGES:
            try:
                start = self.number(self.offset, link)
                if not start or start in seen:
                    break
                link = (
                    start + struct.calcsize(self.head) + self.number(self.head, start) * self.entry
                )
                self.number(self.offset, link)
            except struct.error:
                break
            seen.add(start)
        return len(seen)


def read(path: Path) -> Stored:
    """Read the first directory.

    Raises
    ------
    UnsupportedImage
        If it is camera raw, or a variety that would not be rendered right, or tiles are missing.
    """
    data = mapped(path)
    try:
        file = _File(data)
        first = file.directory()
    except (struct.error, OverflowError) as error:
        raise damaged("its directory is incomplete") from error
    _check_raw(first)
    _check_compression(first)
    bands = _bands(first)
    _check_tiles(first, len(data))

    source: Path | mmap.mmap = path
    pages = file.pages(first.link)
    if pages or file.number(file.offset, first.link):
        # libvips reads all directories before the first image, and fails at any.
        struct.pack_into(file.order + file.offset, data, first.link, 0)
        source = data
    photometric = first.number(_PHOTOMETRIC, -1)
    convert = _CONVERSIONS.get(photometric)
    if photometric == _YCBCR and first.number(_COMPRESSION, 1) == _JPEG:
        convert = None  # libjpeg does it.
    if convert:
        # As RGB libvips gives the levels as they are.
        struct.pack_into(file.order + "H", data, first.at[_PHOTOMETRIC], _RGB)
        source = data
    fail_on = "warning" if _TILE_OFFSETS in first.values else "error"

    def reopen() -> pyvips.Image:
        image = load("tiffload", source, fail_on)
        if image.bands > len(bands) and photometric != _PALETTE:
            image = image[bands[0]].bandjoin([image[band] for band in bands[1:]])
        return convert(image, first) if convert else image

    return by_libvips(reopen(), reopen, frames=1 + pages)


def orientation_of(exif: bytes) -> int:
    """Return the orientation that a block of Exif states, which is a TIFF directory, or 1."""
    try:
        stated = _File(exif).directory().number(_ORIENTATION, 1)
    except (struct.error, OverflowError, UnsupportedImage):
        return 1
    return stated if stated in ORIENTATIONS else 1


def _refusal(variety: str, advice: str) -> UnsupportedImage:
    return UnsupportedImage(f"{variety} is not read; {advice}")


def _check_raw(first: _Directory) -> None:
    """Refuse camera raw, whose first directory often holds a small preview."""
    if _DNG_VERSION in first.values:
        raise _refusal("a camera raw file (DNG)", _RAW_ADVICE)
    reduced = first.number(_SUBFILE_TYPE, 0) & 1
    if (
        (reduced and _SUB_DIRECTORIES in first.values)
        or _CFA_PATTERN in first.values
        or first.number(_PHOTOMETRIC, -1) in _PHOTOMETRICS_OF_RAW
        or first.number(_COMPRESSION, 1) in _COMPRESSIONS_OF_RAW
    ):
        raise _refusal("a camera raw file (NEF, ARW or the like)", _RAW_ADVICE)


def _bands(first: _Directory) -> list[int]:
    """Return which channels are the colors and the alpha; refuse what is neither."""
    photometric = first.number(_PHOTOMETRIC, -1)
    if photometric not in _COLORS or (photometric == _CMYK and first.number(_INK_SET, 1) != 1):
        raise _refusal("a TIFF of unusual colors", "export it as RGB")
    samples = first.number(_SAMPLES, 1)
    colors = _COLORS[photometric]
    if samples < colors:
        raise damaged(f"it has {samples} of {colors} channels of color")
    depths = set(first.values.get(_BITS, (1,))[:samples])
    kinds = set(first.values.get(_SAMPLE_FORMAT, (_UNSIGNED,))[:samples]) - {_UNSIGNED, _UNDEFINED}
    bits = int(max(depths))
    if kinds:
        name = _NAMES.get(int(max(kinds)), "unusual")
        raise _refusal(f"a TIFF of {bits}-bit {name} levels", _BITS_ADVICE)
    allowed = _DEPTHS.get(photometric, {8, 16})
    if len(depths) > 1 or bits not in (allowed if samples == colors else allowed & {8, 16}):
        raise _refusal(f"a TIFF of {bits}-bit levels in {samples} channels", _BITS_ADVICE)
    extra = list(first.values.get(_EXTRA_SAMPLES, ()))[: samples - colors]
    alpha = [colors + i for i, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED)]
    if samples == colors + 1:
        alpha = [colors]
    if samples > colors and (len(alpha) != 1 or photometric == _PALETTE):
        raise _refusal(f"a multispectral TIFF of {samples} channels", "export three of them as RGB")
    return [*range(colors if photometric != _PALETTE else 1), *alpha]


def _check_compression(first: _Directory) -> None:
    compression, samples = first.number(_COMPRESSION, 1), first.number(_SAMPLES, 1)
    photometric = first.number(_PHOTOMETRIC, -1)
    if compression not in _COMPRESSIONS:
        name = _COMPRESSIONS_NOT_READ.get(compression, f"the scheme {compression}")
        raise _refusal(f"a TIFF compressed with {name}", "export it with LZW or no compression")
    if compression == _JPEG and (
        samples > _COLORS.get(photometric, 0) or first.number(_BITS, 1) != 8
    ):
        raise _refusal(
            "a TIFF compressed with JPEG that has 12 bits or transparency",
            "export it with LZW or no compression",
        )
    if _TILE_OFFSETS in first.values and first.number(_PLANAR, 1) == 2 and samples > 1:
        raise _refusal("a TIFF in tiles of separate planes", "export it with interleaved channels")
    subsampled = first.values.get(_SUBSAMPLING, (2, 2)) != (1, 1)
    if photometric == _YCBCR and compression != _JPEG and subsampled:
        raise _refusal("a TIFF of subsampled YCbCr levels", "export it as RGB")


def _check_tiles(first: _Directory, size: int) -> None:
    """Refuse a file some of whose tiles are not in it, for libvips would leave them black."""
    offsets = first.values.get(_TILE_OFFSETS, ())
    lengths = first.values.get(_TILE_BYTES, ())
    if len(offsets) != len(lengths) or any(
        not length or offset + length > size
        for offset, length in zip(offsets, lengths, strict=True)
    ):
        raise damaged("tiles are missing")


def _from_ycbcr(image: pyvips.Image, first: _Directory) -> pyvips.Image:
    """Convert YCbCr to RGB as TIFF 6.0 says in its section 21."""
    red, green, blue = first.values.get(_COEFFICIENTS, (0.299, 0.587, 0.114))
    reference = first.values.get(_REFERENCE, (0, 255, 128, 255, 128, 255))
    zeros, ones = np.array(reference[::2]), np.array(reference[1::2])
    scales = np.array([255, 127, 127]) / np.where(ones == zeros, 1, ones - zeros)
    centered = image[:3].linear(scales.tolist(), (-zeros * scales).tolist())
    to_red, to_blue = 2 - 2 * red, 2 - 2 * blue
    rows = [
        [1, 0, to_red],
        [1, -blue * to_blue / green, -red * to_red / green],
        [1, to_blue, 0],
    ]
    return centered.recomb(rows).rint().cast("uchar").copy(interpretation="srgb")


def _from_lab(image: pyvips.Image, _: _Directory) -> pyvips.Image:
    """Give CIELab of 8 or 16 bits its own scale: L* is 0..100, a* and b* are signed."""
    white, one = (255, 1) if image.format == "uchar" else (65535, 256)
    lightness = image[0] * (100 / white)
    axes = [
        (levels > white // 2).ifthenelse(levels - (white + 1), levels) / one
        for levels in (image[1], image[2])
    ]
    alpha = [(image[3] * (255 / white)).rint()] if image.bands == 4 else []
    return with_profile(lightness.bandjoin([*axes, *alpha]).copy(interpretation="lab"), None)


_CONVERSIONS = {_YCBCR: _from_ycbcr, _LAB: _from_lab}
