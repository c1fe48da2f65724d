"""Fit one K to the sample and say how good it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from quantization.colour import srgb_to_oklab

RESTARTS = 10


class Fit(NamedTuple):
    """A palette, and how well it stands for the sample.

    palette : uint8 array of shape (k, 3)
        RGB levels, the centroids rounded.
    labels : int array of shape (n,)
        The centroid of each sampled pixel.
    inertia : float
        Sum of squared RGB distances to the nearest centroid.
    silhouette : float or None
        Mean silhouette coefficient in -1..1; None where it is undefined: one cluster, or as many
        clusters as pixels.
    error : float
        Mean OKLab distance x 100 between a pixel and its palette colour.
    """

    palette: NDArray[np.uint8]
    labels: NDArray[np.int32]
    inertia: float
    silhouette: float | None
    error: float


def fit(sample: NDArray[np.uint8], k: int) -> Fit:
    """Cluster the sample into `k` colours and measure the result.

    The same sample and `k` always give the same fit. Lloyd's k-means from k-means++ starts
    (Arthur & Vassilvitskii, 2007); silhouettes after Rousseeuw, 1987.

    Parameters
    ----------
    sample : uint8 array of shape (n, 3)
        RGB levels.
    k : int
        Palette size, between 1 and the number of distinct colours in `sample`.
    """
    points = sample.astype(np.float64)
    kmeans = KMeans(k, n_init=RESTARTS, random_state=0).fit(points)
    palette = np.rint(kmeans.cluster_centers_).astype(np.uint8)
    drift = srgb_to_oklab(points) - srgb_to_oklab(palette)[kmeans.labels_]
    return Fit(
        palette=palette,
        labels=kmeans.labels_,
        inertia=float(kmeans.inertia_),
        silhouette=float(silhouette_score(points, kmeans.labels_)) if 1 < k < len(points) else None,
        error=float(100 * np.linalg.norm(drift, axis=1).mean()),
    )
