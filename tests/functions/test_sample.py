"""Sample, from its request to the claim and the list of K."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sample
from quantization.errors import InvalidOptions, ObjectGone, UnsupportedImage
from quantization.messages import Sampled, SampleRequest
from quantization.storage import check_out
from sampling import draw_sample, worthwhile_ks
from tests.conftest import EXECUTION

images = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def run(upload, context) -> Sampled:
    request = SampleRequest(upload, EXECUTION)
    return msgspec.convert(sample.handler(msgspec.to_builtins(request), context), Sampled)


def test_photo_is_sampled_and_measured(s3, upload, photo, context):
    sampled = run(upload("photos/china.jpg", photo.read_bytes()), context)

    assert (sampled.source.width, sampled.source.height) == (640, 427)
    assert sampled.source.key == "photos/china.jpg"
    assert sampled.ks == list(range(8, 33))
    assert sampled.criterion == "silhouette"
    pixels = check_out(s3, sampled.sample)
    assert pixels.shape == (1000, 3) == (sampled.sample_size, 3)


def test_reads_the_version_it_is_told_to(s3, upload, make_png, context):
    first = upload("a.png", make_png(np.zeros((5, 7, 3))))
    upload("a.png", make_png(np.zeros((2, 2, 3))))

    assert (run(first, context).source.width, run(first, context).source.height) == (7, 5)


def test_deleted_version_is_gone(s3, upload, make_png, context):
    uploaded = upload("a.png", make_png(np.zeros((5, 7, 3))))
    s3.delete_object(Bucket="input", Key="a.png", VersionId=uploaded.version_id)

    with pytest.raises(ObjectGone, match=uploaded.version_id):
        run(uploaded, context)


@pytest.mark.parametrize("body", [b"", b"# A text, not an image", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_image_is_refused(upload, body, context):
    with pytest.raises(UnsupportedImage, match=f"{len(body)} bytes"):
        run(upload("a.png", body), context)


def test_unknown_criterion_is_refused_with_the_known_ones(upload, photo, context):
    with pytest.raises(InvalidOptions, match=r"'sillhouette'.*choose one of silhouette"):
        run(upload("a.jpg", photo.read_bytes(), criterion="sillhouette"), context)


@given(images, st.integers(1, 2000))
def test_sample_holds_pixels_of_the_image_each_at_most_once(pixels, size):
    sample = draw_sample(pixels, size)

    count = pixels.shape[0] * pixels.shape[1]
    assert sample.shape == (min(size, count), 3)
    drawn, drawn_counts = np.unique(sample, axis=0, return_counts=True)
    there, there_counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    available = dict(zip(map(tuple, there.tolist()), there_counts, strict=True))
    assert all(
        n <= available[tuple(colour)]
        for colour, n in zip(drawn.tolist(), drawn_counts, strict=True)
    )


def test_sample_is_random_but_always_the_same():
    pixels = np.arange(300 * 300 * 3).astype(np.uint8).reshape(300, 300, 3)
    ramp = np.repeat(np.arange(90_000) // 353, 3).astype(np.uint8).reshape(300, 300, 3)

    np.testing.assert_array_equal(draw_sample(pixels, 500), draw_sample(pixels, 500))
    # Every part of the image is drawn from: the mean of the ramp is met within 5 standard errors.
    assert abs(draw_sample(ramp, 1000)[:, 0].mean() - ramp.mean()) < 5 * ramp.std() / 1000**0.5


@given(images, st.integers(1, 10), st.integers(10, 40))
def test_no_k_exceeds_the_distinct_colours(pixels, k_min, k_max):
    distinct = len({tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()})

    ks = worthwhile_ks(pixels.reshape(-1, 3), k_min, k_max)

    expected = [k for k in range(k_min, k_max + 1) if k <= distinct] or [distinct]
    assert ks == expected
