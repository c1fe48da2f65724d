"""A small picture of the original, for the report, which draws the result from it."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding import Image

MAX_PIXELS = 2**20
LONGEST_SIDE = 4096
"""Of a preview, at most: what phones can draw. The image is reduced by a whole number."""

_SMALL = 2**16
"""Pixels of a preview that is encoded without loss, however many colors it has."""

_FLAT = 1 / 16
"""Colors a pixel, at most, of one that is, however large it is."""

_QUALITIES = (95, 90, 80, 65, 45, 25)


class Picture(NamedTuple):
    """A small picture, encoded.

    data : bytes
    media_type : str
    """

    data: bytes
    media_type: str


class Preview:
    """Reduces an image while its strips go by, by the mean of each cell of pixels.

    Parameters
    ----------
    image : Image

    Attributes
    ----------
    width, height : int
        Size in pixels, upright.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        rows, columns = image.stored_shape
        self._rows_a_cell, self._columns_a_cell = _cell(rows, columns)
        self._rest: NDArray[np.uint8] | None = None
        self._reduced: list[NDArray[np.uint8]] = []
        self.height, self.width = rows // self._rows_a_cell, columns // self._columns_a_cell
        if image.stored.orientation >= 5:
            self.height, self.width = self.width, self.height

    def add(self, strip: NDArray[np.uint8]) -> None:
        """Take the next of the image's strips."""
        rows = strip if self._rest is None else np.concatenate([self._rest, strip])
        height, width = len(rows) // self._rows_a_cell, rows.shape[1] // self._columns_a_cell
        used = height * self._rows_a_cell
        self._rest = rows[used:].copy()
        if height:
            whole = rows[:used, : width * self._columns_a_cell]
            self._reduced.append(_means(whole, height, width))

    def encode(self, max_bytes: int) -> Picture:
        """Encode what was seen, upright, in at most so many bytes if that can be done.

        Without loss where the picture is small or has few colors. Otherwise as JPEG with colors in
        full resolution or, where there is transparency, as WebP.
        """
        pixels = self._image.upright(np.concatenate(self._reduced))
        for picture in _encoded(pixels):
            if len(picture.data) <= max_bytes:
                break
        return picture


def _encoded(pixels: NDArray[np.uint8]) -> Iterator[Picture]:
    """Encode in one way after the other, the best one first."""
    picture = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    height, width, channels = pixels.shape
    size = height * width
    if size <= _SMALL or _distinct_colors(pixels) <= size * _FLAT:
        yield Picture(picture.webpsave_buffer(lossless=True, effort=2), "image/webp")
    if channels == 4:
        picture = _underpainted(picture)
    for quality in _QUALITIES:
        if channels == 4:
            yield Picture(picture.webpsave_buffer(Q=quality, effort=2), "image/webp")
        else:
            jpeg = picture.jpegsave_buffer(Q=quality, subsample_mode="off", optimize_coding=True)
            yield Picture(jpeg, "image/jpeg")


def _distinct_colors(pixels: NDArray[np.uint8]) -> int:
    levels = pixels[:, :, :3].astype(np.int32)
    seen = np.zeros(2**24, dtype=np.bool_)
    seen[levels[:, :, 0] << 16 | levels[:, :, 1] << 8 | levels[:, :, 2]] = True
    return int(np.count_nonzero(seen))


def _means(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return the mean of each cell, where colors weigh as much as they are opaque.

    Those of transparent pixels would show as fringes otherwise.
    """
    if pixels.shape[2] == 3 or pixels.shape[:2] == (height, width):
        means = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(means, dtype=np.uint8)
    weighted = pyvips.Image.new_from_array(pixels).premultiply()
    shrunk = weighted.shrink(pixels.shape[1] // width, pixels.shape[0] // height).unpremultiply()
    return np.asarray(shrunk.rint().cast("uchar").numpy(), dtype=np.uint8)


def _underpainted(picture: pyvips.Image) -> pyvips.Image:
    """Give fully transparent pixels the colors nearby, for lossy compression mixes neighbors."""
    nearby = picture.premultiply().gaussblur(2, precision="float").unpremultiply()
    hidden = nearby[:3].bandjoin(0).rint().cast("uchar")
    return (picture[3] == 0).ifthenelse(hidden, picture)


def _cell(rows: int, columns: int) -> tuple[int, int]:
    """Return the rows and columns that make one pixel of the preview, alike but for slivers."""
    factor = max(
        math.ceil(math.sqrt(rows * columns / MAX_PIXELS)),
        math.ceil(max(rows, columns) / LONGEST_SIDE),
    )
    return min(factor, rows), min(factor, columns)
