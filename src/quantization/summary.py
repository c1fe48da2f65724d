"""The summary of an image's colors: what Sample hands to ScoreK by claim check."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Colors(NamedTuple):
    """Colors, and how many pixels have each.

    rgb : float32 array of shape (m, 3)
        RGB levels, 0..255.
    counts : int64 array of shape (m,)
        All positive.
    """

    rgb: NDArray[np.float32]
    counts: NDArray[np.int64]

    @classmethod
    def once_each(cls, rgb: NDArray[np.uint8 | np.float32]) -> Self:
        """Count each of the colors, given as an array of shape (m, 3), once."""
        return cls(rgb.astype(np.float32), np.ones(len(rgb), dtype=np.int64))


class Summary(NamedTuple):
    """What is known of an image's visible pixels when its palette is chosen.

    The three are the same where the image has few colors.

    pooled : Colors
        All pixels in few rows, to fit palettes to.
    fine : Colors
        All pixels, or an even draw of them, to measure palettes on.
    sample : Colors
        Pixels to measure silhouettes on; none where the palette is just the image's colors.
    """

    pooled: Colors
    fine: Colors
    sample: Colors

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays under names of their own, as `from_arrays` takes them."""
        return {
            f"{name}_{part}": array
            for name, colors in self._asdict().items()
            for part, array in colors._asdict().items()
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Put together again what `to_arrays` took apart."""
        return cls(*(Colors(arrays[f"{n}_rgb"], arrays[f"{n}_counts"]) for n in cls._fields))


def draw_evenly(colors: Colors, size: int, rng: np.random.Generator) -> Colors:
    """Draw about `size` rows evenly along the rows, each by its number of pixels.

    Every pixel has the same chance (systematic sampling), so counts of the draw estimate those
    of the whole, and steadily so if similar colors are neighbors.

    Returns
    -------
    drawn : Colors
        At most `size` rows with counts that sum to `size`; all of `colors` if it has no more
        rows than that.
    """
    if len(colors.rgb) <= size:
        return colors
    step = colors.counts.sum() / size
    ends = np.cumsum(colors.counts)
    rows = np.searchsorted(ends, (np.arange(size) + rng.random()) * step, side="right")
    rows, counts = np.unique(rows, return_counts=True)
    return Colors(colors.rgb[rows], counts)
