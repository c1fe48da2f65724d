"""Recolour an image: nearest palette colours, most used first, as a PNG."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Recoloured(NamedTuple):
    """An image in palette colours.

    labels : uint8 array of shape (height, width)
        Index of each pixel's colour in `palette`.
    palette : uint8 array of shape (k, 3)
        RGB levels, most used first.
    shares : float64 array of shape (k,)
        Share of the pixels that each colour has, decreasing, summing to 1.
    """

    labels: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    shares: NDArray[np.float64]


def recolour(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Recoloured:
    """Give every pixel its nearest palette colour, and order the palette by use.

    Parameters
    ----------
    pixels : uint8 array of shape (height, width, 3)
        RGB levels.
    palette : uint8 array of shape (k, 3), 1 <= k <= 256
        RGB levels. Equally used colours keep their order.
    """
    labels = nearest_labels(pixels, palette)
    counts = np.bincount(labels.ravel(), minlength=len(palette))
    order = np.argsort(-counts, kind="stable")
    rank = np.argsort(order).astype(np.uint8)
    return Recoloured(rank[labels], palette[order], counts[order] / labels.size)


def nearest_labels(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label every pixel with its nearest palette colour, by Euclidean distance in RGB.

    Parameters
    ----------
    pixels : uint8 array of shape (height, width, 3)
    palette : uint8 array of shape (k, 3), 1 <= k <= 256

    Returns
    -------
    labels : uint8 array of shape (height, width)
        Indices into `palette`; of equally near colours the lower index.
    """
    r, g, b = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    packed, inverse = np.unique(r << 16 | g << 8 | b, return_inverse=True)
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.int32)
    nearest = np.empty(len(colours), dtype=np.uint8)
    for start in range(0, len(colours), 1 << 14):
        difference = colours[start : start + (1 << 14), None] - palette.astype(np.int32)
        nearest[start : start + (1 << 14)] = np.square(difference).sum(axis=-1).argmin(axis=1)
    return nearest[inverse].reshape(pixels.shape[:2])


def encode_png(recoloured: Recoloured) -> bytes:
    """Encode as a PNG file."""
    rgb = recoloured.palette[recoloured.labels]
    _, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return png.tobytes()
