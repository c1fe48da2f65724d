"""Recolor an image: nearest palette colors, most used first."""

from collections.abc import Callable
from typing import NamedTuple, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.alpha import join_alpha
from quantization.decoding import STRIP_PIXELS, Image
from quantization.dithering import (
    DIFFUSION_STRIP_PIXELS,
    ErrorDiffusion,
    Labeler,
    OrderedDither,
)
from quantization.encoding.png import blank_indices
from quantization.errors import EmptyImage
from quantization.nearest import nearest
from quantization.options import Dither, Space

_CHUNKS = 2**10, 2**17
"""Pixels labeled at a time, at first and at most.

In a chunk of new colors each pixel costs a search, and then none does: they start small and
double. They stay small enough for the intermediate arrays to be in the processor's cache.
"""

_UNKNOWN = 255

_CELL = 8
"""Levels a channel of the cells of colors that are labeled at once."""


class Recolored(NamedTuple):
    """An image in palette colors.

    indices : uint8 array of shape (height, width)
        Index of each pixel's entry in `entries`, upright.
    entries : uint8 array of shape (k, 3) or (n, 4)
        The palette itself or, where there is transparency, RGBA levels that pair its colors with
        opacities; see `alpha.join_alpha`.
    palette : uint8 array of shape (k, 3)
        RGB levels, most used first.
    shares : float64 array of shape (k,)
        Share of the visible pixels that each color has, decreasing, summing to 1.
    """

    indices: NDArray[np.uint8]
    entries: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    shares: NDArray[np.float64]


def recolor(
    image: Image,
    palette: NDArray[np.uint8],
    *,
    space: Space = "rgb",
    dither: Dither = "none",
    watch: Callable[[NDArray[np.uint8]], object] = lambda strip: None,
) -> Recolored:
    """Give every pixel a palette color, the nearest unless dithered; order the palette by use.

    Fully transparent pixels stay so and do not count as use of a color. Besides a strip, memory
    holds one byte a pixel, and another where there is transparency.

    Parameters
    ----------
    image : Image
    palette : uint8 array of shape (k, 3), 1 <= k <= 256, or 255 for an image with transparency
        RGB levels. Equally used colors keep their order.
    space : "rgb" or "oklab"
    dither : "none", "ordered" or "diffusion"
        How colors between those of the palette are imitated; see `dithering`.
    watch : callable, optional
        Called with each strip, so that who needs the pixels too need not decode them again.

    Raises
    ------
    UnsupportedImage
        If the file is damaged.
    EmptyImage
        If every pixel is fully transparent.
    """
    label: Labeler = NearestLabels(palette, space=space)
    strip_pixels = STRIP_PIXELS
    match dither:
        case "none":
            pass
        case "ordered":
            label = OrderedDither(palette, space)
        case "diffusion":
            label, strip_pixels = ErrorDiffusion(label, palette), DIFFUSION_STRIP_PIXELS
        case unknown:
            assert_never(unknown)
    labels = blank_indices(image.stored_shape)
    alpha = np.empty(image.stored_shape, dtype=np.uint8) if image.has_alpha else None
    counts = np.zeros(len(palette), dtype=np.int64)
    row = 0
    for strip in image.strips(strip_pixels):
        rows = slice(row, row := row + len(strip))
        labels[rows] = label(strip)
        watch(strip)
        visible = None
        if alpha is not None:
            visible = alpha[rows] = strip[:, :, 3]
        counts += _histogram(labels[rows], visible, len(palette))
    if not counts.any():
        raise EmptyImage("every pixel is fully transparent; there is nothing to recolor")

    order = np.argsort(-counts, kind="stable")
    rank = np.zeros(256, dtype=np.uint8)
    rank[order] = np.arange(len(palette))
    cv2.LUT(labels, rank, dst=labels)
    entries = ordered = palette[order]
    if alpha is not None and alpha.min() < 255:
        entries = join_alpha(labels, ordered, alpha)
    return Recolored(image.upright(labels), entries, ordered, counts[order] / counts.sum())


class NearestLabels:
    """Labels pixels with their nearest palette color, remembering each color it has met.

    Photographs have far fewer colors than pixels: distances are computed once a color, and every
    further pixel costs one look-up in a table of all 2**24 colors (16 MiB).

    Parameters
    ----------
    palette : uint8 array of shape (k, 3), 1 <= k <= 256
        RGB levels.
    space : "rgb" or "oklab"
        The distance is Euclidean in this space.
    """

    def __init__(self, palette: NDArray[np.uint8], *, space: Space = "rgb") -> None:
        self._space: Space = space
        self._palette = palette
        # With 256 colors the last one's label is _UNKNOWN too: right all the same, only slower.
        self._table = (
            _labels_of_cells(palette)
            if space == "rgb"
            else np.full(2**24, _UNKNOWN, dtype=np.uint8)
        )
        self._chunk, self._most = _CHUNKS

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label pixels.

        Parameters
        ----------
        pixels : uint8 array of shape (height, width, 3 or 4)
            RGB levels; alpha is ignored.

        Returns
        -------
        labels : uint8 array of shape (height, width)
            Indices into the palette; of equally near colors the lower index.
        """
        flat = pixels.reshape(1, -1, pixels.shape[-1])
        labels = np.empty(flat.shape[1], dtype=np.uint8)
        start = 0
        while start < len(labels):
            chunk = slice(start, start := start + self._chunk)
            self._label(_pack(flat[:, chunk]), labels[chunk])
            self._chunk = min(2 * self._chunk, self._most)
        return labels.reshape(pixels.shape[:2])

    def _label(self, colors: NDArray[np.int32], labels: NDArray[np.uint8]) -> None:
        """Write the labels of packed colors."""
        np.take(self._table, colors, out=labels, mode="wrap")
        unknown = np.flatnonzero(labels == _UNKNOWN)
        if unknown.size:
            new = colors[unknown]
            levels = new.view(np.uint8).reshape(-1, 4)[:, :3]
            labels[unknown] = self._table[new] = self._nearest(levels)

    def _nearest(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._space == "rgb":
            return _nearest_in_rgb(levels, self._palette)
        return nearest(levels, self._palette, self._space).astype(np.uint8)


def _pack(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Pack pixels of shape (1, n, 3 or 4) into indices R + 256 G + 65536 B - 2**24.

    The top byte is an alpha of 255. As the top byte of a signed number that is minus 2**24, which
    counts from the table's end: masking it away would cost a pass.
    """
    if pixels.shape[-1] == 3:
        packed = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)).view("<i4").ravel()
    else:
        packed = np.bitwise_or(np.ascontiguousarray(pixels).view("<i4").ravel(), -(2**24))
    return packed


def _nearest_in_rgb(levels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label each of the levels, uint8 of shape (n, 3), by exact integer arithmetic.

    Of |x - p|^2 only |p|^2 - 2 p.x depends on p. Scaled by a power of two not below k, with the
    index of p in the gap, its minimum has the label in its low bits, the lower of equals. Centered
    at 128 all terms are integers below 2**18 times the scale, which float32 holds exactly for a
    scale up to 64 and float64 for 256.
    """
    scale, dtype = (64, np.float32) if len(palette) <= 64 else (256, np.float64)
    centered = palette.astype(dtype) - 128
    weights = np.empty((len(palette), 4), dtype=dtype)
    weights[:, :3] = -2 * scale * centered
    weights[:, 3] = scale * np.square(centered).sum(axis=1) + np.arange(len(palette))
    points = np.ones((4, len(levels)), dtype=dtype)
    np.subtract(levels.T, 128, out=points[:3], dtype=dtype)
    nearest: NDArray[np.int32] = (weights @ points).min(axis=0).astype(np.int32)
    return (nearest & (scale - 1)).astype(np.uint8)


def _labels_of_cells(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label all colors of each cell whose eight corners agree; the others stay unknown.

    Where one palette color is nearest is a convex region (Voronoi): with the corners it has all
    that lies between them. That also holds where the lower of two equally near ones prevails.
    """
    edges = np.array([*range(0, 256, _CELL), 255], dtype=np.uint8)
    blue, green, red = np.meshgrid(edges, edges, edges, indexing="ij")
    corners = np.stack([red, green, blue], axis=-1)
    least = greatest = _nearest_in_rgb(corners.reshape(-1, 3), palette).reshape(blue.shape)
    for _ in range(3):
        least = np.minimum(least[:-1], least[1:]).transpose(1, 2, 0)
        greatest = np.maximum(greatest[:-1], greatest[1:]).transpose(1, 2, 0)
    cells = np.where(least == greatest, least, np.uint8(_UNKNOWN))
    for axis in (2, 1, 0):
        cells = cells.repeat(_CELL, axis=axis)
    return cells.ravel()


def _histogram(
    labels: NDArray[np.uint8], visible: NDArray[np.uint8] | None, k: int
) -> NDArray[np.int64]:
    """Count labels where `visible` is not 0; exact for fewer than 2**24 of them."""
    counts = cv2.calcHist([labels], [0], visible, [k], [0, k])
    return np.asarray(counts, dtype=np.int64).ravel()
