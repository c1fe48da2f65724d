"""Another palette of a result: in this process, and what a stack is asked for."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from quantization.contract import Result
from quantization_client.jobs import Progress, UsageError
from quantization_client.main import ALL_DONE, BAD_USAGE, SOME_FAILED, main
from quantization_client.recolor import Recoloring
from tests.support.busy_account import BusyAccount, Clock
from tests.support.fixtures import PngMaker
from tests.support.results import result_with


@pytest.fixture
def picture(tmp_path: Path, make_png: PngMaker) -> Path:
    """Return an image that was quantized, of 16 colors."""
    rng = np.random.default_rng(0)
    path = tmp_path / "picture.png"
    path.write_bytes(make_png(rng.choice(rng.integers(0, 256, (16, 3)), (40, 40))))
    options = ["--k-min", "3", "--k-max", "5", "--palettes", "css"]
    assert main([str(path), "--out", str(tmp_path / "out"), *options]) == ALL_DONE
    return path


def read(path: Path) -> Result:
    return msgspec.json.decode(path.read_bytes(), type=Result)


def colors_of(path: Path) -> set[str]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return {f"#{bytes(color).hex()}" for color in pixels.reshape(-1, 3)}


@pytest.mark.parametrize("k", [3, 4, 5])
def test_result_is_that_of_another_k_and_nothing_else_changes(
    picture: Path, k: int, capsys: pytest.CaptureFixture[str]
) -> None:
    document = picture.parent / "out/picture.json"
    first = read(document)
    capsys.readouterr()

    assert main([str(picture), "--again", str(document), "--k", str(k)]) == ALL_DONE

    assert f"{k} colors" in capsys.readouterr().out
    second = read(document)
    assert colors_of(picture.parent / "out/picture.png") == set(
        next(score.palette for score in first.scores if score.k == k)
    )
    assert (second.k, second.options.k) == (k, k)
    assert {swatch.color for swatch in second.palette} == {
        swatch.color for swatch in first.palettes()[k]
    }
    assert (second.scores, second.picks) == (first.scores, first.picks)
    assert second.source.again
    assert "by hand" in (picture.parent / "out/picture.html").read_text()
    assert second.palette[0].color in (picture.parent / "out/picture.css").read_text()


def test_other_folder_leaves_the_result_as_it_is(picture: Path, tmp_path: Path) -> None:
    document = tmp_path / "out/picture.json"
    before = document.read_bytes()
    other = ["--out", str(tmp_path / "other")]

    assert main([str(picture), "--again", str(document), "--k", "4", *other]) == ALL_DONE

    assert document.read_bytes() == before
    assert read(tmp_path / "other/picture.json").k == 4


def test_another_image_is_not_recolored(
    picture: Path, capsys: pytest.CaptureFixture[str], make_png: PngMaker
) -> None:
    document = picture.parent / "out/picture.json"
    before = document.read_bytes()
    picture.write_bytes(make_png(np.zeros((40, 40, 3), np.uint8)))

    assert main([str(picture), "--again", str(document), "--k", "4"]) == SOME_FAILED

    assert document.read_bytes() == before
    assert "of another image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("result", "options", "said"),
    [
        ("out/picture.json", ["--k", "9"], "no palette of 9 colors, only of 3, 4, 5"),
        ("out/picture.json", [], "--again takes one option"),
        ("out/picture.json", ["--k", "4", "--format", "webp"], "--again takes one option"),
        ("out/picture.png", ["--k", "4"], "is not read as a result"),
        ("none.json", ["--k", "4"], "is not read as a result"),
    ],
)
def test_what_cannot_be_taken_again_is_bad_usage(
    picture: Path,
    result: str,
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    again = str(picture.parent / result)

    assert main([str(picture), "--again", again, *options]) == BAD_USAGE
    assert said in capsys.readouterr().err


def test_result_is_taken_again_of_one_image(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = picture.parent / "out"
    images = [str(picture), str(out / "picture.png")]

    assert main([*images, "--again", str(out / "picture.json"), "--k", "4"]) == BAD_USAGE
    assert "--again takes one image, and these are 2" in capsys.readouterr().err


def test_stack_takes_the_result_without_its_image(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["--again", str(picture.parent / "out/picture.json"), "--k", "4"]

    assert main([str(picture), *again, "--stack", "any"]) == BAD_USAGE
    assert "name the result only" in capsys.readouterr().err


def test_image_has_to_be_named_where_there_is_no_stack(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--again", str(picture.parent / "out/picture.json"), "--k", "4"])

    assert ended.value.code == BAD_USAGE
    assert "name the image, too" in capsys.readouterr().err


def test_result_of_another_stack_is_refused(tmp_path: Path) -> None:
    def show(_job: object, _progress: Progress | None) -> None:
        pass

    stack = BusyAccount(Clock(), past=0).stack()
    source = msgspec.structs.replace(result_with().source, bucket="another")
    with pytest.raises(UsageError, match="of the bucket another, and this stack has input"):
        Recoloring(stack, result_with(source=source), 8, tmp_path, show)
