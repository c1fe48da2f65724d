"""The report as text, and the two previews in it; `tests/browser` looks at it."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from quantization.contract import ImageFile, Score, Source, SourceFile, Swatch
from quantization.decoding import Image, open_image
from quantization.options import Options
from quantization.report import previews
from quantization.report.charts import _ticks, curves
from quantization.report.page import MAX_BYTES, console_url, report
from quantization.report.previews import LONGEST_SIDE, MAX_PIXELS, Preview
from quantization.report.reasons import why
from tests.support.results import result_with


@pytest.fixture
def image_of(tmp_path: Path) -> Callable[[NDArray[np.uint8]], Image]:
    """Open an image that has these pixels."""

    def write(pixels: NDArray[np.uint8]) -> Image:
        path = tmp_path / "image.png"
        Pillow.fromarray(pixels).save(path)
        return open_image(path, max_pixels=10**9)

    return write


@pytest.fixture
def preview(image_of: Callable[[NDArray[np.uint8]], Image]) -> Preview:
    """The preview of a gray picture of 40 x 30 pixels."""
    pixels = np.full((30, 40, 3), 200, dtype=np.uint8)
    seen = Preview(image_of(pixels))
    seen.add(pixels)
    return seen


def text_of(html: str) -> str:
    body = re.sub(r"(?s)<(style|script).*?</\1>", "", html)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_report_says_what_the_result_says(preview: Preview) -> None:
    text = text_of(report(result_with(), preview, {"Sample": 0.26, "Render": 1.0}))

    assert "photo.jpg in 10 colors" in text
    assert "400 &times; 300 pixels, shown at about 1:10;" in text
    assert "JPEG of 197&nbsp;kB became PNG of 98&nbsp;kB (&minus;50%)" in text
    assert "#336699 75.0% #cc0000 24.9% #ffffff &lt; 0.1%" in text
    assert "8 0.5000 3.250 0.0 1,234 picked by silhouette" in text
    assert "9 &ndash; &ndash; &ndash; &ndash; failed: MemoryError" in text
    assert "s3://input/a dir/photo.jpg version v1 execution arn:aws" in text
    assert "time Sample 0.3 s, Render 1.0 s" in text


def scores_of(
    rows: dict[int, tuple[float | None, float]], accent_error: float = 0.0
) -> list[Score]:
    """Return scores from silhouettes and errors by K, all of the same accent error."""
    return [
        Score(
            k=k,
            silhouette=silhouette,
            inertia=1.0,
            error=error,
            accent_error=accent_error,
            palette=["#000000"] * k,
        )
        for k, (silhouette, error) in rows.items()
    ]


FALLING = scores_of({8: (0.5, 4.0), 9: (0.4, 3.0), 10: (0.3, 2.9), 11: (0.2, 2.8)})
FULL = scores_of({255: (None, 0.0)})
STEEP = scores_of({8: (0.4, 6.0), 9: (0.3, 5.0), 10: (0.2, 4.0), 11: (0.1, 2.5)})
NEARLY = scores_of({8: (0.4, 2.9), 9: (0.3, 2.5), 10: (0.2, 2.05), 11: (0.1, 1.97)})
DULL = scores_of({8: (0.4, 2.0), 9: (0.3, 1.9)}, accent_error=7.5)
VIVID = scores_of({8: (0.4, 1.0), 9: (0.3, 0.9)}, accent_error=4.5)
CLUSTERS = scores_of({8: (0.7, 3.0), 9: (0.9, 2.5), 10: (0.6, 1.9), 11: (0.5, 1.8)})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"criterion": "silhouette", "k": 9, "scores": CLUSTERS, "at": "peak"}, "a clear peak."),
        ({"criterion": "silhouette", "k": 9, "scores": CLUSTERS, "at": None}, "silhouette, 0.90."),
        ({"k": 8, "scores": FALLING, "at": "edge"}, "fewer might be"),
        (
            {
                "criterion": "silhouette",
                "k": 11,
                "k_max": 11,
                "scores": FALLING[::-1],
                "at": "edge",
            },
            "more might be",
        ),
        ({"criterion": "guarded", "k": 9, "scores": CLUSTERS, "at": "peak"}, "only split one."),
        (
            {"criterion": "guarded", "k": 10, "scores": CLUSTERS, "at": None},
            "the budget of 2: mean error 1.90.",
        ),
        (
            {"criterion": "guarded", "k": 10, "scores": FALLING, "at": None},
            "10 colors are the fewest that come about as close as any: drift 2.90, where 11 reach",
        ),
        (
            {"criterion": "guarded", "k": 11, "scores": STEEP, "at": None},
            "No K from 8 to 11 keeps within the budget of 2. 11 colors come closest: drift 2.50.",
        ),
        (
            {"criterion": "guarded", "k": 10, "scores": NEARLY, "at": None},
            "any: drift 2.05, where 11 reach 1.97, within the budget of 2.",
        ),
        (
            {"criterion": "guarded", "k": 8, "scores": DULL, "at": None},
            "closest: drift 2.50. Drift counts small vivid colors; the mean error is 2.00.",
        ),
        (
            {"criterion": "guarded", "k": 8, "scores": VIVID, "at": None},
            "of 2: drift 1.50, and the fewest allowed. Drift counts small vivid colors; the mean",
        ),
        ({"k": 10, "k_min": 10, "k_max": 10, "scores": CLUSTERS[2:3]}, "as were asked for."),
        ({"k": 10, "k_min": 12, "k_max": 12, "scores": CLUSTERS[2:3]}, "only 10 colors of the 12"),
        ({"k": 10, "k_min": 12, "scores": CLUSTERS[2:3]}, "only 10 colors; all are kept"),
        ({"k": 255, "k_min": 256, "k_max": 256, "scores": FULL}, "beside transparency"),
    ],
)
def test_reason_is_true_for_every_path_of_the_rule(changes: dict[str, Any], said: str) -> None:
    scores = changes["scores"]
    options = Options(
        criterion=changes.get("criterion", "silhouette"),
        k_min=changes.get("k_min", 8),
        k_max=changes.get("k_max", 32),
    )
    best = max(scores, key=lambda score: score.silhouette or -1)
    result = result_with(
        k=changes["k"],
        scores=scores,
        options=options,
        silhouette_at=changes.get("at"),
        picks={"silhouette": best.k, "guarded": changes["k"]},
    )

    assert said in why(result)


def test_palette_that_was_taken_by_hand_has_no_other_reason() -> None:
    result = result_with(scores=CLUSTERS)
    again = msgspec.structs.replace(result.source, again="2026-11-25T19:00:00.123Z")

    first, last = CLUSTERS[0].k, CLUSTERS[-1].k
    assert why(result_with(source=again, scores=CLUSTERS)) == (
        f"10 colors: taken by hand from the palettes of {first} to {last}."
    )


def test_as_many_colors_as_fit_beside_transparency_may_be_all_there_are() -> None:
    options = Options(k=256, k_min=256, k_max=256)
    scores = [msgspec.structs.replace(FULL[0], inertia=0.0)]

    said = why(result_with(k=255, scores=scores, options=options))

    assert said.startswith("The image has only 255 colors of the 256 asked for")


def test_as_many_colors_as_the_image_has_change_nothing() -> None:
    source = msgspec.structs.replace(result_with().source, colors=256)
    options = Options(k=256, k_min=256, k_max=256)
    scores = [msgspec.structs.replace(FULL[0], k=256, inertia=0.0)]

    said = why(result_with(source=source, k=256, scores=scores, options=options))

    assert said == (
        "Exactly 256 colors: as many as were asked for and as the image has; nothing changes."
    )


def test_colors_that_are_all_that_the_image_has_are_told() -> None:
    source = msgspec.structs.replace(result_with().source, colors=9)
    options = Options(criterion="silhouette")
    exact = [msgspec.structs.replace(score, inertia=0.0) for score in CLUSTERS]
    said = [
        why(result_with(source=source, k=9, scores=scores, options=options))
        for scores in (exact, CLUSTERS)
    ]

    assert said[0] == f"{said[1]} They are all that the image has, so nothing changes."


def test_frames_that_are_left_out_are_told(preview: Preview) -> None:
    several = SourceFile(format="gif", bytes=1000, frames=12)

    assert "Of its 12 frames or pages this is the first." in text_of(
        report(result_with(source_file=several), preview, {})
    )
    assert "frames" not in text_of(report(result_with(), preview, {}))


@pytest.mark.parametrize(
    ("format_", "name"), [("jpeg", "JPEG"), ("webp", "WebP"), ("array", "an array")]
)
def test_what_was_quantized_is_called_by_its_name(
    preview: Preview, format_: str, name: str
) -> None:
    text = text_of(
        report(
            result_with(source_file=SourceFile(format=format_, bytes=14_400, frames=1)), preview, {}
        )
    )

    assert f"; {name} of 14&nbsp;kB became PNG of 98&nbsp;kB" in text


@pytest.mark.parametrize(
    ("options", "k", "colors", "said"),
    [
        (Options(palette=("#000000",)), 1, 12, "1 color: the palette that was given."),
        (Options(palette=("#000000",)), 1, 12, "The image itself has 12."),
        (Options(k_min=16, k_max=16, k=16), 16, 20, "asked for. The image itself has 20."),
        (Options(k_min=16, k_max=16, k=16), 16, 16, "as many as were asked for."),
        (Options(k_min=16, k_max=16, k=16), 16, None, "as many as were asked for."),
        (Options(k_min=1, k_max=1, k=1), 1, 9, "the image's mean or the color of half of it."),
        (Options(), 1, 1, "The image has only 1 color; it is kept, and nothing changes."),
        (
            Options(keep=("#000000", "#ffffff")),
            5,
            3,
            "The image has only 3 colors; all are kept beside those given, and nothing changes.",
        ),
        (
            Options(keep=tuple(f"#00000{n}" for n in range(8))),
            8,
            None,
            "Fewer would not be all that have to be kept.",
        ),
    ],
)
def test_reason_tells_what_was_given_and_what_the_image_has(
    options: Options, k: int, colors: int | None, said: str
) -> None:
    source = msgspec.structs.replace(result_with().source, colors=colors)
    result = result_with(
        source=source,
        options=options,
        k=k,
        scores=scores_of({k: (0.5, 1.0)}),
        picks={} if options.palette else {"silhouette": k, "guarded": k},
        silhouette_at="edge",
    )
    if len(options.keep) == 8:
        more = scores_of({9: (0.4, 1.0)})
        result = msgspec.structs.replace(result, scores=result.scores + more)

    assert why(result).endswith(said) or said in why(result).partition(" The image itself")[0]


def test_report_of_a_given_palette_has_no_curves(preview: Preview) -> None:
    (score,) = scores_of({2: (None, 1.5)})
    score = msgspec.structs.replace(score, palette=["#336699", "#ff0000"])
    unused = [Swatch("#336699", 1.0), Swatch("#ff0000", 0.0)]
    result = result_with(
        options=Options(palette=("#ff0000", "#336699")),
        picks={},
        k=2,
        scores=[score],
        palette=unused,
        sample_size=0,
    )
    text = text_of(report(result, preview, {"Sample": 1.0, "Render": 1.0}))

    assert "2 colors: the palette that was given. Nothing was fitted." in text
    assert "#336699 100.0% #ff0000 0.0%" in text
    assert "K error accents inertia note 2 1.500 0.0 1" in text
    for unmeasured in ("silhouette", "guarded"):
        assert unmeasured not in text.lower()


def test_nothing_comes_from_elsewhere(preview: Preview) -> None:
    html = report(result_with(), preview, {})

    links = re.findall(r"(?:src|href)=\"(?!data:image/|https://eu-west-1\.console)([^\"]*)", html)
    assert not [link for link in links if ":" in link or link.startswith("/")]
    assert "@import" not in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x>', "a&b;c$k${name}", "$original.png"]
)
def test_names_are_text(name: str, preview: Preview) -> None:
    source = Source("input", name, "<i>v</i>", "etag", "0A", width=400, height=300)
    html = report(result_with(source=source), preview, {"<b>": 1.0})

    for raw in ("<script>alert", "<img src=x", "<i>v</i>", "<b>"):
        assert raw not in html
    assert unescape(html).count(f"<h1>{name.rpartition('/')[2]} in 10 colors</h1>") == 1
    assert '<img id="original" src="data:image/' in html


@pytest.mark.parametrize(
    ("size", "told"),
    [(2000, "+100%"), (220, "&minus;78%"), (4, "&minus;99.6%"), (1, "&minus;99.9%")],
)
def test_file_is_never_told_to_be_all_gone(size: int, told: str, preview: Preview) -> None:
    before = SourceFile(format="bmp", bytes=1000, frames=1)
    after = ImageFile(format="png", version_id="v", bytes=size, ratio=size / 1000)

    assert f"({told})" in report(result_with(source_file=before, image_file=after), preview, {})


def test_curve_has_a_gap_where_a_value_is_missing(preview: Preview) -> None:
    html = report(result_with(), preview, {})

    lines = re.findall(r'<polyline class="curve" points="([^"]*)"', html)
    assert [len(line.split()) for line in lines] == [1, 1, 1, 1]
    assert html.count("<circle") == 4


def test_criteria_that_agree_share_a_mark(preview: Preview) -> None:
    html = report(result_with(picks={"silhouette": 10, "guarded": 10}), preview, {})

    assert re.findall(r">([^<>]*: \d+)</text>", html) == ["silhouette, guarded: 10"] * 2


def test_single_k_without_silhouette_has_a_report(preview: Preview) -> None:
    scores = [
        Score(k=1, silhouette=None, inertia=0.0, error=0.0, accent_error=0.0, palette=["#336699"])
    ]
    picks = {"silhouette": 1, "guarded": 1}
    html = report(result_with(k=1, scores=scores, picks=picks), preview, {})

    assert "<h1>photo.jpg in 1 color</h1>" in html
    assert 'class="curve"' not in html
    assert "<details open>" in html
    text = text_of(html)
    assert "K error accents inertia note 1 0.000 0.0 0" in text
    assert "picked" not in text


def test_curves_are_an_image_of_their_own() -> None:
    picture = ET.fromstring(curves(result_with(silhouette_at="edge")))

    ns = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{ns}text")]
    assert texts.count("silhouette: 8") == texts.count("guarded: 10") == 2
    assert len(picture.findall(f".//{ns}circle")) == 4
    assert "silhouette picks 8, guarded picks 10" in picture.attrib["aria-label"]


@pytest.mark.parametrize(
    ("arn", "start"),
    [
        ("arn:aws:states:eu-west-1:1:e:m:n", "https://eu-west-1.console.aws.amazon.com/states/"),
        ("arn:aws-cn:states:cn-north-1:1:e:m:n", "https://cn-north-1.console.amazonaws.cn/"),
    ],
)
def test_console_is_that_of_the_partition(arn: str, start: str) -> None:
    url = console_url(arn)

    assert url is not None
    assert url.startswith(start)
    assert url.endswith(f"#/v2/executions/details/{arn}")


def test_console_finds_the_execution_of_a_backfill_by_its_beginning(preview: Preview) -> None:
    arn = "arn:aws:states:eu-west-1:1:express:m:n:u"
    began = datetime(2026, 1, 1, 0, 1, 0, 250_000, UTC)

    page = unescape(report(result_with(execution=arn), preview, {}, began))
    assert f'#/express-executions/details/{arn}?startDate=1767225600250"' in page


def test_local_engine_has_no_console() -> None:
    assert console_url("arn:aws:states:us-east-1:000000000000:execution:m:n") is None


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1))
def test_ticks_enclose_all_values(values: list[float]) -> None:
    ticks = _ticks(values)

    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    assert 2 <= len(ticks) <= 7
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


# The previews.


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((30, 40), (30, 40)),
        ((1024, 7), (1024, 7)),
        ((1025, 2000), (512, 1000)),
        ((700, 4000), (350, 2000)),
        ((2, 30000), (1, 3750)),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_preview_is_small_and_reduced_by_a_whole_number(
    image_of: Callable[[NDArray[np.uint8]], Image],
    shape: tuple[int, int],
    expected: tuple[int, int],
    channels: int,
) -> None:
    image = image_of(np.full((*shape, channels), 200, dtype=np.uint8))
    preview = Preview(image)
    for strip in image.strips():
        preview.add(strip)

    assert (preview.height, preview.width) == expected
    assert max(expected) <= LONGEST_SIDE
    assert expected[0] * expected[1] <= MAX_PIXELS
    with Pillow.open(io.BytesIO(preview.encode(10**6).data)) as decoded:
        assert decoded.size == expected[::-1]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_preview_is_the_mean_of_cells_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, heights: list[int]
) -> None:
    rows = sum(heights)
    rng = np.random.default_rng(rows)
    pixels = rng.integers(0, 256, (rows, 24, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("cut") / "image.png"
    Pillow.fromarray(pixels).save(path)
    image = open_image(path, max_pixels=10**6)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(previews, "LONGEST_SIDE", 8)
        preview = Preview(image)
        for stop, height in zip(np.cumsum(heights), heights, strict=True):
            preview.add(pixels[stop - height : stop])
        encoded = preview.encode(10**6)

    cell = -(-max(rows, 24) // 8)
    down, across = min(cell, rows), min(cell, 24)
    whole = pixels[: rows // down * down, : 24 // across * across].astype(float)
    means = whole.reshape(rows // down, down, -1, across, 3).mean(axis=(1, 3))
    with Pillow.open(io.BytesIO(encoded.data)) as decoded:
        seen = np.asarray(decoded.convert("RGB"))
    assert np.abs(seen - means).max() <= 1


def test_small_picture_is_its_original(image_of: Callable[[NDArray[np.uint8]], Image]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    preview = Preview(image_of(pixels))
    preview.add(pixels)

    with Pillow.open(io.BytesIO(preview.encode(10**6).data)) as decoded:
        np.testing.assert_array_equal(np.asarray(decoded.convert("RGB")), pixels)


def test_page_of_a_photo_keeps_within_its_bytes(photo: Path) -> None:
    image = open_image(photo, max_pixels=10**6)
    preview = Preview(image)
    for strip in image.strips():
        preview.add(strip)
    scores = scores_of(dict.fromkeys(range(1, 65), (0.5, 1.0)))

    html = report(result_with(k=10, scores=scores), preview, {})

    assert 100_000 < len(html.encode()) <= MAX_BYTES


def test_hidden_colors_leave_no_fringe(image_of: Callable[[NDArray[np.uint8]], Image]) -> None:
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[9:47, 9:47] = [250, 120, 30, 255]  # across cells of 4 pixels
    image = image_of(pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(previews, "LONGEST_SIDE", 16)
        preview = Preview(image)
        preview.add(pixels)
        picture = preview.encode(10**6)

    with Pillow.open(io.BytesIO(picture.data)) as decoded:
        seen = np.asarray(decoded.convert("RGBA")).astype(int)
    alpha = seen[..., 3]
    expected = pixels[..., 3].reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(alpha - expected).max() <= 1
    assert len(np.unique(alpha)) > 3
    drift = np.abs(seen[..., :3] - [250, 120, 30]).max(axis=2)
    assert (drift * alpha / 255).max() < 10


def test_turned_image_has_an_upright_preview(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[:, 20:] = 255
    exif = Pillow.Exif()
    exif[0x112] = 6  # stored on its left side
    Pillow.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = open_image(tmp_path / "turned.png", max_pixels=10**6)
    preview = Preview(image)
    for strip in image.strips():
        preview.add(strip)

    assert (preview.width, preview.height) == (20, 40)
    with Pillow.open(io.BytesIO(preview.encode(10**6).data)) as decoded:
        upright = np.asarray(decoded.convert("RGB"))
    assert upright.shape == (40, 20, 3)
    assert upright[:15].max() < 30
    assert upright[25:].min() > 225
