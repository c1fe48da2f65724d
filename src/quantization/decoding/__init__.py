"""Decoding, the same for Sample and Render.

Pixels are sRGB levels of 8 bits, channels in the order R, G, B and, where there is transparency, A
(not premultiplied). They come in strips of rows, so that an image need not fit into memory.
"""

import itertools
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding import bmp, gif, heif, jpeg, png, tiff, webp
from quantization.decoding.signatures import HEAD, image_format
from quantization.decoding.stored import Stored, damaged
from quantization.errors import ImageTooLarge

STRIP_PIXELS = 2**17
"""Pixels of a strip, where its user does not say."""

_READERS: dict[str, Callable[[Path], Stored]] = {
    "jpeg": jpeg.read,
    "png": png.read,
    "webp": webp.read,
    "gif": gif.read,
    "tiff": tiff.read,
    "avif": heif.read_avif,
    "heic": heif.read_heic,
    "bmp": bmp.read,
}
# libheif holds some 18 bytes a pixel of an AVIF, twice as much as any other decoder, and 13 of the
# deepest HEIC (`benchmarks.memory_sizes`): they may have half the pixels.
_PIXELS_COUNT = {"avif": 2, "heic": 2}

_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], cv2.typing.MatLike]] = {
    1: lambda plane: plane,
    2: lambda plane: cv2.flip(plane, 1),
    3: lambda plane: cv2.rotate(plane, cv2.ROTATE_180),
    4: lambda plane: cv2.flip(plane, 0),
    5: cv2.transpose,
    6: lambda plane: cv2.rotate(plane, cv2.ROTATE_90_CLOCKWISE),
    7: lambda plane: cv2.rotate(cv2.transpose(plane), cv2.ROTATE_180),
    8: lambda plane: cv2.rotate(plane, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True)
class Image:
    """An image whose header has been read. Its pixels are decoded when `strips` asks for them.

    Attributes
    ----------
    format : str
        "jpeg", "png", "webp", "gif", "tiff", "avif", "heic" or "bmp".
    stored : Stored
        What its file says.
    """

    format: str
    stored: Stored

    @property
    def width(self) -> int:
        """Pixels from left to right, upright."""
        return self.stored_shape[0] if self._swaps_sides else self.stored_shape[1]

    @property
    def height(self) -> int:
        """Pixels from top to bottom, upright."""
        return self.stored_shape[1] if self._swaps_sides else self.stored_shape[0]

    @property
    def frames(self) -> int:
        """Frames of an animation, or pages; the first one is decoded."""
        return self.stored.frames

    @property
    def has_alpha(self) -> bool:
        """Whether strips have four channels."""
        return self.stored.has_alpha

    @property
    def dots_per_meter(self) -> tuple[int, int] | None:
        """Horizontal and vertical resolution, upright; None where none is stated."""
        dots = self.stored.dots_per_meter
        return dots[::-1] if dots and self._swaps_sides else dots

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Rows and columns of all strips together."""
        return self.stored.height, self.stored.width

    @property
    def _swaps_sides(self) -> bool:
        """Whether the stored rows are columns when upright."""
        return self.stored.orientation >= 5

    def strips(self, strip_pixels: int = STRIP_PIXELS) -> Iterator[NDArray[np.uint8]]:
        """Decode, and yield the stored rows in their order, which `upright` makes the displayed.

        Parameters
        ----------
        strip_pixels : int
            A strip is as many whole rows as fit into this many pixels, at least one.

        Yields
        ------
        strip : uint8 array of shape (rows, columns, 3 or 4)
            Levels in the order R, G, B, A; read-only.

        Raises
        ------
        UnsupportedImage
            If pixels are missing or damaged.
        """
        height, width = self.stored_shape
        with _refusals():
            rows = self.stored.decode()
            bounds = [*range(0, height, max(1, strip_pixels // width)), height]
            for top, bottom in itertools.pairwise(bounds):
                yield rows(top, bottom)

    def upright(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an array of shape (stored rows, stored columns, ...) to how it is displayed."""
        return np.asarray(_UPRIGHT[self.stored.orientation](plane), dtype=np.uint8)

    def pixels(self) -> NDArray[np.uint8]:
        """Decode into one upright array, uint8 of shape (height, width, 3 or 4)."""
        return self.upright(np.concatenate(list(self.strips())))


def open_image(path: Path, *, max_pixels: int) -> Image:
    """Read the header of an image file, told by its content and not by its name.

    Parameters
    ----------
    path : Path
        A JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC or BMP file.
    max_pixels : int
        The most pixels that may be decoded; of an AVIF or HEIC half as many.

    Raises
    ------
    UnsupportedImage
        If it is none of these, damaged, or of a variety that would not be rendered right.
    ImageTooLarge
        If it has more pixels. It is not decoded to find out.
    EmptyImage
        If there are no bytes at all.
    """
    with path.open("rb") as file:
        kind = image_format(file.read(HEAD))
    with _refusals():
        image = Image(kind, _READERS[kind](path))
    limit = max_pixels // _PIXELS_COUNT.get(kind, 1)
    if max(image.width * image.height, image.stored.decoded_pixels) > limit:
        raise ImageTooLarge(
            f"{image.width} x {image.height} pixels are over the limit of {limit / 1e6:g} million "
            f"for {kind}; upload a smaller image"
        )
    return image


@contextmanager
def _refusals() -> Iterator[None]:
    """Refuse what a decoder fails at. Its own words are for the log: they name files and parts."""
    try:
        yield
    except pyvips.Error as error:
        if "out of memory" in error.detail:
            raise MemoryError(error.detail.strip().splitlines()[0]) from error
        raise damaged("its pixels cannot be decoded") from error
    except (struct.error, ValueError, ArithmeticError, LookupError) as error:
        # What the readers here stumble over is a header that contradicts itself.
        raise damaged("its header makes no sense") from error
