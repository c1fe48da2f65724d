"""Dithering: mixing palette colors so that from afar they look like the colors between them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DIFFUSION_STRIP_PIXELS = 2**22
"""Pixels that error diffusion wants at a time: it works on one pixel of each row at once."""

_PASSED_ON = np.float32(0.85 / 16)
"""Of an error to each of 16 parts.

All of it would add up where no mixture reaches a color, until a far color lets it off: a stray dot.
"""


class Labeler(Protocol):
    """Labels pixels, uint8 of shape (height, width, 3 or 4), with indices into a palette."""

    def __call__(self, pixels: NDArray[np.uint8], /) -> NDArray[np.uint8]:
        """Return labels, uint8 of shape (height, width)."""
        ...


class OrderedDither:
    """Ordered dithering with an 8 x 8 matrix (Bayer, IEEE ICC 1973).

    A pixel's threshold depends on where it is, not on other pixels: patterns are regular, and what
    does not move stays the same from frame to frame.

    Parameters
    ----------
    nearest : Labeler
        Labels pixels with their nearest palette colors.
    palette : uint8 array of shape (k, 3)
        RGB levels. Thresholds spread as far as the median color is from its nearest other.
    """

    def __init__(self, nearest: Labeler, palette: NDArray[np.uint8]) -> None:
        self._nearest = nearest
        self._thresholds = _bayer(8) * _spacing(palette)
        self._row = 0

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label the image's next rows."""
        height, width = pixels.shape[:2]
        rows = (self._row + np.arange(height)) % 8
        self._row += height
        thresholds = self._thresholds[rows[:, None], np.arange(width) % 8]
        shifted = pixels[:, :, :3] + thresholds[:, :, None]
        return self._nearest(_levels(shifted))


class ErrorDiffusion:
    """Damped error diffusion (Floyd and Steinberg, Proceedings of the SID 17/2, 1976).

    Each pixel passes on `_PASSED_ON` of what its color is off by: 7 parts to the right and 3, 5
    and 1 below. A pixel whose color is in the palette keeps it.

    Pixels on a line x + 2y = t do not depend on each other, so all rows go at once, each two pixels
    behind the one above it. The result is that of going pixel by pixel.

    Parameters
    ----------
    nearest : Labeler
        Labels pixels with their nearest palette colors.
    palette : uint8 array of shape (k, 3)
        RGB levels.
    """

    def __init__(self, nearest: Labeler, palette: NDArray[np.uint8]) -> None:
        self._nearest = nearest
        self._palette = palette
        self._above: NDArray[np.float32] | None = None

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label the image's next rows. Nothing is passed on from fully transparent pixels."""
        height, width, channels = pixels.shape
        labels = self._nearest(pixels)
        kept = (self._palette[labels] == pixels[:, :, :3]).all(axis=2)
        # Errors by row, the first being the last one of the rows before; one, two, three steps ago.
        ago = [np.zeros((height + 1, 3), dtype=np.float32) for _ in range(3)]
        above = np.zeros((width + 2, 3), dtype=np.float32)
        if self._above is not None:
            above[: width + 1] = self._above
        last = np.zeros((width + 1, 3), dtype=np.float32)
        for step in range(width + 2 * height - 2):
            # The row above the first runs two pixels ahead of it, like any other.
            one, two, three = ago
            for back, errors in enumerate(ago, 1):
                column = step + 2 - back
                errors[0] = above[column] if 0 <= column <= width else 0
            rows = np.arange(max(0, (step - width + 2) // 2), min(height, step // 2 + 1))
            columns = step - 2 * rows
            wanted = (
                pixels[rows, columns, :3]
                + (7 * one[rows + 1] + 3 * one[rows] + 5 * two[rows] + three[rows]) * _PASSED_ON
            )
            wanted = np.clip(wanted, 0, 255)
            chosen = self._nearest(_levels(wanted)[None])[0]
            labels[rows, columns] = chosen = np.where(
                kept[rows, columns], labels[rows, columns], chosen
            )
            error = wanted - self._palette[chosen].astype(np.float32)
            if channels == 4:
                error[pixels[rows, columns, 3] == 0] = 0
            three[:] = 0
            three[rows + 1] = error
            ago = [three, one, two]
            if rows.size and rows[-1] == height - 1:
                last[columns[-1]] = error[-1]
        self._above = last
        return labels


def _levels(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return levels


def _bayer(size: int) -> NDArray[np.float32]:
    """Return the index matrix of a power of two, scaled to between -1/2 and 1/2."""
    matrix = np.zeros((1, 1))
    while len(matrix) < size:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return ((matrix + 0.5) / matrix.size - 0.5).astype(np.float32)


def _spacing(palette: NDArray[np.uint8]) -> np.float32:
    """Return the median distance of a color from its nearest other one, per channel."""
    difference = palette[:, None].astype(np.float32) - palette.astype(np.float32)
    distances = np.sqrt(np.square(difference).sum(axis=-1))
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(axis=1)
    return np.float32(np.median(nearest) / np.sqrt(3)) if len(palette) > 1 else np.float32(0)
