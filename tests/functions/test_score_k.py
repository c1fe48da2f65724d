"""ScoreK, held against scikit-learn on the same sample."""

import msgspec
import numpy as np
import pytest
from sklearn.metrics import silhouette_score

import score_k
from clustering import fit
from quantization.colour import from_hex, srgb_to_oklab
from quantization.messages import FittedScore, ObjectKey, ScoreRequest
from quantization.storage import check_in
from tests.conftest import EXECUTION


@pytest.fixture(scope="module")
def blobs():
    """500 pixels around 10 colours far apart; the colours, and which colour each pixel is of."""
    rng = np.random.default_rng(1)
    corners = np.array([[r, g, b] for r in (40, 215) for g in (40, 215) for b in (40, 215)])
    colours = np.vstack([corners, [[128, 128, 40], [128, 128, 215]]])
    truth = np.repeat(np.arange(10), 50)
    return np.clip(colours[truth] + rng.normal(0, 4, (500, 3)), 0, 255).astype(np.uint8), truth


def test_handler_scores_the_sample_behind_the_claim(s3, blobs, context):
    pixels, _ = blobs
    claim = ObjectKey("work", "first/sample.npy")
    check_in(s3, claim, pixels)

    request = msgspec.to_builtins(ScoreRequest(10, claim, EXECUTION))
    score = msgspec.convert(score_k.handler(request, context), FittedScore)

    best = fit(pixels, 10)
    assert (score.k, score.failure) == (10, None)
    assert (score.silhouette, score.inertia, score.error) == (
        best.silhouette,
        best.inertia,
        best.error,
    )
    np.testing.assert_array_equal(from_hex(score.palette), best.palette)


def test_true_clusters_are_found(blobs):
    pixels, truth = blobs
    best = fit(pixels, 10)

    assert len({*zip(best.labels.tolist(), truth.tolist(), strict=True)}) == 10
    silhouettes = {k: fit(pixels, k).silhouette for k in range(8, 13)}
    assert max(silhouettes, key=silhouettes.get) == 10


def test_measures_are_what_they_are_called(blobs):
    pixels, _ = blobs
    best = fit(pixels, 8)

    centroids = np.array([pixels[best.labels == label].mean(axis=0) for label in range(8)])
    np.testing.assert_allclose(best.palette, centroids, rtol=0, atol=0.5 + 1e-9)
    assert best.inertia == pytest.approx(np.square(pixels - centroids[best.labels]).sum())
    assert best.silhouette == pytest.approx(silhouette_score(pixels, best.labels))
    drift = srgb_to_oklab(pixels) - srgb_to_oklab(best.palette[best.labels])
    assert best.error == pytest.approx(100 * np.sqrt(np.square(drift).sum(axis=1)).mean())


def test_same_sample_same_fit(blobs):
    pixels, _ = blobs
    first, second = fit(pixels, 9), fit(pixels, 9)

    np.testing.assert_array_equal(first.palette, second.palette)
    assert first[2:] == second[2:]


@pytest.mark.parametrize(
    ("pixels", "k"),
    [([[7, 7, 7]] * 5, 1), ([[0, 0, 0], [9, 9, 9]], 2)],
    ids=["one cluster", "as many clusters as pixels"],
)
def test_undefined_silhouette_is_none(pixels, k):
    best = fit(np.array(pixels, np.uint8), k)

    assert best.silhouette is None
    assert (best.inertia, best.error) == pytest.approx((0, 0), abs=1e-12)
