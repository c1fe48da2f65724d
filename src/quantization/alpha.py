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

    Every opacity is kept if the pairs that occur fit into 256 entries. Otherwise neighboring
    opacities of a color share one, for the least squared error over all pixels: a wide shadow gets
    many, the rim of a few pixels one or, if it is hardly visible, none. Opaque and fully
    transparent pixels are exact in any case; the latter share one entry, whatever color they hide.

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
    counts = _joint_counts(labels, alpha, len(palette))
    drawn = _fewer_opacities(counts)
    color, opacity = np.nonzero(counts)
    pairs = np.zeros(counts.shape, dtype=np.bool_)
    pairs[color, drawn[color, opacity]] = True

    color, level = np.nonzero(pairs[:, 1:])
    level += 1
    order = np.lexsort((color, -level))
    color, level = color[order], level[order]
    entries = np.concatenate([palette[color], level[:, None]], axis=1).astype(np.uint8)
    index = np.zeros(counts.shape, dtype=np.uint8)
    index[color, level] = np.arange(len(entries))
    if pairs[:, 0].any():
        index[:, 0] = len(entries)
        entries = np.concatenate([entries, np.zeros((1, 4), dtype=np.uint8)])
    index_of_code = np.take_along_axis(index, drawn, axis=1).ravel()
    for rows in _blocks(labels):
        codes = np.left_shift(labels[rows], 8, dtype=np.uint16) | alpha[rows]
        np.take(index_of_code, codes, out=labels[rows], mode="clip")
    return entries


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


def _fewer_opacities(counts: NDArray[np.float64]) -> NDArray[np.intp]:
    """Say with which opacity each color's opacities are drawn, so that 256 entries suffice.

    Each entry that is left goes to the color whose squared error falls most by it.

    Parameters
    ----------
    counts : float64 array of shape (k, 256)
        Pixels of each color and opacity.

    Returns
    -------
    drawn : int array of shape (k, 256)
    """
    transparent, opaque = counts[:, 0].any(), counts[:, 255] > 0
    translucent = counts[:, 1:255]
    if np.count_nonzero(translucent) + opaque.sum() + transparent <= MOST_ENTRIES:
        return np.tile(np.arange(256), (len(counts), 1))
    left = MOST_ENTRIES - 1 - opaque.sum()
    if left < 0:
        raise ValueError(f"a palette of {len(counts)} colors leaves no entry for transparency")
    scales = [_Scale(*color) for color in zip(translucent, opaque, strict=True)]
    for _ in range(left):
        max(scales, key=lambda scale: scale.gain).add_level()
    return np.stack([scale.drawn() for scale in scales])


class _Scale:
    """The opacities of one color, drawn with the fewer levels that leave the least squared error.

    Levels are means of neighboring opacities, besides transparent, and opaque if the color has
    opaque pixels. The best division into one group more follows from all best divisions of what
    lies below the last group (Fisher, "On grouping for maximum homogeneity", 1958).

    Attributes
    ----------
    gain : float
        By how much another level would lower the squared error.
    """

    def __init__(self, pixels: NDArray[np.float64], opaque: np.bool_) -> None:
        """Begin without levels; `pixels` are those of the opacities 1..254."""
        self._opacity = np.flatnonzero(pixels) + 1
        weights = pixels[pixels > 0]
        moments = weights * self._opacity ** np.arange(3)[:, None]
        self._sums = np.concatenate([np.zeros((3, 1)), moments.cumsum(axis=1)], axis=1)
        count, total, squares = self._sums[:, None, :] - self._sums[:, :, None]
        self._within = squares - total**2 / np.where(count > 0, count, 1)
        self._within[count < 0] = np.inf
        # Of the first so many opacities, drawn as transparent, and of those after, as opaque.
        self._errors = squares[0]
        opaques = weights * (255 - self._opacity) ** 2
        self._after = np.append(opaques[::-1].cumsum()[::-1], 0)
        if not opaque:
            self._after[:-1] = np.inf
        self._starts: list[NDArray[np.intp]] = []
        self._look_ahead()

    def add_level(self) -> None:
        """Take the level that was in view."""
        self._errors = self._next_errors
        self._starts.append(self._next_starts)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Divide the first so many opacities into one group more."""
        errors = self._errors[:, None] + self._within
        self._next_starts, self._next_errors = errors.argmin(axis=0), errors.min(axis=0)
        now, then = self._errors + self._after, self._next_errors + self._after
        self.gain = float(now.min() - then.min())

    def drawn(self) -> NDArray[np.intp]:
        """Return the opacity that stands for each of 0..255, of shape (256,)."""
        drawn = np.arange(256)
        end = (self._errors + self._after).argmin()
        drawn[self._opacity[end:]] = 255
        for starts in reversed(self._starts):
            start = starts[end]
            if start < end:
                count, total, _ = self._sums[:, end] - self._sums[:, start]
                drawn[self._opacity[start:end]] = np.rint(total / count)
            end = start
        drawn[self._opacity[:end]] = 0
        return drawn
