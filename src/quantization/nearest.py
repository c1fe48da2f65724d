"""Find each color's nearest palette color, as ScoreK measures it and Render draws it."""

import numpy as np
from numpy.typing import NDArray

from quantization.color import to_space
from quantization.options import Space
from quantization.summary import Colors


def nearest(
    rgb: NDArray[np.floating | np.uint8], palette: NDArray[np.uint8], space: Space
) -> NDArray[np.intp]:
    """Return the index of each color's nearest palette color; of equally near ones the lower.

    Parameters
    ----------
    rgb : array of shape (n, 3)
        sRGB levels in 0..255.
    palette : uint8 array of shape (k, 3)
    space : "rgb" or "oklab"
        The distance is Euclidean in this space; see `quantization.color.to_space`.

    Returns
    -------
    labels : int array of shape (n,)
    """
    return squared_distances(to_space(rgb, space), to_space(palette, space)).argmin(axis=1)


def nearest_of(colors: Colors, palette: NDArray[np.uint8], space: Space) -> NDArray[np.intp]:
    """Do what `nearest` does, for the colors of an image, whose coordinates are kept."""
    return squared_distances(colors.points(space), to_space(palette, space)).argmin(axis=1)


def squared_distances(
    points: NDArray[np.float64], centers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the squared distances of points from centers, of shape (n, k).

    Those between whole numbers are exact, and so the same on every processor.
    """
    # Multiplied out, all in one product of matrices: |p|^2 + |c|^2 - 2 p.c
    ones = np.ones(points.shape[1])
    left = np.column_stack([points, np.square(points) @ ones, np.ones(len(points))])
    right = np.column_stack([-2 * centers, np.ones(len(centers)), np.square(centers) @ ones])
    distances: NDArray[np.float64] = left @ right.T
    return np.maximum(distances, 0, out=distances)
