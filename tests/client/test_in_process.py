"""The command without a stack: no account, no engine, no part of AWS's SDK."""

import ast
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from quantization import interrupts, quantize
from quantization.in_process import Quantized, quantize_with
from quantization_client import in_process
from quantization_client.entry import INTERRUPTED
from quantization_client.in_process import LocalRecoloring, LocalRun
from quantization_client.jobs import Job, Outcome, Progress
from quantization_client.journal import FOLDER
from quantization_client.main import ALL_DONE, BAD_USAGE, SOME_FAILED, main
from tests.support.fixtures import PngMaker
from tests.support.full_disk import room_for


@pytest.fixture
def pictures(tmp_path: Path, make_png: PngMaker) -> Path:
    """Return a folder of three images of nine colors."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        pixels = rng.choice(rng.integers(0, 256, (9, 3)), (40, 40))
        (folder / f"{name}.png").write_bytes(make_png(pixels))
    return folder


def jobs_in(folder: Path) -> list[Job]:
    return [Job(path, path.relative_to(folder)) for path in sorted(folder.iterdir())]


def test_files_are_those_of_the_function(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    code = main([str(pictures), "--out", str(out), "--json", "--k", "4", "--palettes", "gpl"])

    assert code == ALL_DONE
    lines = {line["image"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert len(lines) == 3
    for path in pictures.iterdir():
        expected = quantize(path, k=4, palettes="gpl").write(tmp_path / "expected" / path.stem)
        line = lines[str(path)]
        assert line["k"] == 4
        assert "execution" not in line
        for what, file in expected.items():
            if what != "report":  # It says how long all took.
                assert (out / file.name).read_bytes() == file.read_bytes()
    assert not (out / FOLDER).exists()


def test_image_that_is_refused_is_named_in_one_line(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")

    code = main([str(bad), str(pictures / "a.png"), "--out", str(tmp_path / "out")])

    assert code == SOME_FAILED
    said = capsys.readouterr().err.splitlines()
    assert (
        f"{bad}: UnsupportedImage: this is a text, which is not read; upload an image file" in said
    )


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a.png, the first image, run into an error that nobody foresaw."""

    def quantize(path: Path, *given: Any, **named: Any) -> Quantized:
        if path.name == "a.png":
            raise ZeroDivisionError("a defect")
        return quantize_with(path, *given, **named)

    monkeypatch.setattr(in_process, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(in_process, "quantize_with", quantize)


@pytest.mark.usefixtures("defect")
def test_defect_is_raised_when_the_other_images_are_done(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        main([str(pictures), "--out", str(tmp_path / "out"), "--json", "--k", "4"])

    assert raised.value.__notes__ == [f"while {pictures / 'a.png'} was quantized"]
    told = {line["image"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told[str(pictures / "a.png")]["error"] == "ZeroDivisionError: a defect"
    for name in ("b.png", "c.png"):
        assert told[str(pictures / name)]["status"] == "done"
        assert (tmp_path / "out" / name).exists()


@pytest.mark.usefixtures("defect")
def test_ctrl_c_after_a_defect_ends_the_command_at_once(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quantization_client.main.json_line", interrupt)

    assert main([str(pictures), "--out", str(tmp_path / "out"), "--json"]) == INTERRUPTED

    assert "the same command goes on from here" in capsys.readouterr().err
    assert not (tmp_path / "out/c.png").exists()


def test_interrupted_run_is_gone_on_with(pictures: Path, tmp_path: Path) -> None:
    jobs, out = jobs_in(pictures), tmp_path / "out"
    first = next(iter(LocalRun(out, {}, lambda *_: None).outcomes(jobs[:1])))
    assert not first.error

    again = LocalRun(out, {}, lambda *_: None)
    assert again.still_to_do(jobs) == jobs[1:]
    assert LocalRun(out, {"k": "3"}, lambda *_: None).still_to_do(jobs) == jobs
    (out / "a.json").unlink()
    assert again.still_to_do(jobs) == jobs


def test_full_disk_leaves_all_as_it_was(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, out = str(pictures / "a.png"), tmp_path / "out"
    assert main([image, "--out", str(out), "--k", "3"]) == ALL_DONE
    before = {path: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()

    with room_for(10_000):  # The image fits.
        code = main([image, "--out", str(out), "--k", "4", "--quiet"])

    assert code == SOME_FAILED
    assert capsys.readouterr().err == f"{image}: {out}: File too large\n"
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_image_that_vanished_is_named_beside_the_result_it_was_given_with(
    pictures: Path, tmp_path: Path
) -> None:
    result = quantize(pictures / "a.png", k=3).result
    gone = Job(tmp_path / "gone.png", Path("a.json"), given="a.json")

    (outcome,) = LocalRecoloring(result, 3, tmp_path / "out", lambda *_: None).outcomes([gone])

    assert outcome.error == f"{gone.path}: No such file or directory"


def test_entry_of_which_half_was_written_is_forgotten(pictures: Path, tmp_path: Path) -> None:
    jobs, out = jobs_in(pictures), tmp_path / "out"
    for _ in LocalRun(out, {}, lambda *_: None).outcomes(jobs[:1]):
        pass
    (entry,) = (out / FOLDER).iterdir()
    entry.write_bytes(entry.read_bytes()[:20])

    assert LocalRun(out, {}, lambda *_: None).still_to_do(jobs) == jobs


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.skipif(sys.platform == "win32", reason="it holds no signals")
def test_interrupt_waits_until_all_threads_have_started(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    """Else the process goes on in one that nobody waits for, and does not end."""
    submitted = []

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *given: Any, **named: Any) -> Future[Any]:
            signal.raise_signal(signal.Signals[number])
            submitted.append(given)
            return super().submit(*given, **named)

    monkeypatch.setattr(in_process, "ThreadPoolExecutor", Interrupted)
    jobs = jobs_in(pictures)

    with pytest.raises(KeyboardInterrupt), interrupts.sent_by_others():
        list(LocalRun(tmp_path / "out", {}, lambda *_: None).outcomes(jobs))

    assert len(submitted) == len(jobs)


@pytest.mark.parametrize("interrupted", [False, True])
def test_command_says_what_was_done_before_an_interruption(
    pictures: Path, tmp_path: Path, interrupted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if interrupted:
        list(
            LocalRun(tmp_path / "out", {"k": "3"}, lambda *_: None).outcomes(jobs_in(pictures)[:2])
        )

    assert main([str(pictures), "--out", str(tmp_path / "out"), "--k", "3"]) == ALL_DONE

    said = capsys.readouterr().err
    assert ("done before the interruption: 2 of 3 images" in said) is interrupted
    assert ("interruption" in said) is interrupted


def test_each_state_is_shown_with_what_is_known_by_then(pictures: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def show(_job: Job, progress: Progress | None) -> None:
        assert progress
        seen.append((progress.state, len(progress.ks), len(progress.silhouettes)))

    run = LocalRun(tmp_path / "out", {"k-min": "3", "k-max": "5"}, show)
    (outcome,) = run.outcomes([Job(pictures / "a.png", Path("deep/a.png"))])

    assert seen == [
        ("Sample", 0, 0),
        *(("ScoreEachK", 3, scored) for scored in range(4)),
        ("Render", 3, 3),
    ]
    assert outcome.result
    assert outcome.result.source.key == "deep/a.png"
    assert outcome.seconds


def test_images_nobody_waits_for_are_not_finished(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "MOST_AT_ONCE", 1)
    seen = []

    def show(job: Job, progress: Progress | None) -> None:
        seen.append(job.name.name)

    outcomes = LocalRun(tmp_path / "out", {}, show).outcomes(jobs_in(pictures))
    next(outcomes)
    cast("Generator[Outcome]", outcomes).close()

    assert "c.png" not in seen
    assert not (tmp_path / "out/c.png").exists()


def test_image_nobody_waits_for_is_broken_off(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "MOST_AT_ONCE", 1)
    closing = threading.Event()

    def show(job: Job, _progress: Progress | None) -> None:
        if job.name.name == "b.png":
            closing.wait(10)

    outcomes = LocalRun(tmp_path / "out", {}, show).outcomes(jobs_in(pictures)[:2])
    next(outcomes)
    closing.set()
    cast("Generator[Outcome]", outcomes).close()

    assert not (tmp_path / "out/b.png").exists()


def test_progress_holds_still_while_it_is_shown(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loky.cpu_count", lambda: 4)

    def show(job: Job, progress: Progress | None) -> None:
        assert progress
        for _ in progress.silhouettes:
            time.sleep(0.002)

    run = LocalRun(tmp_path / "out", {"k-min": "3", "k-max": "12"}, show)
    assert [outcome.error for outcome in run.outcomes(jobs_in(pictures)[:1])] == [""]


def test_bucket_takes_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--bucket-prefix", ""])
    assert ended.value.code == 2
    assert "give --stack" in capsys.readouterr().err


def test_palette_that_is_nowhere_is_told_once(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main([str(pictures), "--out", out, "--palette", "mine.gpl"]) == BAD_USAGE
    assert capsys.readouterr().err == "error: mine.gpl: no such file\n"


def test_option_of_the_bucket_is_refused_in_this_process(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(pictures), "--out", str(tmp_path / "out"), "--suffix", ".jpg"]) == BAD_USAGE
    assert "--suffix: only for images in the bucket" in capsys.readouterr().err


AWS = {"boto3", "botocore", "aws_lambda_powertools"}

ONLY_ON_LINUX = {
    *("curses", "fcntl", "grp", "nis", "posix", "pty", "pwd", "resource", "spwd", "syslog"),
    *("termios", "tty"),
}
"""Python's modules that Windows lacks: https://docs.python.org/3/py-modindex.html"""


def imported_by(script: str, *arguments: object) -> set[str]:
    """Run a script without what only Linux has; return what it imported of ours and AWS's."""
    # Python itself has begun with posix.
    without = f"import sys; sys.modules.update(dict.fromkeys({sorted(ONLY_ON_LINUX - {'posix'})}))"
    code = f"{without}; {script}; print(*sys.modules)"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    return {name for name in modules if name.startswith("quantization") or name in AWS}


def test_command_does_without_aws_and_without_what_only_linux_has(
    pictures: Path, tmp_path: Path
) -> None:
    script = "from quantization_client.main import main; main(sys.argv[1:])"
    modules = imported_by(script, pictures / "a.png", "--out", tmp_path / "out", "--quiet")
    assert (tmp_path / "out/a.png").exists()
    assert "quantization.in_process" in modules
    assert not modules & AWS
    assert not names_of_linux(modules)


def test_client_of_a_stack_does_without_what_only_linux_has() -> None:
    modules = imported_by("import quantization_client.on_stack, quantization_client.palettes")
    assert modules >= AWS - {"aws_lambda_powertools"}
    assert not names_of_linux(modules - AWS)


def test_names_of_linux_are_found() -> None:
    assert names_of_linux({"emulator.engine"})
    assert names_of_linux({"quantization.service.storage.uploads"}) == [
        "quantization.service.storage.uploads: /proc/self/fd/"
    ]


def names_of_linux(modules: set[str]) -> list[str]:
    """Return what only Linux has among the names and texts of modules."""
    functions = {"fork", "posix_spawn", "posix_spawnp", "sched_getaffinity", "memfd_create"}
    found = []
    for module in modules:
        spec = find_spec(module)
        assert spec
        for node in ast.walk(ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    used = {alias.name for alias in names} & ONLY_ON_LINUX
                case ast.ImportFrom(module=str(name)):
                    used = {name} & ONLY_ON_LINUX
                case ast.Attribute(attr=name):
                    used = {name} & functions
                case ast.Constant(value=str(text)) if text.startswith(("/proc", "/dev", "/sys")):
                    used = {text}
                case _:
                    used = set()
            found += [f"{module}: {name}" for name in used]
    return found
