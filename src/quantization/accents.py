"""Small vivid objects: whether a palette keeps their hues, and palettes that do.

A squared error barely notices a red button of a few hundred pixels. A person notices it first.
"""

import numpy as np
from numpy.typing import NDArray

from quantization.color import srgb_to_oklab
from quantization.nearest import squared_distances
from quantization.summary import Colors

_VIVID = 0.1
"""OKLab chroma from which on a small object's hue is missed. Pure sRGB red has 0.26."""

_COLORED = 0.08
"""The same of what may be large."""

_KEPT = 0.5
"""A color's hue is lost where its palette color has less than this share of its chroma in the
same direction, for it has turned gray ..."""

_TURNED = 0.27
"""... or more than this share of that across it, for it has another hue: 15 degrees off."""

_ALIKE = 0.1
"""Lost colors within this OKLab distance of each other are one accent ..."""

_SHARE = 1e-4
"""... if they have this share of the pixels together."""

_MIXED = 8
"""RGB levels that a mixture may be off the line between two colors."""

_MOST_LOST = 1000
"""Colors that are looked at, those of most pixels first."""

_BLOCK = 64
"""Of what is compared with all of these, so many at a time stay in the processor's cache."""


def lost_accents(
    colors: Colors, lab: NDArray[np.float64], palette: NDArray[np.float64], labels: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """Find the accents whose hue a palette loses.

    Parameters
    ----------
    colors : Colors of length m
    lab : float64 array of shape (m, 3)
        The same in OKLab.
    palette : float64 array of shape (k, 3)
        RGB levels.
    labels : int array of shape (m,)
        The palette color of each color.

    Returns
    -------
    accents : list of int arrays
        The rows of the colors of each, the accent of most pixels first.
    """
    vivid = np.flatnonzero(np.square(lab[:, 1]) + np.square(lab[:, 2]) >= _VIVID**2)
    lost = vivid[loses_hue(lab[vivid], srgb_to_oklab(palette)[labels[vivid]])]
    lost = lost[np.argsort(-colors.counts[lost], kind="stable")[:_MOST_LOST]]
    least = _SHARE * colors.counts.sum()
    if colors.counts[lost].sum() < least:
        return []
    lost = lost[~_mixed(colors.rgb[lost].astype(np.float64), palette)]
    pixels = colors.counts[lost].astype(np.float64)
    if pixels.sum() < least:
        return []
    alike, together = _alike(lab[lost], pixels)
    accents = []
    while together.max() >= least:
        members = np.flatnonzero(alike[together.argmax()] & (pixels > 0))
        accents.append(lost[members])
        together -= pixels[members] @ alike[members]
        pixels[members] = 0
    return accents


def _alike(
    lab: NDArray[np.float64], pixels: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each two of m OKLab colors are near each other, and pixels of all that are near."""
    alike = np.empty((len(lab), len(lab)), dtype=np.bool_)
    together = np.empty(len(lab))
    for begin in range(0, len(lab), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        np.less(squared_distances(lab[block], lab), _ALIKE**2, out=alike[block])
        together[block] = alike[block].astype(np.float64) @ pixels
    return alike, together


def loses_hue(lab: NDArray[np.float64], served: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether colors turn gray or into another hue; OKLab, both of shape (m, 3)."""
    (_, a, b), (_, served_a, served_b) = lab.T, served.T
    chroma = a * a + b * b
    along = a * served_a + b * served_b
    across = np.abs(a * served_b - b * served_a)
    gone = (along < _KEPT * chroma) | (across > _TURNED * along)
    lost: NDArray[np.bool_] = (chroma >= _COLORED**2) & gone
    return lost


def _mixed(rgb: NDArray[np.float64], palette: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether colors are mixtures of two of the palette, as anti-aliasing makes at their border."""
    first, second = np.triu_indices(len(palette), 1)
    start, way = palette[first], palette[second] - palette[first]
    length = np.maximum(np.square(way).sum(axis=1), 1)
    mixed = np.zeros(len(rgb), dtype=np.bool_)
    for begin in range(0, len(first), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        left = np.flatnonzero(~mixed)
        pair, color = _about_mixed(rgb[left], start[block], way[block], length[block])
        pair, color = pair + begin, left[color]
        from_start = rgb[color] - start[pair]
        along = np.clip((from_start * way[pair]).sum(axis=1) / length[pair], 0, 1)
        off = np.square(from_start - along[:, None] * way[pair]).sum(axis=1)
        mixed[color[off <= _MIXED**2]] = True
    return mixed


def _about_mixed(
    rgb: NDArray[np.float64],
    start: NDArray[np.float64],
    way: NDArray[np.float64],
    length: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs, and with each a color, that can be its mixture up to rounding.

    The distances are multiplied out, which is fast, but not exact: 8 levels must stay 8.
    """
    far = np.sqrt(length)
    along = (way / far[:, None]) @ rgb.T
    along -= ((start * way).sum(axis=1) / far)[:, None]
    off = squared_distances(start, rgb)
    off -= np.square(along)
    # Beyond the ends of the way the distance is that from an end.
    beyond = along - np.clip(along, 0, far[:, None])
    off += np.square(beyond)
    pair, color = np.nonzero(off <= _MIXED**2 + 1)
    return pair, color


def accent_error(colors: Colors, palette: NDArray[np.uint8], labels: NDArray[np.intp]) -> float:
    """Return the mean OKLab distance x 100 from the palette of the accent that is worst served.

    Parameters
    ----------
    colors : Colors of length m
    palette : uint8 array of shape (k, 3)
    labels : int array of shape (m,)
        The palette color of each color.

    Returns
    -------
    error : float
        0 where no hue is lost.
    """
    lab = colors.lab
    distances = 100 * np.linalg.norm(lab - srgb_to_oklab(palette)[labels], axis=1)
    accents = lost_accents(colors, lab, palette.astype(np.float64), labels)
    means = [np.average(distances[rows], weights=colors.counts[rows]) for rows in accents]
    return float(max(means, default=0))
