"""Sample, from its request to the claim and the list of K."""

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

import sample
from quantization.errors import (
    EmptyImage,
    ImageTooLarge,
    InvalidOptions,
    ObjectGone,
    UnsupportedImage,
)
from quantization.images import open_image
from quantization.messages import Sampled, SampleRequest
from quantization.storage import check_out
from sampling import draw_sample, worthwhile_ks
from tests.conftest import EXECUTION

images = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))
translucent = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(4)))


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


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", EmptyImage),
        (b"# A text, not an image", UnsupportedImage),
        (b"\x89PNG\r\n\x1a\nbroken", UnsupportedImage),
    ],
)
def test_what_is_no_image_is_refused(upload, body, error, context):
    with pytest.raises(error):
        run(upload("a.png", body), context)


def test_too_large_is_refused(upload, make_png, context):
    with pytest.raises(ImageTooLarge, match="1001 x 1000"):
        run(upload("a.png", make_png(np.zeros((1000, 1001, 3)))), context)


def test_unknown_criterion_is_refused_with_the_known_ones(upload, photo, context):
    with pytest.raises(InvalidOptions, match=r"'sillhouette'.*choose one of silhouette"):
        run(upload("a.jpg", photo.read_bytes(), criterion="sillhouette"), context)


@pytest.fixture(scope="module")
def open_pixels(tmp_path_factory):
    """Open an array of RGB or RGBA levels as an image file."""
    path = tmp_path_factory.mktemp("images") / "upload"

    def open_pixels(pixels):
        Pillow.fromarray(pixels).save(path, "PNG")
        return open_image(path, max_pixels=10**6)

    return open_pixels


def assert_drawn_without_replacement(sample, pixels):
    drawn, drawn_counts = np.unique(sample, axis=0, return_counts=True)
    there, there_counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    available = dict(zip(map(tuple, there.tolist()), there_counts, strict=True))
    assert all(
        n <= available[tuple(colour)]
        for colour, n in zip(drawn.tolist(), drawn_counts, strict=True)
    )


@given(pixels=images, size=st.integers(1, 2000))
def test_sample_holds_pixels_of_the_image_each_at_most_once(open_pixels, pixels, size):
    sample = draw_sample(open_pixels(pixels), size)

    count = pixels.shape[0] * pixels.shape[1]
    assert sample.shape == (min(size, count), 3)
    assert_drawn_without_replacement(sample, pixels)


@given(pixels=translucent, size=st.integers(1, 2000))
def test_transparent_pixels_are_never_drawn(open_pixels, pixels, size):
    visible = pixels[pixels[:, :, 3] > 0][:, :3]
    assume(len(visible))

    sample = draw_sample(open_pixels(pixels), size)

    assert sample.shape == (min(size, len(visible)), 3)
    assert_drawn_without_replacement(sample, visible)


def test_invisible_image_is_empty(open_pixels):
    with pytest.raises(EmptyImage):
        draw_sample(open_pixels(np.zeros((3, 4, 4), np.uint8)), 10)


@pytest.mark.parametrize("channels", [3, 4])
def test_sample_is_random_but_always_the_same(channels, open_pixels):
    ramp = np.repeat(np.arange(90_000) // 353, channels).astype(np.uint8)
    ramp = ramp.reshape(300, 300, channels)
    ramp[:, :, 3:] = 200

    sample = draw_sample(open_pixels(ramp), 1000)

    np.testing.assert_array_equal(sample, draw_sample(open_pixels(ramp), 1000))
    # Every part of the image is drawn from: the mean of the ramp is met within 5 standard errors.
    levels = ramp[:, :, 0]
    assert abs(sample[:, 0].mean() - levels.mean()) < 5 * levels.std() / 1000**0.5


def test_pixels_vote_by_their_opacity(open_pixels):
    pixels = np.zeros((300, 300, 4), np.uint8)
    pixels[:, :150] = [255, 255, 255, 240]
    pixels[:, 150:, 3] = 60

    white = (draw_sample(open_pixels(pixels), 1000)[:, 0] == 255).mean()

    assert white == pytest.approx(0.8, abs=5 * (0.8 * 0.2 / 1000) ** 0.5)


@given(images, st.integers(1, 10), st.integers(10, 40))
def test_no_k_exceeds_the_distinct_colours(pixels, k_min, k_max):
    distinct = len({tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()})

    ks = worthwhile_ks(pixels.reshape(-1, 3), k_min, k_max)

    expected = [k for k in range(k_min, k_max + 1) if k <= distinct] or [distinct]
    assert ks == expected
