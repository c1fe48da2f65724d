"""Dithering: mixing palette colors so that from afar they look like the colors between them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quantization.color import to_space
from quantization.options import Space

DIFFUSION_STRIP_PIXELS = 2**22
"""Pixels that error diffusion wants at a time: it works on one pixel of each row at once."""

_PASSED_ON = np.float32(0.85 / 16)
"""Of an error to each of 16 parts.

All of it would add up where no mixture reaches a color, until a far color lets it off: a stray dot.
"""


_CONTRAST_COSTS = 0.15
"""What the two colors of a mixture differ by, against how far its mean is off.

With more of it mixtures are smoother and less true.
"""

_SIDE = 8
_THRESHOLDS = _SIDE**2

_CHUNK = 2**16
"""Pixels dithered at a time, so that the intermediate arrays stay in the processor's cache."""

_COMPARED = 2**18
"""Pairs of a color and a palette color that are compared at once."""

_LUMA = np.array([0.299, 0.587, 0.114])


class Labeler(Protocol):
    """Labels pixels, uint8 of shape (height, width, 3 or 4), with indices into a palette."""

    def __call__(self, pixels: NDArray[np.uint8], /) -> NDArray[np.uint8]:
        """Return labels, uint8 of shape (height, width)."""
        ...


class OrderedDither:
    """Ordered dithering of two colors a pixel, by an 8 x 8 matrix (Bayer, IEEE ICC 1973).

    A pixel's color is mixed of the nearest palette color and of another one (as by Yliluoma,
    "Arbitrary-palette positional dithering algorithm", 2011): the one with which the mean comes
    closest, less what the two differ by, for that shows. Where the pixel is says which of the two
    it gets: patterns are regular, and what does not move stays the same from frame to frame. A
    color of the palette mixes with nothing and stays as it is.

    Parameters
    ----------
    palette : uint8 array of shape (k, 3), 1 <= k <= 256
        RGB levels.
    space : "rgb" or "oklab"
        In which distances and means are taken.
    """

    def __init__(self, palette: NDArray[np.uint8], space: Space) -> None:
        self._space: Space = space
        self._centers = to_space(palette, space)
        self._luma = palette @ _LUMA
        # Of each color met: 1 + the share of the brighter one, the brighter one, the darker one.
        self._table = np.zeros(2**24, dtype=np.uint32)
        self._matrix = _bayer(_SIDE)
        self._row = 0

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label the image's next rows."""
        height, width = pixels.shape[:2]
        labels = np.empty((height, width), dtype=np.uint8)
        columns = np.arange(width) % _SIDE
        for top in range(0, height, step := max(1, _CHUNK // width)):
            strip = pixels[top : top + step]
            rows = (self._row + np.arange(len(strip))) % _SIDE
            mixtures = self._mixtures(strip)
            brighter = self._matrix[rows[:, None], columns] < (mixtures >> 16) - 1
            labels[top : top + step] = np.where(brighter, mixtures >> 8, mixtures) & 255
            self._row += len(strip)
        return labels

    def _mixtures(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
        red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
        colors = red << 16 | green << 8 | blue
        mixtures: NDArray[np.uint32] = self._table[colors]
        unknown = mixtures == 0
        if unknown.any():
            new = np.unique(colors[unknown])
            for some in np.array_split(new, len(new) * len(self._centers) // _COMPARED + 1):
                self._table[some] = self._mix(some)
            mixtures = self._table[colors]
        return mixtures

    def _mix(self, colors: NDArray[np.uint32]) -> NDArray[np.uint32]:
        levels = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1)
        points = to_space(levels, self._space)
        # Of whole numbers the products are exact, so every processor makes the same mixture.
        products = points @ self._centers.T
        between = self._centers @ self._centers.T
        squares = np.diagonal(between)
        nearest = (squares - 2 * products).argmin(axis=1)
        rows = np.arange(len(colors))
        apart = squares + squares[nearest, None] - 2 * between[nearest]
        along = products - products[rows, nearest, None] - between[nearest] + squares[nearest, None]
        # The nearest one with itself is no mixture.
        share = np.clip(along / np.where(apart, apart, 1), 0, 0.5)
        missed = share * (share * apart - 2 * along)
        missed += _CONTRAST_COSTS * share * (1 - share) * apart
        other = missed.argmin(axis=1)
        part = np.rint(_THRESHOLDS * share[rows, other]).astype(np.uint32)
        swap = self._luma[nearest] > self._luma[other]
        brighter = np.where(swap, nearest, other).astype(np.uint32)
        darker = np.where(swap, other, nearest).astype(np.uint32)
        part = np.where(swap, _THRESHOLDS - part, part)
        return np.asarray((part + 1) << 16 | brighter << 8 | darker, dtype=np.uint32)


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
            first = max(0, (step - width + 2) // 2)
            rows = np.arange(first, min(height, step // 2 + 1))
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
            # Two rows at most have ended since; those that go on are written anew.
            three[max(0, first - 1) : first + 1] = 0
            three[rows + 1] = error
            ago = [three, one, two]
            if rows.size and rows[-1] == height - 1:
                last[columns[-1]] = error[-1]
        self._above = last
        return labels


def _levels(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return levels


def _bayer(size: int) -> NDArray[np.uint32]:
    """Return the index matrix of a power of two: each number below its square once."""
    matrix = np.zeros((1, 1), dtype=np.uint32)
    while len(matrix) < size:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return matrix
