"""How well a palette stands for an image, as Render will draw it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantization.accents import accent_error
from quantization.color import srgb_to_oklab
from quantization.nearest import nearest_of
from quantization.options import Space
from quantization.summary import Colors, Summary

DECIMALS = 4
"""To which measures agree on all processors, and that samples can tell apart."""


class Measures(NamedTuple):
    """What is lost of an image in the colors of a palette.

    inertia : float
        Sum over the visible pixels of the squared RGB distance to the palette color.
    error : float
        Mean OKLab distance x 100 between a visible pixel and its palette color, to four decimals.
    accent_error : float
        The same of the accent that is worst served, of those whose hue is lost; 0 for none. See
        `quantization.accents`.
    """

    inertia: float
    error: float
    accent_error: float


def measure_palette(summary: Summary, palette: NDArray[np.uint8], space: Space) -> Measures:
    """Measure a palette, uint8 of shape (k, 3), whose colors are found by distances in `space`."""
    pooled, fine = summary.pooled, summary.fine
    labels = nearest_of(fine, palette, space)
    squared = np.square(fine.rgb - palette.astype(np.float64)[labels]).sum(axis=1)
    drift = 100 * np.linalg.norm(fine.lab - srgb_to_oklab(palette)[labels], axis=1)
    accents = accent_error(pooled, palette, nearest_of(pooled, palette, space))
    return Measures(
        inertia=float(pooled.counts.sum() * np.average(squared, weights=fine.counts)),
        error=round(float(np.average(drift, weights=fine.counts)), DECIMALS),
        accent_error=round(accents, DECIMALS),
    )


def most_used_first(palette: NDArray[np.uint8], colors: Colors, space: Space) -> NDArray[np.uint8]:
    """Sort a palette by how many pixels have each color, estimated from the pooled ones."""
    labels = nearest_of(colors, palette, space)
    pixels = np.bincount(labels, colors.counts, minlength=len(palette))
    return palette[np.argsort(-pixels, kind="stable")]
