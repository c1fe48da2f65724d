"""Small pictures of the original and of the result, for the report."""

from typing import NamedTuple

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding import Image
from quantization.encoding.png import encode_png
from quantization.recolor import Recolored

LONGEST_SIDE = 1024
"""Pixels of a preview's longer side, at most. The image is reduced by a whole number."""

WEBP_QUALITY = 80


class Preview(NamedTuple):
    """A small picture, encoded.

    data : bytes
    media_type : str
    width, height : int
    """

    data: bytes
    media_type: str
    width: int
    height: int


class OriginalPreview:
    """Reduces an image to its preview while its strips go by, by the mean of each cell of pixels.

    Parameters
    ----------
    image : Image
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._rows_a_cell, self._columns_a_cell = _cell(image.stored_shape)
        self._rest: NDArray[np.uint8] | None = None
        self._reduced: list[NDArray[np.uint8]] = []

    def add(self, strip: NDArray[np.uint8]) -> None:
        """Take the next of the image's strips."""
        rows = strip if self._rest is None else np.concatenate([self._rest, strip])
        height, width = len(rows) // self._rows_a_cell, rows.shape[1] // self._columns_a_cell
        used = height * self._rows_a_cell
        self._rest = rows[used:].copy()
        if height:
            whole = rows[:used, : width * self._columns_a_cell]
            self._reduced.append(_means(whole, height, width))

    def encode(self) -> Preview:
        """Encode what was seen, upright, as lossy WebP."""
        pixels = self._image.upright(np.concatenate(self._reduced))
        picture = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
        if picture.hasalpha():
            picture = _underpainted(picture)
        data = picture.webpsave_buffer(Q=WEBP_QUALITY, effort=2)
        return Preview(data, "image/webp", pixels.shape[1], pixels.shape[0])


def preview_of_result(recolored: Recolored) -> Preview:
    """Encode the middle pixel of each cell as PNG: every color is one of the palette."""
    indices = recolored.indices
    (height, width), (rows, columns) = indices.shape, _cell(indices.shape)
    height, width = height // rows, width // columns
    middles = indices[rows // 2 :: rows, columns // 2 :: columns][:height, :width]
    return Preview(encode_png(middles, recolored.entries), "image/png", width, height)


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


def _cell(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns that make one pixel of the preview, alike but for slivers."""
    height, width = shape
    factor = -(-max(height, width) // LONGEST_SIDE)
    return min(factor, height), min(factor, width)
