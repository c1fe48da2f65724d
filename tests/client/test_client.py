"""The client's parts that need no engine: images found, history read, progress shown, memory."""

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client
from mypy_boto3_stepfunctions import SFNClient

from emulator.engine import ROOT
from quantization.options import FIELDS
from quantization_client.finding import find_jobs, same_names
from quantization_client.follow import PAGE_SIZE, Execution
from quantization_client.jobs import Ended, Progress, UsageError
from quantization_client.journal import Entry, Journal
from quantization_client.live import silhouette_chart, state_line
from quantization_client.main import BAD_USAGE, command, main
from quantization_client.stack import Stack

KS = list(range(8, 33))
START = datetime(2026, 1, 1, tzinfo=UTC)


def history(last: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of an execution in which K = 9 fails and the silhouette of K is 1 / K."""

    def left(name: str, k: int, silhouette: float | None) -> dict[str, Any]:
        output = json.dumps({"k": k, "silhouette": silhouette, "inertia": 1.0, "more": "..."})
        return {"type": "X", "stateExitedEventDetails": {"name": name, "output": output}}

    def entered(kind: str, name: str, text: str = "{}") -> dict[str, Any]:
        return {
            "type": f"{kind}StateEntered",
            "stateEnteredEventDetails": {"name": name, "input": text},
        }

    events = [
        {"type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}},
        entered("Task", "Sample"),
        entered("Map", "ScoreEachK", json.dumps({"ks": KS, "sample": {}})),
        *[entered("Task", "ScoreK") for _ in KS],
        *[{"type": "TaskScheduled"} for _ in KS],
        *[left("ScoreK", k, None if k == 9 else 1 / k) for k in KS],
        entered("Pass", "SkipK"),
        left("SkipK", 9, None),
        entered("Task", "Render"),
        last,
    ]
    return [
        event | {"id": number, "timestamp": START + timedelta(seconds=number)}
        for number, event in enumerate(events, 1)
    ]


SUCCEEDED = {"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": "{}"}}


class History:
    """Step Functions, telling the first so many events of a history."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.told = 0

    def get_paginator(self, operation: str) -> "History":
        assert operation == "get_execution_history"
        return self

    def paginate(
        self,
        *,
        executionArn: str,  # noqa: N803
        reverseOrder: bool,  # noqa: N803
        PaginationConfig: dict[str, int],  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        assert executionArn == "arn"
        assert reverseOrder
        size = PaginationConfig["PageSize"]
        known = self.events[: self.told][::-1]
        for start in range(0, len(known), size):
            yield {"events": known[start : start + size]}


def execution_of(history: History) -> Execution:
    s3, states = cast(S3Client, None), cast(SFNClient, history)
    return Execution(Stack(s3, states, "in", "work", "out", "machine", {}, 0), "arn")


@given(st.lists(st.integers(1, len(history(SUCCEEDED)))))
def test_progress_is_the_same_however_often_one_looks(looks: list[int]) -> None:
    events = history(SUCCEEDED)
    states = History(events)
    execution = execution_of(states)
    for states.told in [*sorted(looks), len(events)]:
        progress = execution.poll()

    assert len(events) > PAGE_SIZE
    assert progress == Progress(
        state="Render",
        ks=KS,
        silhouettes={k: None if k == 9 else 1 / k for k in KS},
        ended=Ended(seconds=len(events) - 1, output="{}"),
    )


def test_nothing_is_known_before_the_start() -> None:
    assert execution_of(History([])).poll() == Progress()


@pytest.mark.parametrize(
    ("last", "error", "cause"),
    [
        (
            {
                "type": "ExecutionFailed",
                "executionFailedEventDetails": {"error": "E", "cause": "c"},
            },
            "E",
            "c",
        ),
        (
            {"type": "ExecutionAborted", "executionAbortedEventDetails": {}},
            "ExecutionAborted",
            "no cause given",
        ),
        ({"type": "ExecutionTimedOut"}, "ExecutionTimedOut", "no cause given"),
        *(
            ({"type": kind, f"e{kind[1:]}EventDetails": {"error": "E", "cause": "c"}}, "E", "c")
            for kind in ("ExecutionAborted", "ExecutionTimedOut")
        ),
    ],
)
def test_failed_execution_says_why(last: dict[str, Any], error: str, cause: str) -> None:
    states = History(history(last))
    states.told = len(states.events)

    ended = execution_of(states).poll().ended

    assert ended is not None
    assert (ended.output, ended.error, ended.cause) == (None, error, cause)


def test_chart_has_a_character_for_each_k() -> None:
    progress = Progress("ScoreK", [8, 9, 10, 11, 12], {8: 0.25, 9: 0.5, 10: None, 12: 0.4})

    assert silhouette_chart(progress) == "▁█x·▅"
    assert state_line(progress) == "4/5 K=9 0.50"


def test_chart_of_equal_silhouettes_is_full() -> None:
    assert silhouette_chart(Progress("ScoreK", [8, 9], {8: 0.5, 9: 0.5})) == "██"
    assert silhouette_chart(Progress("ScoreK", [8, 9], {8: None})) == "x·"
    assert silhouette_chart(Progress("Sample")) == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "deep/er/a.png", "notes.txt", "deep/._c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_images_of_folders_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [f"{number}/{letter}.png" for number in (3, 1, 4, 2) for letter in "ba"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [job.name.as_posix() for job in find_jobs([tmp_path], tmp_path)] == sorted(names)


def test_folder_gives_its_images(folder: Path) -> None:
    jobs = find_jobs([folder], folder)

    assert [str(job.name) for job in jobs] == ["b.JPG", "deep/er/a.png"]
    assert [job.stem for job in jobs] == ["b", "deep/er/a"]


def test_named_file_is_taken_whatever_its_name(folder: Path) -> None:
    (job,) = find_jobs([folder / "notes.txt", folder / "notes.txt"], folder)

    assert (job.path, job.stem) == (folder / "notes.txt", "notes")


def test_image_whose_name_is_taken_is_left_out_by_name(folder: Path) -> None:
    (folder / "b.png").touch()
    jobs = find_jobs([folder, folder], folder)

    assert [str(job.name) for job in jobs] == ["b.JPG", "b.png", "deep/er/a.png"]
    ((left_out, error),) = same_names(jobs).items()
    assert left_out.path == folder / "b.png"
    assert error.startswith(f"NameTaken: {folder / 'b.JPG'} and {folder / 'b.png'} would")


@pytest.mark.parametrize(
    ("image", "said"),
    [("none.jpg", "{}: no such file or folder"), ("folder.png", "no image in {}")],
)
def test_missing_image_is_bad_usage(folder: Path, image: str, said: str) -> None:
    path = folder / image
    with pytest.raises(UsageError, match=re.escape(said.format(path))):
        find_jobs([path], folder)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes among its files")
def test_named_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to("nowhere")

    found = {job.name.name for job in find_jobs([folder], folder)}

    assert "pipe.png" not in found
    assert "gone.png" in found


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes among its files")
def test_named_pipe_is_bad_usage_that_tells_how_to_read_from_pipes(folder: Path) -> None:
    pipe = folder / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="neither a file nor a folder; read from a pipe with -"):
        find_jobs([pipe], folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--palettes", "gpl,aco"], "palettes 'gpl,aco' is not some of gpl, ase, css"),
        (["--k-min", "17", "--k-max", "16"], "k-min 17 is above k-max 16"),
        (["--k-max", "257"], "k-max '257' is not a whole number from 1 to 256"),
        (["--error-budget", "50"], "error-budget '50' is not a number from 0.1 to 20"),
        (["--keep", "red"], "keep 'red' is not a list of hex colors"),
        (["--palette", "README.md"], "palette 'README.md' is not a list of hex colors"),
        (["--palette", str(ROOT / "events/upload.json")], "upload.json is not read as a palette"),
    ],
)
def test_what_no_stack_takes_is_bad_usage(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["none.jpg", "--stack", "none", *arguments]) == BAD_USAGE

    assert said in capsys.readouterr().err


def test_empty_name_is_not_this_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([""])

    assert left.value.code == BAD_USAGE
    assert "argument IMAGE: the name is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--critrion", "guarded"], "error: --critrion: no such option; --criterion is meant"),
        (["--colours=12"], "error: --colours: no such option; --k is meant"),
        (["--resize", "50"], "error: --resize: no such option"),
        (["-x"], "error: -x: no such option"),
    ],
)
def test_unknown_flag_is_refused_with_the_one_that_is_meant(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["none.jpg", *arguments])

    assert left.value.code == BAD_USAGE
    assert capsys.readouterr().err.endswith(f"{said}\n")


def test_palette_file_is_given_as_its_colors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path
) -> None:
    (tmp_path / "Brand.GPL").write_text("GIMP Palette\n255 204 0\n0 0 0\n255 204 0\n")
    monkeypatch.chdir(tmp_path)

    assert main([str(photo), "--palette", "Brand.GPL", "--palettes", "css"]) == 0

    result = json.loads((tmp_path / "out/china.json").read_text())
    assert result["options"]["palette"] == ["#ffcc00", "#000000"]
    assert {swatch["color"] for swatch in result["palette"]} == {"#ffcc00", "#000000"}


def test_every_option_has_a_flag_of_its_name() -> None:
    flags = {flag for action in command()._actions for flag in action.option_strings}

    assert {f"--{name}" for name in FIELDS} <= flags


def test_journal_remembers_until_it_forgets(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first, second = Path("a.jpg"), Path("deep/a.jpg")
    entry = Entry(1, 2, "bucket", {"criterion": "c"}, "version", "arn", done=True)
    other = Entry(3, 4, "bucket", {}, "other")
    journal.write(first, entry)
    journal.write(second, other)

    assert Journal(tmp_path).read(first) == entry
    assert Journal(tmp_path).read(Path("a.png")) is None
    journal.forget(first)
    assert journal.read(first) is None
    assert journal.read(second) == other
    journal.forget(second)
    assert list(tmp_path.iterdir()) == []
