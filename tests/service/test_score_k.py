"""ScoreK, held against scikit-learn on the same colors."""

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mypy_boto3_s3 import S3Client
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from functions.score_k import handler as score_k
from quantization.accents import accent_error
from quantization.clustering import (
    RESTARTS,
    find_palette,
    fit,
    k_means,
    nearest_center,
    silhouette,
    silhouette_of,
)
from quantization.color import from_hex, srgb_to_oklab, to_hex
from quantization.decoding import open_image
from quantization.nearest import nearest
from quantization.options import Space
from quantization.sampling import summarize
from quantization.service.messages import FittedScore, ObjectKey, ScoreRequest
from quantization.service.storage.summaries import save_summary
from quantization.summary import Colors, Summary
from tests.conftest import EXECUTION

NONE = Colors.once_each(np.empty((0, 3), np.uint8))


@pytest.fixture(scope="module")
def blobs() -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """1000 pixels around 10 colors far apart, of unequal areas; which color each is of."""
    rng = np.random.default_rng(1)
    corners = np.array([[r, g, b] for r in (40, 215) for g in (40, 215) for b in (40, 215)])
    colors = np.vstack([corners, [[128, 128, 40], [128, 128, 215]]])
    truth = np.repeat(np.arange(10), [20, 40, 60, 80, 100, 100, 120, 140, 160, 180])
    return np.clip(colors[truth] + rng.normal(0, 4, (1000, 3)), 0, 255).astype(np.uint8), truth


def summary_of(pixels: ArrayLike) -> Summary:
    colors = Colors.once_each(np.asarray(pixels, np.uint8))
    return Summary(colors, np.ones(len(colors.rgb), np.float32), colors, colors)


def mean_error(colors: Colors, palette: NDArray[np.uint8]) -> float:
    """Return the mean OKLab distance x 100 of colors from their nearest in RGB."""
    served = palette[nearest_center(colors.rgb, palette)]
    drift = np.linalg.norm(srgb_to_oklab(colors.rgb) - srgb_to_oklab(served), axis=1)
    return 100 * np.average(drift, weights=colors.counts)


def summarized(pixels: NDArray[np.uint8], **options: Any) -> tuple[Summary, list[int]]:
    return summarize([pixels], pixels=pixels.shape[0] * pixels.shape[1], **options)


def test_handler_scores_the_summary_behind_the_claim(
    s3: S3Client, blobs: tuple[NDArray[np.uint8], NDArray[np.intp]], context: LambdaContext
) -> None:
    summary = summary_of(blobs[0])
    claim = ObjectKey("work", "first/summary.npz")
    save_summary(s3, claim, summary.to_arrays())

    request = msgspec.to_builtins(ScoreRequest(10, 11, claim, "oklab", (), EXECUTION))
    score = msgspec.convert(score_k.handler(request, context), FittedScore)

    best = fit(summary, 10, "oklab")
    assert (score.k, score.failure) == (10, None)
    assert (score.silhouette, score.inertia, score.error, score.accent_error) == best[1:]
    assert score.silhouette_beyond == fit(summary, 11, "oklab").silhouette
    np.testing.assert_array_equal(from_hex(score.palette), best.palette)


def test_no_size_is_beyond_all_colors(s3: S3Client, context: LambdaContext) -> None:
    summary = summary_of([[0, 0, 0], [0, 0, 255], [0, 255, 0]])
    claim = ObjectKey("work", "first/summary.npz")
    save_summary(s3, claim, summary.to_arrays())

    request = msgspec.to_builtins(ScoreRequest(3, 4, claim, "oklab", (), EXECUTION))

    assert score_k.handler(request, context)["silhouette_beyond"] is None


def test_no_size_is_beyond_all_colors_that_were_drawn() -> None:
    pixels = np.repeat(np.arange(0, 240, 30, dtype=np.uint8), 300).reshape(20, 40, 3)
    options = {"k_min": 2, "k_max": 4, "sample_size": 100, "whole_image": False}
    summary, _ = summarized(pixels, **options)
    distinct = len(np.unique(pixels.reshape(-1, 3), axis=0))

    assert silhouette_of(summary, distinct) is not None
    assert silhouette_of(summary, distinct + 1) is None


def test_handler_keeps_colors(
    s3: S3Client, blobs: tuple[NDArray[np.uint8], NDArray[np.intp]], context: LambdaContext
) -> None:
    summary = summary_of(blobs[0])
    claim = ObjectKey("work", "first/summary.npz")
    save_summary(s3, claim, summary.to_arrays())
    keep = ("#808080", "#ff0000")

    request = msgspec.to_builtins(ScoreRequest(2, 1, claim, "oklab", keep, EXECUTION))
    score = msgspec.convert(score_k.handler(request, context), FittedScore)

    assert {*score.palette} == {*keep}
    assert score.silhouette_beyond is None


@settings(max_examples=15)
@given(st.data())
@pytest.mark.parametrize("space", ["rgb", "oklab"])
def test_colors_to_keep_are_in_the_palette_and_the_others_fitted(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]], space: Space, data: st.DataObject
) -> None:
    levels = st.integers(0, 255)
    known = st.sampled_from(blobs[0].tolist()).map(tuple)
    keep = data.draw(st.lists(known | st.tuples(*3 * [levels]), max_size=12, unique=True))
    k = data.draw(st.integers(max(len(keep), 1), 16))
    summary = summary_of(blobs[0])

    best = fit(summary, k, space, np.array(keep, np.uint8).reshape(-1, 3))

    palette = [tuple(color) for color in best.palette.tolist()]
    assert len({*palette}) == len(palette) == k
    assert {*keep} <= {*palette}
    again = fit(summary, k, space, np.array(keep, np.uint8).reshape(-1, 3))
    np.testing.assert_array_equal(best.palette, again.palette)


def test_keeping_what_would_be_found_loses_nothing(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]],
) -> None:
    summary = summary_of(blobs[0])
    for space in ("rgb", "oklab"):
        free = fit(summary, 10, space)
        kept = fit(summary, 10, space, free.palette[::3])

        assert kept.inertia == pytest.approx(free.inertia, rel=0.02)
        assert kept.silhouette == pytest.approx(free.silhouette, abs=0.005)


def test_centers_beside_the_fixed_ones_are_means_of_their_clusters(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]],
) -> None:
    rgb, counts = np.unique(blobs[0], axis=0, return_counts=True)
    points, weights = rgb.astype(float), counts.astype(float)
    fixed = np.array([[40.0, 40, 40], [41, 40, 40], [255, 0, 255]])

    centers = k_means(points, weights, 9, fixed)

    np.testing.assert_array_equal(centers[:3], fixed)
    labels = nearest_center(points, centers)
    means = [
        np.average(points[labels == n], axis=0, weights=weights[labels == n]) for n in range(3, 9)
    ]
    np.testing.assert_allclose(centers[3:], means, atol=0.5)


@pytest.mark.parametrize("k", [1, 2, 8, 21, 40])
def test_starts_are_scikit_learns_own(k: int) -> None:
    rng = np.random.default_rng(k)
    points, weights = rng.uniform(0, 255, (1500, 3)), rng.integers(1, 90, 1500).astype(float)

    kmeans = KMeans(k, n_init=RESTARTS, random_state=0).fit(points, sample_weight=weights)

    np.testing.assert_allclose(k_means(points, weights, k), kmeans.cluster_centers_)


@pytest.mark.parametrize("space", ["rgb", "oklab"])
def test_flat_image_keeps_its_colors_beside_those_to_keep(space: Space) -> None:
    colors = [[0, 0, 255], [10, 20, 30], [250, 250, 250]]
    keep = np.array([[10, 20, 30], [255, 255, 255]], np.uint8)

    best = fit(summary_of([*colors] * 9), 4, space, keep)

    assert {*map(tuple, best.palette.tolist())} == {*map(tuple, [*colors, [255, 255, 255]])}
    assert (best.error, best.palette[-1].tolist()) == (0, [255, 255, 255])


@pytest.mark.parametrize("space", ["rgb", "oklab"])
def test_few_colors_beside_those_to_keep_are_no_more_than_asked_for(space: Space) -> None:
    colors = [[30 * n, 255 - 30 * n, 50 * n] for n in range(6)]
    keep = np.array([[255, 0, 0], [255, 255, 255]], np.uint8)

    summary, _ = summarized(
        np.array([colors] * 9, np.uint8), k_min=5, k_max=5, keep=keep, sample_size=500
    )
    best = fit(summary, 5, space, keep)

    assert len(best.palette) == 5
    assert {*map(tuple, keep.tolist())} <= {*map(tuple, best.palette.tolist())}


def test_kept_colors_that_no_pixel_has_do_not_hide_the_clusters(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]],
) -> None:
    """Of 10 clusters and 2 colors far from all, a palette of 12 serves both."""
    keep = np.array([[255, 255, 0], [0, 255, 255]], np.uint8)
    summary = summary_of(blobs[0])
    silhouettes = {k: fit(summary, k, "rgb", keep).silhouette for k in range(9, 15)}

    assert max(silhouettes, key=lambda k: silhouettes[k] or 0) == 12


def test_palette_is_most_used_first(blobs: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    pixels, _ = blobs
    palette = fit(summary_of(pixels), 10, "oklab").palette

    used = np.bincount(nearest(pixels, palette, "oklab"), minlength=10)
    assert len({*used.tolist()}) > 5
    assert used.tolist() == sorted(used, reverse=True)


def test_true_clusters_are_found(blobs: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    pixels, truth = blobs
    best = fit(summary_of(pixels), 10, "rgb")

    labels = nearest_center(pixels, best.palette)
    assert len({*zip(labels.tolist(), truth.tolist(), strict=True)}) == 10
    fits = {k: fit(summary_of(pixels), k, "rgb") for k in range(8, 13)}
    assert max(fits, key=lambda k: fits[k].silhouette or -1) == 10


def test_measures_are_scikit_learns_own(blobs: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    pixels = blobs[0].astype(np.float32)
    best = fit(summary_of(pixels), 8, "rgb")

    kmeans = KMeans(8, n_init=RESTARTS, random_state=0).fit(blobs[0].astype(np.float64))
    assert {*map(tuple, best.palette.tolist())} == {
        *map(tuple, np.rint(kmeans.cluster_centers_).tolist())
    }
    assert best.inertia == pytest.approx(kmeans.inertia_, rel=1e-2)
    assert best.silhouette == pytest.approx(silhouette_score(pixels, kmeans.labels_), abs=6e-5)
    assert best.error == pytest.approx(mean_error(Colors.once_each(pixels), best.palette), abs=1e-4)


def test_same_summary_same_fit(blobs: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> None:
    first, second = (fit(summary_of(blobs[0]), 9, "rgb") for _ in range(2))

    np.testing.assert_array_equal(first.palette, second.palette)
    assert first[1:] == second[1:]


def test_counts_weigh_like_so_many_pixels(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]],
) -> None:
    pixels, _ = blobs
    rgb, counts = np.unique(pixels // 16 * 16, axis=0, return_counts=True)
    counted = Colors(rgb.astype(np.float32), counts)
    spread = Colors.once_each(np.repeat(rgb, counts, axis=0))
    even = np.ones(len(rgb), np.float32)
    palette = find_palette(Summary(counted, even, counted, counted), 10, "rgb")

    of_counted, of_spread = (nearest_center(c.rgb, palette) for c in (counted, spread))
    assert silhouette(counted, of_counted) == silhouette(spread, of_spread)
    assert mean_error(counted, palette) == pytest.approx(mean_error(spread, palette))


@given(
    arrays(np.uint8, st.tuples(st.integers(3, 300), st.just(3)), unique=False),
    st.integers(2, 12),
)
def test_silhouette_is_scikit_learns(rgb: NDArray[np.uint8], k: int) -> None:
    labels = nearest_center(rgb, rgb[:k])
    ours = silhouette(Colors.once_each(rgb), labels)

    if 2 <= len(np.unique(labels)) < len(rgb):
        assert ours == pytest.approx(silhouette_score(rgb.astype(float), labels), abs=1e-4)
    else:
        assert ours in (None, 0)


# Degenerate images; a warning fails a test.


@pytest.mark.parametrize("space", ["rgb", "oklab"])
@pytest.mark.parametrize("k", [1, 2, 5, 8, 9, 20, 31, 32])
def test_flat_image_gets_exactly_its_colors(k: int, space: Space) -> None:
    rng = np.random.default_rng(k)
    colors = rng.choice(256**3, k, replace=False)[:, None] >> np.array([16, 8, 0]) & 255
    pixels = colors[rng.integers(0, k, 4000 - k).tolist() + list(range(k))]
    pixels = pixels.astype(np.uint8).reshape(50, 80, 3)

    summary, ks = summarized(pixels, k_min=8, k_max=32, sample_size=500)
    fits = {k: fit(summary, k, space) for k in ks}

    assert ks[-1] == k
    assert {*map(tuple, fits[k].palette.tolist())} == {*map(tuple, colors.tolist())}
    assert (fits[k].inertia, fits[k].error) == (0, 0)
    if k <= 8:
        assert fits[k].silhouette is None
    else:
        best = max(f.silhouette for f in fits.values() if f.silhouette is not None)
        assert [j for j in ks if fits[j].silhouette == best] == [k]


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]))),
    st.integers(1, 12),
)
def test_any_image_gets_palettes_without_duplicates(levels: NDArray[np.uint8], span: int) -> None:
    pixels = np.broadcast_to(levels % span + 100, (*levels.shape[:2], 3)).astype(np.uint8)
    summary, ks = summarized(pixels, k_min=4, k_max=16, sample_size=100)

    for k in ks:
        best = fit(summary, k, "oklab")
        assert len(np.unique(best.palette, axis=0)) == len(best.palette) == k
        assert best.error < 10


def test_colors_that_are_one_in_oklab_take_two_places_at_last() -> None:
    levels = np.array([[0, 200, 0], [0, 200, 1], [9, 9, 9], [250, 20, 20]], np.uint8)
    summary = summary_of(levels)
    assert len(np.unique(summary.pooled.points("oklab"), axis=0)) == 3  # Else this tests nothing.

    fits = {k: fit(summary, k, "oklab") for k in (3, 4)}
    assert fits[3].error < 0.1
    assert {*map(tuple, fits[4].palette.tolist())} == {*map(tuple, levels.tolist())}


def test_photo_is_measured_on_all_its_pixels(photo: Path) -> None:
    pixels = open_image(photo, max_pixels=10**6).pixels()
    summary, _ = summarized(pixels, k_min=8, k_max=32, sample_size=2048)
    best = fit(summary, 16, "rgb")

    everything = Colors.once_each(pixels.reshape(-1, 3))
    assert best.error == pytest.approx(mean_error(everything, best.palette), rel=0.01)
    labels = nearest_center(everything.rgb, best.palette)
    inertia = np.square(everything.rgb - best.palette[labels]).sum()
    assert best.inertia == pytest.approx(inertia, rel=0.01)


def test_sample_alone_is_what_scikit_learn_makes_of_it(photo: Path) -> None:
    pixels = open_image(photo, max_pixels=10**6).pixels()
    summary, _ = summarized(pixels, k_min=8, k_max=32, sample_size=1000, whole_image=False)
    best = fit(summary, 8, "rgb")

    drawn = summary.sample.rgb
    assert len(drawn) == 1000
    kmeans = KMeans(8, n_init=RESTARTS, random_state=0).fit(drawn)
    assert best.inertia == pytest.approx(kmeans.inertia_, rel=1e-2)
    assert best.silhouette == pytest.approx(silhouette_score(drawn, kmeans.labels_), abs=1e-4)


# ------------------------------------------------------------------ what a person notices


def screen(*accents: ArrayLike) -> NDArray[np.uint8]:
    """Draw a gray page of 600 x 400 with text-like noise and a dot of 0.02 % in each color."""
    page = np.full((400, 600, 3), 245, np.uint8)
    page[:, :120] = 228
    rng = np.random.default_rng(0)
    inks = [245, 190, 188, 186, 85, 83, 35, 33]
    page[40:360, 150:450] = rng.choice(inks, (320, 300, 1), p=[0.79, *7 * [0.03]])
    for row, color in enumerate(accents):
        page[50 + 40 * row :, 500:][:7, :7] = color
    return page


DOTS = np.array([[217, 45, 32], [247, 144, 9], [18, 183, 106], [46, 144, 250], [122, 90, 248]])


def test_small_vivid_dots_keep_their_colors() -> None:
    summary, _ = summarized(screen(*DOTS), k_min=2, k_max=10, sample_size=2048)

    found = {k: fit(summary, k, "oklab") for k in (2, 10)}
    assert {*map(tuple, DOTS)} <= {*map(tuple, found[10].palette.tolist())}
    assert found[10].accent_error == 0
    assert found[2].accent_error > 10


def test_color_to_keep_does_not_give_way_to_an_accent() -> None:
    """Of all colors it is missed least, for no pixel has it."""
    summary, _ = summarized(screen(*DOTS), k_min=2, k_max=10, sample_size=2048)
    keep = np.array([[0, 255, 0]], np.uint8)

    found = fit(summary, 10, "oklab", keep)

    assert {*map(tuple, DOTS), (0, 255, 0)} <= {*map(tuple, found.palette.tolist())}


def test_accent_error_is_the_mean_of_the_accent_that_is_worst_served() -> None:
    gray, red, dark_red, blue = [128, 128, 128], [220, 30, 30], [190, 40, 40], [30, 30, 220]
    rgb = np.array([gray, red, dark_red, blue])
    colors = Colors(rgb.astype(np.float32), np.array([10_000, 900, 100, 500]))
    palette = np.array([gray], np.uint8)

    error = accent_error(colors, palette, np.zeros(4, np.intp))

    drift = 100 * np.linalg.norm(srgb_to_oklab(rgb) - srgb_to_oklab(palette), axis=1)
    reds = (900 * drift[1] + 100 * drift[2]) / 1000
    assert abs(drift[1] - drift[2]) > 1  # Else this tests nothing.
    assert error == pytest.approx(max(reds, drift[3]))
    without_blue = Colors(colors.rgb[:3], colors.counts[:3])
    assert accent_error(without_blue, palette, np.zeros(3, np.intp)) == pytest.approx(reds)


def test_no_accent_is_missed_in_a_gray_image() -> None:
    summary, _ = summarized(screen(), k_min=2, k_max=4, sample_size=2048)

    assert fit(summary, 2, "oklab").accent_error == 0


def test_color_of_half_a_cluster_is_exact() -> None:
    rng = np.random.default_rng(0)
    paper, red = [255, 255, 255], [217, 45, 32]
    pixels = np.full((200, 200, 3), paper, np.uint8)
    pixels[:, 100:] = red
    # Edges, all of them between the two.
    share = rng.uniform(0, 1, (200, 60, 1))
    pixels[:, 70:130] = np.rint(share * paper + (1 - share) * red)

    summary, _ = summarized(pixels, k_min=2, k_max=2, sample_size=500)
    for space in ("rgb", "oklab"):
        palette = fit(summary, 2, space).palette
        assert {*map(tuple, palette.tolist())} == {tuple(paper), tuple(red)}


def enlarged_text() -> NDArray[np.uint8]:
    """Draw anti-aliased black strokes and a black box on white; nearly half of the ink is black."""
    page = np.full((300, 400), 255, np.uint8)
    for row in range(20, 300, 24):
        cv2.putText(
            page, "The quick brown fox", (8, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1, cv2.LINE_AA
        )
    page[240:280, 270:380] = 0
    return np.stack(3 * [page], axis=-1)


def test_ink_is_black_and_paper_white_with_two_colors() -> None:
    summary, _ = summarized(enlarged_text(), k_min=2, k_max=2, sample_size=500)
    black = (summary.pooled.rgb == 0).all(axis=1)
    dark = summary.pooled.rgb[:, 0] < 120
    share = summary.pooled.counts[black].sum() / summary.pooled.counts[dark].sum()
    assert 0.4 < share < 0.5  # Else this tests nothing.

    palette = fit(summary, 2, "oklab").palette
    assert palette.tolist() == [[255, 255, 255], [0, 0, 0]]


@pytest.mark.parametrize("blue", [36, 41])
def test_small_red_country_stays_red_when_one_color_is_lacking(blue: int) -> None:
    """The two blues become one, as no hue is lost by that."""
    colors = ["#dbe9f4", "#cfcfcf", "#2a7fb8", "#74b3d8", "#f2c14e", "#8bb174", "#c1272d"]
    sea, *countries = from_hex(colors)
    world = np.full((200, 300, 3), sea)
    sides = [90, blue, blue, 36, 36, 9]
    for index, (side, color) in enumerate(zip(sides, countries, strict=True)):
        row, column = divmod(index, 3)
        world[5 + 100 * row :, 5 + 98 * column :][:side, :side] = color
    summary, _ = summarized(world, k_min=6, k_max=7, sample_size=500)

    found = fit(summary, 6, "oklab")
    lost = {*colors} - {*to_hex(found.palette)}
    assert lost <= {"#2a7fb8", "#74b3d8"}
    assert found.accent_error == 0


def test_smooth_areas_weigh_more_in_oklab_only() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(150, 250, 200).round()
    sky = np.stack(3 * [np.tile(ramp, (100, 1))], axis=-1)
    leaves = rng.integers(0, 140, (100, 200, 1)).repeat(3, axis=-1)
    pixels = np.concatenate([sky, leaves]).astype(np.uint8)
    summary, _ = summarized(pixels, k_min=8, k_max=8, sample_size=500)

    rgb, oklab = ((fit(summary, 8, s).palette[:, 0] > 145).sum() for s in ("rgb", "oklab"))
    assert oklab > rgb


def mosaic(k: int, seed: int) -> NDArray[np.uint8]:
    """Lay out k colors, some in much smaller areas than others, and halve it: edges are mixed."""
    rng = np.random.default_rng(seed)
    levels = np.stack(np.meshgrid(*[[0, 85, 170, 255]] * 3), axis=-1).reshape(-1, 3)
    colors = rng.permutation(levels)[:k].astype(np.uint8)
    sites = rng.uniform(0, 400, (4 * k, 2))
    grid = np.indices((400, 400)).transpose(1, 2, 0)
    patch = np.square(grid[:, :, None] - sites).sum(axis=-1).argmin(axis=-1)
    share = np.arange(1, k + 1) ** -1.5
    others = rng.choice(k, 3 * k, p=share / share.sum())
    drawn = colors[np.concatenate([np.arange(k), others])[patch]]
    return np.asarray(cv2.resize(drawn, (200, 200), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mixed_colors_take_no_cluster_from_a_small_area(seed: int) -> None:
    summary, _ = summarized(mosaic(20, seed), k_min=17, k_max=23, sample_size=2048)

    fewer, right, more = (fit(summary, k, "rgb").silhouette or -1 for k in (19, 20, 21))
    assert fewer < right >= more


@pytest.mark.parametrize("part", ["fine", "sample", "pooled"])
def test_arithmetic_that_gives_no_number_fails_by_name(
    blobs: tuple[NDArray[np.uint8], NDArray[np.intp]], part: str
) -> None:
    summary = summary_of(blobs[0])
    broken = Colors(summary.fine.rgb.copy(), summary.fine.counts)
    broken.rgb[7] = np.nan

    with pytest.raises((FloatingPointError, ValueError)):
        fit(Summary(**summary._asdict() | {part: broken}), 9, "oklab")
