"""Transparency in an indexed image, whose palette entries pair a color with an opacity."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES = 256

_BLOCK_PIXELS = 2**16


def join_alpha(
    labels: NDArray[np.uint8], palette: NDArray[np.uint8], alpha: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Turn labels into indices of pairs of color and opacity, as an indexed PNG wants them.

    Every opacity is kept if the pairs that occur fit into 256 entries. Otherwise opacities are
    rounded to evenly spaced levels, as many as fit. Opaque and fully transparent pixels are exact
    in any case; the latter share one entry, whatever color they hide.

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
    occurs = _joint_occurrence(labels, alpha, len(palette))
    rounded = _finest_scale(occurs)
    pairs = np.zeros_like(occurs)
    color, opacity = np.nonzero(occurs)
    pairs[color, rounded[opacity]] = True

    color, level = np.nonzero(pairs[:, 1:])
    level += 1
    order = np.lexsort((color, -level))
    color, level = color[order], level[order]
    entries = np.concatenate([palette[color], level[:, None]], axis=1).astype(np.uint8)
    index = np.zeros(occurs.shape, dtype=np.uint8)
    index[color, level] = np.arange(len(entries))
    if pairs[:, 0].any():
        index[:, 0] = len(entries)
        entries = np.concatenate([entries, np.zeros((1, 4), dtype=np.uint8)])
    index_of_code = index[:, rounded].ravel()
    for rows in _blocks(labels):
        codes = np.left_shift(labels[rows], 8, dtype=np.uint16) | alpha[rows]
        np.take(index_of_code, codes, out=labels[rows], mode="clip")
    return entries


def _joint_occurrence(
    labels: NDArray[np.uint8], alpha: NDArray[np.uint8], k: int
) -> NDArray[np.bool_]:
    """Whether any pixel has this label and that alpha, of shape (k, 256)."""
    occurs = np.zeros((k, 256), dtype=np.bool_)
    for rows in _blocks(labels):
        pair, axes = [labels[rows], alpha[rows]], [0, 1]
        occurs |= cv2.calcHist(pair, axes, None, [k, 256], [0, k, 0, 256]) > 0
    return occurs


def _blocks(plane: NDArray[np.uint8]) -> Iterator[slice]:
    """Cut the rows into blocks whose intermediate arrays stay in the processor's cache."""
    height, width = plane.shape
    rows = max(1, _BLOCK_PIXELS // width)
    return (slice(start, start + rows) for start in range(0, height, rows))


def _finest_scale(occurs: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Map each of 256 opacities to its nearest on the finest even scale that 256 entries allow."""
    for levels in range(256, 1, -1):
        step = 255 / (levels - 1)
        rounded = np.rint(np.rint(np.arange(256) / step) * step).astype(np.intp)
        starts = np.flatnonzero(np.diff(rounded, prepend=-1))
        pairs = np.logical_or.reduceat(occurs, starts, axis=1)
        if pairs[:, 1:].sum() + pairs[:, 0].any() <= MOST_ENTRIES:
            return rounded
    raise ValueError(f"a palette of {len(occurs)} colors leaves no entry for transparency")
