"""Which pixels stand for the image, and which K are worth trying on them."""

import numpy as np
from numpy.typing import NDArray

from quantization.errors import EmptyImage
from quantization.images import Image


def draw_sample(image: Image, size: int) -> NDArray[np.uint8]:
    """Draw pixels at random, without replacement and always the same ones.

    Where there is transparency a pixel is drawn in proportion to its opacity, and a fully
    transparent one never.

    Parameters
    ----------
    image : Image
    size : int
        Pixels to draw, at least 1; an image with fewer visible ones gives all it has.

    Returns
    -------
    sample : uint8 array of shape (n, 3), 1 <= n <= size
        RGB levels.

    Raises
    ------
    UnsupportedImage
        If the file is damaged.
    EmptyImage
        If every pixel is fully transparent.
    """
    # A fixed seed: the same bytes give the same result, whenever they are uploaded.
    rng = np.random.default_rng(0)
    return _draw_by_opacity(image, size, rng) if image.has_alpha else _draw(image, size, rng)


def _draw(image: Image, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = image.stored_shape
    positions = rng.choice(rows * columns, min(size, rows * columns), replace=False)
    positions.sort()
    drawn = []
    start = 0
    for strip in image.strips():
        flat = strip.reshape(-1, 3)
        first, last = np.searchsorted(positions, [start, start + len(flat)])
        drawn.append(flat[positions[first:last] - start])
        start += len(flat)
    return np.concatenate(drawn)


def _draw_by_opacity(image: Image, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Keep the `size` pixels whose exponential variates, divided by their opacity, are least.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    """
    drawn = np.empty((0, 3), dtype=np.uint8)
    keys = np.empty(0)
    for strip in image.strips():
        visible = strip[strip[:, :, 3] > 0]
        drawn = np.concatenate([drawn, visible[:, :3]])
        keys = np.concatenate([keys, rng.standard_exponential(len(visible)) / visible[:, 3]])
        if len(keys) > size:
            least = np.argpartition(keys, size)[:size]
            drawn, keys = drawn[least], keys[least]
    if not len(drawn):
        raise EmptyImage("every pixel is fully transparent; there is no palette to find")
    return drawn


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
