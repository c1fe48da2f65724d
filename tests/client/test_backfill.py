"""The client's part in a backfill: what it starts, and how it sums up what became of it."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from mypy_boto3_s3 import S3Client
from mypy_boto3_stepfunctions import SFNClient

from quantization_client.backfill import SHOWN_FAILURES, Backfill, Counts, Summary
from quantization_client.entry import INTERRUPTED
from quantization_client.jobs import StackError
from quantization_client.main import ALL_DONE, BAD_USAGE, NO_STACK, SOME_FAILED, command
from quantization_client.on_stack import quantize
from quantization_client.patience import PATIENCE_SECONDS
from quantization_client.show import bucket_summary
from quantization_client.stack import Stack
from tests.support.busy_account import Clock, refusal

RUN = "arn:aws:states:eu-west-1:123456789012:mapRun:machine/Object:run-1"
COUNTS = {"total": 6, "running": 0, "succeeded": 3, "failed": 1, "timedOut": 2}
ROWS: dict[str, list[dict[str, Any]]] = {
    "SUCCEEDED": [
        {"key": "a.png", "outcome": "quantized", "k": 8, "execution": "arn"},
        {"key": "b.png", "outcome": "up to date", "k": 9},
        {"key": "c.png", "outcome": "quantized", "k": 8, "execution": "arn"},
    ],
    "FAILED": [
        {
            "Status": "FAILED",
            "Input": json.dumps({"key": "d.png"}),
            "Error": "UnsupportedImage",
            "Cause": "no image",
        }
    ],
    "PENDING": [],
}


Fault = Callable[[], BaseException | None]


class States:
    """Step Functions, where a backfill runs for two looks; `fault` may go wrong before one."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.looks = 0
        self.fault: Fault = lambda: None
        self.start_fault: Fault = lambda: None

    def start_execution(self, **arguments: Any) -> dict[str, str]:
        self.started.append(arguments)
        if error := self.start_fault():
            raise error
        return {"executionArn": "arn"}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803 - as boto3 has it
        if error := self.fault():
            raise error
        self.looks += 1
        return {"status": "RUNNING" if self.looks < 3 else "SUCCEEDED"}

    def list_map_runs(self, executionArn: str) -> dict[str, list[dict[str, str]]]:  # noqa: N803
        return {"mapRuns": [{"mapRunArn": RUN}] if self.looks > 1 else []}

    def describe_map_run(self, mapRunArn: str) -> dict[str, dict[str, int]]:  # noqa: N803
        return {"itemCounts": COUNTS}


class Results:
    """S3, with the results of the backfill."""

    class exceptions:  # noqa: N801
        NoSuchKey = KeyError

    def __init__(self) -> None:
        self.fault: Fault = lambda: None
        self.objects = {
            f".backfill/run-1/{name}.jsonl": "".join(json.dumps(row) + "\n" for row in rows)
            for name, rows in ROWS.items()
        }
        files = {name: [{"Key": f".backfill/run-1/{name}.jsonl"}] for name in ROWS}
        self.objects[".backfill/run-1/manifest.json"] = json.dumps({"ResultFiles": files})

    def get_object(self, Bucket: str, Key: str) -> dict[str, "Body"]:  # noqa: N803
        if error := self.fault():
            raise error
        return {"Body": Body(self.objects[Key].encode())}


class Body(io.BytesIO):
    """What S3 answers with."""

    def iter_lines(self) -> list[bytes]:
        return self.getvalue().splitlines()


@pytest.fixture
def states() -> States:
    return States()


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def stack(results: Results, states: States) -> Stack:
    machines = {kind: f"machine of the {kind}" for kind in ("prefix", "list", "inventory")}
    s3, sfn = cast(S3Client, results), cast(SFNClient, states)
    return Stack(s3, sfn, "in", "work", "out", "machine", machines, 0)


def run(stack: Stack, *arguments: str) -> int:
    options = command().parse_args(["--stack", "any", *arguments])
    return quantize(options, lambda: stack)


def test_it_starts_the_machine_that_reads_the_list_from_there(
    stack: Stack, states: States, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bucket-inventory", "s3://lists/a/manifest.json", "--dither", "ordered"]
    assert run(stack, *arguments, "--max-concurrency", "7") == SOME_FAILED
    (started,) = states.started
    assert started["stateMachineArn"] == "machine of the inventory"
    assert json.loads(started["input"]) == {
        "inventory": {"bucket": "lists", "key": "a/manifest.json"},
        "options": {"dither": "ordered"},
        "max_concurrency": 7,
    }


@pytest.mark.usefixtures("clock")
def test_start_that_gets_no_answer_is_tried_again_by_the_same_name(
    stack: Stack, states: States
) -> None:
    """Else a second backfill of the same bucket would begin."""
    lost = EndpointConnectionError(endpoint_url="https://states")
    faults = iter([lost, refusal("ThrottlingException"), None])
    states.start_fault = lambda: next(faults)

    Backfill.start(stack, {"prefix": ""}, {})
    first, *others = states.started
    assert others == [first, first]

    states.start_fault = lambda: None
    Backfill.start(stack, {"prefix": ""}, {})
    assert states.started[-1]["name"] != first["name"]


def test_an_empty_prefix_is_the_whole_bucket(
    stack: Stack, states: States, capsys: pytest.CaptureFixture[str]
) -> None:
    run(stack, "--bucket-prefix", "")
    (started,) = states.started
    assert json.loads(started["input"]) == {"prefix": "", "options": {}}


def test_it_is_followed_from_before_there_is_a_run_to_its_end(stack: Stack) -> None:
    seen: list[Counts] = []
    assert Backfill(stack, "arn").follow(seen.append) == "SUCCEEDED"
    assert [counts.ended for counts in seen] == [0, 6, 6]


def test_summary_counts_outcomes_and_names_failures(stack: Stack, states: States) -> None:
    states.looks = 2
    summary = Backfill(stack, "arn").summary()
    assert summary.outcomes == {"quantized": 2, "up to date": 1, "UnsupportedImage": 1}
    assert summary.failures == [("d.png", "UnsupportedImage", "no image")]
    assert "d.png: UnsupportedImage: no image" in bucket_summary(summary).plain


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_object_that_was_cut_short_has_failed(
    stack: Stack, results: Results, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"Status": status, "Input": json.dumps({"key": "e.png"})}
    results.objects[".backfill/run-1/FAILED.jsonl"] = json.dumps(row)

    assert run(stack, "--bucket-prefix", "") == SOME_FAILED

    assert f"e.png: {status}" in capsys.readouterr().out.splitlines()


def test_all_failures_are_counted_and_the_first_are_shown(
    stack: Stack, results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = ROWS["FAILED"]
    results.objects[".backfill/run-1/FAILED.jsonl"] = (json.dumps(row) + "\n") * 50

    assert run(stack, "--bucket-prefix", "", "--json") == SOME_FAILED

    summary = json.loads(capsys.readouterr().out)
    assert summary["failed"] == summary["outcomes"]["UnsupportedImage"] == 50
    assert len(summary["failures"]) == SHOWN_FAILURES


def test_object_that_was_never_begun_has_not_failed(
    stack: Stack, states: States, results: Results
) -> None:
    states.looks = 2
    row = {"Status": "PENDING", "Input": json.dumps({"key": "e.png"})}
    results.objects[".backfill/run-1/PENDING.jsonl"] = json.dumps(row)

    summary = Backfill(stack, "arn").summary()

    assert summary.outcomes["PENDING"] == 1
    assert (summary.failed, len(summary.failures)) == (1, 1)


@pytest.mark.parametrize(
    ("looks", "said"),
    [(0, "the backfill ended as RUNNING"), (2, "no such object is in the bucket")],
)
def test_list_of_results_is_not_named_where_there_is_none(
    stack: Stack, states: States, results: Results, looks: int, said: str
) -> None:
    states.looks = looks
    results.objects.clear()
    summary = Backfill(stack, "arn").summary()
    assert not summary.outcomes
    assert bucket_summary(summary).plain == said


def test_backfill_that_failed_says_why() -> None:
    summary = Summary("FAILED", "s3://out/manifest.json", "too many have failed")
    assert bucket_summary(summary).plain == "the backfill ended as FAILED: too many have failed"


def test_cause_of_a_backfill_that_failed_is_told(
    stack: Stack,
    states: States,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    states.looks = 2
    ended = {"status": "FAILED", "cause": "too many have failed"}
    monkeypatch.setattr(states, "describe_execution", lambda **_: ended)

    assert run(stack, "--bucket-prefix", "") == SOME_FAILED

    assert "the backfill ended as FAILED: too many have failed" in capsys.readouterr().out


def test_backfill_without_a_failure_is_all_done(
    stack: Stack, results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    results.objects[".backfill/run-1/FAILED.jsonl"] = ""

    assert run(stack, "--bucket-prefix", "") == ALL_DONE

    assert capsys.readouterr().out.splitlines() == [
        "         2 quantized",
        "         1 up to date",
        "all results: s3://out/.backfill/run-1/manifest.json",
    ]


def test_summary_for_scripts_is_one_line_of_json(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    run(stack, "--bucket-prefix", "", "--json")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcomes"]["quantized"] == 2


def test_files_and_the_bucket_are_not_mixed(
    stack: Stack, states: States, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, "--bucket-prefix", "a", str(tmp_path)) == BAD_USAGE
    assert not states.started


@pytest.mark.parametrize(("name", "why"), [("none", "No such file"), ("", "Is a directory")])
def test_list_that_cannot_be_read_is_told_before_anything_starts(
    stack: Stack,
    states: States,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    why: str,
) -> None:
    file = tmp_path / name
    assert run(stack, "--bucket-list", str(file)) == BAD_USAGE
    assert capsys.readouterr().err.startswith(f"error: {file}: {why}")
    assert not states.started


@pytest.mark.parametrize(
    "given", [["--out", "out"], ["--force"], ["--again", "a.json"], ["--open"]]
)
def test_options_of_files_are_refused_beside_the_bucket(
    stack: Stack, states: States, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, "--bucket-prefix", "a", *given) == BAD_USAGE
    assert f"{given[0]}: only for image files" in capsys.readouterr().err
    assert not states.started


def test_options_of_the_bucket_are_refused_without_it(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = command().format_help().partition("images in the bucket:\n")[2].partition("\n\n")[0]
    flags = re.findall("^  (--[a-z-]+)", group, re.MULTILINE)
    others = [flag for flag in flags if not flag.startswith("--bucket-")]
    assert len(others) > 2
    for flag in others:
        assert run(stack, str(tmp_path), flag, "1") == BAD_USAGE
        assert f"{flag}: only for images in the bucket" in capsys.readouterr().err


def test_no_tolerated_failure_is_asked_for(stack: Stack, states: States) -> None:
    run(stack, "--bucket-prefix", "a", "--tolerated-failures", "0", "--max-concurrency", "1")
    (started,) = states.started
    assert json.loads(started["input"])["tolerated_failure_percentage"] == 0


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        *(("--max-concurrency", n, "a whole number from 1") for n in ("0", "-1", "1.5", "x")),
        *(("--tolerated-failures", n, "a number from 0 to 100") for n in ("-1", "101", "nan", "x")),
    ],
)
def test_numbers_that_aws_refuses_or_takes_otherwise_are_bad_usage(
    flag: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command().parse_args(["--stack", "any", "--bucket-prefix", "a", f"{flag}={value}"])
    assert ended.value.code == BAD_USAGE
    assert f"argument {flag}: {value!r} is not {said}" in capsys.readouterr().err


def test_stack_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    options = command().parse_args(["--stack", "none", "--bucket-prefix", "a"])

    def connect() -> Stack:
        raise StackError("no stack named 'none' is deployed")

    assert quantize(options, connect) == NO_STACK


LOST = EndpointConnectionError(endpoint_url="https://states")
GOES_ON = "the backfill goes on; to stop it: aws stepfunctions stop-execution --execution-arn arn"


@pytest.fixture
def slow_stack(stack: Stack, clock: Clock) -> Stack:
    """Return the stack, looked at once a second."""
    return replace(stack, poll_seconds=1)


def for_a_minute(clock: Clock, error: Exception) -> Fault:
    return lambda: error if clock.now < 60 else None


@pytest.mark.parametrize("at", ["states", "results"])
@pytest.mark.parametrize(
    "error", [LOST, refusal("ThrottlingException"), refusal("InternalError", 500)]
)
def test_fault_that_passes_is_waited_out(
    slow_stack: Stack,
    clock: Clock,
    at: str,
    error: Exception,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request.getfixturevalue(at).fault = for_a_minute(clock, error)

    assert run(slow_stack, "--bucket-prefix", "") == SOME_FAILED

    said = capsys.readouterr()
    assert "2 quantized" in said.out
    assert said.err.splitlines() == ["execution arn"]
    assert clock.now == pytest.approx(60, abs=15)


@pytest.mark.parametrize(
    ("error", "waited"), [(LOST, PATIENCE_SECONDS), (refusal("ExpiredTokenException"), 0)]
)
def test_fault_that_stays_ends_the_command_but_not_the_backfill(
    slow_stack: Stack,
    states: States,
    clock: Clock,
    error: Exception,
    waited: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    looked = iter([None])
    states.fault = lambda: next(looked, error)

    assert run(slow_stack, "--bucket-prefix", "") == NO_STACK

    assert capsys.readouterr().err.splitlines()[1:] == [f"error: {error}", GOES_ON]
    assert clock.now == pytest.approx(1 + waited, abs=15)


@pytest.mark.parametrize(
    ("error", "code"),
    [(refusal("AccessDenied", 403), NO_STACK), (KeyboardInterrupt(), INTERRUPTED)],
)
@pytest.mark.parametrize(("at", "goes_on"), [("states", True), ("results", False)])
def test_backfill_is_said_to_go_on_only_while_it_runs(
    slow_stack: Stack,
    error: BaseException,
    code: int,
    at: str,
    goes_on: bool,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request.getfixturevalue(at).fault = lambda: error

    assert run(slow_stack, "--bucket-prefix", "") == code

    assert (GOES_ON in capsys.readouterr().err.splitlines()) == goes_on


def test_list_that_s3_refuses_is_told_in_one_line(
    stack: Stack,
    states: States,
    s3: S3Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("a.png\n")
    with Stubber(s3) as stubber:
        stubber.add_client_error("put_object", "AccessDenied", "Access Denied", 403)
        assert run(replace(stack, s3=s3), "--bucket-list", str(keys)) == NO_STACK

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: Failed to upload {keys} to work/lists/")
    assert "AccessDenied" in said
    assert not states.started
