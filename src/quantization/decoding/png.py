"""PNG, third edition: the chunks that say what the colors mean and how the picture is turned."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyvips

from quantization.decoding.profiles import CURVES, PRIMARIES, SRGB, SRGB_CURVE, make_profile, power
from quantization.decoding.srgb import with_profile
from quantization.decoding.stored import Stored, by_libvips, load, mapped, turned
from quantization.decoding.tiff import orientation_of
from quantization.errors import UnsupportedImage

_SIGNATURE_BYTES = 8
_READ = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"}
_PIXELS, _FRAME = b"IDAT", b"fcTL"
_SRGB_GAMMA = 45_455
"""As near to sRGB's curve as a power comes: what writers of sRGB say to readers of powers."""

_PQ, _HLG = 16, 18


def read(path: Path) -> Stored:
    """Read the header and the chunks, those behind the pixels too.

    Raises
    ------
    UnsupportedImage
        If it is in high dynamic range or in colors that are not known here.
    """
    chunks, frames = _chunks(path)
    profile = _profile(chunks)

    def reopen() -> pyvips.Image:
        image = load("pngload", path)
        if profile:
            image = with_profile(_in_rgb(image), profile)
        if exif := chunks.get(b"eXIf"):
            image = turned(image, orientation_of(exif))
        return image

    return by_libvips(reopen(), reopen, frames=frames)


def _chunks(path: Path) -> tuple[Mapping[bytes, bytes], int]:
    """Return the intact ones of the chunks that are read here, and how many frames there are.

    Of each name it is the first chunk. The frames are the still image and those behind it.
    """
    chunks: dict[bytes, bytes] = {}
    frames, behind = 1, False
    with mapped(path) as data:
        at = _SIGNATURE_BYTES
        while at + 12 <= len(data):
            length, name = struct.unpack_from(">I4s", data, at)
            end = at + 8 + length
            behind = behind or name == _PIXELS
            frames += behind and name == _FRAME
            if name in _READ and name not in chunks and end + 4 <= len(data):
                (checksum,) = struct.unpack_from(">I", data, end)
                if zlib.crc32(data[at + 4 : end]) == checksum:
                    chunks[name] = data[at + 8 : end]
            at = end + 4
    return chunks, frames


def _profile(chunks: Mapping[bytes, bytes]) -> bytes | None:
    """Return a profile for colors that are given by numbers, in the standard's order (4.3)."""
    if b"cICP" in chunks and len(cicp := chunks[b"cICP"]) == 4:
        return _coded_profile(*cicp)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    curve, chromaticities = SRGB_CURVE, SRGB
    if len(stated := chunks.get(b"gAMA", b"")) == 4:
        (gamma,) = struct.unpack(">I", stated)
        if gamma and gamma != _SRGB_GAMMA:
            curve = power(100_000 / gamma)
    if len(stated := chunks.get(b"cHRM", b"")) == 32:
        numbers = struct.unpack(">8I", stated)
        chromaticities = tuple(number / 100_000 for number in numbers)
    if curve is SRGB_CURVE and chromaticities == SRGB:
        return None
    try:
        return make_profile(chromaticities, curve)
    except (ArithmeticError, np.linalg.LinAlgError, struct.error):
        return None  # Numbers of no display say nothing of the colors.


def _in_rgb(image: pyvips.Image) -> pyvips.Image:
    """Return a gray image as one of three equal channels."""
    if image.bands < 3:
        interpretation = "rgb16" if image.format == "ushort" else "srgb"
        image = image[0].bandjoin([image[0], *image.bandsplit()])
        image = image.copy(interpretation=interpretation)
    return image


def _coded_profile(primaries: int, curve: int, matrix: int, full: int) -> bytes:
    if curve in (_PQ, _HLG):
        raise UnsupportedImage("PNG in high dynamic range is not read; export it as SDR or JPEG")
    if primaries not in PRIMARIES or curve not in CURVES or matrix or not full:
        raise UnsupportedImage(
            f"a PNG with colors of the code {primaries}-{curve}-{matrix}-{full} is not read; "
            "export it as sRGB"
        )
    return make_profile(PRIMARIES[primaries], CURVES[curve])
