"""ScoreK, held against scikit-learn on the same colors."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from functions.score_k import handler as score_k
from quantization.clustering import RESTARTS, fit, mean_error, nearest, silhouette
from quantization.color import from_hex, srgb_to_oklab
from quantization.decoding import open_image
from quantization.sampling import summarize
from quantization.service.messages import FittedScore, ObjectKey, ScoreRequest
from quantization.service.storage.summaries import save_summary
from quantization.summary import Colors, Summary
from tests.conftest import EXECUTION

NONE = Colors.once_each(np.empty((0, 3), np.uint8))


@pytest.fixture(scope="module")
def blobs():
    """1000 pixels around 10 colors far apart, of unequal areas; which color each is of."""
    rng = np.random.default_rng(1)
    corners = np.array([[r, g, b] for r in (40, 215) for g in (40, 215) for b in (40, 215)])
    colors = np.vstack([corners, [[128, 128, 40], [128, 128, 215]]])
    truth = np.repeat(np.arange(10), [20, 40, 60, 80, 100, 100, 120, 140, 160, 180])
    return np.clip(colors[truth] + rng.normal(0, 4, (1000, 3)), 0, 255).astype(np.uint8), truth


def summary_of(pixels) -> Summary:
    return Summary(*3 * [Colors.once_each(np.asarray(pixels, np.uint8))])


def summarized(pixels, **options):
    return summarize([pixels], pixels=pixels.shape[0] * pixels.shape[1], **options)


def test_handler_scores_the_summary_behind_the_claim(s3, blobs, context):
    summary = summary_of(blobs[0])
    claim = ObjectKey("work", "first/summary.npz")
    save_summary(s3, claim, summary.to_arrays())

    request = msgspec.to_builtins(ScoreRequest(10, 11, claim, EXECUTION))
    score = msgspec.convert(score_k.handler(request, context), FittedScore)

    best = fit(summary, 10)
    assert (score.k, score.failure) == (10, None)
    assert (score.silhouette, score.inertia, score.error) == best[1:]
    assert score.silhouette_beyond == fit(summary, 11).silhouette
    np.testing.assert_array_equal(from_hex(score.palette), best.palette)


def test_no_size_is_beyond_all_colors(s3, context):
    summary = summary_of([[0, 0, 0], [0, 0, 255], [0, 255, 0]])
    claim = ObjectKey("work", "first/summary.npz")
    save_summary(s3, claim, summary.to_arrays())

    request = msgspec.to_builtins(ScoreRequest(3, 4, claim, EXECUTION))

    assert score_k.handler(request, context)["silhouette_beyond"] is None


def test_palette_is_most_used_first(blobs):
    pixels, _ = blobs
    palette = fit(summary_of(pixels), 10).palette

    used = np.bincount(nearest(pixels, palette), minlength=10)
    assert len({*used.tolist()}) > 5
    assert used.tolist() == sorted(used, reverse=True)


def test_true_clusters_are_found(blobs):
    pixels, truth = blobs
    best = fit(summary_of(pixels), 10)

    labels = nearest(pixels, best.palette)
    assert len({*zip(labels.tolist(), truth.tolist(), strict=True)}) == 10
    silhouettes = {k: fit(summary_of(pixels), k).silhouette for k in range(8, 13)}
    assert max(silhouettes, key=silhouettes.get) == 10


def test_measures_are_scikit_learns_own(blobs):
    pixels = blobs[0].astype(np.float32)
    best = fit(summary_of(pixels), 8)

    kmeans = KMeans(8, n_init=RESTARTS, random_state=0).fit(blobs[0].astype(np.float64))
    assert {*map(tuple, best.palette.tolist())} == {
        *map(tuple, np.rint(kmeans.cluster_centers_).tolist())
    }
    assert best.inertia == pytest.approx(kmeans.inertia_, rel=1e-5)
    assert best.silhouette == pytest.approx(silhouette_score(pixels, kmeans.labels_), abs=6e-5)
    drift = srgb_to_oklab(pixels) - srgb_to_oklab(best.palette)[nearest(pixels, best.palette)]
    assert best.error == pytest.approx(100 * np.sqrt(np.square(drift).sum(axis=1)).mean())


def test_same_summary_same_fit(blobs):
    first, second = (fit(summary_of(blobs[0]), 9) for _ in range(2))

    np.testing.assert_array_equal(first.palette, second.palette)
    assert first[1:] == second[1:]


def test_counts_weigh_like_so_many_pixels(blobs):
    pixels, _ = blobs
    rgb, counts = np.unique(pixels // 16 * 16, axis=0, return_counts=True)
    counted = Colors(rgb.astype(np.float32), counts)
    spread = Colors.once_each(np.repeat(rgb, counts, axis=0))
    palette = fit(Summary(counted, counted, counted), 10).palette

    of_counted, of_spread = nearest(counted.rgb, palette), nearest(spread.rgb, palette)
    assert silhouette(counted, of_counted) == silhouette(spread, of_spread)
    assert mean_error(counted, palette) == pytest.approx(mean_error(spread, palette))


@given(
    arrays(np.uint8, st.tuples(st.integers(3, 300), st.just(3)), unique=False),
    st.integers(2, 12),
)
def test_silhouette_is_scikit_learns(rgb, k):
    labels = nearest(rgb, rgb[:k])
    ours = silhouette(Colors.once_each(rgb), labels)

    if 2 <= len(np.unique(labels)) < len(rgb):
        assert ours == pytest.approx(silhouette_score(rgb.astype(float), labels), abs=1e-4)
    else:
        assert ours in (None, 0)


# Degenerate images; a warning fails a test.


@pytest.mark.parametrize("k", [1, 2, 5, 8, 9, 20, 31, 32])
def test_flat_image_gets_exactly_its_colors(k):
    rng = np.random.default_rng(k)
    colors = rng.choice(256**3, k, replace=False)[:, None] >> np.array([16, 8, 0]) & 255
    pixels = colors[rng.integers(0, k, 4000 - k).tolist() + list(range(k))]
    pixels = pixels.astype(np.uint8).reshape(50, 80, 3)

    summary, ks = summarized(pixels, k_min=8, k_max=32, sample_size=500)
    fits = {k: fit(summary, k) for k in ks}

    assert ks[-1] == k
    assert {*map(tuple, fits[k].palette.tolist())} == {*map(tuple, colors.tolist())}
    assert (fits[k].inertia, fits[k].error) == (0, 0)
    if k <= 8:
        assert fits[k].silhouette is None
    else:
        assert [j for j in ks if fits[j].silhouette == max(f[1] for f in fits.values())] == [k]


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]))),
    st.integers(1, 12),
)
def test_any_image_gets_palettes_without_duplicates(levels, span):
    pixels = np.broadcast_to(levels % span + 100, (*levels.shape[:2], 3)).astype(np.uint8)
    summary, ks = summarized(pixels, k_min=4, k_max=16, sample_size=100)

    for k in ks:
        best = fit(summary, k)
        assert len(np.unique(best.palette, axis=0)) == len(best.palette) == k
        assert best.error < 10


def test_photo_is_measured_on_all_its_pixels(photo):
    pixels = open_image(photo, max_pixels=10**6).pixels()
    summary, _ = summarized(pixels, k_min=8, k_max=32, sample_size=2048)
    best = fit(summary, 16)

    everything = Colors.once_each(pixels.reshape(-1, 3))
    assert best.error == pytest.approx(mean_error(everything, best.palette), rel=0.01)
    labels = nearest(everything.rgb, best.palette)
    inertia = np.square(everything.rgb - best.palette[labels]).sum()
    assert best.inertia == pytest.approx(inertia, rel=0.01)


def test_sample_alone_is_what_scikit_learn_makes_of_it(photo):
    pixels = open_image(photo, max_pixels=10**6).pixels()
    summary, _ = summarized(pixels, k_min=8, k_max=32, sample_size=1000, whole_image=False)
    best = fit(summary, 8)

    drawn = summary.sample.rgb
    assert len(drawn) == 1000
    kmeans = KMeans(8, n_init=RESTARTS, random_state=0).fit(drawn)
    assert best.inertia == pytest.approx(kmeans.inertia_, rel=1e-5)
    assert best.silhouette == pytest.approx(silhouette_score(drawn, kmeans.labels_), abs=1e-4)
