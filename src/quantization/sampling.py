"""What stands for the image when its palette is chosen, and which K are worth trying."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from quantization.errors import EmptyImage
from quantization.histogram import ColorCount, pool, with_solid
from quantization.options import LARGEST_K_BESIDE_TRANSPARENCY
from quantization.pixel_sample import CANDIDATES, PixelSample, clean_sample
from quantization.smoothness import Smoothness
from quantization.summary import NO_COLORS, Colors, Summary, draw_evenly

MOST_FINE = 32_768
"""Rows of `Summary.fine`."""

SUMMARY_STRIP_PIXELS = 2**24
"""Strips of about this many pixels are summarized quickest: each costs a pass over the counts."""

_TRANSPARENT_PIXELS = 2**22
"""Of strips with transparency fewer are taken at once: each takes up to 50 bytes meanwhile."""

_EMPTY = Colors.once_each(NO_COLORS)


def summarize(
    strips: Iterable[NDArray[np.uint8]],
    *,
    pixels: int,
    k_min: int,
    k_max: int,
    keep: NDArray[np.uint8] = NO_COLORS,
    sample_size: int,
    whole_image: bool = True,
    seed: int = 0,
) -> tuple[Summary, list[int]]:
    """Summarize an image for choosing its palette.

    Parameters
    ----------
    strips : iterable of uint8 arrays of shape (rows, columns, 3 or 4)
        The image's rows in order; levels of R, G, B and A. Pixels vote by their opacity.
    pixels : int
        How many there are in all strips together.
    k_min, k_max : int
        The window of palette sizes, 1 <= k_min <= k_max <= 256.
    keep : uint8 array of shape (n, 3), n <= k_min
        Colors, all different, that palettes have whether the image has them or not.
    sample_size : int
        Pixels to measure silhouettes on, at least 2.
    whole_image : bool
        False fits and measures on `sample_size` random pixels and on nothing else.
    seed : int
        Of the draw. The same pixels and seed give the same summary.

    Returns
    -------
    summary : Summary
    ks : list of int
        The palette sizes that make sense, increasing and never empty.

    Raises
    ------
    EmptyImage
        If every pixel is fully transparent.
    """
    rng = np.random.default_rng(seed)
    count = ColorCount() if whole_image else None
    smoothness = Smoothness(pixels)
    draw = PixelSample(pixels, CANDIDATES if whole_image else sample_size, rng)
    opaque = True
    for strip in itertools.chain.from_iterable(map(_parts, strips)):
        opaque = opaque and _is_opaque(strip)
        draw.add(strip)
        if count:
            count.add(strip)
            smoothness.add(strip)
    if not len(draw.rgb):
        raise EmptyImage("every pixel is fully transparent; there is no palette to find")

    if not opaque:
        k_min, k_max = (min(k, LARGEST_K_BESIDE_TRANSPARENCY) for k in (k_min, k_max))
    if count is None:
        everything = Colors.once_each(draw.rgb)
        distinct = _distinct(draw.rgb, keep)
        pooled, fine, exact = everything, everything, True
        weights = np.ones(len(everything.rgb), dtype=np.float32)
    else:
        counted, exact = count.colors()
        distinct = _distinct(counted.rgb, keep) if exact else len(counted.rgb)
        pooled, fine = (counted, counted) if exact else _pooled(counted, draw.rgb, rng)
        weights = smoothness.of(pooled.rgb)

    if distinct <= k_min:
        sample = _EMPTY
    elif count is None or (exact and distinct <= k_max):
        sample = fine
    else:
        sample = clean_sample(draw, sample_size, rng)
    summary = Summary(pooled, weights, fine, sample)
    return summary, candidate_ks(distinct, k_min, k_max)


def _pooled(
    cells: Colors, drawn: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Colors, Colors]:
    """Return few rows to fit palettes to, and more to measure them on, of an image of many colors.

    What is solid in the pixels that were drawn keeps rows of its own in both.
    """
    rest, solid = with_solid(cells, drawn)
    everything = rest.joined(solid)
    rows, counts = draw_evenly(everything.counts, MOST_FINE, rng)
    return pool(rest).joined(solid), Colors(everything.rgb[rows], counts)


def _distinct(rgb: NDArray[np.floating | np.uint8], keep: NDArray[np.uint8]) -> int:
    """Count the different colors."""
    return len(np.unique(np.concatenate([rgb, keep]), axis=0))


def _parts(strip: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cut a strip into what is summarized at once."""
    rows, columns, channels = strip.shape
    height = rows if channels == 3 else max(1, _TRANSPARENT_PIXELS // columns)
    return (strip[top : top + height] for top in range(0, rows, height))


def _is_opaque(strip: NDArray[np.uint8]) -> bool:
    return strip.shape[2] == 3 or bool(strip[:, :, 3].min() == 255)


def candidate_ks(distinct: int, k_min: int, k_max: int) -> list[int]:
    """List the palette sizes that make sense for an image of so many distinct colors.

    There are never more clusters than distinct colors: with d of them, d < `k_max`, the list
    ends at d, and with d <= `k_min` it is d alone, the palette being those colors.
    """
    return list(range(min(k_min, distinct), min(k_max, distinct) + 1))
