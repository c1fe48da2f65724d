"""Fit one K to the image's colors and say how good it is."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from quantization.accents import loses_hue, lost_accents
from quantization.color import from_space, srgb_to_oklab, to_space
from quantization.measures import DECIMALS, measure_palette, most_used_first
from quantization.nearest import nearest_of, squared_distances
from quantization.options import Space
from quantization.summary import NO_COLORS, Colors, Summary, draw_evenly

RESTARTS = 6

# The restarts see this many pixels, drawn evenly: nearly as good a start in much less time ...
_START_PIXELS = 2048
# ... unless a few colors have nearly all pixels, and fewer colors than this are drawn.
_LEAST_COLORS_PER_CLUSTER = 8

# A lost accent weighs as much as this share of the image, but no more than so many times as much
# as it has pixels.
_ACCENT_SHARE, _MOST_RAISED = 0.0025, 16

# The squared error of a color that loses its hue counts so many times where it is asked what a
# move of a center to an accent is worth. 2 does not save a red country from two blues.
_HUE_LOST = 3.0

# A color that fills areas, with half of its cluster's weight, needs this share of its pixels.
_NEARLY_HALF = 0.4

# Distances, relative to the root mean square of all, from which on colors pull a center less.
_FAR = 2.0
_MEDIAN_STEPS = 6

# As scikit-learn's: shifts of centers, relative to the points' variance, that end a k-means.
_TOLERANCE, _MOST_ITERATIONS = 1e-4, 300

_NONE_FIXED: NDArray[np.float64] = np.empty((0, 3))


class Fit(NamedTuple):
    """A palette, and how well it stands for the image as Render will draw it.

    palette : uint8 array of shape (k, 3)
        RGB levels, all different, most used first.
    silhouette : float or None
        Mean silhouette coefficient of the sample in -1..1, to four decimals, of as many clusters
        in RGB; None where it was not measured or is undefined.
    inertia, error, accent_error : float
        See `quantization.measures.Measures`.
    """

    palette: NDArray[np.uint8]
    silhouette: float | None
    inertia: float
    error: float
    accent_error: float


def fit(summary: Summary, k: int, space: Space, keep: NDArray[np.uint8] = NO_COLORS) -> Fit:
    """Cluster an image's colors into `k` and measure the result.

    The same arguments always give the same fit.

    Parameters
    ----------
    summary : Summary
    k : int
        Palette size, between 1 and the number of different colors in `summary.pooled` and `keep`.
    space : "rgb" or "oklab"
        Where clusters are sought, and each color's nearest palette color. In "rgb" every pixel
        weighs the same, for the least squared error. In "oklab", for the eye, those of smooth
        areas weigh more, and lost accents too.
    keep : uint8 array of shape (n, 3), n <= k
        Colors, all different, that have to be in the palette. The others are fitted beside them.

    Raises
    ------
    FloatingPointError
        If the processor's arithmetic is broken: a number comes out that is none.
    """
    with np.errstate(invalid="raise", over="raise"):
        clusters = find_clusters(summary, k, keep)
        palette = most_used_first(find_palette(summary, k, space, keep), summary.pooled, space)
        measured = measure(summary, palette, space, clusters)
    numbers = [number for number in measured[1:] if number is not None]
    if not np.isfinite(numbers).all():
        raise FloatingPointError(f"the palette of {k} colors measures {numbers}")
    return measured


def find_clusters(
    summary: Summary, k: int, keep: NDArray[np.uint8] = NO_COLORS
) -> NDArray[np.float64]:
    """Return the centers of the `k` clusters that silhouettes are measured of: RGB levels.

    The colors to keep are among them. How many colors an image is made of is asked in RGB whatever
    its palette is fitted in, for there noise spreads all clusters alike. OKLab stretches the dark
    ones. The mixed colors at edges weigh little, as those of all rough areas: they must not have
    clusters of their own in place of a color of a few pixels.
    """
    points, weights = (array.astype(np.float64) for array in summary.pooled)
    weights *= summary.smoothness
    return k_means(points, weights, k, keep.astype(np.float64))


def measure(
    summary: Summary, palette: NDArray[np.uint8], space: Space, clusters: NDArray[np.float64]
) -> Fit:
    """Measure how well a palette, uint8 of shape (k, 3), stands for an image.

    The clusters' centers, RGB levels, are those of the silhouette.
    """
    sample = summary.sample
    measures = measure_palette(summary, palette, space)
    return Fit(palette, silhouette(sample, nearest_center(sample.rgb, clusters)), *measures)


def silhouette_of(summary: Summary, k: int, keep: NDArray[np.uint8] = NO_COLORS) -> float | None:
    """Return the silhouette of the fit of one `k`, None if there is no palette of that size."""
    # Random pixels, unlike pooled ones, are alike.
    others = np.unique(_others(summary.pooled.rgb, keep), axis=0)
    if not len(keep) <= k <= len(keep) + len(others):
        return None
    clusters = find_clusters(summary, k, keep)
    return silhouette(summary.sample, nearest_center(summary.sample.rgb, clusters))


def find_palette(
    summary: Summary, k: int, space: Space, keep: NDArray[np.uint8] = NO_COLORS
) -> NDArray[np.uint8]:
    """Return the `k` colors, all different, that stand for an image's; see `fit`."""
    pooled = summary.pooled
    others = _others(pooled.rgb, keep)
    if k == len(keep) + len(others):
        centers = np.concatenate([keep, others]).astype(np.float64)
    else:
        points, weights = pooled.points(space), pooled.counts.astype(np.float64)
        if space == "oklab":
            weights *= summary.smoothness
        fixed = to_space(keep, space)
        found = k_means(points, weights, k, fixed)
        if space == "oklab":
            if k > 1:
                found = _keep_accents(pooled, points, weights, found, fixed)
            found = _toward_medians(points, weights, found, fixed)
        centers = _exact(from_space(found, space), pooled, weights, space)
        centers[: len(keep)] = keep
    return _distinct(np.rint(centers).astype(np.uint8), k, pooled, space)


def _others(points: NDArray[Any], kept: NDArray[Any]) -> NDArray[Any]:
    """Return those of the points, of shape (m, 3), that are none of the ones kept."""
    same = [(points == one).all(axis=1) for one in kept]
    return points[~np.any(same, axis=0)] if same else points


def nearest_center(
    rgb: NDArray[np.floating | np.uint8], centers: NDArray[np.floating | np.uint8]
) -> NDArray[np.intp]:
    """Return the index of each color's nearest center, by Euclidean distance in RGB."""
    points = rgb.astype(np.float64)
    return squared_distances(points, centers.astype(np.float64)).argmin(axis=1)


def k_means(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    k: int,
    fixed: NDArray[np.float64] = _NONE_FIXED,
) -> NDArray[np.float64]:
    """Return the centers of `k` clusters of weighted points, of shape (k, 3).

    Lloyd's k-means from greedy k-means++ starts (Arthur & Vassilvitskii, 2007). The first centers
    are those that are fixed, of shape (n, 3), n <= k. Where there are fewer places, so are centers.
    """
    free, others = k - len(fixed), _others(points, fixed)
    if free == 0 or free >= len(others):
        return np.concatenate([fixed, others[:free]])
    rows, drawn = draw_evenly(weights, _START_PIXELS, np.random.default_rng(0))
    if len(rows) < _LEAST_COLORS_PER_CLUSTER * k:
        rows, drawn = np.arange(len(points)), weights
    starts = _starts(points[rows], drawn, fixed, k)
    if len(fixed):
        begun = [np.concatenate([fixed, points[rows[start]]]) for start in starts]
        fits = [_lloyd(points[rows], drawn, start, fixed) for start in begun]
        centers, _ = min(fits, key=lambda fit: fit[1])
    else:
        begin = iter(starts)
        # scikit-learn moves the points' mean to 0 first, and asks once a restart.
        kmeans = KMeans(k, init=lambda moved, k, random_state: moved[next(begin)], n_init=RESTARTS)
        centers = kmeans.fit(points[rows], sample_weight=drawn).cluster_centers_
    return centers if len(rows) == len(points) else _lloyd(points, weights, centers, fixed)[0]


def _starts(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    fixed: NDArray[np.float64],
    k: int,
) -> NDArray[np.intp]:
    """Draw the points where centers start besides those that are fixed: the rows of each restart.

    Greedy k-means++ with scikit-learn's draws, of all restarts together: in a quarter of its time.
    """
    tried = 2 + int(np.log(k))
    draws = np.random.RandomState(0).random_sample((RESTARTS, 1 + (k - 1) * tried))
    chosen = []
    if len(fixed):
        squared = np.tile(squared_distances(fixed, points).min(axis=0), (RESTARTS, 1))
    else:
        chances = np.cumsum(weights / weights.sum())
        chosen.append(np.searchsorted(chances / chances[-1], draws[:, 0], side="right"))
        squared = squared_distances(points[chosen[0]], points)
    restarts = np.arange(RESTARTS)
    for place in range(len(fixed) or 1, k):
        chances = np.cumsum(weights * squared, axis=1)
        drawn = draws[:, 1 + (place - 1) * tried : 1 + place * tried] * chances[:, -1:]
        candidates = np.array(list(map(np.searchsorted, chances, drawn)))
        np.minimum(candidates, len(points) - 1, out=candidates)  # Rounding may end beyond.
        left = squared_distances(points[candidates.ravel()], points)
        left = np.minimum(squared[:, None], left.reshape(RESTARTS, tried, -1))
        best = (left @ weights).argmin(axis=1)
        chosen.append(candidates[restarts, best])
        squared = left[restarts, best]
    return np.column_stack(chosen)


def _lloyd(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
    fixed: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Improve centers, the first of which are fixed; return them and the inertia.

    It ends where scikit-learn's does. From good centers that is soon, and here an iteration takes
    a third of the time.
    """
    rows = np.column_stack([points, np.ones(len(points))])
    weighted, columns = rows * weights[:, None], np.ascontiguousarray(rows.T)
    squares = np.square(points) @ np.ones(3) @ weights
    least_shift = _TOLERANCE * points.var(axis=0).mean()
    before = None
    for _ in range(_MOST_ITERATIONS):
        distances = np.column_stack([-2 * centers, np.square(centers).sum(axis=1)]) @ columns
        least = distances.min(axis=0)
        own = distances == least
        if before is not None and np.array_equal(own, before):
            break
        moved = _means(own, weighted, centers, fixed)
        shift = np.square(moved - centers).sum()
        centers, before = moved, own
        if shift <= least_shift:
            break
    return centers, float(squares + least @ weights)


def _toward_medians(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
    fixed: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Move centers from the means of their clusters toward the geometric medians (Weiszfeld, 1937).

    A few colors that are far off do not draw a center away from all the others, of which it stays
    the mean.
    """
    rows = np.column_stack([points, np.ones(len(points))])
    for _ in range(_MEDIAN_STEPS):
        squared = squared_distances(points, centers)
        least = squared.min(axis=1)
        far = _FAR**2 * np.average(least, weights=weights) + 1  # 0 where two colors round to one.
        pull = weights / np.sqrt(least + far)
        own = (squared == least[:, None]).T
        centers = _means(own, rows * pull[:, None], centers, fixed)
    return centers


def _means(
    own: NDArray[np.bool_],
    weighted: NDArray[np.float64],
    centers: NDArray[np.float64],
    fixed: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Move centers to the means of their points, but for those that are fixed or have no points.

    Parameters
    ----------
    own : bool array of shape (k, m)
        Which points each center has.
    weighted : float64 array of shape (m, 4)
        The points times their weights, and the weights.
    centers, fixed : float64 arrays of shape (k, 3) and (n, 3)
        The first n centers are fixed.
    """
    sums = own.astype(np.float64) @ weighted
    some = sums[:, 3] > 0
    some[: len(fixed)] = False
    moved = centers.copy()
    moved[some] = sums[some, :3] / sums[some, 3:]
    return moved


def _keep_accents(
    colors: Colors,
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
    fixed: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Move centers to accents that have none, as long as the error falls.

    For this an accent weighs as much as `_ACCENT_SHARE` of the image, if it weighs less, and the
    error of colors that lose their hue counts more. A center moves away from where it is missed
    least.

    Parameters
    ----------
    colors : Colors of length m
    points, weights : float64 arrays of shape (m, 3) and (m,)
        The colors as they are clustered, in OKLab's coordinates.
    centers, fixed : float64 arrays of shape (k, 3) and (n, 3)
        The first n centers, which are fixed, stay where they are.
    """
    lab = colors.lab
    weights, whole = weights.copy(), weights.sum()
    small = np.zeros(len(points), dtype=np.bool_)
    before, error_before = centers, float("inf")
    for _ in range(len(centers)):
        squared = squared_distances(points, centers)
        own, to_own = squared.argmin(axis=1), squared.min(axis=1)
        palette = from_space(centers, "oklab")
        served = srgb_to_oklab(palette)[own]
        if weights @ (to_own * _penalty(lab, served, small)) >= error_before:
            return before
        accents = lost_accents(colors, lab, palette, own)
        for accent in accents:
            lacking = _ACCENT_SHARE * whole / weights[accent].sum()
            if lacking > 1:
                weights[accent[~small[accent]]] *= min(lacking, _MOST_RAISED)
                small[accent] = True
        errors = to_own * _penalty(lab, served, small)
        goals = [np.average(points[a], axis=0, weights=colors.counts[a]) for a in accents]
        squared[np.arange(len(points)), own] = np.inf
        nearest = own, squared.argmin(axis=1), squared.min(axis=1)
        moved = _best_move(lab, points, weights, centers, len(fixed), nearest, errors, goals)
        if moved is None:
            break
        before, error_before = centers, float(weights @ errors)
        centers, _ = _lloyd(points, weights, moved, fixed)
    return centers


def _best_move(
    lab: NDArray[np.float64],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
    n_fixed: int,
    nearest: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    errors: NDArray[np.float64],
    goals: list[NDArray[np.float64]],
) -> NDArray[np.float64] | None:
    """Move one of the centers to the goal that lowers the error most; None if none does.

    Parameters
    ----------
    lab, points, weights, centers
        As of `_keep_accents`.
    n_fixed : int
        So many of the first centers do not move.
    nearest : three arrays of shape (m,)
        Each color's center, the next nearest, and the squared distance from that.
    errors : float64 array of shape (m,)
        Squared distance of each color from its own center, times its penalty.
    goals : list of float64 arrays of shape (3,)
    """
    own, second, to_second = nearest
    otherwise = to_second * _penalty(lab, srgb_to_oklab(from_space(centers, "oklab"))[second])
    taken_over = weights * _share_after_merging(own, second, weights, len(centers))
    best, least = None, 0.0
    for goal in goals:
        there = squared_distances(points, goal[None])[:, 0]
        there *= _penalty(lab, srgb_to_oklab(from_space(goal[None], "oklab")))
        gain = (weights * np.maximum(errors - there, 0)).sum()
        loss = np.maximum(np.minimum(otherwise, there) - np.minimum(errors, there), 0)
        losses = np.bincount(own, taken_over * loss, minlength=len(centers))
        losses[:n_fixed] = np.inf
        missed_least = losses.argmin()
        if losses[missed_least] - gain < least:
            best, least = (missed_least, goal), losses[missed_least] - gain
    if best is None:
        return None
    moved = centers.copy()
    moved[best[0]] = best[1]
    return moved


def _penalty(
    lab: NDArray[np.float64], served: NDArray[np.float64], hued: NDArray[np.bool_] | bool = True
) -> NDArray[np.float64]:
    """Say how many times the error of colors counts that are served by others, in OKLab.

    It counts more where a hue is lost, though only of colors that are hued, by default all.
    """
    return np.where(loses_hue(lab, served) & hued, _HUE_LOST, 1.0)


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
    own = nearest_of(colors, np.rint(centers).astype(np.uint8), space)
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


def _distinct(
    palette: NDArray[np.uint8], k: int, colors: Colors, space: Space
) -> NDArray[np.uint8]:
    """Return `k` different colors, those of a palette first.

    A place that two equal colors leave over goes to the color that is worst served.
    """
    palette = np.unique(palette, axis=0)
    rounded = np.rint(colors.rgb).astype(np.uint8)
    points = to_space(rounded, space)
    while len(palette) < k:
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
    means = np.concatenate([block @ members for block in colors.distances()]) / pixels
    # A pixel is not its own neighbor; one that is alone in its cluster scores 0.
    alone = pixels[labels] == 1
    own = means[rows, labels] * pixels[labels] / np.where(alone, 1, pixels[labels] - 1)
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    widest = np.maximum(np.maximum(own, other), np.finfo(np.float32).tiny)
    coefficients = np.where(alone, 0, (other - own) / widest)
    return round(float(np.average(coefficients, weights=colors.counts)), DECIMALS)
