"""The whole service, from upload to result, as the client drives it on the local engine."""

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import cv2
import jsonschema
import msgspec
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from emulator.engine import ROOT
from quantization.clustering import find_clusters, find_palette, nearest_center
from quantization.color import from_hex, to_space
from quantization.contract import Result
from quantization.decoding import open_image
from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize
from quantization_client.stack import Stack
from tests.support.fixtures import Command, ImageMaker
from tests.support.service import Service
from tools.schema import SCHEMAS


@pytest.fixture(scope="module")
def china(quantize: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quantize the photo that the client takes when it is given none; return the folder."""
    out = tmp_path_factory.mktemp("china")
    done = quantize("--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def result(china: Path) -> Result:
    return msgspec.json.decode((china / "china.json").read_bytes(), type=Result)


def test_result_keeps_the_contract(china: Path, result: Result) -> None:
    jsonschema.validate(
        json.loads((china / "china.json").read_text()), json.loads(SCHEMAS[Result].read_text())
    )
    assert [score.k for score in result.scores] == list(range(8, 33))
    assert sum(swatch.share or 0 for swatch in result.palette) == pytest.approx(1)
    assert (result.source.key, result.source.width, result.source.height) == (
        "china.jpg",
        640,
        427,
    )


def test_chosen_k_is_the_argmax(result: Result) -> None:
    measured = [s.silhouette for s in result.scores if s.silhouette is not None]
    best = max(measured)
    assert len(measured) == len(result.scores)
    assert result.k == min(score.k for score in result.scores if score.silhouette == best)


def test_palette_and_scores_are_scikit_learns_own(result: Result, photo: Path) -> None:
    image = open_image(photo, max_pixels=10**6)
    summary, ks = summarize(
        image.strips(SUMMARY_STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=8,
        k_max=32,
        sample_size=result.sample_size,
    )
    palette = from_hex([swatch.color for swatch in result.palette])
    (score,) = (score for score in result.scores if score.k == result.k)

    expected = find_palette(summary, result.k, result.options.space)
    assert {*map(tuple, palette.tolist())} == {*map(tuple, expected.tolist())}
    rgb, counts = summary.pooled
    anew = KMeans(result.k, n_init=10, random_state=0).fit(rgb, sample_weight=counts)
    labels = nearest_center(summary.sample.rgb, find_clusters(summary, result.k))
    assert score.silhouette == pytest.approx(silhouette_score(summary.sample.rgb, labels), abs=1e-4)
    theirs = silhouette_score(summary.sample.rgb, anew.predict(summary.sample.rgb))
    assert score.silhouette == pytest.approx(theirs, abs=0.02)
    assert [score.k for score in result.scores] == ks


def test_image_holds_the_palette_and_each_pixel_its_nearest_color(
    china: Path, result: Result, photo: Path
) -> None:
    rgb = np.asarray(cv2.imread(str(china / "china.png")), np.uint8)[:, :, ::-1]
    original = open_image(photo, max_pixels=10**6).pixels()
    palette = from_hex([swatch.color for swatch in result.palette])

    colors, counts = np.unique(rgb.reshape(-1, 3), axis=0, return_counts=True)
    shares = {swatch.color: swatch.share for swatch in result.palette}
    assert len(colors) == result.k
    for (r, g, b), count in zip(colors, counts, strict=True):
        assert shares[f"#{r:02x}{g:02x}{b:02x}"] == pytest.approx(count / (640 * 427))
    here, there, drawn = (
        to_space(colors.reshape(-1, 3), result.options.space) for colors in (original, palette, rgb)
    )
    nearest = np.min([np.square(here - color).sum(axis=-1) for color in there], axis=0)
    np.testing.assert_array_equal(np.square(here - drawn).sum(axis=-1), nearest)


def test_same_bytes_same_result(
    quantize: Command, china: Path, tmp_path: Path, photo: Path
) -> None:
    copy = shutil.copy(photo, tmp_path / "china.jpg")
    assert quantize(copy, "--out", tmp_path / "again").returncode == 0

    again = tmp_path / "again"
    assert (again / "china.png").read_bytes() == (china / "china.png").read_bytes()
    first, second = (json.loads((folder / "china.json").read_text()) for folder in (china, again))
    # Only what names the upload and its execution differs.
    for document in (first, second):
        del document["source"]["version_id"], document["source"]["sequencer"]
        del document["image_file"]["version_id"], document["execution"]
    assert first == second


def test_given_colors_are_in_the_palette_or_are_it(
    service: Service, stack: Stack, image: ImageMaker, name: str
) -> None:
    colors = ["#ff8000", "#102030"]
    service.upload(f"{name}/brand.gpl", b"GIMP Palette\n255 128 0\n16 32 48\n")
    asked = {
        "list.png": {"palette": ", ".join(colors)},
        "object.png": {"palette": quote(f"{name}/brand.gpl")},
        "keep.png": {"keep": " ".join(colors), "k": "4"},
        "missing.png": {"palette": quote(f"{name}/none.pal")},
    }
    # Another one each time: of the same name is the same result.
    versions = {
        file: service.upload(f"{name}/{file}", image(seed), **options)
        for seed, (file, options) in enumerate(asked.items())
    }
    ends = {file: service.ended(version) for file, version in versions.items()}

    assert [ended["status"] for ended in ends.values()] == ["SUCCEEDED"] * 3 + ["FAILED"]
    assert ends["missing.png"]["error"] == "UnreadablePalette"
    results = {
        file: msgspec.convert(service.read(f"{name}/{Path(file).stem}.json"), Result)
        for file in list(asked)[:3]
    }
    for file, of_palette in results.items():
        used = [swatch.color for swatch in of_palette.palette]
        if file == "keep.png":
            assert {*colors} < {*used}
            assert (of_palette.k, list(of_palette.options.keep)) == (4, colors)
            continue
        assert {*used} == {*colors}
        assert (of_palette.picks, of_palette.silhouette_at) == ({}, None)
        (score,) = of_palette.scores
        assert (score.k, score.silhouette) == (2, None)
        assert score.error
        echoed = tuple(colors) if file == "list.png" else asked[file]["palette"]
        assert of_palette.options.palette == echoed
    history = stack.states.get_execution_history(
        executionArn=ends["object.png"]["executionArn"], maxResults=1000
    )["events"]
    assert not [event for event in history if event["type"].startswith("Map")]
    assert service.outputs(f"{name}/brand") == set()


def test_folder_with_odd_names(quantize: Command, tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "some where"
    (folder / "näher").mkdir(parents=True)
    shutil.copy(photo, folder / "späth photo+1.JPG")
    shutil.copy(photo, folder / "näher" / "100%.jpg")
    (folder / "notes.txt").write_text("not an image, and not taken from a folder")

    done = quantize(folder, "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == {
        f"{name}.{extension}"
        for name in ("späth photo+1", "näher/100%")
        for extension in ("png", "json", "html")
    }


def test_wrong_file_fails_by_name(quantize: Command, stack: Stack, tmp_path: Path) -> None:
    done = quantize(ROOT / "README.md", "--out", tmp_path)

    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "UnsupportedImage" in line)
    assert line.startswith(f"{ROOT / 'README.md'}: UnsupportedImage: this is a text")
    newest = stack.states.list_executions(stateMachineArn=stack.state_machine, maxResults=1)
    described = stack.states.describe_execution(
        executionArn=newest["executions"][0]["executionArn"]
    )
    assert (described["status"], described["error"]) == ("FAILED", "UnsupportedImage")
    assert "README.md" in described["cause"]
    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_bad_usage(quantize: Command, tmp_path: Path) -> None:
    done = quantize(tmp_path / "none.jpg")

    assert done.returncode == 2
    assert "none.jpg: no such file or folder" in done.stderr


def test_second_file_for_one_result_is_left_out(
    quantize: Command, tmp_path: Path, photo: Path
) -> None:
    for name in ("a.jpg", "a.jpeg"):
        shutil.copy(photo, tmp_path / name)

    done = quantize(tmp_path, "--out", tmp_path / "out", "--k", "8")

    assert done.returncode == 1
    assert "NameTaken" in done.stderr
    assert (tmp_path / "out/a.png").exists()


def test_history_shows_each_k_with_its_score(stack: Stack, result: Result) -> None:
    pages = stack.states.get_paginator("get_execution_history").paginate(
        executionArn=result.execution
    )
    events = [event for page in pages for event in page["events"]]

    indices = [
        event["mapIterationSucceededEventDetails"]["index"]
        for event in events
        if event["type"] == "MapIterationSucceeded"
    ]
    assert sorted(indices) == list(range(25))
    exits = [e["stateExitedEventDetails"] for e in events if "stateExitedEventDetails" in e]
    outputs = [json.loads(left["output"]) for left in exits if left["name"] == "ScoreK"]
    assert {o["k"]: o["silhouette"] for o in outputs} == {
        score.k: score.silhouette for score in result.scores
    }
    # Far below the limit of 256 KiB.
    assert max(len(left["output"]) for left in exits) < 1 << 14
