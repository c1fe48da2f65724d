"""Fit one K to the image's colors and say how good it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from quantization.color import srgb_to_oklab
from quantization.summary import Colors, Summary, draw_evenly

RESTARTS = 8

# The restarts see this many pixels, drawn evenly: as good a start at two thirds the time ...
_START_PIXELS = 4096
# ... unless a few colors have nearly all pixels, and fewer colors than this are drawn.
_LEAST_COLORS_PER_CLUSTER = 8

# Silhouettes that agree so far are a tie, which the smaller K wins: the sample tells no more.
_SILHOUETTE_DECIMALS = 4
# Distances are held for this many colors at a time, so that they stay in the processor's cache.
_BLOCK = 256


class Fit(NamedTuple):
    """A palette, and how well it stands for the image.

    palette : uint8 array of shape (k, 3)
        RGB levels, all different, most used first.
    silhouette : float or None
        Mean silhouette coefficient of the sample in -1..1, to four decimals; None where it was
        not measured or is undefined.
    inertia : float
        Sum over the visible pixels of the squared RGB distance to the nearest centroid.
    error : float
        Mean OKLab distance x 100 between a visible pixel and its palette color.
    """

    palette: NDArray[np.uint8]
    silhouette: float | None
    inertia: float
    error: float


def fit(summary: Summary, k: int) -> Fit:
    """Cluster an image's colors into `k` and measure the result.

    The same summary and `k` always give the same fit. Lloyd's k-means from greedy k-means++
    starts (Arthur & Vassilvitskii, 2007), each color weighing as much as it has pixels.

    Parameters
    ----------
    summary : Summary
    k : int
        Palette size, between 1 and the number of different colors in `summary.pooled`.
    """
    centroids = k_means(summary.pooled, k)
    palette = _most_used_first(_distinct_palette(centroids, summary.pooled), summary.pooled)
    pixels = summary.pooled.counts.sum()
    rgb, counts = summary.fine
    distances = np.square(rgb - centroids[nearest(rgb, centroids)]).sum(axis=1)
    return Fit(
        palette=palette,
        silhouette=silhouette(summary.sample, nearest(summary.sample.rgb, centroids)),
        inertia=float(pixels * np.average(distances, weights=counts)),
        error=mean_error(summary.fine, palette),
    )


def silhouette_of(summary: Summary, k: int) -> float | None:
    """Return the silhouette of the fit of one `k`, None if the image has not so many colors."""
    if k > len(summary.pooled.rgb):
        return None
    centroids = k_means(summary.pooled, k)
    return silhouette(summary.sample, nearest(summary.sample.rgb, centroids))


def k_means(colors: Colors, k: int) -> NDArray[np.float32]:
    """Return the centroids of `k` clusters of weighted colors, of shape (k, 3)."""
    if k == len(colors.rgb):
        return colors.rgb
    drawn = draw_evenly(colors, _START_PIXELS, np.random.default_rng(0))
    if len(drawn.rgb) < _LEAST_COLORS_PER_CLUSTER * k:
        drawn = colors
    kmeans = KMeans(k, n_init=RESTARTS, random_state=0)
    # Of float32, scikit-learn's k-means++ makes float64 anew at every step: a quarter of its time.
    kmeans.fit(drawn.rgb.astype(np.float64), sample_weight=drawn.counts)
    centroids: NDArray[np.float32] = kmeans.cluster_centers_.astype(np.float32)
    if drawn is not colors:
        kmeans = KMeans(k, init=centroids, n_init=1)
        kmeans.fit(colors.rgb, sample_weight=colors.counts)
        centroids = kmeans.cluster_centers_
    return centroids


def _distinct_palette(centroids: NDArray[np.float32], colors: Colors) -> NDArray[np.uint8]:
    """Round centroids to colors that all differ.

    A place in the palette that rounding leaves over goes to the color that is worst served.
    """
    palette = np.unique(np.rint(centroids).astype(np.uint8), axis=0)
    rounded = np.rint(colors.rgb).astype(np.uint8)
    while len(palette) < len(centroids):
        served = palette[nearest(rounded, palette)]
        distances = np.square(colors.rgb - served).sum(axis=1) * colors.counts
        distances[(rounded == served).all(axis=1)] = -1
        palette = np.vstack([palette, rounded[distances.argmax()]])
    return palette


def _most_used_first(palette: NDArray[np.uint8], colors: Colors) -> NDArray[np.uint8]:
    """Sort a palette by how many pixels have each color, estimated from the pooled ones."""
    pixels = np.bincount(nearest(colors.rgb, palette), colors.counts, minlength=len(palette))
    return palette[np.argsort(-pixels, kind="stable")]


def nearest(
    rgb: NDArray[np.float32 | np.uint8], palette: NDArray[np.float32 | np.uint8]
) -> NDArray[np.intp]:
    """Return the index of each color's nearest palette color, by Euclidean distance in RGB."""
    # Centered, so that float32 is exact for 8-bit levels and close for others.
    points = rgb.astype(np.float32) - 128
    centers = palette.astype(np.float32) - 128
    distances = np.square(centers).sum(axis=1) - 2 * points @ centers.T
    return np.asarray(distances.argmin(axis=1))


def mean_error(colors: Colors, palette: NDArray[np.uint8]) -> float:
    """Return the mean OKLab distance x 100 between the pixels and their palette colors."""
    labels = nearest(colors.rgb, palette)
    drift = srgb_to_oklab(colors.rgb) - srgb_to_oklab(palette)[labels]
    return float(100 * np.average(np.linalg.norm(drift, axis=1), weights=colors.counts))


def silhouette(colors: Colors, labels: NDArray[np.intp]) -> float | None:
    """Return the mean silhouette coefficient over the pixels (Rousseeuw, 1987).

    Colors of several pixels count as that many points at the same place.

    Parameters
    ----------
    colors : Colors of length n
    labels : int array of shape (n,)
        The cluster of each color.

    Returns
    -------
    silhouette : float or None
        In -1..1, rounded to four decimals; None for fewer than two clusters.
    """
    present, labels = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return None
    rows = np.arange(len(labels))
    pixels = np.bincount(labels, weights=colors.counts)
    members = np.zeros((len(labels), len(present)), dtype=np.float32)
    members[rows, labels] = colors.counts
    means = _summed_distances(colors.rgb, members) / pixels
    # A pixel is not its own neighbor; one that is alone in its cluster scores 0.
    alone = pixels[labels] == 1
    own = means[rows, labels] * pixels[labels] / np.where(alone, 1, pixels[labels] - 1)
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    widest = np.maximum(np.maximum(own, other), np.finfo(np.float32).tiny)
    coefficients = np.where(alone, 0, (other - own) / widest)
    return round(float(np.average(coefficients, weights=colors.counts)), _SILHOUETTE_DECIMALS)


def _summed_distances(
    rgb: NDArray[np.float32], members: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return each color's Euclidean distances to all colors, summed over the clusters."""
    # Near the middle, so that float32 rounds little, and by whole levels, so that 8-bit colors
    # stay exact.
    points = rgb - np.rint(rgb.mean(axis=0))
    squares = np.square(points).sum(axis=1)
    sums = np.empty_like(members)
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = squares[block, None] + squares - 2 * points[block] @ points.T
        # Rounding leaves a color at a small distance from itself, or at less than none.
        np.fill_diagonal(distances[:, block], 0)
        np.maximum(distances, 0, out=distances)
        np.sqrt(distances, out=distances)
        sums[block] = distances @ members
    return sums
