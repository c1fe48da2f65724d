"""Fit one K to the image's colors and say how good it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from quantization.accents import accent_error, loses_hue, lost_accents
from quantization.color import from_space, srgb_to_oklab, to_space
from quantization.nearest import nearest, squared_distances
from quantization.options import Space
from quantization.summary import Colors, Summary, draw_evenly

RESTARTS = 8

# The restarts see this many pixels, drawn evenly: as good a start at two thirds the time ...
_START_PIXELS = 4096
# ... unless a few colors have nearly all pixels, and fewer colors than this are drawn.
_LEAST_COLORS_PER_CLUSTER = 8

# A lost accent weighs as much as this share of the image, but no more than so many times as much
# as it has pixels.
_ACCENT_SHARE, _MOST_RAISED = 0.003, 16

# The squared error of a color that loses its hue counts so many times where it is asked what a
# move of a center to an accent is worth. 2 does not save a red country from two blues.
_HUE_LOST = 3.0

# A color that fills areas, with half of its cluster's weight, needs this share of its pixels.
_NEARLY_HALF = 0.4

# Silhouettes that agree so far are a tie, which the smaller K wins: the sample tells no more. Nor
# do processors agree on every further digit of an error.
_DECIMALS = 4
# Distances are held for this many colors at a time, so that they stay in the processor's cache.
_BLOCK = 256


class Fit(NamedTuple):
    """A palette, and how well it stands for the image as Render will draw it.

    palette : uint8 array of shape (k, 3)
        RGB levels, all different, most used first.
    silhouette : float or None
        Mean silhouette coefficient of the sample in -1..1, to four decimals, of as many clusters
        in RGB; None where it was not measured or is undefined.
    inertia : float
        Sum over the visible pixels of the squared RGB distance to the palette color.
    error : float
        Mean OKLab distance x 100 between a visible pixel and its palette color, to four decimals.
    accent_error : float
        The same of the accent that is worst served, of those whose hue is lost; 0 for none. See
        `quantization.accents`.
    """

    palette: NDArray[np.uint8]
    silhouette: float | None
    inertia: float
    error: float
    accent_error: float


def fit(summary: Summary, k: int, space: Space) -> Fit:
    """Cluster an image's colors into `k` and measure the result.

    The same arguments always give the same fit.

    Parameters
    ----------
    summary : Summary
    k : int
        Palette size, between 1 and the number of different colors in `summary.pooled`.
    space : "rgb" or "oklab"
        Where clusters are sought, and each color's nearest palette color. In "rgb" every pixel
        weighs the same, for the least squared error. In "oklab", for the eye, those of smooth
        areas weigh more, and lost accents too.

    Raises
    ------
    FloatingPointError
        If the processor's arithmetic is broken: a number comes out that is none.
    """
    with np.errstate(invalid="raise", over="raise"):
        clusters = find_clusters(summary, k)
        palette = _most_used_first(find_palette(summary, k, space), summary.pooled, space)
        measured = measure(summary, palette, space, clusters)
    numbers = [number for number in measured[1:] if number is not None]
    if not np.isfinite(numbers).all():
        raise FloatingPointError(f"the palette of {k} colors measures {numbers}")
    return measured


def find_clusters(summary: Summary, k: int) -> NDArray[np.float64]:
    """Return the centers of the `k` clusters that silhouettes are measured of: RGB levels.

    How many colors an image is made of is asked in RGB whatever its palette is fitted in, for
    there noise spreads all clusters alike. OKLab stretches the dark ones. The mixed colors at edges
    weigh little, as those of all rough areas: they must not have clusters of their own in place of
    a color of a few pixels.
    """
    rgb, counts = summary.pooled
    weights = counts.astype(np.float64)
    weights *= summary.smoothness
    return k_means(rgb.astype(np.float64), weights, k)


def measure(
    summary: Summary, palette: NDArray[np.uint8], space: Space, clusters: NDArray[np.float64]
) -> Fit:
    """Measure how well a palette, uint8 of shape (k, 3), stands for an image.

    The clusters' centers, RGB levels, are those of the silhouette.
    """
    pooled, (fine, counts), sample = summary.pooled, summary.fine, summary.sample
    served = palette[nearest(fine, palette, space)]
    squared = np.square(fine - served.astype(np.float64)).sum(axis=1)
    drift = 100 * np.linalg.norm(srgb_to_oklab(fine) - srgb_to_oklab(served), axis=1)
    accents = accent_error(pooled, palette, nearest(pooled.rgb, palette, space))
    return Fit(
        palette=palette,
        silhouette=silhouette(sample, nearest_center(sample.rgb, clusters)),
        inertia=float(pooled.counts.sum() * np.average(squared, weights=counts)),
        error=round(float(np.average(drift, weights=counts)), _DECIMALS),
        accent_error=round(accents, _DECIMALS),
    )


def silhouette_of(summary: Summary, k: int) -> float | None:
    """Return the silhouette of the fit of one `k`, None if the image has not so many colors."""
    if k > len(summary.pooled.rgb):
        return None
    clusters = find_clusters(summary, k)
    return silhouette(summary.sample, nearest_center(summary.sample.rgb, clusters))


def find_palette(summary: Summary, k: int, space: Space) -> NDArray[np.uint8]:
    """Return the `k` colors, all different, that stand for an image's; see `fit`."""
    pooled = summary.pooled
    if k == len(pooled.rgb):
        centers = pooled.rgb.astype(np.float64)
    else:
        points, weights = to_space(pooled.rgb, space), pooled.counts.astype(np.float64)
        if space == "oklab":
            weights *= summary.smoothness
        found = k_means(points, weights, k)
        if space == "oklab" and k > 1:
            found = _keep_accents(pooled, points, weights, found)
        centers = _exact(from_space(found, space), pooled, weights, space)
    return _distinct(np.rint(centers).astype(np.uint8), pooled, space)


def _most_used_first(palette: NDArray[np.uint8], colors: Colors, space: Space) -> NDArray[np.uint8]:
    """Sort a palette by how many pixels have each color, estimated from the pooled ones."""
    labels = nearest(colors.rgb, palette, space)
    pixels = np.bincount(labels, colors.counts, minlength=len(palette))
    return palette[np.argsort(-pixels, kind="stable")]


def nearest_center(
    rgb: NDArray[np.floating | np.uint8], centers: NDArray[np.floating | np.uint8]
) -> NDArray[np.intp]:
    """Return the index of each color's nearest center, by Euclidean distance in RGB."""
    points = rgb.astype(np.float64)
    return squared_distances(points, centers.astype(np.float64)).argmin(axis=1)


def k_means(
    points: NDArray[np.float64], weights: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Return the centers of `k` clusters of weighted points, of shape (k, 3).

    Lloyd's k-means from greedy k-means++ starts (Arthur & Vassilvitskii, 2007).
    """
    if k == len(points):
        return points
    rows, drawn = draw_evenly(weights, _START_PIXELS, np.random.default_rng(0))
    if len(rows) < _LEAST_COLORS_PER_CLUSTER * k:
        rows, drawn = np.arange(len(points)), weights
    kmeans = KMeans(k, n_init=RESTARTS, random_state=0).fit(points[rows], sample_weight=drawn)
    centers: NDArray[np.float64] = kmeans.cluster_centers_
    return centers if len(rows) == len(points) else _refine(points, weights, centers)


def _refine(
    points: NDArray[np.float64], weights: NDArray[np.float64], centers: NDArray[np.float64]
) -> NDArray[np.float64]:
    kmeans = KMeans(len(centers), init=centers, n_init=1).fit(points, sample_weight=weights)
    refined: NDArray[np.float64] = kmeans.cluster_centers_
    return refined


def _keep_accents(
    colors: Colors,
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Move centers to accents that have none, as long as that lowers the error.

    For this an accent weighs as much as `_ACCENT_SHARE` of the image, if it weighs less, and the
    error of colors that lose their hue counts more. A center moves away from where it is missed
    least.

    Parameters
    ----------
    colors : Colors of length m
    points, weights : float64 arrays of shape (m, 3) and (m,)
        The colors as they are clustered, in OKLab's coordinates.
    centers : float64 array of shape (k, 3)
    """
    lab = srgb_to_oklab(colors.rgb)
    weights, whole = weights.copy(), weights.sum()
    small = np.zeros(len(points), dtype=np.bool_)
    rows = np.arange(len(points))
    for _ in range(len(centers)):
        squared = squared_distances(points, centers)
        own = squared.argmin(axis=1)
        accents = lost_accents(colors, lab, from_space(centers, "oklab"), own)
        for accent in accents:
            lacking = _ACCENT_SHARE * whole / weights[accent].sum()
            if lacking > 1:
                weights[accent[~small[accent]]] *= min(lacking, _MOST_RAISED)
                small[accent] = True
        squared[rows, own] = np.inf
        second = squared.argmin(axis=1)
        now = _missed(points, lab, centers[own], small)
        then = _missed(points, lab, centers[second])
        taken_over = weights * _share_after_merging(own, second, weights, len(centers))
        best, least = None, 0.0
        for accent in accents:
            center = np.average(points[accent], axis=0, weights=colors.counts[accent])
            there = _missed(points, lab, center[None])
            gain = (weights * np.maximum(now - there, 0)).sum()
            loss = np.maximum(np.minimum(then, there) - np.minimum(now, there), 0)
            losses = np.bincount(own, taken_over * loss, minlength=len(centers))
            missed_least = losses.argmin()
            if losses[missed_least] - gain < least:
                best, least = (missed_least, center), losses[missed_least] - gain
        if best is None:
            break
        centers = centers.copy()
        centers[best[0]] = best[1]
        centers = _refine(points, weights, centers)
    return centers


def _missed(
    points: NDArray[np.float64],
    lab: NDArray[np.float64],
    served: NDArray[np.float64],
    hued: NDArray[np.bool_] | bool = True,
) -> NDArray[np.float64]:
    """Return squared distances of points from what serves them, more where that loses a hue.

    The latter only of those that are hued, by default all.
    """
    lost = loses_hue(lab, srgb_to_oklab(from_space(served, "oklab"))) & hued
    missed: NDArray[np.float64] = np.square(points - served).sum(axis=1)
    return missed * np.where(lost, _HUE_LOST, 1)


def _share_after_merging(
    own: NDArray[np.intp], second: NDArray[np.intp], weights: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Say how much of the distance to its second center is left once a color belongs to it.

    A center moves toward what it takes over (Ward, 1963).
    """
    pair = own * k + second
    moving = np.bincount(pair, weights)[pair]
    staying = np.bincount(own, weights, minlength=k)[second]
    share: NDArray[np.float64] = staying / (staying + moving)
    return share


def _exact(
    centers: NDArray[np.float64], colors: Colors, weights: NDArray[np.float64], space: Space
) -> NDArray[np.float64]:
    """Replace centers, RGB levels of shape (k, 3), by the color that is half of their cluster.

    What an image is made of stays as it is: white paper, a brand's red. The rest of such a
    cluster is mostly the anti-aliasing at the color's edges. Half of the pixels is enough, and so
    is half of the weight that they have in the fit, of not much fewer pixels.
    """
    own = nearest(colors.rgb, np.rint(centers).astype(np.uint8), space)
    centers, pixels = centers.copy(), np.bincount(own, colors.counts, minlength=len(centers))
    for votes in (weights, colors.counts):
        order = np.lexsort((votes, own))
        clusters, total = own[order], np.bincount(own, votes, minlength=len(centers))
        last = np.flatnonzero(np.diff(clusters, append=len(centers)))  # The largest of each.
        most, of = order[last], clusters[last]
        half = 2 * votes[most] >= total[of]
        taken = half & (colors.counts[most] >= _NEARLY_HALF * pixels[of])
        centers[of[taken]] = colors.rgb[most[taken]]
    return centers


def _distinct(palette: NDArray[np.uint8], colors: Colors, space: Space) -> NDArray[np.uint8]:
    """Make all colors of a palette differ.

    A place that two equal colors leave over goes to the color that is worst served.
    """
    size, palette = len(palette), np.unique(palette, axis=0)
    rounded = np.rint(colors.rgb).astype(np.uint8)
    points = to_space(rounded, space)
    while len(palette) < size:
        distances = squared_distances(points, to_space(palette, space)).min(axis=1)
        worst = (distances * colors.counts).argmax()
        palette = np.vstack([palette, rounded[worst]])
    return palette


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
    return round(float(np.average(coefficients, weights=colors.counts)), _DECIMALS)


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
