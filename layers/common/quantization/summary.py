"""The summary of an image's colours: what Sample hands to ScoreK by claim check."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Colours(NamedTuple):
    """Colours, and how many pixels have each.

    rgb : float32 array of shape (m, 3)
        RGB levels, 0..255.
    counts : int64 array of shape (m,)
        All positive.
    """

    rgb: NDArray[np.float32]
    counts: NDArray[np.int64]

    @classmethod
    def once_each(cls, rgb: NDArray[np.uint8 | np.float32]) -> Self:
        """Count each of the colours, given as an array of shape (m, 3), once."""
        return cls(rgb.astype(np.float32), np.ones(len(rgb), dtype=np.int64))


class Summary(NamedTuple):
    """What is known of an image's visible pixels when its palette is chosen.

    The three are the same where the image has few colours.

    pooled : Colours
        All pixels in few rows, to fit palettes to.
    fine : Colours
        All pixels, or an even draw of them, to measure palettes on.
    sample : Colours
        Pixels to measure silhouettes on; none where the palette is just the image's colours.
    """

    pooled: Colours
    fine: Colours
    sample: Colours

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays under names of their own, as `from_arrays` takes them."""
        return {
            f"{name}_{part}": array
            for name, colours in self._asdict().items()
            for part, array in colours._asdict().items()
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Put together again what `to_arrays` took apart."""
        return cls(*(Colours(arrays[f"{n}_rgb"], arrays[f"{n}_counts"]) for n in cls._fields))


def draw_evenly(colours: Colours, size: int, rng: np.random.Generator) -> Colours:
    """Draw about `size` rows evenly along the rows, each by its number of pixels.

    Every pixel has the same chance (systematic sampling), so counts of the draw estimate those
    of the whole, and steadily so if similar colours are neighbours.

    Returns
    -------
    drawn : Colours
        At most `size` rows with counts that sum to `size`; all of `colours` if it has no more
        rows than that.
    """
    if len(colours.rgb) <= size:
        return colours
    step = colours.counts.sum() / size
    ends = np.cumsum(colours.counts)
    rows = np.searchsorted(ends, (np.arange(size) + rng.random()) * step, side="right")
    rows, counts = np.unique(rows, return_counts=True)
    return Colours(colours.rgb[rows], counts)
