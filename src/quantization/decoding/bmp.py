"""BMP of Windows and OS/2.

Decoded here, for no decoder at hand does it right: OpenCV ignores masks and alpha, scrambles rows
of RLE that run on, and libvips reads no BMP.
"""

import mmap
import struct
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding.srgb import to_srgb, with_profile
from quantization.decoding.stored import Rows, Stored, damaged, mapped, resolution
from quantization.errors import UnsupportedImage

_FILE_HEADER, _OS2_HEADER, _WINDOWS_HEADER, _LARGEST_HEADER = 14, 12, 40, 124
_RGB, _RLE8, _RLE4, _MASKS, _ALPHA_MASKS = 0, 1, 2, 3, 6
_DEPTHS = {
    _RGB: {1, 2, 4, 8, 16, 24, 32},
    _RLE8: {8},
    _RLE4: {4},
    _MASKS: {16, 24, 32},
    _ALPHA_MASKS: {16, 24, 32},
}
_RGB_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0)}
_BYTE_MASKS = (0xFF0000, 0xFF00, 0xFF, 0)
_END_OF_ROW, _END, _MOVE = 0, 1, 2
_EMBEDDED_PROFILE = b"DEBM"


class _Header(NamedTuple):
    """What is known of a file before its pixels.

    masks : bits of red, green, blue and alpha in a pixel of 16 bits and more
    palette : uint8 array of shape (256, 3), RGB levels
    """

    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    masks: tuple[int, ...]
    palette: NDArray[np.uint8]
    pixels_at: int
    dots_per_meter: tuple[int, int]
    profile: bytes | None

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return -(-self.width * self.bits // 32) * 4

    @property
    def compressed(self) -> bool:
        """Whether the rows are run-length encoded."""
        return self.compression in (_RLE8, _RLE4)


def read(path: Path) -> Stored:
    """Read the header.

    Raises
    ------
    UnsupportedImage
        If pixels are missing, or it is a variety that printers know and viewers do not.
    """
    with mapped(path) as data:
        size = len(data)
        try:
            header = _read_header(data)
        except struct.error as error:
            raise damaged("its header is incomplete") from error
    if not header.compressed:
        last_row = -(-header.width * header.bits // 8)
        if header.pixels_at + header.stride * (header.height - 1) + last_row > size:
            raise damaged("rows are missing")
    return Stored(
        width=header.width,
        height=header.height,
        has_alpha=bool(header.masks[3]),
        decode=partial(_rows_of, path, header),
        dots_per_meter=resolution(*header.dots_per_meter),
    )


def _read_header(data: mmap.mmap) -> _Header:
    pixels_at, size = struct.unpack_from("<II", data, 10)
    header_end = _FILE_HEADER + min(size, _LARGEST_HEADER)
    header = data[_FILE_HEADER:header_end].ljust(_LARGEST_HEADER, b"\0")
    if size == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", header, 4)
        compression, dots, used = _RGB, (0, 0), 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", header, 4)
        across, down, used = struct.unpack_from("<iiI", header, 24)
        dots = (across, down)
    if width <= 0 or height == 0:
        raise damaged(f"it claims {width} x {height} pixels")
    os2 = (_WINDOWS_HEADER < size < 108 and size not in (52, 56)) or size < _WINDOWS_HEADER
    if bits not in _DEPTHS.get(compression, ()) or (os2 and compression >= _MASKS):
        raise UnsupportedImage(
            f"a BMP of {bits} bits in compression {compression} is not read; save it as PNG"
        )

    colors_at = _FILE_HEADER + size
    masks = _RGB_MASKS.get(bits, _BYTE_MASKS)
    if compression in (_MASKS, _ALPHA_MASKS):
        outside = size == _WINDOWS_HEADER
        mask_bytes = header[_WINDOWS_HEADER:]
        if outside:
            mask_bytes = data[header_end : header_end + 16]
        count = 4 if (compression == _ALPHA_MASKS if outside else size >= 56) else 3
        masks = (*struct.unpack_from(f"<{count}I", mask_bytes), 0)[:4]
        colors_at += 4 * count if outside else 0
    entry = 3 if size == _OS2_HEADER else 4
    count = 0 if bits > 8 else min(used or 1 << bits, 1 << bits)
    # Colors that are not there are black.
    stored = data[colors_at : colors_at + count * entry].ljust(256 * entry, b"\0")
    palette = np.frombuffer(stored, dtype=np.uint8).reshape(256, entry)[:, 2::-1]
    profile = None
    if size == _LARGEST_HEADER and header[56:60] == _EMBEDDED_PROFILE:
        at, length = struct.unpack_from("<II", header, 112)
        profile = data[_FILE_HEADER + at : _FILE_HEADER + at + length]
    # A negative height means that the rows run from top to bottom.
    return _Header(
        width=width,
        height=abs(height),
        top_down=height < 0,
        bits=bits,
        compression=compression,
        masks=masks,
        palette=palette,
        pixels_at=pixels_at or colors_at + count * entry,
        dots_per_meter=dots,
        profile=profile,
    )


def _rows_of(path: Path, header: _Header) -> Rows:
    decode = (_compressed_rows if header.compressed else _plain_rows)(path, header)
    profile = header.profile

    def rows(top: int, bottom: int) -> NDArray[np.uint8]:
        levels = decode(top, bottom)
        if profile:
            image = with_profile(pyvips.Image.new_from_array(levels), profile)
            image = image.copy(interpretation="srgb")
            levels = np.asarray(to_srgb(image).numpy(), dtype=np.uint8)
        return levels

    return rows


def _plain_rows(path: Path, header: _Header) -> Rows:
    convert = partial(_from_palette if header.bits <= 8 else _from_masks, header)

    def rows(top: int, bottom: int) -> NDArray[np.uint8]:
        count = bottom - top
        first = top if header.top_down else header.height - bottom
        stored = np.fromfile(
            path,
            dtype=np.uint8,
            count=count * header.stride,
            offset=header.pixels_at + first * header.stride,
        )
        # The last row may lack what pads it.
        whole = np.zeros(count * header.stride, dtype=np.uint8)
        whole[: len(stored)] = stored
        levels = convert(whole.reshape(count, header.stride))
        return levels if header.top_down else levels[::-1]

    return rows


def _from_palette(header: _Header, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bits = header.bits
    if bits < 8:
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        parts = rows[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
        rows = parts.reshape(len(rows), -1)
    return np.take(header.palette, rows[:, : header.width], axis=0)


def _from_masks(header: _Header, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = header.bits // 8
    pixels = rows[:, : header.width * size].reshape(len(rows), header.width, size)
    if header.masks == _BYTE_MASKS and size > 2:
        code = cv2.COLOR_BGR2RGB if size == 3 else cv2.COLOR_BGRA2RGB
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), dtype=np.uint8)
    whole = np.zeros(pixels.shape[:2], dtype=np.uint32)
    for i in range(size):
        whole |= pixels[:, :, i].astype(np.uint32) << 8 * i
    masks = header.masks if header.masks[3] else header.masks[:3]
    return np.stack([_levels(whole, mask) for mask in masks], axis=2)


def _levels(pixels: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    """Scale the bits of a mask to 0..255, rounding to the nearest."""
    if not mask:
        return np.zeros(pixels.shape, dtype=np.uint8)
    shift = (mask & -mask).bit_length() - 1
    values = (pixels & np.uint32(mask)) >> np.uint32(shift)
    most = mask >> shift
    return (
        values.astype(np.uint8) if most == 255 else np.rint(values * (255 / most)).astype(np.uint8)
    )


def _compressed_rows(path: Path, header: _Header) -> Rows:
    indices = _run_lengths(path.read_bytes()[header.pixels_at :], header)
    return lambda top, bottom: np.take(header.palette, indices[top:bottom], axis=0)


def _run_lengths(data: bytes, header: _Header) -> NDArray[np.uint8]:
    """Decode RLE8 or RLE4 to indices of shape (height, width); what is skipped has the first color.

    Browsers leave that transparent. Other viewers do it so, and so do the writers expect it.
    """
    width, height, nibbles = header.width, header.height, header.bits == 4
    indices = bytearray(width * height)
    both = [bytes([value >> 4, value & 15]) for value in range(256)]
    x = y = at = 0
    while at + 1 < len(data) and y < height:
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            run = (both[value] * 128 if nibbles else bytes([value]) * 255)[:count]
        elif value == _END_OF_ROW:
            x, y = 0, y + 1
            continue
        elif value == _END:
            break
        elif value == _MOVE:
            right, up = data[at : at + 2].ljust(2, b"\0")
            x, y, at = x + right, y + up, at + 2
            continue
        else:  # So many pixels one by one, up to an even number of bytes.
            length = -(-value // 2) if nibbles else value
            run = data[at : at + length]
            run = b"".join([both[pair] for pair in run])[:value] if nibbles else run
            at += length + length % 2
        # What runs over the end of its row is dropped, as viewers do.
        fits = max(0, min(len(run), width - x))
        start = y * width + x
        indices[start : start + fits] = run[:fits]
        x += len(run)
    else:
        if y < height - 1 or (y == height - 1 and x < width):
            raise damaged("rows are missing")
    rows = np.frombuffer(indices, dtype=np.uint8).reshape(height, width)
    return rows if header.top_down else rows[::-1]
