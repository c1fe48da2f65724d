"""Count the colors of an image, and pool or thin the counts."""

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.summary import Colors

MOST_EXACT = 4096
"""Up to this many distinct colors are counted one by one."""

MOST_POOLED = 8192
"""More colors are pooled, into the narrowest bins that leave no more rows than this ..."""

BIN_WIDTHS = (4, 8)
"""... of so many levels a channel. Of the widest there are 32 768 at the very most."""

# The finest bins, called cells: 0, then two levels each, then 255. Black, white and full
# saturation stay exact.
_CELL = 2
_CELLS = 129

_SOLID = 8


class ColorCount:
    """The colors of all visible pixels, counted strip by strip.

    A translucent pixel counts by its opacity.
    """

    def __init__(self) -> None:
        self._cells = np.zeros((_CELLS,) * 3, dtype=np.float32)
        # Of these, memory is taken only once something is counted.
        self._exact: NDArray[np.float32] | None = np.zeros((256,) * 3, dtype=np.float32)
        # Sums of opacities of 0..255, exact as whole numbers: float32 would stop at a few millions.
        self._translucent = np.zeros(256**3)
        self._has_translucent = False

    def add(self, strip: NDArray[np.uint8]) -> None:
        """Count the pixels of an array of shape (rows, columns, 3 or 4), R, G, B, A."""
        opaque = None
        if strip.shape[-1] == 4:
            alpha = strip[..., 3]
            opaque = (alpha == 255).view(np.uint8)
            packed = np.ascontiguousarray(strip).view("<u4")[..., 0]
            self._add_translucent(packed[(alpha > 0) & (alpha < 255)])
        ranges = [-1, _CELL * _CELLS - 1] * 3
        cv2.calcHist([strip], [0, 1, 2], opaque, [_CELLS] * 3, ranges, self._cells, True)
        if self._exact is not None and np.count_nonzero(self._cells) > MOST_EXACT:
            self._exact = None
        if self._exact is not None:
            cv2.calcHist([strip], [0, 1, 2], opaque, [256] * 3, [0, 256] * 3, self._exact, True)

    def _add_translucent(self, packed: NDArray[np.uint32]) -> None:
        """Count pixels, each R + 2**8 G + 2**16 B + 2**24 A."""
        if len(packed):
            self._has_translucent = True
            opacity = (packed >> 24).astype(np.float64)
            np.add.at(self._translucent, packed & 0xFFFFFF, opacity)

    def colors(self) -> tuple[Colors, bool]:
        """Return what was counted.

        Returns
        -------
        colors : Colors
            In the order of their red, green and blue levels.
        exact : bool
            Whether these are the distinct colors, at most `MOST_EXACT`. Otherwise they are the
            centers of bins two levels wide, in which only 0 and 255 stand alone.
        """
        if self._has_translucent:
            packed = np.flatnonzero(self._translucent)
            levels = np.unravel_index(packed, (256,) * 3)[::-1]
            cells = tuple((level + 1) // _CELL for level in levels)
            pixels = self._translucent[packed] / 255
            np.add.at(self._cells, cells, pixels)
            if self._exact is not None:
                self._exact[levels] += pixels
        if self._exact is not None:
            exact = _rows(self._exact)
            if len(exact.counts) <= MOST_EXACT:
                return exact, True
        index, counts = _rows(self._cells)
        centers = np.clip(_CELL * index - 0.5, 0, 255)
        return Colors(centers.astype(np.float32), counts), False


def _rows(histogram: NDArray[np.float32]) -> Colors:
    """List the occupied bins, their indices in place of levels."""
    occupied = np.flatnonzero(histogram != 0)  # Of booleans it is four times as fast.
    index = np.empty((len(occupied), 3), dtype=np.float32)
    rest = occupied.astype(np.int32)
    for channel in (2, 1, 0):
        rest, index[:, channel] = np.divmod(rest, histogram.shape[channel])
    counts = np.rint(histogram.ravel()[occupied]).astype(np.int64)
    # What adds up to less than half a pixel nobody sees, unless there is nothing else.
    seen = counts > 0
    return Colors(index[seen], counts[seen]) if seen.any() else Colors(index, counts + 1)


def with_solid(cells: Colors, drawn: NDArray[np.uint8]) -> tuple[Colors, Colors]:
    """Tell the colors that fill areas from those that come once or twice.

    Parameters
    ----------
    cells : Colors
        As `ColorCount.colors` gives them where they are not exact.
    drawn : uint8 array of shape (n, 3)
        Random pixels.

    Returns
    -------
    rest : Colors
        The cells without the second.
    solid : Colors
        Exact colors that `_SOLID` of the drawn pixels have, each with about its number of pixels.
    """
    packed = np.ravel_multi_index(tuple(drawn.T.astype(np.int64)), (256,) * 3)
    packed, times = np.unique(packed, return_counts=True)
    packed, times = packed[times >= _SOLID], times[times >= _SOLID]
    levels = np.stack(np.unravel_index(packed, (256,) * 3), axis=1).astype(np.float32)
    keys, wanted = _cell_numbers(cells.rgb), _cell_numbers(levels)
    cell = np.searchsorted(keys, wanted)
    # A cell may have been left out, for it is hardly visible.
    there = keys[np.minimum(cell, len(keys) - 1)] == wanted
    levels, times, cell = levels[there], times[there], cell[there]
    estimate = times * (cells.counts.sum() / len(drawn))
    # Of a cell no more is taken than it has.
    most = np.maximum(np.bincount(cell, estimate, minlength=len(keys)), cells.counts)
    counts = np.maximum(estimate * (cells.counts / most)[cell], 1).astype(np.int64)
    left = cells.counts - np.bincount(cell, counts, minlength=len(keys)).astype(np.int64)
    some = left > 0
    return Colors(cells.rgb[some], left[some]), Colors(levels, counts)


def _cell_numbers(rgb: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the numbers of the cells of levels, which increase along a histogram's rows."""
    cells = np.ceil(rgb / _CELL).astype(np.int64)
    numbers: NDArray[np.int64] = np.ravel_multi_index(tuple(cells.T), (_CELLS,) * 3)
    return numbers


def pool(fine: Colors) -> Colors:
    """Pool colors into bins, each with the mean color of its pixels.

    The bins are the narrowest of `BIN_WIDTHS` that leave at most `MOST_POOLED` of them, or else
    the widest; up to that many colors are left alone.
    """
    if len(fine.rgb) <= MOST_POOLED:
        return fine
    red, green, blue = fine.rgb.astype(np.int32).T
    weights = fine.counts.astype(np.float64)
    for width in BIN_WIDTHS:
        side = 256 // width
        bins = (red // width * side + green // width) * side + blue // width
        counts = np.bincount(bins, weights=weights)
        occupied = np.flatnonzero(counts)
        if len(occupied) <= MOST_POOLED:
            break
    sums = [np.bincount(bins, weights=weights * level)[occupied] for level in fine.rgb.T]
    rgb = np.stack(sums, axis=1) / counts[occupied, None]
    return Colors(rgb.astype(np.float32), counts[occupied].astype(np.int64))
