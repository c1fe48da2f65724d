"""Transparency in an indexed image, whose palette entries pair a color with an opacity."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.nearest import squared_distances

MOST_ENTRIES = 256

_BLOCK_PIXELS = 2**16

_KEPT_OPAQUE = 16
"""So many colors, those of most opaque pixels, never give way to opacities."""

_ROUNDS = 2
"""More of them change nothing that is seen."""

_BLOCK_PAIRS = 2**12

_OPACITY = 255
"""The part of a pair's number, 256 color + opacity, that is its opacity."""

_Pairs = NDArray[np.intp]


def join_alpha(
    labels: NDArray[np.uint8], palette: NDArray[np.uint8], alpha: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Turn labels into indices of pairs of color and opacity, as an indexed PNG wants them.

    Every pixel keeps its color and opacity if the pairs that occur fit into 256 entries. Otherwise
    similar pairs share one, for the least squared error over all pixels, drawn on white and on
    black: a wide shadow gets many, the rim of a few pixels one or, if it is hardly visible, none.
    Opaque pixels stay opaque, and keep the 16 colors that most of them have. Fully transparent
    pixels stay so, in one entry, whatever color they hide.

    Parameters
    ----------
    labels : uint8 array of shape (height, width)
        Indices into `palette`; overwritten with indices into `entries`.
    palette : uint8 array of shape (k, 3), 1 <= k <= 255
        RGB levels.
    alpha : uint8 array of shape (height, width)
        0 is transparent, 255 opaque.

    Returns
    -------
    entries : uint8 array of shape (n, 4), n <= 256
        RGBA levels: first the colors that opaque pixels have, in the order of `palette`.
    """
    counts = _joint_counts(labels, alpha, len(palette)).ravel()
    pairs = np.flatnonzero(counts)
    drawn = _Scene(pairs, counts[pairs], palette).drawn()
    entries = np.unique(drawn)
    entries = entries[np.lexsort((entries // 256, -(entries & _OPACITY)))]
    index = np.zeros(len(counts), dtype=np.uint8)
    index[entries] = np.arange(len(entries))
    index[pairs] = index[drawn]
    for rows in _blocks(labels):
        codes = np.left_shift(labels[rows], 8, dtype=np.uint16) | alpha[rows]
        np.take(index, codes, out=labels[rows], mode="clip")
    rgba = np.column_stack([palette[entries // 256], entries & _OPACITY]).astype(np.uint8)
    rgba[rgba[:, 3] == 0] = 0
    return rgba


def _joint_counts(
    labels: NDArray[np.uint8], alpha: NDArray[np.uint8], k: int
) -> NDArray[np.float64]:
    """Count the pixels of each label and alpha, in an array of shape (k, 256)."""
    counts = np.zeros((k, 256))
    for rows in _blocks(labels):
        pair, axes = [labels[rows], alpha[rows]], [0, 1]
        counts += cv2.calcHist(pair, axes, None, [k, 256], [0, k, 0, 256])
    return counts


def _blocks(plane: NDArray[np.uint8]) -> Iterator[slice]:
    """Cut the rows into blocks whose intermediate arrays stay in the processor's cache."""
    height, width = plane.shape
    rows = max(1, _BLOCK_PIXELS // width)
    return (slice(start, start + rows) for start in range(0, height, rows))


class _Scene:
    """The pairs of an image, and fewer that stand for them.

    A pair is the point of what it adds to black and to white, 255 times the levels: its color is a
    ray from the origin, its opacity says how far out. So the squared error on both papers is a
    squared distance, between whole numbers, and so the same on every processor.
    """

    def __init__(
        self, pairs: _Pairs, pixels: NDArray[np.float64], palette: NDArray[np.uint8]
    ) -> None:
        """Take pairs, their pixels, and the palette that their numbers refer to."""
        self._pairs = np.where(pairs & _OPACITY, pairs, 0)  # All that is transparent is alike.
        self._pixels = pixels
        levels = palette.astype(np.float64)
        self._rays = np.concatenate([levels, levels - 255], axis=1)
        self._points = self._placed(self._pairs)

    def drawn(self) -> _Pairs:
        """Return the pair that each pair is drawn as, at most `MOST_ENTRIES` different ones."""
        if len(np.unique(self._pairs)) <= MOST_ENTRIES:
            return self._pairs
        opaque = np.flatnonzero(_is_opaque(self._pairs))
        most = opaque[np.argsort(-self._pixels[opaque], kind="stable")[:_KEPT_OPAQUE]]
        entries = np.append(self._pairs[most], 0)
        for _ in range(_ROUNDS):
            entries = self._filled(entries)
            entries = self._settled(entries)
        return entries[self._nearest(entries)]

    def _filled(self, entries: _Pairs) -> _Pairs:
        """Add the pairs that are worst served, one after the other."""
        missed = np.full(len(self._pairs), np.inf)
        for block in self._blocks():
            missed[block] = self._distances(block, entries).min(axis=1)
        while len(entries) < MOST_ENTRIES and missed.any():
            worst = self._pairs[[(self._pixels * missed).argmax()]]
            entries = np.concatenate([entries, worst])
            np.minimum(missed, self._distances(slice(None), worst)[:, 0], out=missed)
        return entries

    def _settled(self, entries: _Pairs) -> _Pairs:
        """Move the translucent entries to where they serve their pairs best."""
        own = self._nearest(entries)
        pixels = np.bincount(own, self._pixels, minlength=len(entries))
        weighted = (self._pixels[:, None] * self._points).T
        sums = np.stack([np.bincount(own, axis, minlength=len(entries)) for axis in weighted])
        along = (sums[:, :, None] * self._rays.T[:, None]).sum(axis=0)
        lengths = np.square(self._rays).sum(axis=1)
        color = (np.square(along) / lengths).argmax(axis=1)
        reach = along[np.arange(len(entries)), color] / lengths[color]
        opacity = np.rint(reach / np.maximum(pixels, 1)).clip(0, 254).astype(np.intp)
        moved = np.where(opacity, 256 * color + opacity, 0)
        stay = _is_opaque(entries) | (entries == 0)
        return np.concatenate([entries[stay], np.setdiff1d(moved[~stay], entries[stay])])

    def _nearest(self, entries: _Pairs) -> NDArray[np.intp]:
        blocks = [self._distances(block, entries).argmin(axis=1) for block in self._blocks()]
        return np.concatenate(blocks)

    def _distances(self, some: slice, entries: _Pairs) -> NDArray[np.float64]:
        """Return the squared distances of some pairs, of shape (m, n); to be opaque is a must."""
        distances = squared_distances(self._points[some], self._placed(entries))
        opaque = _is_opaque(self._pairs[some])
        distances[np.ix_(opaque, ~_is_opaque(entries))] = np.inf
        return distances

    def _blocks(self) -> Iterator[slice]:
        starts = range(0, len(self._pairs), _BLOCK_PAIRS)
        return (slice(start, start + _BLOCK_PAIRS) for start in starts)

    def _placed(self, pairs: _Pairs) -> NDArray[np.float64]:
        points: NDArray[np.float64] = self._rays[pairs // 256] * (pairs & _OPACITY)[:, None]
        return points


def _is_opaque(pairs: _Pairs) -> NDArray[np.bool_]:
    opaque: NDArray[np.bool_] = (pairs & _OPACITY) == _OPACITY
    return opaque
