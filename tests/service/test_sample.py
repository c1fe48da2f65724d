"""Sample, from its request to the claim and the list of K."""

import runpy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mypy_boto3_s3 import S3Client
from numpy.typing import NDArray

from emulator.engine import ROOT
from functions.sample import handler as sample
from quantization.color import srgb_to_oklab
from quantization.contract import Upload
from quantization.decoding import open_image
from quantization.errors import (
    EmptyImage,
    ImageTooLarge,
    InvalidOptions,
    ObjectArchived,
    ObjectEncrypted,
    ObjectGone,
    ObjectUnversioned,
    UnreadablePalette,
    UnsupportedImage,
)
from quantization.histogram import MOST_EXACT, ColorCount, pool
from quantization.options import MOST_GIVEN, Options, ignored_metadata
from quantization.pixel_sample import PixelSample
from quantization.sampling import candidate_ks, summarize
from quantization.service.messages import Sampled, SampleRequest
from quantization.service.storage.s3 import StorageFault, StorageRejected
from quantization.service.storage.summaries import load_summary
from quantization.smoothness import Smoothness
from quantization.summary import Colors, Summary, draw_evenly
from tests.conftest import EXECUTION
from tests.support.fixtures import PngMaker, Uploader
from tests.support.keys import refusing_keys

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4]))
images = arrays(np.uint8, shapes, elements=st.sampled_from([0, 1, 2, 100, 254, 255]))
heights = st.integers(1, 40)


def strips_of(pixels: NDArray[np.uint8], height: int = 10**6) -> list[NDArray[np.uint8]]:
    return [pixels[start : start + height] for start in range(0, len(pixels), height)]


def summary_of(
    pixels: NDArray[np.uint8], height: int = 10**6, **options: Any
) -> tuple[Summary, list[int]]:
    given = {"k_min": 8, "k_max": 32, "sample_size": 500} | options
    total = pixels.shape[0] * pixels.shape[1]
    return summarize(strips_of(pixels, height), pixels=total, **given)


def visible_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rgb = pixels[..., :3].reshape(-1, 3)
    return rgb if pixels.shape[-1] == 3 else rgb[pixels[..., 3].ravel() > 0]


def counted(pixels: NDArray[np.uint8], height: int = 10**6) -> tuple[Colors, bool]:
    count = ColorCount()
    for strip in strips_of(pixels, height):
        count.add(strip)
    return count.colors()


@pytest.fixture(scope="module")
def china(photo: Path) -> NDArray[np.uint8]:
    return open_image(photo, max_pixels=10**6).pixels()


def run(upload: Upload, context: LambdaContext) -> Sampled:
    request = SampleRequest(upload, EXECUTION)
    return msgspec.convert(sample.handler(msgspec.to_builtins(request), context), Sampled)


def test_photo_is_sampled_and_measured(
    s3: S3Client, upload: Uploader, photo: Path, context: LambdaContext
) -> None:
    sampled = run(upload("photos/china.jpg", photo.read_bytes()), context)

    assert (sampled.source.width, sampled.source.height) == (640, 427)
    assert sampled.source.key == "photos/china.jpg"
    assert sampled.ks == list(range(8, 33))
    assert sampled.options == Options()
    summary = Summary.from_arrays(load_summary(s3, sampled.summary))
    assert summary.pooled.counts.sum() == 640 * 427
    assert summary.sample.counts.sum() == sampled.sample_size == 2048


def test_stack_may_have_palettes_fitted_to_random_pixels(
    s3: S3Client,
    upload: Uploader,
    photo: Path,
    context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "WHOLE_IMAGE", False)
    sampled = run(upload("a.jpg", photo.read_bytes()), context)

    summary = Summary.from_arrays(load_summary(s3, sampled.summary))
    assert summary.pooled.counts.sum() == sampled.sample_size == 2048


def test_reads_the_version_it_is_told_to(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    first = upload("a.png", make_png(np.zeros((5, 7, 3))))
    upload("a.png", make_png(np.zeros((2, 2, 3))))

    assert (run(first, context).source.width, run(first, context).source.height) == (7, 5)


# Codes, states and messages as S3's documents and users have them.
UNREADABLE = [
    (403, "InvalidObjectState", "not valid for the object's storage class", ObjectArchived),
    (400, "InvalidRequest", "stored using a form of Server Side Encryption", ObjectEncrypted),
    (403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource", ObjectEncrypted),
    (403, "AccessDenied", "The ciphertext refers to a customer master key that", ObjectEncrypted),
    (400, "KMS.DisabledException", "arn:aws:kms:… is disabled.", ObjectEncrypted),
    (400, "KMS.KMSInvalidStateException", "is pending deletion.", ObjectEncrypted),
    (403, "AccessDenied", "not authorized to perform: s3:GetObjectVersion", StorageRejected),
    (503, "SlowDown", "Please reduce your request rate.", StorageFault),
]


@pytest.mark.parametrize(("status", "code", "message", "error"), UNREADABLE)
def test_object_that_cannot_be_read_is_told_from_a_fault_of_the_service(
    upload: Uploader,
    make_png: PngMaker,
    context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    message: str,
    error: type[Exception],
) -> None:
    def refuse(**_asked: Any) -> None:
        # Botocore's newer versions make a class of their own for each code.
        response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise type(code.replace(".", ""), (ClientError,), {})(response, "GetObject")

    uploaded = upload("a.png", make_png(np.zeros((5, 7, 3))))
    monkeypatch.setattr(sample.s3, "get_object", refuse)
    with pytest.raises(error, match=message[:20]) as raised:
        run(uploaded, context)
    assert type(raised.value) is error


@pytest.mark.parametrize("function", ["sample", "render"])
def test_limits_need_not_be_whole(
    function: str, monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    """CloudFormation's numbers have fractions."""
    monkeypatch.setenv("MAX_MEGAPIXELS", "2.5")
    monkeypatch.setenv("MAX_MEGABYTES", "1.1")
    handler = runpy.run_path(str(ROOT / "functions" / function / "handler.py"))
    assert (handler["MAX_PIXELS"], handler["MAX_BYTES"]) == (2_500_000, 1_100_000)


@pytest.mark.parametrize("lacking", [{"version_id": ""}, {"version_id": "null"}, {"sequencer": ""}])
def test_upload_without_version_or_sequencer_is_refused(
    upload: Uploader, make_png: PngMaker, context: LambdaContext, lacking: dict[str, str]
) -> None:
    uploaded = upload("a.png", make_png(np.zeros((5, 7, 3))))
    with pytest.raises(ObjectUnversioned, match="the event says version"):
        run(msgspec.structs.replace(uploaded, **lacking), context)


def test_deleted_version_is_gone(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
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
def test_what_is_no_image_is_refused(
    upload: Uploader, body: bytes, error: type[Exception], context: LambdaContext
) -> None:
    with pytest.raises(error):
        run(upload("a.png", body), context)


def test_too_large_is_refused(upload: Uploader, make_png: PngMaker, context: LambdaContext) -> None:
    with pytest.raises(ImageTooLarge, match="1001 x 1000"):
        run(upload("a.png", make_png(np.zeros((1000, 1001, 3)))), context)


def test_too_wide_for_the_format_is_refused_before_any_fit(
    upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    wide = make_png(np.zeros((1, 16_384, 3)))

    run(upload("a.png", wide), context)
    with pytest.raises(ImageTooLarge, match="format png"):
        run(upload("a.png", wide, format="webp"), context)


def test_options_of_the_upload_win(upload: Uploader, photo: Path, context: LambdaContext) -> None:
    options = {"criterion": "guarded", "error-budget": "3.5", "k-min": "4", "k-max": "67"}
    sampled = run(upload("a.jpg", photo.read_bytes(), **options), context)

    assert sampled.options == Options(criterion="guarded", error_budget=3.5, k_min=4, k_max=67)
    assert sampled.ks == list(range(4, 68))


def test_one_end_of_the_window_may_be_the_stacks_own(
    upload: Uploader, photo: Path, context: LambdaContext
) -> None:
    sampled = run(upload("a.jpg", photo.read_bytes(), **{"k-max": "10"}), context)

    assert sampled.ks == [8, 9, 10]


NINE = "000,111,222,333,444,555,666,777,888"


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({"k-min": "40"}, (40, 64)),
        ({"k-min": "250"}, (250, 256)),
        ({"k-max": "7"}, (1, 7)),
        ({"k-max": "4", "k-min": "2"}, (2, 4)),
        ({"keep": "#fff"}, (8, 32)),
        ({"keep": NINE}, (9, 32)),
        ({"keep": NINE, "k-max": "12"}, (9, 12)),
        ({"keep": NINE, "k": "9"}, (9, 9)),
        ({"keep": " ".join(f"{n:06x}" for n in range(40))}, (40, 64)),
        ({"k": "16"}, (16, 16)),
        ({"k": "200"}, (200, 200)),
        ({"k": " 16 "}, (16, 16)),
    ],
)
def test_end_of_the_window_that_is_not_given_follows_the_other(
    given: dict[str, str], window: tuple[int, int]
) -> None:
    options = Options(k_min=8, k_max=32).updated(given)

    assert (options.k_min, options.k_max) == window


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ({"k": "16"}, {"k-min": "4"}, {"k": None, "k_min": 4, "k_max": 16}),
        ({"k": "16"}, {"keep": "#fff"}, {"k": 16, "keep": ("#ffffff",)}),
        ({"k": "2"}, {"keep": "000 fff 777"}, {"k": None, "k_min": 3, "k_max": 3}),
        ({"keep": "#fff"}, {"palette": "000"}, {"keep": (), "palette": ("#000000",)}),
        ({"palette": "a.gpl"}, {"keep": "#fff"}, {"keep": ("#ffffff",), "palette": ()}),
        ({"palette": "a.gpl"}, {"k": "4"}, {"k": 4, "palette": ()}),
        ({"palette": "a.gpl"}, {"dither": "ordered"}, {"palette": "a.gpl"}),
    ],
)
def test_what_a_backfill_asks_for_gives_way_to_what_the_upload_does(
    first: dict[str, str], second: dict[str, str], left: dict[str, Any]
) -> None:
    options = msgspec.to_builtins(Options().updated(first).updated(second))

    expected = msgspec.to_builtins(left)
    assert {name: options[name] for name in left} == expected


@pytest.mark.parametrize(
    ("given", "colors"),
    [
        ("#FFCC00", ["#ffcc00"]),
        ("ffcc00 #FC0,fc0", ["#ffcc00"]),
        ("#000, #fff", ["#000000", "#ffffff"]),
    ],
)
def test_colors_are_read_as_people_write_them(given: str, colors: list[str]) -> None:
    options = [Options().updated({name: given}) for name in ("keep", "palette")]

    assert [list(options[0].keep), list(options[1].palette)] == [colors, colors]


@pytest.mark.parametrize("size", [MOST_GIVEN, MOST_GIVEN + 1])
def test_palettes_of_any_size_are_taken_or_refused(size: int) -> None:
    """msgspec crashes where a list may also be a text that has to fit a pattern."""
    listed = " ".join(f"{number:06x}" for number in range(size))
    for _ in range(20):
        if size <= MOST_GIVEN:
            options = Options().updated({"palette": listed})
            decoded = msgspec.json.decode(msgspec.json.encode(options), type=Options)
            assert len(decoded.palette) == size
        else:
            with pytest.raises(InvalidOptions, match="palette has 256 colors; at most 255 fit"):
                Options().updated({"palette": listed})


TWO_COLORS = np.array([[[0, 0, 0], [0, 0, 0], [250, 0, 0]]])
GIVEN = ["#ff0000", "#0000ff", "#000000"]
PALETTE_OBJECTS = {
    "brand colors/a.gpl": "GIMP Palette\n255 0 0\n0 0 255\n0 0 0\n",
    "a.hex": "ff0000\n0000ff\n000000\n",
    "caf%C3%A9/100%25.hex": "ff0000\n0000ff\n000000\n",
    "a.pal": "JASC-PAL\n0100\n3\n255 0 0\n0 0 255\n0 0 0\n",
    "a.json": '{"palette": [{"color": "#ff0000"}, {"color": "#0000ff"}, {"color": "#000000"}]}',
}


@pytest.mark.parametrize("palette", [", ".join(GIVEN), *PALETTE_OBJECTS])
def test_palette_that_is_given_is_measured_and_nothing_else(
    s3: S3Client, upload: Uploader, make_png: PngMaker, context: LambdaContext, palette: str
) -> None:
    for key, content in PALETTE_OBJECTS.items():
        s3.put_object(Bucket="input", Key=unquote(key), Body=content.encode())
    sampled = run(upload("a.png", make_png(TWO_COLORS), palette=palette), context)

    given = sampled.given
    assert given
    assert (sampled.ks, sampled.sample_size) == ([], 0)
    assert (given.k, given.silhouette, given.failure) == (3, None, None)
    assert given.palette == ["#000000", "#ff0000", "#0000ff"]  # Most used first.
    assert given.inertia == 25
    red, darker = srgb_to_oklab(np.array([[255, 0, 0], [250, 0, 0]]))
    assert given.error == pytest.approx(100 * np.linalg.norm(red - darker) / 3, abs=1e-4)
    asked = palette if palette in PALETTE_OBJECTS else tuple(GIVEN)
    assert sampled.options == Options(palette=asked)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "s3://input/a.gpl cannot be read.*NoSuchKey"),
        (b"hello", "a.gpl is not read as a palette"),
        (b"GIMP Palette\n" + b"#" * 10**6, "more than 1000000 bytes"),
    ],
)
def test_palette_that_cannot_be_read_is_refused(
    s3: S3Client,
    upload: Uploader,
    make_png: PngMaker,
    context: LambdaContext,
    content: bytes | None,
    said: str,
) -> None:
    if content is not None:
        s3.put_object(Bucket="input", Key="a.gpl", Body=content)
    with pytest.raises(UnreadablePalette, match=said):
        run(upload("a.png", make_png(TWO_COLORS), palette="a.gpl"), context)


@pytest.mark.parametrize(
    "palette", ["../a.gpl", "brands/../../a.gpl", pytest.param("a.gpl".rjust(1025, "x"), id="long")]
)
def test_palette_whose_key_s3_does_not_take_is_refused(
    upload: Uploader,
    make_png: PngMaker,
    context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
    palette: str,
) -> None:
    uploaded = upload("photos/a.png", make_png(TWO_COLORS), palette=palette)
    monkeypatch.setattr(sample.s3, "get_object", refusing_keys(sample.s3.get_object))
    with pytest.raises(UnreadablePalette, match="cannot be read"):
        run(uploaded, context)


def test_palette_that_may_not_be_read_is_a_fault_of_the_service(
    upload: Uploader, make_png: PngMaker, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = upload("a.png", make_png(TWO_COLORS), palette="a.gpl")
    get = sample.s3.get_object

    def refuse(**asked: Any) -> Any:
        if asked["Key"] == "a.png":
            return get(**asked)
        response = {
            "Error": {"Code": "AccessDenied", "Message": "not authorized to perform: s3:GetObject"},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        raise type("AccessDenied", (ClientError,), {})(response, "GetObject")

    monkeypatch.setattr(sample.s3, "get_object", refuse)
    with pytest.raises(StorageRejected):
        run(uploaded, context)


@pytest.mark.parametrize(
    ("keep", "ks"),
    [("", [2]), ("#000000", [2]), ("#ffffff", [3]), ("000000 ffffff 00ff00", [4])],
)
def test_colors_to_keep_count_beside_the_images_own(
    upload: Uploader, make_png: PngMaker, context: LambdaContext, keep: str, ks: list[int]
) -> None:
    sampled = run(upload("a.png", make_png(TWO_COLORS), keep=keep), context)

    assert sampled.ks == ks
    assert sampled.source.colors == 2


def test_colors_of_a_photo_are_too_many_to_count(
    upload: Uploader, photo: Path, context: LambdaContext
) -> None:
    assert run(upload("a.jpg", photo.read_bytes()), context).source.colors is None


@pytest.mark.parametrize(("levels", "colors"), [(16, 4096), (17, None)])
def test_colors_are_counted_one_by_one_or_not_told(
    upload: Uploader, make_png: PngMaker, context: LambdaContext, levels: int, colors: int | None
) -> None:
    """Pooled, those of a narrow range have hundreds of bins, few enough to be kept as they are."""
    cube = np.stack(np.meshgrid(*[np.arange(100, 100 + levels)] * 3), axis=-1)
    sampled = run(upload("a.png", make_png(cube.reshape(levels, -1, 3))), context)

    assert sampled.source.colors == colors


def test_single_k_that_is_asked_for_is_measured(
    upload: Uploader, photo: Path, context: LambdaContext
) -> None:
    sampled = run(upload("a.jpg", photo.read_bytes(), **{"k-min": "16", "k-max": "16"}), context)

    assert (sampled.ks, sampled.sample_size) == ([16], 2048)


# As their makers document what they add to an object.
NOTES_OF_OTHERS = {
    "AWS Transfer Family": ["user-agent", "user-agent-id"],
    "DataSync, File Gateway": [
        *("file-owner", "file-group", "file-permissions", "file-atime", "file-mtime")
    ],
    "rclone": ["mtime", "md5chksum"],
    "s3fs": ["ctime", "atime", "uid", "gid", "mode"],
    "s3cmd": ["s3cmd-attrs"],
    "applications": ["original-filename", "file-format", "album", "workspace", "x-request", "kind"],
}


@pytest.mark.parametrize("names", NOTES_OF_OTHERS.values(), ids=NOTES_OF_OTHERS)
def test_metadata_of_others_are_ignored_and_listed(
    upload: Uploader, make_png: PngMaker, context: LambdaContext, names: list[str]
) -> None:
    given = dict.fromkeys(names, "anything") | {"k": "2"}
    sampled = run(upload("a.png", make_png(np.zeros((5, 7, 3))), **given), context)

    assert sampled.source.ignored_metadata == sorted(names)
    assert sampled.options.k == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "sillhouette"}, r"'sillhouette' is not one of silhouette, guarded"),
        ({"error-budget": "much"}, r"'much' is not a number from 0.1 to 20"),
        ({"error-budget": "0"}, r"'0' is not a number from 0.1 to 20"),
        ({"error-budget": "nan"}, r"'nan' is not a number from 0.1 to 20"),
        ({"k-min": "few"}, r"k-min 'few' is not a whole number from 1 to 256"),
        ({"k-min": "0"}, r"k-min '0' is not a whole number from 1 to 256"),
        ({"k-max": "257"}, r"k-max '257' is not a whole number from 1 to 256"),
        ({"k-max": "16.5"}, r"k-max '16.5' is not a whole number"),
        ({"k-max": "16.0"}, r"k-max '16.0' is not a whole number"),
        ({"k-min": "17", "k-max": "16"}, r"k-min 17 is above k-max 16"),
        ({"k-min": "1", "k-max": "65"}, r"are 65 sizes; at most 64 are tried"),
        ({"k": "16", "k-min": "8"}, r"k stands in place of k-min and k-max"),
        ({"k": "null"}, r"k 'null' is not a whole number from 1 to 256"),
        ({"keep": "red"}, r"keep 'red' is not a list of hex colors"),
        ({"keep": "#12345"}, r"keep '#12345' is not a list of hex colors"),
        ({"keep": "fff 000", "k": "1"}, r"keep has 2 colors; palettes of 1 have no room for them"),
        ({"keep": "fff 000", "k-min": "1"}, r"keep has 2 colors; palettes of 1"),
        ({"keep": "fff 000 777", "k-max": "2"}, r"keep has 3 colors; palettes of 2"),
        (
            {"palette": "a.ase"},
            r"not a list of hex colors, .* \.gpl, \.hex, \.pal, \.json",
        ),
        ({"palette": "000", "keep": "fff"}, r"palette stands in place .*; leave out keep"),
        ({"palette": "000", "k": "1"}, r"leave out k$"),
        ({"palette": "a.gpl", "k-min": "1", "k-max": "2"}, r"leave out k-min, k-max"),
        ({"dithering": "ordered", "mtime": "1"}, r"dithering: no such option; dither is meant"),
        ({"k_min": "8"}, r"k_min: no such option; k-min is meant"),
        ({"criterium": "guarded"}, r"criterium: no such option; criterion is meant"),
        ({"colors": "8"}, r"colors: no such option; k is meant"),
        ({"pallete": "gpl"}, r"pallete: no such option; palette is meant"),
    ],
)
def test_option_that_does_not_exist_is_refused(
    upload: Uploader, photo: Path, context: LambdaContext, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidOptions, match=message):
        run(upload("a.jpg", photo.read_bytes(), **options), context)


def test_option_in_capitals_is_taken_as_it_is_meant(
    upload: Uploader, make_png: PngMaker, context: LambdaContext
) -> None:
    # S3 makes the names of metadata lower case; what does not is refused like a misspelling.
    assert (
        run(upload("a.png", make_png(np.zeros((5, 7, 3))), **{"K-Max": "3"}), context).options.k_max
        == 3
    )
    with pytest.raises(InvalidOptions, match="K-Max: no such option; k-max is meant"):
        ignored_metadata(["K-Max"])


# Counting colors.


@settings(deadline=None, max_examples=30)
@given(images, heights)
def test_few_colors_are_counted_exactly(pixels: NDArray[np.uint8], height: int) -> None:
    visible = visible_pixels(pixels)
    assume(len(visible))
    colors, exact = counted(pixels, height)

    assert exact
    rgb, color_of = np.unique(visible, axis=0, return_inverse=True)
    opacity = pixels[..., 3].ravel() / 255 if pixels.shape[-1] == 4 else np.ones(len(visible))
    votes = np.bincount(color_of, opacity[opacity > 0])
    places = {tuple(color): place for place, color in enumerate(rgb.tolist())}
    kept = [places[tuple(color)] for color in colors.rgb.tolist()]
    assert kept == sorted(kept)
    # What adds up to less than half a pixel has no vote, unless all do.
    assert {*np.flatnonzero(votes > 0.51).tolist()} <= {*kept}
    assert votes.max() < 0.51 or votes[kept].min() > 0.49
    assert colors.counts == pytest.approx(np.maximum(votes[kept], 1), abs=0.51)


def test_strips_do_not_matter(china: NDArray[np.uint8]) -> None:
    whole, in_strips = counted(china), counted(china, height=50)

    np.testing.assert_array_equal(whole[0].rgb, in_strips[0].rgb)
    np.testing.assert_array_equal(whole[0].counts, in_strips[0].counts)


def test_many_colors_are_pooled_with_their_means(china: NDArray[np.uint8]) -> None:
    fine, exact = counted(china)
    pooled = pool(fine)

    assert not exact
    assert MOST_EXACT < len(pooled.rgb) < len(fine.rgb)
    assert pooled.counts.sum() == fine.counts.sum() == china.shape[0] * china.shape[1]
    true_mean = china.reshape(-1, 3).mean(axis=0)
    for colors in (fine, pooled):
        mean = np.average(colors.rgb, axis=0, weights=colors.counts)
        np.testing.assert_allclose(mean, true_mean, atol=0.05)


def test_black_and_white_stay_exact_among_many_colors() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    pixels[:50], pixels[50:100] = 0, 255

    fine, exact = counted(pixels)

    assert not exact
    rows = {tuple(rgb): n for rgb, n in zip(fine.rgb.tolist(), fine.counts.tolist(), strict=True)}
    assert rows[0, 0, 0] >= 10_000
    assert rows[255, 255, 255] >= 10_000


def test_many_neighboring_colors_are_too_many_to_be_exact() -> None:
    cube = np.indices((18, 18, 18)).reshape(3, 81, 72).transpose(1, 2, 0).astype(np.uint8) + 100
    assert len(np.unique(cube.reshape(-1, 3) // 2, axis=0)) < MOST_EXACT  # Else this tests nothing.

    colors, exact = counted(cube)

    assert not exact
    assert len(colors.rgb) < MOST_EXACT
    assert colors.counts.sum() == 18**3


def test_translucent_pixels_count_among_many_colors_too() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    opaque, _ = counted(pixels)
    pixels[..., 3] = 254
    translucent, exact = counted(pixels)

    assert not exact
    np.testing.assert_array_equal(translucent.rgb, opaque.rgb)
    np.testing.assert_array_equal(translucent.counts, opaque.counts)


def test_smooth_areas_of_a_large_image_are_those_of_half_its_size() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    small[:, :700] = 90, 120, 60
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    # What is left over at the edges is not looked at.
    large = np.pad(large, [(0, 1), (0, 1), (0, 0)])

    weights = []
    for pixels in (small, large):
        smoothness = Smoothness(small.size // 3 * (1 if pixels is small else 4))
        smoothness.add(pixels)
        weights.append(smoothness.of(small[::64, ::64].reshape(-1, 3).astype(np.float32)))

    assert np.ptp(weights[0]) > 0.5  # Else this tests nothing.
    np.testing.assert_array_equal(weights[1], weights[0])


@given(st.integers(1, 300), st.integers(1, 10), st.integers(10, 40))
def test_no_k_exceeds_the_distinct_colors(distinct: int, k_min: int, k_max: int) -> None:
    fitting = [k for k in range(k_min, k_max + 1) if k <= distinct]

    assert candidate_ks(distinct, k_min, k_max) == (fitting or [distinct])


# Drawing pixels.


def test_nothing_to_choose_takes_no_sample() -> None:
    one, few = np.zeros((9, 9, 3), np.uint8), np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    for whole_image in (True, False):
        summaries = [summary_of(pixels, whole_image=whole_image) for pixels in (one, few)]
        assert [ks for _, ks in summaries] == [[1], [8]]
        assert all(len(summary.sample.rgb) == 0 for summary, _ in summaries)


@pytest.mark.parametrize("whole_image", [True, False])
@pytest.mark.parametrize(("opacity", "largest"), [(255, 256), (254, 255), (0, 255)])
def test_largest_palette_leaves_an_entry_to_what_is_transparent(
    whole_image: bool, opacity: int, largest: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[-1, -1, 3] = opacity

    for k_min in (256, 200):
        options = {"k_min": k_min, "k_max": 256, "whole_image": whole_image}
        summary, ks = summary_of(pixels, height=7, **options)
        assert ks == list(range(min(k_min, largest), largest + 1))
        assert len(summary.sample.rgb)


@pytest.mark.parametrize("whole_image", [True, False])
def test_invisible_image_is_empty(whole_image: bool) -> None:
    with pytest.raises(EmptyImage):
        summary_of(np.zeros((3, 4, 4), np.uint8), whole_image=whole_image)


def test_sample_of_few_colors_is_the_whole_image() -> None:
    pixels = np.repeat(np.arange(20, dtype=np.uint8), 30).reshape(20, 10, 3)
    summary, ks = summary_of(pixels)

    assert ks == list(range(8, 21))
    assert summary.sample is summary.pooled


@settings(deadline=None)
@given(images, heights, st.integers(1, 2000))
def test_random_pixels_are_of_the_image_each_at_most_once(
    pixels: NDArray[np.uint8], height: int, size: int
) -> None:
    visible = visible_pixels(pixels)
    assume(len(visible))
    summary, _ = summary_of(pixels, height, sample_size=size, whole_image=False)

    drawn, drawn_counts = np.unique(summary.pooled.rgb, axis=0, return_counts=True)
    there, there_counts = np.unique(visible, axis=0, return_counts=True)
    available = dict(zip(map(tuple, there.tolist()), there_counts, strict=True))
    assert len(summary.pooled.rgb) == min(size, len(visible))
    assert all(
        n <= available[tuple(color)] for color, n in zip(drawn.tolist(), drawn_counts, strict=True)
    )


@pytest.mark.parametrize("channels", [3, 4])
def test_random_pixels_are_of_every_part_of_the_image(channels: int) -> None:
    levels = np.repeat(np.arange(90_000) // 353, channels).astype(np.uint8)
    ramp = levels.reshape(300, 300, channels)
    ramp[:, :, 3:] = 200

    # The mean is met within 5 standard errors.
    drawn = summary_of(ramp, 7, sample_size=1000, whole_image=False)[0].sample.rgb
    levels = ramp[:, :, 0]
    assert abs(drawn[:, 0].mean() - levels.mean()) < 5 * levels.std() / 1000**0.5


def test_same_pixels_are_drawn_however_the_image_is_cut(china: NDArray[np.uint8]) -> None:
    whole, cut = (
        summary_of(china, height, sample_size=1000, whole_image=False)[0].pooled.rgb
        for height in (10**6, 7)
    )

    np.testing.assert_array_equal(cut, whole)


def test_pixels_vote_by_their_opacity() -> None:
    pixels = np.zeros((300, 300, 4), np.uint8)
    pixels[:, :150] = [255, 255, 255, 240]
    pixels[:, 150:, 3] = 60

    drawn = summary_of(pixels, sample_size=1000, whole_image=False)[0].pooled.rgb
    assert (drawn[:, 0] == 255).mean() == pytest.approx(0.8, abs=5 * (0.8 * 0.2 / 1000) ** 0.5)
    black, white = counted(pixels)[0].counts
    assert white / (black + white) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("opacity", [1, 40])
def test_many_pixels_of_one_translucent_color_are_all_counted(opacity: int) -> None:
    """Fractions added up in 32 bits would make too many, and then no more."""
    strip = np.full((1000, 1000, 4), opacity, np.uint8)
    count = ColorCount()
    for _ in range(10):
        count.add(strip)

    assert count.colors()[0].counts == pytest.approx(10**7 * opacity / 255, abs=1)


@pytest.mark.parametrize("whole_image", [True, False])
def test_same_pixels_same_summary(china: NDArray[np.uint8], whole_image: bool) -> None:
    first, second = (summary_of(china, whole_image=whole_image)[0].to_arrays() for _ in range(2))

    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_clean_sample_is_steadier_than_a_random_one(china: NDArray[np.uint8]) -> None:
    def spread(**options: Any) -> float:
        summaries = [summary_of(china, seed=seed, **options)[0] for seed in range(12)]
        return float(np.std([summary.sample.rgb.mean() for summary in summaries]))

    assert spread() < spread(whole_image=False) / 2


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=50), st.integers(1, 40), st.integers(0, 9)
)
@example([1, 1, 1, 1, 95, 112, 115, 125, 140, 194, 197, 210, 44, *[1000] * 5, 860, 215], 17, 0)
def test_even_draw_gives_each_row_its_share(counts: list[int], size: int, seed: int) -> None:
    rows, drawn = draw_evenly(np.array(counts), size, np.random.default_rng(seed))

    if len(counts) <= size:
        assert rows.tolist() == list(range(len(counts)))
        assert drawn.tolist() == counts
        return
    assert drawn.sum() == size
    got = dict(zip(rows.tolist(), drawn.tolist(), strict=True))
    for row, count in enumerate(counts):
        assert abs(got.get(row, 0) - count / sum(counts) * size) < 1 + 1e-9


def test_roughness_is_the_largest_step_to_a_visible_neighbor() -> None:
    pixels = np.zeros((3, 3, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[1, 1, :3] = 10, 50, 20
    pixels[1, 2, :3] = 0, 0, 200
    pixels[1, 2, 3] = 0
    draw = PixelSample(9, 9, np.random.default_rng(0))
    draw.add(pixels)

    rough = dict(zip(map(tuple, draw.rgb.tolist()), draw.roughness.tolist(), strict=True))
    assert rough[10, 50, 20] == 50
    assert sorted(draw.roughness.tolist()) == [0, 0, 0, 0, 50, 50, 50, 50]


def test_pixels_that_mix_two_colors_are_left_out() -> None:
    mixed = np.zeros((64, 64, 3), np.uint8)
    mixed[:, :32] = 200
    mixed[:, 32] = np.random.default_rng(0).integers(80, 120, (64, 3))

    sample = summary_of(mixed)[0].sample.rgb

    assert ((np.abs(sample) <= 0.5) | (np.abs(sample - 200) <= 0.5)).all()


def test_levels_of_a_smooth_range_are_no_clusters() -> None:
    gray = np.random.default_rng(0).normal(128, 12, (200, 200, 1)).astype(np.uint8)

    sample = summary_of(np.repeat(gray, 3, axis=-1))[0].sample.rgb

    fraction = sample - np.floor(sample)
    np.testing.assert_allclose(np.histogram(fraction, 4, (0, 1))[0] / sample.size, 0.25, atol=0.05)


@pytest.mark.parametrize(
    ("option", "value"),
    [("format", "gif"), ("space", "hsv"), ("dither", "yes"), ("palettes", "aco")],
)
def test_unknown_rendering_is_refused_before_any_work(
    upload: Uploader, photo: Path, option: str, value: str, context: LambdaContext
) -> None:
    with pytest.raises(InvalidOptions, match=f"{option} '{value}'"):
        run(upload("a.jpg", photo.read_bytes(), **{option: value}), context)
