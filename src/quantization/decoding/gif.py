"""GIF89a: the first frame, where the screen shows it.

libvips decodes it from a file of this frame alone. Of the whole it would widen the screen to the
frame, fill with black what the frame leaves free, and not say that pixels are missing.
"""

import struct
from pathlib import Path
from typing import NamedTuple

import pyvips

from quantization.decoding.stored import Stored, by_libvips, damaged, load
from quantization.errors import EmptyImage

_SCREEN_AT, _COLORS_AT = 6, 13
_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL = 0xF9
_IS_TRANSPARENT = 0x01
_IS_INTERLACED = 0x40
_TRAILER = b";"


class _Frame(NamedTuple):
    """The first frame.

    screen : bytes
        The logical screen descriptor.
    colors : bytes
        The screen's table of colors, or nothing.
    control : bytes
        The graphic control extension, or nothing.
    start : bytes
        The image block up to its pixels, with its own table of colors if there is one.
    pixels : bytes
        Compressed, without their division into blocks.
    """

    screen: bytes
    colors: bytes
    control: bytes
    start: bytes
    pixels: bytes

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height on the screen."""
        return struct.unpack_from("<4H", self.start, 1)

    def file(self, control: bytes | None = None) -> bytes:
        """Return a GIF file that shows the frame and nothing else."""
        _, _, width, height = self.box
        size = struct.pack("<HH", width, height)
        blocks = [self.pixels[at : at + 255] for at in range(0, len(self.pixels), 255)]
        return b"".join(
            [
                b"GIF89a" + size + self.screen[4:] + self.colors,
                self.control if control is None else control,
                self.start[:1] + bytes(4) + size + self.start[9:],
                *(bytes([len(block)]) + block for block in blocks),
                b"\0" + _TRAILER,
            ]
        )

    def is_complete(self) -> bool:
        """Whether the data go on to the last pixel."""
        _, _, width, height = self.box
        interlaced = self.start[9] & _IS_INTERLACED and height > 1
        last_row = height - 1 - height % 2 if interlaced else height - 1
        for transparent in (0, 1):
            control = b"!\xf9\4" + bytes([_IS_TRANSPARENT, 0, 0, transparent, 0])
            # Transparent whichever index is said to be so: nothing was written there.
            opacity = load("gifload", self.file(control)).getpoint(width - 1, last_row)[-1]
            if opacity:
                return True
        return False


def read(path: Path) -> Stored:
    """Read up to the first frame, and count those that follow.

    Raises
    ------
    UnsupportedImage
        If there is no frame.
    EmptyImage
        If the screen does not show it.
    """
    frame, frames = _frames(path.read_bytes())
    left, top, width, height = frame.box
    if not min(width, height):
        raise damaged("its first frame has no pixels")
    screen = struct.unpack_from("<HH", frame.screen)
    if not min(screen):
        screen = (left + width, top + height)
    if left >= screen[0] or top >= screen[1]:
        raise EmptyImage("the first frame lies outside of the screen; there is nothing to see")
    fills = left == top == 0 and width >= screen[0] and height >= screen[1]

    def shown(frame: _Frame) -> pyvips.Image:
        image = load("gifload", frame.file())
        if not fills and not image.hasalpha():
            image = image.bandjoin(255)
        # What lies outside the screen is cut off, what the frame leaves free is transparent.
        return image.embed(left, top, *screen, background=[0] * image.bands)

    stored = by_libvips(shown(frame), lambda: shown(_completed(frame)), frames=frames)
    return stored._replace(decoded_pixels=width * height)


def _completed(frame: _Frame) -> _Frame:
    """Return the frame if its data go on to the last pixel."""
    # Without an end code libvips drops the last pixel, which more zeros bring to light.
    for whole in (frame, frame._replace(pixels=frame.pixels + b"\0")):
        if whole.is_complete():
            return whole
    raise damaged("pixels of its first frame are missing")


def _frames(data: bytes) -> tuple[_Frame, int]:
    """Return the first frame and how many there are, up to where the file ends or is damaged."""
    screen = data[_SCREEN_AT:_COLORS_AT].ljust(_COLORS_AT - _SCREEN_AT, b"\0")
    at = _COLORS_AT + _table_bytes(screen[4])
    colors, control, first, frames = data[_COLORS_AT:at], b"", None, 0
    while at + 10 < len(data) and data[at] in (_EXTENSION, _IMAGE):
        block, is_image = at, data[at] == _IMAGE
        at += 11 + _table_bytes(data[at + 9]) if is_image else 2
        start, blocks = data[block:at], []
        while at < len(data) and (length := data[at]):
            if not first:
                blocks.append(data[at + 1 : at + 1 + length])
            at += 1 + length
        at += 1
        if is_image:
            first = first or _Frame(screen, colors, control, start, b"".join(blocks))
            frames += at <= len(data) or not frames
        elif start[1] == _CONTROL and not first:
            control = data[block:at]
    if first is None:
        raise damaged("its first frame is missing")
    return first, frames


def _table_bytes(flags: int) -> int:
    """Return the length of the table of colors that the flags announce."""
    return 6 << (flags & 7) if flags & 0x80 else 0
