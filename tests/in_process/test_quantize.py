"""The function `quantize`: what it takes and refuses, and that it writes what a stack writes."""

import doctest
import io
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from numpy.typing import NDArray
from PIL import Image
from samcli.yamlhelper import yaml_parse
from threadpoolctl import threadpool_info, threadpool_limits

import quantization
from emulator.engine import ROOT
from functions.render import handler as render
from functions.sample import handler as sample
from functions.score_k import handler as score_k
from quantization import in_process, quantize
from quantization.clustering import Fit, fit
from quantization.color import to_hex
from quantization.contract import Result
from quantization.errors import (
    AllScoresFailed,
    EmptyImage,
    ImageTooLarge,
    InvalidOptions,
    UnreadablePalette,
    UnsupportedImage,
)
from quantization.machine import Machine, load
from quantization.options import Space
from quantization.service import score
from quantization.service.messages import FittedScore, ObjectCreated, RenderRequest, Sampled
from quantization.summary import Summary
from tests.conftest import EXECUTION
from tests.support.fixtures import Uploader
from tests.support.results import without_provenance

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    """Return noise around five colors, with all opacities."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (5, 4))[rng.integers(0, 5, (40, 60))]
    return np.clip(colors + rng.integers(-9, 9, colors.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("module", [quantization, in_process], ids=lambda module: module.__name__)
def test_examples_in_the_documentation_run(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed


def test_files_and_pixels_of_an_image_give_the_same(
    png: bytes, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "noise.png"
    path.write_bytes(png)
    with path.open("rb") as file:
        sources: list[Any] = [path, str(path), png, io.BytesIO(png), file, pixels]
        seen = [quantize(source, k_max=12) for source in sources]
    for other in seen[1:]:
        assert other.file == seen[0].file
        assert other.scores == seen[0].scores
    names = [one.result.source.key for one in seen]
    assert names == ["noise.png", "noise.png", *["image"] * 4]
    assert quantize(png, name="a.png", k=2).result.source.key == "a.png"


def test_options_may_be_numbers_of_numpy(pixels: NDArray[np.uint8]) -> None:
    assert quantize(pixels, k=np.int64(3)).result == quantize(pixels, k=3).result


def in_colors(height: int, width: int) -> NDArray[np.uint8]:
    """Draw rows and columns of five colors."""
    colors = np.array([[0, 0, 0], [250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 250]], np.uint8)
    drawn: NDArray[np.uint8] = colors[np.add.outer(np.arange(height), np.arange(width)) % 5]
    return drawn


def on_the_rim() -> NDArray[np.uint8]:
    """Draw the first column of an image that is transparent elsewhere."""
    opacity = np.zeros((1200, 1200), np.uint8)
    opacity[:, 0] = 255
    return np.dstack([in_colors(1200, 1200), opacity])


@pytest.mark.parametrize(
    "pixels",
    [in_colors(1, 1_300_000), in_colors(1_300_000, 1), on_the_rim()],
    ids=["one row", "one column", "one visible column"],
)
def test_image_none_of_whose_smoothness_is_seen_is_quantized(pixels: NDArray[np.uint8]) -> None:
    """Of a large image every other row and column is looked at, of these no visible pixel."""
    quantized = quantize(pixels, k_min=3, k_max=4)
    assert [score.failure for score in quantized.scores] == [None, None]


def test_result_holds_no_pixels_of_the_source() -> None:
    file = io.BytesIO()
    Image.fromarray(np.repeat(in_colors(2000, 2000)[:, :1], 2000, axis=1)).save(file, "PNG")
    quantize(file.getvalue(), k=2)  # All libraries are loaded.
    tracemalloc.start()
    try:
        quantized = quantize(file.getvalue(), k=2)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert quantized.indices.nbytes < held < 3 * quantized.indices.nbytes


def test_name_that_is_no_text_is_replaced_where_it_is_none(png: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(png)
    quantized = quantize(path, k=2)

    assert quantized.result.source.key == "caf?.png"
    assert quantized.write(path.with_suffix(""))["report"].exists()


def test_arrays_of_gray_levels_are_gray_images(pixels: NDArray[np.uint8]) -> None:
    gray = pixels[:, :, 0]
    assert quantize(gray, k=4).file == quantize(np.dstack([gray] * 3), k=4).file


def test_what_is_told_of_an_image_agrees(pixels: NDArray[np.uint8]) -> None:
    quantized = quantize(pixels, k_min=3, k_max=7, criterion="guarded")
    assert quantized.k == len(quantized.palette) == quantized.picks["guarded"]
    assert [one.k for one in quantized.scores] == [3, 4, 5, 6, 7]
    assert quantized.shares.sum() == pytest.approx(1)
    assert np.all(np.diff(quantized.shares) <= 0)
    assert quantized.indices.shape == pixels.shape[:2]
    assert quantized.silhouette_at in ("peak", "edge", None)
    decoded = np.asarray(Image.open(io.BytesIO(quantized.file)).convert("RGBA"))
    assert (decoded == quantized.pixels()).all()


@pytest.mark.parametrize(
    ("options", "extensions"),
    [
        ({}, {"png", "html", "json"}),
        (
            {"format": "webp", "palettes": "gpl, ase", "k_max": 9},
            {"webp", "html", "json", "gpl", "ase"},
        ),
        ({"palettes": ["css"], "k": 5, "dither": "ordered"}, {"png", "html", "json", "css"}),
        ({"keep": ["#ff0000", "#fff"], "k_max": 9}, {"png", "html", "json"}),
        (
            {"palette": ["#102030", "#f0e0d0", "#00f"], "palettes": "gpl"},
            {"png", "html", "json", "gpl"},
        ),
    ],
)
def test_functions_of_a_stack_write_the_same(
    s3: "S3Client",
    context: LambdaContext,
    photo: Path,
    upload: Uploader,
    tmp_path: Path,
    options: dict[str, Any],
    extensions: set[str],
) -> None:
    # Of few pixels, so that 25 palettes are soon fitted.
    path = tmp_path / "china.png"
    with Image.open(photo) as image:
        image.resize((60, 40)).save(path)
    uploaded = upload("a/china.png", path.read_bytes(), **in_process._as_text(options))
    stack = Machine(
        load(concurrency=1),
        {
            "SampleFunction": lambda payload: sample.handler(payload, context),
            "ScoreKFunction": lambda payload: score_k.handler(payload, context),
            "RenderFunction": lambda payload: render.handler(payload, context),
        },
    )
    stack.run(msgspec.to_builtins(ObjectCreated.of(uploaded)), EXECUTION)

    files = quantize(path, name="a/china.png", **options).write(tmp_path / "new" / "china")

    assert {path.suffix[1:] for path in files.values()} == extensions
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        path.name for path in files.values()
    }
    for path in files.values():
        theirs = s3.get_object(Bucket="output", Key=f"a/{path.name}")["Body"].read()
        assert without_provenance(path.suffix, path.read_bytes()) == without_provenance(
            path.suffix, theirs
        )


@pytest.mark.parametrize(("dither", "white"), [("none", 1.0), ("ordered", 0.5), ("diffusion", 0.5)])
def test_colors_are_mixed_as_it_is_asked_for(dither: str, white: float) -> None:
    gray = np.full((64, 64, 3), 128, np.uint8)

    quantized = quantize(gray, palette=["#000000", "#ffffff"], space="rgb", dither=dither)

    assert quantized.pixels().mean() / 255 == pytest.approx(white, abs=0.03)


def test_palette_of_one_image_is_given_to_another(photo: Path, tmp_path: Path) -> None:
    first = quantize(photo, k=5, palettes="gpl").write(tmp_path / "first")
    known = quantize(photo, k=5).palette
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)

    for file in (first["gpl"], first["result"]):
        second = quantize(pixels, palette=file)

        assert sorted(second.palette.tolist()) == sorted(known.tolist())
        assert (second.k, second.picks, second.silhouette_at) == (5, {}, None)
        (score,) = second.scores
        assert (score.silhouette, sorted(score.palette)) == (None, sorted(to_hex(known)))
        distances = np.square(pixels[:, :, None] - second.palette.astype(int)).sum(axis=-1)
        of_rgb = quantize(pixels, palette=str(file), space="rgb")
        drawn = np.square(pixels - of_rgb.pixels().astype(int)).sum(axis=-1)
        np.testing.assert_array_equal(drawn, distances.min(axis=-1))
        assert of_rgb.scores[0].inertia == pytest.approx(drawn.sum(), rel=1e-12)
        assert "the palette that was given" in second.report()


def test_colors_to_keep_are_in_every_palette(photo: Path) -> None:
    keep = {"#ff0000", "#00ff00"}
    quantized = quantize(photo, keep=keep, k_max=10)

    assert {*quantized.result.options.keep} == keep
    assert all(keep < {*score.palette} for score in quantized.scores)
    assert keep < {swatch.color for swatch in quantized.result.palette}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("none.gpl", None, "no such file"), ("a.gpl", b"hello", "is not read as a palette")],
)
def test_palette_that_is_none_is_refused(
    photo: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadablePalette, match=said):
        quantize(photo, palette=str(tmp_path / name))


def test_number_of_cores_changes_nothing(photo: Path) -> None:
    one, several = (quantize(photo, k_max=13, cores=cores) for cores in (1, 4))
    assert one.result == several.result
    assert one.file == several.file


def test_threads_of_the_environment_change_nothing(photo: Path) -> None:
    """Neither those of OpenMP nor those of BLAS, which the tests' environment limits."""
    script = (
        "import sys; from quantization import quantize;"
        "quantized = quantize(sys.argv[1], k_max=9);"
        "print(quantized.scores)"
    )
    environment = {n: v for n, v in os.environ.items() if not n.endswith("_NUM_THREADS")}
    said = {
        subprocess.run(
            [sys.executable, "-c", script, photo],
            env=environment | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "3")
    }
    assert len(said) == 1


def test_images_at_once_leave_the_threads_of_the_process_as_they_were(
    pixels: NDArray[np.uint8],
) -> None:
    """And none takes the limit from another that is still at work."""
    quantize(pixels, k=2)  # All libraries are loaded.
    with threadpool_limits(3):
        before = [library["num_threads"] for library in threadpool_info()]
        seen: list[int] = []

        def quantize_another(message: object) -> None:
            if isinstance(message, Sampled):
                other = threading.Thread(target=quantize, args=[pixels], kwargs={"k": 2})
                other.start()
                other.join()
                seen.extend(library["num_threads"] for library in threadpool_info())

        quantize(pixels, k=3, tell=quantize_another)
        after = [library["num_threads"] for library in threadpool_info()]
    assert max(before) == 3
    assert {*seen} == {1}
    assert after == before


READS_NO_TYPE = """
import msgspec, numpy
from quantization import in_process, quantize

class Other(msgspec.Struct):
    number: int

def refuse(*_):
    raise AssertionError("a type is read")

msgspec._utils._eval_type = refuse
quantize(numpy.zeros((4, 4, 3), numpy.uint8), k=1)
try:
    msgspec.json.Decoder(Other)
except AssertionError:
    print("all types were read before")
"""


def test_types_are_read_before_images_come_at_once() -> None:
    """Where two threads read one for the first time, msgspec crashes, but only now and then."""
    said = subprocess.check_output([sys.executable, "-c", READS_NO_TYPE], text=True)

    assert said == "all types were read before\n"


def test_given_palette_is_drawn_without_scikit_learn(photo: Path) -> None:
    script = (
        "import sys; from quantization import quantize;"
        "quantize(sys.argv[1], palette=['#000', '#fff']);"
        "assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, photo], check=True)


def test_progress_is_told(photo: Path) -> None:
    told: list[Any] = []
    quantized = quantize(photo, k_max=10, tell=told.append)
    assert [type(message) for message in told] == [
        Sampled,
        FittedScore,
        FittedScore,
        FittedScore,
        RenderRequest,
    ]
    assert told[0].ks == sorted(message.k for message in told[1:4]) == [8, 9, 10]
    assert told[4].k == quantized.k


@pytest.mark.parametrize(
    ("source", "options", "refusal", "says"),
    [
        (b"no image", {}, UnsupportedImage, "this is a text"),
        (b"", {}, EmptyImage, "no bytes"),
        (np.zeros((2, 2, 4), np.uint8), {}, EmptyImage, "fully transparent"),
        (np.zeros((0, 2, 3), np.uint8), {}, EmptyImage, "without pixels"),
        (np.zeros((2, 2, 3)), {}, UnsupportedImage, "float64"),
        (np.zeros((2, 2, 2), np.uint8), {}, UnsupportedImage, "(2, 2, 2)"),
        (np.zeros((2, 2), np.uint8), {"k": 0}, InvalidOptions, "k '0' is not a whole number"),
        (np.zeros((2, 2), np.uint8), {"colors": 3}, InvalidOptions, "colors: no such option"),
        (np.zeros((2, 20_000), np.uint8), {"format": "webp"}, ImageTooLarge, "16383 a side"),
    ],
)
def test_refusals_are_typed(
    source: Any, options: dict[str, Any], refusal: type[Exception], says: str
) -> None:
    with pytest.raises(refusal, match=re.escape(says)):
        quantize(source, **options)


def test_large_image_is_refused_before_it_is_decoded(png: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="over the limit"):
        quantize(png, max_pixels=100)


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        quantize(tmp_path / "none.png")


def test_k_that_cannot_be_fitted_is_left_out(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_at_9(summary: Summary, k: int, space: Space, keep: NDArray[np.uint8]) -> Fit:
        if k == 9:
            raise FloatingPointError
        return fit(summary, k, space, keep)

    monkeypatch.setattr(score, "fit", fail_at_9)

    quantized = quantize(photo, k_max=10, cores=1)

    assert [one.failure for one in quantized.scores] == [None, "FloatingPointError", None]


def test_no_k_at_all_is_refused_by_name(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Fit:
        raise MemoryError

    monkeypatch.setattr(score, "fit", fail)
    with pytest.raises(AllScoresFailed, match="MemoryError"):
        quantize(photo, k_max=9, cores=1)


def test_defaults_are_those_of_a_stack() -> None:
    parameters = yaml_parse((ROOT / "template.yml").read_text())["Parameters"]
    assert int(parameters["SampleSize"]["Default"]) == in_process.SAMPLE_SIZE
    assert int(parameters["MaxMegapixels"]["Default"]) * 10**6 == in_process.MAX_PIXELS
    assert parameters["WholeImage"]["Default"] in (True, "true")


def test_result_keeps_the_contract(photo: Path, tmp_path: Path) -> None:
    files = quantize(photo, k=3).write(tmp_path / "china")
    result = msgspec.json.decode(files["result"].read_bytes(), type=Result)
    assert result.execution == result.source.bucket == result.image_file.version_id == ""
    assert "s3://" not in Path(files["report"]).read_text()


def test_same_files_may_be_written_at_the_same_time(
    pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    quantized = quantize(pixels, k=4)
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(quantized.write, [tmp_path / "noise"] * 100))

    assert set(written[0].values()) == set(tmp_path.iterdir())


def test_folder_of_a_files_name_is_told_by_that_name(
    pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileExistsError, match=f"'{re.escape(str(file))}'"):
        quantize(pixels, k=4).write(file / "noise")


def test_import_of_the_package_imports_no_other() -> None:
    script = (
        "import sys; had = {*sys.modules}; import quantization;"
        "print({name.partition('.')[0] for name in {*sys.modules} - had} - sys.stdlib_module_names)"
    )
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "{'quantization'}"
