"""The report as text, and the two previews in it; `tests/browser` looks at it."""

import io
import re
import xml.etree.ElementTree as ET
from html import escape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from quantization.contract import Score, Source
from quantization.decoding import open_image
from quantization.options import Options
from quantization.recolor import Recolored, recolor
from quantization.report import previews
from quantization.report.charts import _ticks, curves
from quantization.report.page import console_url, report
from quantization.report.previews import LONGEST_SIDE, OriginalPreview, Preview, preview_of_result
from tests.support.results import result_with

PREVIEW = Preview(b"picture", "image/png", 40, 30)


def text_of(html: str) -> str:
    body = re.sub(r"(?s)<(style|script).*?</\1>", "", html)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_report_says_what_the_result_says():
    text = text_of(report(result_with(), PREVIEW, PREVIEW, {"Sample": 0.26, "Render": 1.0}))

    assert "photo.jpg in 10 colors" in text
    assert "Chosen by the criterion “guarded” in the window 8..32." in text
    assert "400 &times; 300 pixels, shown at 40 &times; 30;" in text
    assert "JPEG of 197&nbsp;kB became PNG of 98&nbsp;kB" in text
    assert "#336699 75.0% #cc0000 24.9% #ffffff &lt; 0.1%" in text
    assert "8 0.5000 3.250 1,234 picked by silhouette" in text
    assert "9 &ndash; &ndash; &ndash; failed: MemoryError" in text
    assert "s3://input/a dir/photo.jpg version v1 time Sample 0.3 s, Render 1.0 s" in text
    assert "edge" not in text


def test_pick_on_the_edge_is_said():
    html = report(result_with(silhouette_at="edge"), PREVIEW, PREVIEW, {})

    assert "best at the edge of the window" in html


@pytest.mark.parametrize(
    ("k_min", "said"), [(10, "As many as asked for."), (12, "The image has no more colors.")]
)
def test_where_there_was_no_choice_none_is_told_of(k_min, said):
    options = Options(k_min=k_min, k_max=k_min)
    text = text_of(report(result_with(options=options), PREVIEW, PREVIEW, {}))

    assert said in text
    assert "Chosen" not in text


def test_nothing_comes_from_elsewhere():
    html = report(result_with(), PREVIEW, PREVIEW, {})

    assert not re.findall(r"(?:src|href)=\"(?!data:image/|https://eu-west-1\.console)", html)
    assert "@import" not in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>', "a&b;c$k${name}"])
def test_names_are_text(name):
    source = Source("input", name, "<i>v</i>", "etag", "0A", width=400, height=300)
    html = report(result_with(source=source), PREVIEW, PREVIEW, {"<b>": 1.0})

    for raw in ("<script>alert", "<img src=x", "<i>v</i>", "<b>"):
        assert raw not in html
    assert f"<h1>{escape(name.rpartition('/')[2])} in 10 colors</h1>" in html


def test_curve_has_a_gap_where_a_value_is_missing():
    html = report(result_with(), PREVIEW, PREVIEW, {})

    lines = re.findall(r'<polyline class="curve" points="([^"]*)"', html)
    assert [len(line.split()) for line in lines] == [1, 1, 1, 1]
    assert html.count("<circle") == 4


def test_criteria_that_agree_share_a_mark():
    html = report(result_with(picks={"silhouette": 10, "guarded": 10}), PREVIEW, PREVIEW, {})

    assert re.findall(r">([^<>]*: \d+)</text>", html) == ["silhouette, guarded: 10"] * 2


def test_single_k_without_silhouette_has_a_report():
    scores = [Score(k=1, silhouette=None, inertia=0.0, error=0.0)]
    html = report(
        result_with(k=1, scores=scores, picks={"silhouette": 1, "guarded": 1}), PREVIEW, PREVIEW, {}
    )

    assert "<h1>photo.jpg in 1 color</h1>" in html
    assert "<svg" not in html
    assert "<details open>" in html
    text = text_of(html)
    assert "K silhouette error inertia note 1 &ndash; 0.000 0" in text
    assert "picked" not in text


def test_curves_are_an_image_of_their_own():
    picture = ET.fromstring(curves(result_with(silhouette_at="edge")))

    ns = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{ns}text")]
    assert texts.count("silhouette: 8") == texts.count("guarded: 10") == 2
    assert len(picture.findall(f".//{ns}circle")) == 4
    assert "silhouette picks 8, guarded picks 10" in picture.get("aria-label")


@pytest.mark.parametrize(
    ("arn", "start"),
    [
        ("arn:aws:states:eu-west-1:1:e:m:n", "https://eu-west-1.console.aws.amazon.com/states/"),
        ("arn:aws-cn:states:cn-north-1:1:e:m:n", "https://cn-north-1.console.amazonaws.cn/"),
    ],
)
def test_console_is_that_of_the_partition(arn, start):
    url = console_url(arn)

    assert url.startswith(start)
    assert url.endswith(f"#/v2/executions/details/{arn}")


def test_local_engine_has_no_console():
    assert console_url("arn:aws:states:us-east-1:000000000000:execution:m:n") is None


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1))
def test_ticks_enclose_all_values(values):
    ticks = _ticks(values)

    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    assert 2 <= len(ticks) <= 7
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


# The previews.


@pytest.fixture
def image_of(tmp_path):
    """Open an image that has these pixels."""

    def write(pixels):
        path = tmp_path / "image.png"
        Pillow.fromarray(pixels).save(path)
        return open_image(path, max_pixels=10**9)

    return write


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((30, 40), (30, 40)),
        ((1024, 7), (1024, 7)),
        ((1025, 600), (512, 300)),
        ((50, 4100), (10, 820)),
        ((2, 30000), (1, 1000)),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_previews_fit_and_agree(image_of, shape, expected, channels):
    image = image_of(np.full((*shape, channels), 200, dtype=np.uint8))
    original = OriginalPreview(image)
    recolored = recolor(image, np.zeros((1, 3), dtype=np.uint8), watch=original.add)

    for preview in (original.encode(), preview_of_result(recolored)):
        assert (preview.height, preview.width) == expected
        assert max(expected) <= LONGEST_SIDE
        with Pillow.open(io.BytesIO(preview.data)) as decoded:
            assert decoded.size == expected[::-1]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_original_is_the_mean_of_cells_however_it_is_cut(tmp_path_factory, heights):
    rows = sum(heights)
    rng = np.random.default_rng(rows)
    pixels = rng.integers(0, 256, (rows, 24, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("cut") / "image.png"
    Pillow.fromarray(pixels).save(path)
    image = open_image(path, max_pixels=10**6)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(previews, "LONGEST_SIDE", 8)
        patch.setattr(previews, "WEBP_QUALITY", 100)
        preview = OriginalPreview(image)
        for stop, height in zip(np.cumsum(heights), heights, strict=True):
            preview.add(pixels[stop - height : stop])
        encoded = preview.encode()

    cell = -(-max(rows, 24) // 8)
    down, across = min(cell, rows), min(cell, 24)
    whole = pixels[: rows // down * down, : 24 // across * across].astype(float)
    means = whole.reshape(rows // down, down, -1, across, 3).mean(axis=(1, 3))
    with Pillow.open(io.BytesIO(encoded.data)) as decoded:
        # WebP halves the resolution of color, not that of brightness.
        brightness = np.array([0.299, 0.587, 0.114])
        seen = np.asarray(decoded.convert("RGB")) @ brightness
    assert np.abs(seen - means @ brightness).mean() < 6


def test_hidden_colors_leave_no_fringe(image_of):
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[9:47, 9:47] = [250, 120, 30, 255]  # across cells of 4 pixels
    image = image_of(pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(previews, "LONGEST_SIDE", 16)
        original = OriginalPreview(image)
        original.add(pixels)
        preview = original.encode()

    with Pillow.open(io.BytesIO(preview.data)) as decoded:
        seen = np.asarray(decoded.convert("RGBA")).astype(int)
    alpha = seen[..., 3]
    expected = pixels[..., 3].reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(alpha - expected).max() <= 1
    assert len(np.unique(alpha)) > 3
    drift = np.abs(seen[..., :3] - [250, 120, 30]).max(axis=2)
    assert (drift * alpha / 255).max() < 10  # WebP is lossy


def test_turned_image_has_upright_previews(tmp_path):
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[:, 20:] = 255
    exif = Pillow.Exif()
    exif[0x112] = 6  # stored on its left side
    Pillow.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = open_image(tmp_path / "turned.png", max_pixels=10**6)
    original = OriginalPreview(image)
    recolored = recolor(image, np.array([[0] * 3, [255] * 3], np.uint8), watch=original.add)

    for preview in (original.encode(), preview_of_result(recolored)):
        with Pillow.open(io.BytesIO(preview.data)) as decoded:
            upright = np.asarray(decoded.convert("RGB"))
        assert upright.shape == (40, 20, 3)
        assert upright[:15].max() < 30
        assert upright[25:].min() > 225


def test_result_keeps_to_the_palette():
    rng = np.random.default_rng(0)
    entries = rng.integers(0, 256, (32, 3), dtype=np.uint8)
    indices = rng.integers(0, 32, (1500, 2500), dtype=np.uint8)

    preview = preview_of_result(Recolored(indices, entries, entries, np.full(32, 1 / 32)))

    with Pillow.open(io.BytesIO(preview.data)) as decoded:
        seen = np.asarray(decoded.convert("RGB"))
    np.testing.assert_array_equal(seen, entries[indices[1::3, 1::3][:500, :833]])
