"""How much each color of an image counts when a palette is fitted: smooth areas count most."""

import cv2
import numpy as np
from numpy.typing import NDArray

_LOOKED_AT = 2**19
"""Pixels that are enough. Of larger images every second, third, ... row and column is taken."""

_WINDOW = (5, 5)
_AREA = 25
_ROUGH = 4
"""Levels of standard deviation that halve a pixel's weight."""

_FEW = 0.1
"""Pixels, so few that any one that is looked at decides."""

_WIDTH = 4
"""Levels a channel of the bins in which weights are averaged."""
_SIDE = 256 // _WIDTH


class Smoothness:
    """The mean weight of the pixels of each color, strip by strip.

    In a smooth area a wrong color shows as a band; in a rough one nobody sees it. A pixel weighs
    4 / (4 + s), s being the least standard deviation of luma, in levels, of the 5 x 5 windows
    about the 5 x 5 pixels around it. The least one makes pixels at the border of a smooth area
    smooth.
    """

    def __init__(self, pixels: int) -> None:
        """Look at an image of so many pixels."""
        self._step = max(1, round((pixels / _LOOKED_AT) ** 0.5))
        self._weights = np.zeros(_SIDE**3)
        self._pixels = np.zeros(_SIDE**3)

    def add(self, strip: NDArray[np.uint8]) -> None:
        """Look at an array of shape (rows, columns, 3 or 4), R, G, B, A."""
        step = self._step
        rows, columns = (side // step * step for side in strip.shape[:2])
        if not rows or not columns:
            return
        strip = strip[:rows, :columns]
        seen = strip[step // 2 :: step, step // 2 :: step]
        size = columns // step, rows // step
        small = np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        weights = _ROUGH / (_ROUGH + _least_deviation(small))
        opacity = seen[..., 3] / 255 if strip.shape[2] == 4 else np.ones(weights.shape)
        bins = _bins(seen.reshape(-1, strip.shape[2]))
        self._weights += np.bincount(bins, (weights * opacity).ravel(), minlength=_SIDE**3)
        self._pixels += np.bincount(bins, opacity.ravel(), minlength=_SIDE**3)

    def of(self, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the weights, 0..1, of colors of shape (m, 3).

        Colors of which no pixel was looked at have the mean weight of all, or 1.
        """
        bins = _bins(rgb)
        seen = self._pixels.sum()
        # Nothing is, where an image is thinner than a step, or visible between the steps alone.
        usual = self._weights.sum() / seen if seen else 1.0
        weights = (self._weights[bins] + _FEW * usual) / (self._pixels[bins] + _FEW)
        return weights.astype(np.float32)


def _least_deviation(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    red, _, blue, *alpha = cv2.split(pixels)
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # Where two colors of the same luma meet is no smooth area either.
    chroma = cv2.addWeighted(red, 0.5, blue, -0.5, 128)
    variance = np.zeros(luma.shape, dtype=np.float32)
    # All in whole numbers, which are the same on all processors.
    for plane in (luma, chroma):
        if alpha:  # what is hidden must not look rough
            plane = ((plane * alpha[0].astype(np.uint16) + 127) // 255).astype(np.uint8)
        sums = cv2.boxFilter(plane, cv2.CV_32S, _WINDOW, normalize=False)
        squares = cv2.sqrBoxFilter(plane, cv2.CV_32S, _WINDOW, normalize=False)
        variance += _AREA * squares - sums**2
    least = cv2.erode(variance, np.ones(_WINDOW, np.uint8))
    return np.sqrt(least.astype(np.float64)) / _AREA


def _bins(rgb: NDArray[np.uint8 | np.float32]) -> NDArray[np.int32]:
    red, green, blue = (rgb[:, channel].astype(np.int32) // _WIDTH for channel in range(3))
    return (red * _SIDE + green) * _SIDE + blue
