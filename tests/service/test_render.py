"""Render, from the chosen palette to the three objects in the output bucket."""

import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mypy_boto3_s3 import S3Client
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.spatial.distance import cdist

from functions.render import handler as render
from quantization.clustering import find_palette
from quantization.color import to_space
from quantization.contract import ImageFile, Result, Score, Source, SourceFile, Swatch, Upload
from quantization.decoding import Image, open_image
from quantization.encoding.png import blank_indices, encode_png
from quantization.encoding.webp import encode_webp
from quantization.errors import EmptyImage, ImageTooLarge, InvalidOptions, ObjectGone
from quantization.options import LARGEST_K, LONGEST_SIDES, MAX_SIZES, Dither, Options, Space
from quantization.palette_files import to_css
from quantization.recolor import NearestLabels, recolor
from quantization.sampling import summarize
from quantization.service.messages import RecolorRequest, RenderedFiles, RenderRequest
from quantization.service.storage.keys import LONGEST_KEY
from tests.conftest import EXECUTION
from tests.support.fixtures import PngMaker, Uploader
from tests.support.results import result_with

START = datetime(2026, 1, 1, tzinfo=UTC)
PALETTE = ["#000000", "#ff0000", "#ffffff"]

images = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)))
palettes = arrays(np.uint8, st.tuples(st.integers(1, 256), st.just(3)))


def request_for(upload: Upload, width: int, height: int, **options: Any) -> RenderRequest:
    source = Source(**msgspec.structs.asdict(upload), width=width, height=height)
    return RenderRequest(
        source=source,
        sample_size=100,
        options=Options(k_min=3, k_max=4, **options),
        picks={"silhouette": 3, "guarded": 4},
        silhouette_at=None,
        k=len(PALETTE),
        scores=[
            Score(k=3, silhouette=0.5, inertia=1.0, error=0.1, accent_error=0.0, palette=PALETTE),
            Score(
                k=4, silhouette=None, inertia=None, error=None, accent_error=None, failure="Oops"
            ),
        ],
        execution=EXECUTION,
        state_entered_at={"Sample": START, "ScoreEachK": START + timedelta(seconds=2)},
    )


def test_widest_window_of_the_largest_palettes_fits_into_a_state() -> None:
    """Of all that the machine is given or says itself, these are the largest."""
    longest = "\1" * LONGEST_KEY  # six characters each in JSON
    score = Score(
        k=LARGEST_K,
        silhouette=-0.1234,
        inertia=-1.2345678901234567e-100,
        error=-1.2345678901234567e-100,
        accent_error=-1.2345678901234567e-100,
        palette=["#123456"] * LARGEST_K,
    )
    request = msgspec.structs.replace(
        request_for(Upload("b" * 63, longest, "v" * 1024, "e" * 32, "0" * 64), 10**5, 10**5),
        scores=[score] * MAX_SIZES,
        options=Options(k_min=193, k_max=256, keep=("#123456",) * 193),
    )
    quota = 256 * 1024  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    assert len(msgspec.json.encode({"FunctionName": "f" * 170, "Payload": request})) < quota
    # What an Express workflow was given and returns is text within the answer.
    asked = msgspec.json.encode({"source": request.source, "options": request.options})
    scores = msgspec.json.encode({"scores": request.scores})
    answer = {"Input": asked.decode(), "Output": scores.decode(), "ExecutionArn": "a" * 256}
    assert len(msgspec.json.encode(answer)) < quota - 2048  # of times, billing and headers
    result = result_with(
        source=request.source,
        scores=request.scores,
        options=request.options,
        palette=[Swatch("#123456", 1.2345678901234567e-100)] * LARGEST_K,
    )
    assert len(msgspec.json.encode(RecolorRequest(result, LARGEST_K))) < quota


def run(request: RenderRequest, context: LambdaContext) -> RenderedFiles:
    return msgspec.convert(render.handler(msgspec.to_builtins(request), context), RenderedFiles)


def test_image_and_result_are_written(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    rgb = np.full((4, 5, 3), 250)
    rgb[0] = [200, 30, 20]
    request = request_for(upload("a dir/ä+b.c.PNG", make_png(rgb)), 5, 4)

    rendered = run(request, context)

    assert rendered.image.key == "a dir/ä+b.c.png"
    image = s3.get_object(Bucket="output", Key=rendered.image.key)
    assert image["ContentType"] == "image/png"
    bgr = cv2.imdecode(np.frombuffer(image["Body"].read(), np.uint8), cv2.IMREAD_UNCHANGED)
    expected = np.full((4, 5, 3), 255)
    expected[0] = [0, 0, 255]
    np.testing.assert_array_equal(bgr, expected)

    page = s3.get_object(Bucket="output", Key="a dir/ä+b.c.html")
    assert page["ContentType"] == "text/html; charset=utf-8"
    html = page["Body"].read().decode()
    assert "<h1>ä+b.c.PNG in 3 colors</h1>" in html
    assert "Sample 2.0\N{NO-BREAK SPACE}s, ScoreEachK" in html

    document = s3.get_object(Bucket="output", Key="a dir/ä+b.c.json")
    assert document["ContentType"] == "application/json"
    result = msgspec.json.decode(document["Body"].read(), type=Result)
    assert [(swatch.color, swatch.share) for swatch in result.palette] == [
        ("#ffffff", 0.75),
        ("#ff0000", 0.25),
        ("#000000", 0.0),
    ]
    assert (result.source, result.scores) == (request.source, request.scores)
    assert result.options == request.options
    assert (result.k, result.sample_size, result.execution) == (3, 100, EXECUTION)


def test_deleted_version_writes_nothing(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    uploaded = upload("a.png", make_png(np.zeros((2, 2, 3))))
    s3.delete_object(Bucket="input", Key="a.png", VersionId=uploaded.version_id)

    with pytest.raises(ObjectGone):
        run(request_for(uploaded, 2, 2), context)
    assert "Contents" not in s3.list_objects_v2(Bucket="output")


# ------------------------------------------------------------------ nearest


def brute_force(pixels: NDArray[Any], palette: NDArray[Any], space: Space = "rgb") -> NDArray[Any]:
    """Return the squared distance of every pixel to every palette color."""
    distances: NDArray[Any] = cdist(
        to_space(pixels.reshape(-1, 3), space), to_space(palette, space), "sqeuclidean"
    )
    return distances


@given(images, palettes)
def test_labels_are_those_of_brute_force(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    labels = NearestLabels(palette)(pixels)

    assert labels.shape == pixels.shape[:2]
    np.testing.assert_array_equal(labels.ravel(), brute_force(pixels, palette).argmin(axis=1))


@given(images, palettes)
def test_labels_in_oklab_are_those_of_brute_force(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    labels = NearestLabels(palette, space="oklab")(pixels)

    distances = brute_force(pixels, palette, "oklab")
    chosen = distances[np.arange(labels.size), labels.ravel()]
    # Colors that rounding alone tells apart are equally near.
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=0, atol=1e-12)


@given(images, palettes)
def test_of_equally_near_colors_the_first_is_taken(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    doubled = np.concatenate([palette, palette])[:256]

    for space in ("rgb", "oklab"):
        labels = NearestLabels(doubled, space=space)(pixels)
        assert labels.max() < len(palette)


def test_labels_hold_across_a_whole_image_of_many_colors() -> None:
    """More pixels than are labeled at a time, most of them met before."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (700, 300, 3), dtype=np.uint8) // 8 * 8
    palette = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    nearest = NearestLabels(palette)

    for _ in range(2):
        labels = nearest(pixels)
        np.testing.assert_array_equal(labels.ravel(), brute_force(pixels, palette).argmin(axis=1))


@pytest.mark.parametrize("k", [1, 2, 32, 256])
def test_planes_of_all_colors_have_the_labels_of_brute_force(k: int) -> None:
    # Multiples of 16: many colors are equally near to two or more of them.
    rng = np.random.default_rng(k)
    palette = (rng.integers(0, 16, (k, 3)) * 16).astype(np.uint8)
    label = NearestLabels(palette)
    green, red = np.mgrid[0:256, 0:256]
    for blue in rng.choice(256, 8, replace=False):
        pixels = np.stack([red, green, np.full_like(red, blue)], axis=-1).astype(np.uint8)
        nearest = brute_force(pixels, palette).argmin(axis=1)
        assert (label(pixels).ravel() == nearest).all()


@given(images, palettes)
def test_alpha_does_not_change_labels(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    alpha = np.arange(pixels[:, :, 0].size, dtype=np.uint8).reshape(pixels.shape[:2])

    np.testing.assert_array_equal(
        NearestLabels(palette)(np.dstack([pixels, alpha])), NearestLabels(palette)(pixels)
    )


# ----------------------------------------------------------------- recolor


@pytest.fixture(scope="module")
def open_pixels(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Image]:
    """Open an array of RGB or RGBA levels as an image file."""
    path = tmp_path_factory.mktemp("images") / "upload"

    def open_pixels(pixels: NDArray[np.uint8], **options: Any) -> Image:
        Pillow.fromarray(pixels).save(path, "PNG", **options)
        return open_image(path, max_pixels=10**6)

    return open_pixels


def read_png(png: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(png))


@given(pixels=images, palette=palettes)
def test_palette_is_ordered_by_use_and_the_image_unchanged_by_it(
    open_pixels: Callable[..., Image], pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    recolored = recolor(open_pixels(pixels), palette)

    labels = brute_force(pixels, palette).argmin(axis=1)
    expected = palette[labels].reshape(pixels.shape)
    np.testing.assert_array_equal(recolored.palette[recolored.indices], expected)
    assert recolored.entries is recolored.palette
    assert sorted(map(tuple, recolored.palette)) == sorted(map(tuple, palette))
    shares = np.bincount(labels, minlength=len(palette)) / labels.size
    np.testing.assert_allclose(recolored.shares, np.sort(shares)[::-1])

    with read_png(encode_png(recolored.indices, recolored.entries)) as decoded:
        assert decoded.mode == "P"
        np.testing.assert_array_equal(decoded.convert("RGB"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_image_is_rendered_upright(
    orientation: int, open_pixels: Callable[..., Image], photo: Path
) -> None:
    with Pillow.open(photo) as whole:
        pixels = np.asarray(whole.crop((100, 100, 151, 133)))
    exif = Pillow.Exif()
    exif[0x112] = orientation
    palette = np.array([[0, 0, 0], [90, 90, 90], [200, 210, 250]], dtype=np.uint8)

    image = open_pixels(pixels, exif=exif)
    recolored = recolor(image, palette)

    labels = brute_force(image.pixels(), palette).argmin(axis=1)
    assert recolored.indices.shape == (image.height, image.width)
    np.testing.assert_array_equal(
        recolored.palette[recolored.indices].reshape(-1, 3), palette[labels]
    )


@given(
    pixels=arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(4))),
    palette=arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(3))),
)
def test_transparency_is_kept_where_it_fits(
    open_pixels: Callable[..., Image], pixels: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> None:
    pixels[:, :, 3] &= 0b11100000  # at most 6 x 8 pairs
    assume(pixels[:, :, 3].any())

    recolored = recolor(open_pixels(pixels), palette)

    alpha = pixels[:, :, 3]
    labels = brute_force(pixels[:, :, :3], palette).argmin(axis=1).reshape(alpha.shape)
    used = np.bincount(labels[alpha > 0], minlength=len(palette))
    np.testing.assert_allclose(recolored.shares, np.sort(used / used.sum())[::-1])
    with read_png(encode_png(recolored.indices, recolored.entries)) as decoded:
        assert decoded.mode == "P"
        rgba = np.asarray(decoded.convert("RGBA"))
    np.testing.assert_array_equal(rgba[:, :, 3], alpha)
    np.testing.assert_array_equal(rgba[alpha > 0][:, :3], palette[labels][alpha > 0])


def on_paper(rgba: NDArray[np.uint8], paper: int) -> NDArray[np.float64]:
    alpha = rgba[..., 3:] / 255
    return np.asarray(rgba[..., :3] * alpha + paper * (1 - alpha))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean squared error of one image, shown on white and on black, from another."""
    return float(sum(np.square(on_paper(one, p) - on_paper(other, p)).mean() for p in (0, 255)))


def on_even_levels(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw opacities on the finest even scale that 256 entries allow."""
    for levels in range(256, 1, -1):
        rounded = np.rint(np.rint(rgba[..., 3] * (levels - 1) / 255) * 255 / (levels - 1))
        drawn = np.where(rounded[..., None] > 0, rgba, 0)
        drawn[..., 3] = rounded
        if len(np.unique(drawn.reshape(-1, 4), axis=0)) <= 256:
            return drawn
    raise AssertionError


@pytest.mark.parametrize("k", [2, 32, 255])
def test_transparency_that_does_not_fit_is_rounded(
    k: int, open_pixels: Callable[..., Image]
) -> None:
    rng = np.random.default_rng(k)
    pixels = rng.integers(0, 256, (100, 100, 4), dtype=np.uint8)
    palette = rng.integers(0, 256, (k, 3), dtype=np.uint8)

    recolored = recolor(open_pixels(pixels), palette)

    drawn = recolored.entries[recolored.indices]
    assert len(recolored.entries) == 256
    alpha = pixels[:, :, 3]
    for kept in (0, 255):
        assert ((drawn[:, :, 3] == kept)[alpha == kept]).all()
    labels = brute_force(pixels[:, :, :3], palette).argmin(axis=1).reshape(alpha.shape)
    exact = np.dstack([palette[labels], alpha])
    assert difference(drawn, exact) <= difference(on_even_levels(exact), exact)


def soft_shadow(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a disc of shades above its blurred shadow, on nothing."""
    size, (x, y, blur) = 160, rng.uniform([60, 60, 4], [100, 100, 14])
    shadow = np.zeros((size, size, 4))
    cv2.circle(shadow, (round(x), round(y)), 45, (*rng.integers(0, 60, 3).tolist(), 200), -1)
    shadow[..., :3] = shadow.max(axis=(0, 1))[:3]
    shadow[..., 3] = cv2.GaussianBlur(shadow[..., 3], (0, 0), blur)
    disc = np.zeros((size, size), np.uint8)
    cv2.circle(disc, (round(x) - 6, round(y) - 8), 42, 255, -1, cv2.LINE_AA)
    share = disc[..., None] / 255
    shades = np.linspace(rng.uniform(0, 255, 3), rng.uniform(0, 255, 3), size)[:, None]
    alpha = shadow[..., 3:] / 255 * (1 - share) + share
    above = shadow[..., :3] * (alpha - share) + shades * share
    rgb = above / np.where(alpha > 0, alpha, 1)
    return np.rint(np.dstack([rgb, 255 * alpha])).astype(np.uint8)


@pytest.mark.parametrize("seed", [2, 3])
def test_soft_shadows_get_better_with_more_colors(
    seed: int, open_pixels: Callable[..., Image]
) -> None:
    pixels = soft_shadow(np.random.default_rng(seed))
    errors = []
    for k in (4, 8, 16, 32, 64, 128, 255):
        summary, _ = summarize([pixels], pixels=160**2, k_min=k, k_max=k, sample_size=100)
        recolored = recolor(open_pixels(pixels), find_palette(summary, k, "oklab"), space="oklab")
        drawn = recolored.entries[recolored.indices]
        errors.append(difference(drawn, pixels))

    for fewer, more in itertools.pairwise(errors):
        assert more < fewer


def test_shadow_that_is_hardly_there_takes_no_entry_from_one_that_is_seen(
    open_pixels: Callable[..., Image],
) -> None:
    """256 opacities of black do not leave one to the six faintest pixels of red."""
    pixels = np.zeros((20, 256, 4), np.uint8)
    pixels[..., 3] = np.arange(256)
    pixels[0, :6] = 255, 0, 0, 1

    recolored = recolor(open_pixels(pixels), np.array([[0, 0, 0], [255, 0, 0]], np.uint8))

    assert not (recolored.entries[:, :3] == [255, 0, 0]).all(axis=1).any()
    drawn = recolored.entries[recolored.indices]
    assert (drawn[1:, 1:] == pixels[1:, 1:]).all()


def test_what_is_transparent_takes_one_entry_and_hides_nothing(
    open_pixels: Callable[..., Image],
) -> None:
    """All 256 opacities of red fit, whatever colors are under what is fully transparent."""
    pixels = np.full((2, 256, 4), [255, 0, 0, 0], np.uint8)
    pixels[0, :, 3] = np.arange(256)
    pixels[1, :100, 2] = 255

    recolored = recolor(open_pixels(pixels), np.array([[255, 0, 0], [255, 0, 255]], np.uint8))

    assert len(recolored.entries) == 256
    expected = np.where(pixels[..., 3:] > 0, pixels, 0)
    np.testing.assert_array_equal(recolored.entries[recolored.indices], expected)


def test_opaque_colors_come_first_in_the_order_of_the_palette(
    open_pixels: Callable[..., Image],
) -> None:
    """So the PNG need not say that they are opaque."""
    palette = np.array([[0, 0, 255], [0, 0, 0], [255, 0, 0]], np.uint8)
    pixels = np.zeros((3, 40, 4), np.uint8)
    pixels[..., :3] = palette[:, None]
    pixels[..., 3] = 255
    for row in range(3):  # The first color is used most.
        pixels[row, : 5 + 5 * row, 3] = 10 + row

    recolored = recolor(open_pixels(pixels), palette)

    opaque = np.column_stack([recolored.palette, [255] * 3])
    np.testing.assert_array_equal(recolored.palette, palette)
    np.testing.assert_array_equal(recolored.entries[:3], opaque)
    assert recolored.entries[3:, 3].tolist() == [12, 11, 10]


@pytest.mark.parametrize("dither", ["none", "ordered", "diffusion"])
@pytest.mark.parametrize("space", ["oklab", "rgb"])
def test_picture_of_256_colors_comes_back_without_loss(
    space: Space, dither: Dither, open_pixels: Callable[..., Image]
) -> None:
    rng = np.random.default_rng(0)
    colors = rng.choice(256**3, 256, replace=False).astype("<u4").view(np.uint8).reshape(256, 4)
    pixels = colors[rng.permutation(64 * 64) % 256, :3].reshape(64, 64, 3)
    summary, ks = summarize(
        [pixels], pixels=64 * 64, k_min=LARGEST_K, k_max=LARGEST_K, sample_size=100
    )

    (k,) = ks
    palette = find_palette(summary, k, space)
    recolored = recolor(open_pixels(pixels), palette, space=space, dither=dither)

    with read_png(encode_png(recolored.indices, recolored.entries)) as decoded:
        np.testing.assert_array_equal(np.asarray(decoded.convert("RGB")), pixels)


def test_opaque_alpha_channel_is_left_out(open_pixels: Callable[..., Image]) -> None:
    pixels = np.full((3, 4, 4), 255, dtype=np.uint8)

    recolored = recolor(open_pixels(pixels), np.zeros((2, 3), np.uint8))

    assert recolored.entries.shape == (2, 3)


def test_invisible_image_is_empty(open_pixels: Callable[..., Image]) -> None:
    with pytest.raises(EmptyImage):
        recolor(open_pixels(np.zeros((3, 4, 4), np.uint8)), np.zeros((2, 3), np.uint8))


# ---------------------------------------------------------------------- png


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 40))),
    st.integers(1, 256),
    st.sampled_from([3, 4]),
    st.none() | st.tuples(st.integers(1, 10**5), st.integers(1, 10**5)),
)
def test_png_holds_what_is_encoded(
    indices: NDArray[np.uint8], n: int, channels: int, dots_per_meter: tuple[int, int] | None
) -> None:
    palette = np.random.default_rng(n).integers(0, 256, (n, channels), dtype=np.uint8)
    indices = (indices.astype(int) % n).astype(np.uint8)

    png = encode_png(indices, palette, dots_per_meter=dots_per_meter)

    depth = png[24]
    assert depth == min(bits for bits in (1, 2, 4, 8) if n <= 2**bits)
    with read_png(png) as decoded:
        decoded.load()
        assert decoded.mode == "P"
        assert decoded.info["srgb"] == 0
        assert decoded.palette is not None
        assert len(decoded.palette.palette) == 3 * n
        np.testing.assert_array_equal(decoded, indices)
        mode = "RGB" if channels == 3 else "RGBA"
        np.testing.assert_array_equal(decoded.convert(mode), palette[indices])
        dpi = dots_per_meter and tuple(dots * 0.0254 for dots in dots_per_meter)
        assert decoded.info.get("dpi") == (dpi and pytest.approx(dpi))


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(2, 20)), elements=st.integers(0, 16))
)
def test_indices_in_lines_of_their_own_make_the_same_file(indices: NDArray[np.uint8]) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (17, 3), dtype=np.uint8)
    room = blank_indices(indices.shape)
    room[:] = indices
    for way in (slice(None), slice(None, None, -1), slice(1, None), slice(None, -1)):
        assert encode_png(room[way], palette) == encode_png(indices[way], palette)
        assert encode_png(room[:, way], palette) == encode_png(indices[:, way], palette)


def test_resolution_and_transparency_reach_the_written_image(
    s3: S3Client, upload: Uploader, context: LambdaContext
) -> None:
    pixels = np.full((4, 5, 4), 255, dtype=np.uint8)
    pixels[0, :, 3] = 0
    pixels[1, :, 3] = 100
    body = io.BytesIO()
    Pillow.fromarray(pixels).save(body, "PNG", dpi=(300, 150))

    rendered = run(request_for(upload("a.png", body.getvalue()), 5, 4), context)

    with read_png(s3.get_object(Bucket="output", Key=rendered.image.key)["Body"].read()) as png:
        assert png.info["dpi"] == pytest.approx((300, 150), abs=0.1)
        np.testing.assert_array_equal(np.asarray(png.convert("RGBA"))[:, :, 3], pixels[:, :, 3])


# --------------------------------------------------------------------- webp


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 40))),
    st.integers(1, 256),
    st.sampled_from([3, 4]),
)
def test_webp_holds_what_is_encoded(indices: NDArray[np.uint8], n: int, channels: int) -> None:
    palette = np.random.default_rng(n).integers(0, 256, (n, channels), dtype=np.uint8)
    palette[:, 3:] |= 1  # what is under a fully transparent pixel may change
    indices = (indices.astype(int) % n).astype(np.uint8)

    with read_png(encode_webp(indices, palette)) as decoded:
        mode = "RGB" if channels == 3 else "RGBA"
        np.testing.assert_array_equal(decoded.convert(mode), palette[indices])


def test_webp_has_a_longest_side() -> None:
    palette, longest = np.zeros((1, 3), np.uint8), LONGEST_SIDES["webp"]

    encode_webp(np.zeros((1, longest), np.uint8), palette)
    with pytest.raises(ImageTooLarge, match="png"):
        encode_webp(np.zeros((1, longest + 1), np.uint8), palette)


def test_image_has_the_format_and_space_asked_for(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    gray = np.full((4, 5, 3), 100)  # nearest to black in RGB, to red in OKLab
    body = make_png(gray)
    uploaded = upload("a.png", body)

    rendered = run(request_for(uploaded, 5, 4, format="webp", space="oklab"), context)

    assert rendered.image.key == "a.webp"
    image = s3.get_object(Bucket="output", Key="a.webp")
    webp = image["Body"].read()
    assert image["ContentType"] == "image/webp"
    with read_png(webp) as decoded:
        assert (decoded.format, decoded.getpixel((0, 0))) == ("WEBP", (255, 0, 0))
    document = s3.get_object(Bucket="output", Key="a.json")["Body"].read()
    result = msgspec.json.decode(document, type=Result)
    assert result.source_file == SourceFile(format="png", bytes=len(body), frames=1)
    assert result.image_file == ImageFile(
        format="webp",
        version_id=image["VersionId"],
        bytes=len(webp),
        ratio=len(webp) / len(body),
    )


def test_palettes_lie_beside_the_image_as_long_as_the_newest_upload_asks(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    def left_by(**options: Any) -> tuple[RenderedFiles, set[str]]:
        rendered = run(request_for(upload("a/b.png", make_png(rgb)), 5, 4, **options), context)
        keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket="output")["Contents"]}
        return rendered, keys - {"a/b.png", "a/b.html", "a/b.json"}

    rgb = np.full((4, 5, 3), 250)
    rendered, beside = left_by(palettes=("css", "gpl"))

    assert beside == {"a/b.css", "a/b.gpl"} == {p.key for p in rendered.palettes.values()}
    css = s3.get_object(Bucket="output", Key="a/b.css")
    assert css["ContentType"] == "text/css; charset=utf-8"
    document = s3.get_object(Bucket="output", Key="a/b.json")["Body"].read()
    result = msgspec.json.decode(document, type=Result)
    assert css["Body"].read() == to_css("b.png", result.palette)

    assert left_by(palettes=("ase",))[1] == {"a/b.ase"}
    rendered, beside = left_by()
    assert (rendered.palettes, beside) == ({}, set())


def test_palette_that_there_is_not_is_refused() -> None:
    request = request_for(Upload("input", "a.png", "v1", "etag", "0A"), 4, 3)

    with pytest.raises(InvalidOptions, match="no palette of 4 colors, only of 3"):
        msgspec.structs.replace(request, k=4).chosen_palette()
