"""How far a quantized image is from its original."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2gray, rgb2lab
from skimage.metrics import structural_similarity


class Quality(NamedTuple):
    """Three measures, of which none alone is what people see."""

    mse: float
    """Mean squared distance in RGB, levels of 0..255, the three channels summed."""
    delta_e: float
    """Mean CIEDE2000 color difference, of every fourth pixel."""
    ssim: float
    """Structural similarity of the luminance, 1 for equal."""


def quality(original: NDArray[np.uint8], quantized: NDArray[np.uint8]) -> Quality:
    """Compare two RGB images, uint8 arrays of shape (height, width, 3)."""
    difference = original.astype(np.int32) - quantized
    lab = [rgb2lab(image[::2, ::2]) for image in (original, quantized)]
    gray = [rgb2gray(image) for image in (original, quantized)]
    return Quality(
        mse=float(np.square(difference).sum(axis=2).mean()),
        delta_e=float(deltaE_ciede2000(*lab).mean()),
        ssim=float(structural_similarity(*gray, data_range=1)),
    )
