"""The summary of an image's colors: what Sample hands to ScoreK by claim check."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from quantization.color import srgb_to_oklab, to_space
from quantization.options import Space

# Distances are made for this many colors at a time, so that they stay in the processor's cache, and
# kept between so many: 64 MB.
_BLOCK, _MOST_KEPT = 256, 4096

NO_COLORS: NDArray[np.uint8] = np.empty((0, 3), dtype=np.uint8)


class _Colors(NamedTuple):
    rgb: NDArray[np.float32]
    counts: NDArray[np.int64]


class Colors(_Colors):
    """Colors, and how many pixels have each.

    What is asked of them for every K is found once.

    rgb : float32 array of shape (m, 3)
        RGB levels, 0..255.
    counts : int64 array of shape (m,)
        All positive.
    """

    @cached_property
    def lab(self) -> NDArray[np.float64]:
        """Themselves in OKLab, of shape (m, 3), column by column."""
        return np.asfortranarray(srgb_to_oklab(self.rgb))

    @cached_property
    def _bent(self) -> NDArray[np.float64]:
        return to_space(self.rgb, "oklab")

    def points(self, space: Space) -> NDArray[np.float64]:
        """Return their coordinates, of shape (m, 3); see `quantization.color.to_space`."""
        return self._bent if space == "oklab" else to_space(self.rgb, space)

    def distances(self) -> Iterable[NDArray[np.float32]]:
        """Return the Euclidean distances in RGB of each to all, some rows after the other."""
        return self._distances if len(self.rgb) <= _MOST_KEPT else self._blocks()

    @cached_property
    def _distances(self) -> list[NDArray[np.float32]]:
        return list(self._blocks())

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        # Near the middle, so that float32 rounds little, and by whole levels, so that 8-bit colors
        # stay exact.
        points = self.rgb - np.rint(self.rgb.mean(axis=0))
        squares = np.square(points).sum(axis=1)
        for start in range(0, len(points), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = squares[rows, None] + squares - 2 * points[rows] @ points.T
            # Rounding leaves a color at a small distance from itself, or at less than none.
            np.fill_diagonal(block[:, rows], 0)
            np.maximum(block, 0, out=block)
            yield np.sqrt(block, out=block)

    @classmethod
    def once_each(cls, rgb: NDArray[np.uint8 | np.float32]) -> Self:
        """Count each of the colors, given as an array of shape (m, 3), once."""
        return cls(rgb.astype(np.float32), np.ones(len(rgb), dtype=np.int64))

    def joined(self, other: Self) -> Self:
        """Return the rows of both."""
        rgb = np.concatenate([self.rgb, other.rgb])
        return type(self)(rgb, np.concatenate([self.counts, other.counts]))


class Summary(NamedTuple):
    """What is known of an image's visible pixels when its palette is chosen.

    The three colors are the same where the image has few.

    pooled : Colors
        All pixels in few rows, to fit palettes to.
    smoothness : float32 array of shape (m,)
        Of each of these: how smooth the image is around its pixels, 0..1; see
        `quantization.smoothness`.
    fine : Colors
        All pixels, or an even draw of them, to measure palettes on.
    sample : Colors
        Pixels to measure silhouettes on; none where the palette is just the image's colors.
    """

    pooled: Colors
    smoothness: NDArray[np.float32]
    fine: Colors
    sample: Colors

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays under names of their own, as `from_arrays` takes them."""
        return {
            f"{name}_{part}": array
            for name in _OF_COLORS
            for part, array in getattr(self, name)._asdict().items()
        } | {"smoothness": self.smoothness}

    def distinct(self) -> int | None:
        """Return how many colors the pixels have; None where not all were counted one by one.

        Only of a summary as it was made: put together again, it no longer tells.
        """
        return len(self.fine.rgb) if self.pooled is self.fine else None

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Put together again what `to_arrays` took apart."""
        colors = {n: Colors(arrays[f"{n}_rgb"], arrays[f"{n}_counts"]) for n in _OF_COLORS}
        return cls(smoothness=arrays["smoothness"], **colors)


_OF_COLORS = ("pooled", "fine", "sample")


def draw_evenly(
    counts: NDArray[Any], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Draw about `size` rows evenly along the rows, each by its number of pixels.

    Every pixel has the same chance (systematic sampling), so counts of the draw estimate those
    of the whole, and steadily so if similar colors are neighbors.

    Parameters
    ----------
    counts : array of shape (m,)
        Pixels of each row, or weights.

    Returns
    -------
    rows : int array
        At most `size`, increasing.
    counts : array
        How often each was drawn, `size` in all; of no more rows than that, all, and `counts`.
    """
    if len(counts) <= size:
        return np.arange(len(counts)), counts
    step = counts.sum() / size
    ends = np.cumsum(counts)
    rows = np.searchsorted(ends, (np.arange(size) + rng.random()) * step, side="right")
    # Rounding could put the last one beyond the end.
    return np.unique(np.minimum(rows, len(counts) - 1), return_counts=True)
