"""Which pixels stand for the image, and which K are worth trying on them."""

import numpy as np
from numpy.typing import NDArray


def draw_sample(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Draw pixels at random, without replacement and always the same ones.

    Parameters
    ----------
    pixels : uint8 array of shape (height, width, 3)
        RGB levels.
    size : int
        Pixels to draw, at least 1; an image with fewer gives all it has.

    Returns
    -------
    sample : uint8 array of shape (min(size, height * width), 3)
    """
    flat = pixels.reshape(-1, pixels.shape[-1])
    # A fixed seed: the same bytes give the same result, whenever they are uploaded.
    chosen = np.random.default_rng(0).choice(len(flat), min(size, len(flat)), replace=False)
    return flat[chosen]


def worthwhile_ks(sample: NDArray[np.uint8], k_min: int, k_max: int) -> list[int]:
    """List the palette sizes that the sample can tell apart.

    There are never more clusters than distinct colours: with d of them, d < `k_max`, the list
    ends at d, and with d <= `k_min` it is d alone, the palette being those colours.

    Parameters
    ----------
    sample : uint8 array of shape (n, 3)
    k_min, k_max : int
        The window of palette sizes, 1 <= k_min <= k_max.

    Returns
    -------
    ks : list of int
        Increasing, never empty.
    """
    distinct = len(np.unique(sample, axis=0))
    return list(range(min(k_min, distinct), min(k_max, distinct) + 1))
