"""What the command reads and writes, of which nothing is overwritten that is not its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantization_client import entry
from quantization_client.finding import find_jobs
from quantization_client.journal import Entry, Journal
from quantization_client.main import ALL_DONE, BAD_USAGE, SOME_FAILED, command
from tests.support.fixtures import CommandInProcess
from tests.support.full_disk import room_for
from tests.support.runner import IMAGE


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("art.png", "data.jpg"):
        (folder / name).write_bytes(b"source of " + name.encode())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("link", [False, True])
def test_source_is_not_overwritten(
    run: CommandInProcess,
    photos: Path,
    link: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = photos
    if link:
        out = tmp_path / "link"
        out.symlink_to(photos)
    before = contents(photos)

    assert run(photos / "art.png", "--out", out) == SOME_FAILED

    assert contents(photos) == before
    assert "art.png is an image to quantize and would be overwritten" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["png", "html", "json", "css"])
def test_file_of_somebody_else_is_not_overwritten(
    run: CommandInProcess, photos: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = photos / f"data.{ending}"
    mine.write_bytes(b"mine")

    assert run(photos / "data.jpg", "--out", photos, "--palettes", "css") == SOME_FAILED

    assert mine.read_bytes() == b"mine"
    assert "--force" in capsys.readouterr().err


def test_force_overwrites(run: CommandInProcess, photos: Path) -> None:
    assert run(photos / "art.png", "--out", photos, "--force") == ALL_DONE

    assert (photos / "art.png").read_bytes() == IMAGE


def test_earlier_results_are_overwritten(run: CommandInProcess, photos: Path) -> None:
    for _ in range(2):
        assert run(photos / "data.jpg", "--out", photos, "--palettes", "gpl,ase,css") == ALL_DONE
    assert run(photos / "data.jpg", "--out", photos, "--k", "4") == ALL_DONE


@pytest.mark.parametrize("ending", ["png", "css", "html"])
def test_result_that_was_edited_is_nobodys_to_overwrite(
    run: CommandInProcess, photos: Path, ending: str
) -> None:
    run(photos / "data.jpg", "--out", photos, "--palettes", "css")
    (photos / f"data.{ending}").write_bytes(b"edited by hand")

    assert run(photos / "data.jpg", "--out", photos, "--palettes", "css") == SOME_FAILED


def test_one_refused_image_holds_up_no_other(run: CommandInProcess, photos: Path) -> None:
    assert run(photos, "--out", photos) == SOME_FAILED

    assert (photos / "data.png").read_bytes() == IMAGE
    assert (photos / "art.png").read_bytes() == b"source of art.png"


def test_results_in_a_folder_are_no_images(
    run: CommandInProcess, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(photos, "--out", photos)
    capsys.readouterr()
    run(photos, "--out", photos, "--json")

    assert [line.split('"')[3] for line in capsys.readouterr().out.splitlines()] == [
        str(photos / "art.png"),
        str(photos / "data.jpg"),
    ]


def test_image_whose_name_is_taken_is_told_the_name_whatever_the_format(
    run: CommandInProcess, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "art.jpg").touch()
    out = tmp_path / "out"

    assert run(photos, "--out", out, "--format", "webp") == SOME_FAILED

    jpg, png = photos / "art.jpg", photos / "art.png"
    said = f"{jpg} and {png} would both be named art; rename one of them"
    assert said in capsys.readouterr().err


def test_interrupted_run_may_go_on_with_what_it_wrote(run: CommandInProcess, photos: Path) -> None:
    (photos / "data.png").write_bytes(b"half of the results")
    Journal(photos).write(Path("data.jpg"), Entry(1, 2, "bucket", {}, "version"))

    assert run(photos / "data.jpg", "--out", photos) == ALL_DONE


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("photos/art.png", "it is a file; name a folder"),
        ("photos/art.png/deeper", "Not a directory"),
        ("/proc/x", "No such file or directory"),
    ],
)
def test_folder_that_cannot_be_written_to_is_bad_usage(
    run: CommandInProcess, photos: Path, out: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(photos / "data.jpg", "--out", photos.parent / out) == BAD_USAGE

    (line,) = capsys.readouterr().err.splitlines()
    assert f"cannot be written to: {why}" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_folder_without_permission_is_bad_usage(
    run: CommandInProcess, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.chmod(0)
    assert run(photos) == BAD_USAGE
    assert "cannot be read" in capsys.readouterr().err


# Standard input and output.


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    source = tmp_path / "given"
    source.write_bytes(b"source")
    with source.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield


@pytest.mark.usefixtures("standard_input")
def test_what_comes_on_standard_input_is_the_image(tmp_path: Path) -> None:
    (job,) = find_jobs([Path("-")], tmp_path)

    assert job.path.read_bytes() == b"source"


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_no_image_is_read_from_a_terminal_or_written_to_one(
    run: CommandInProcess,
    photos: Path,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True)
    given = {"stdin": "-", "stdout": photos / "art.png"}[stream]

    assert run(given, "--out", "-") == BAD_USAGE

    said = capsys.readouterr()
    assert said.out == ""
    assert {"stdin": "quantize - <photo.jpg", "stdout": "--out - >new.png"}[stream] in said.err


def test_image_that_fails_leaves_standard_output_empty(
    run: CommandInProcess, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "art.png").write_bytes(b"bad")

    assert run(photos / "art.png", "--out", "-") == SOME_FAILED

    said = capsys.readouterr()
    assert said.out == ""
    assert "UnsupportedImage" in said.err


@pytest.mark.usefixtures("standard_input")
def test_image_from_standard_input(
    run: CommandInProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-", "--out", tmp_path / "out", "--json") == ALL_DONE

    assert '"image":"-"' in capsys.readouterr().out
    assert (tmp_path / "out/stdin.png").read_bytes() == IMAGE


@pytest.mark.usefixtures("standard_input")
def test_image_to_standard_output(
    run: CommandInProcess,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("-", "--out", "-") == ALL_DONE

    written, said = capfdbinary.readouterr()
    assert written == IMAGE
    assert b"10 colors" in said
    assert b".html" not in said  # It is gone with the folder that it was written to.
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_reader_that_leaves_is_told_from_an_image_that_fails(
    run: CommandInProcess, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8", closefd=False) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with pytest.raises(BrokenPipeError):
            run(photos / "art.png", "--out", tmp_path / "out")
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    os.close(writing)


@pytest.mark.usefixtures("standard_input")
def test_standard_input_that_finds_no_room_is_bad_usage(
    run: CommandInProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with room_for(1):
        assert run("-", "--out", tmp_path / "out") == BAD_USAGE

    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch("error: standard input is not copied to .+: File too large", line)


@pytest.mark.parametrize("arguments", [["--json"], ["{photos}/art.png"]])
def test_standard_output_takes_one_image_and_nothing_else(
    run: CommandInProcess, photos: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = [argument.format(photos=photos) for argument in arguments]
    assert run(photos / "data.jpg", "--out", "-", *more) == BAD_USAGE
    assert capsys.readouterr().out == ""


# How it ends.


def test_reader_that_leaves_ends_the_command_without_a_word() -> None:
    script = (
        "import sys; from quantization_client.entry import without_traceback;"
        "sys.exit(without_traceback(lambda: print('x' * 100_000) or 0))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == entry.NO_READER


def test_interrupt_while_the_command_is_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert entry.without_traceback(interrupted) == entry.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_nothing_slow_is_loaded_before_interrupts_are_answered() -> None:
    script = "import sys; import quantization_client.entry; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True).split()

    assert not {"argparse", "boto3", "msgspec", "numpy", "rich"} & set(loaded)


def test_bash_completes_flags_and_choices(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(
        subprocess.check_output(
            [sys.executable, "-m", "quantization_client.entry", "--print-completion", "bash"],
            text=True,
        )
    )

    def completed(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in words)
        asked = (
            f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1};"
            "$(complete -p quantize | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}"
        )
        return subprocess.check_output(["bash", "-c", asked], text=True).split()

    flags = {flag for action in command()._actions for flag in action.option_strings}
    assert {flag for flag in flags if flag.startswith("--k")} == set(completed("quantize", "--k"))
    assert completed("quantize", "--criterion", "g") == ["guarded"]
