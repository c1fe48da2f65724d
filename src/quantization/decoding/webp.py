"""WebP (RFC 9649)."""

import struct
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.decoding.srgb import is_ordinary
from quantization.decoding.stored import Rows, Stored, by_libvips, damaged, load, mapped

OPENCV_PIXELS = 2**24
"""Larger images go through libvips, which holds less of them at a time."""

_METADATA = {b"EXIF": 0x08, b"XMP ": 0x04}
"""Chunks that may be missing, and what says in the header that they are there."""


def read(path: Path) -> Stored:
    """Read the header.

    Opaque pictures in sRGB are decoded by OpenCV, which is twice as quick as libvips here.
    """
    source = _mended(path) or path
    reopen = partial(load, "webpload", source)
    image = reopen()
    stored = by_libvips(image, reopen)
    if image.width * image.height <= OPENCV_PIXELS and is_ordinary(image):
        return stored._replace(decode=partial(_by_opencv, source))
    return stored


def _by_opencv(source: Path | bytes) -> Rows:
    data = source if isinstance(source, bytes) else source.read_bytes()
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if pixels is None:
        raise damaged("its pixels cannot be decoded")

    def rows(top: int, bottom: int) -> NDArray[np.uint8]:
        return np.asarray(pixels[top:bottom], dtype=np.uint8)

    return rows


def _mended(path: Path) -> bytes | None:
    """Return the file without the metadata at its end, if that is cut off."""
    with mapped(path) as data:
        at = 12
        while at + 8 <= len(data):
            name, length = struct.unpack_from("<4sI", data, at)
            if at + 8 + length > len(data):
                break
            at += 8 + length + length % 2
        else:
            return None
        if name not in _METADATA or data[12:16] != b"VP8X":
            return None
        mended = bytearray(data[:at])
    mended[4:8] = struct.pack("<I", at - 8)
    mended[20] &= ~sum(_METADATA.values())
    return bytes(mended)
