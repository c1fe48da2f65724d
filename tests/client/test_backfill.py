"""The client's part in a backfill: what it starts, and how it sums up what became of it."""

import io
import json

import pytest

from quantization_client.backfill import Backfill, Counts
from quantization_client.jobs import StackError
from quantization_client.main import BAD_USAGE, NO_STACK, SOME_FAILED, command
from quantization_client.on_stack import quantize
from quantization_client.show import bucket_summary
from quantization_client.stack import Stack

RUN = "arn:aws:states:eu-west-1:123456789012:mapRun:machine/Object:run-1"
COUNTS = {"total": 4, "running": 0, "succeeded": 3, "failed": 1, "timedOut": 0}
ROWS = {
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


class States:
    """Step Functions, where a backfill runs for two looks."""

    def __init__(self) -> None:
        self.started: list[dict] = []
        self.looks = 0

    def start_execution(self, **arguments):
        self.started.append(arguments)
        return {"executionArn": "arn"}

    def describe_execution(self, executionArn):  # noqa: N803 - as boto3 has it
        self.looks += 1
        return {"status": "RUNNING" if self.looks < 3 else "SUCCEEDED"}

    def list_map_runs(self, executionArn):  # noqa: N803
        return {"mapRuns": [{"mapRunArn": RUN}] if self.looks > 1 else []}

    def describe_map_run(self, mapRunArn):  # noqa: N803
        return {"itemCounts": COUNTS}


class Results:
    """S3, with the results of the backfill."""

    class exceptions:  # noqa: N801
        NoSuchKey = KeyError

    def __init__(self) -> None:
        self.objects = {
            f".backfill/run-1/{name}.jsonl": "".join(json.dumps(row) + "\n" for row in rows)
            for name, rows in ROWS.items()
        }
        files = {name: [{"Key": f".backfill/run-1/{name}.jsonl"}] for name in ROWS}
        self.objects[".backfill/run-1/manifest.json"] = json.dumps({"ResultFiles": files})

    def get_object(self, Bucket, Key):  # noqa: N803
        return {"Body": Body(self.objects[Key].encode())}


class Body(io.BytesIO):
    """What S3 answers with."""

    def iter_lines(self):
        return self.getvalue().splitlines()


@pytest.fixture
def stack():
    machines = {kind: f"machine of the {kind}" for kind in ("prefix", "list", "inventory")}
    return Stack(Results(), States(), "in", "work", "out", "machine", machines, 0)


def run(stack, *arguments: str) -> int:
    options = command().parse_args(["--stack", "any", *arguments])
    return quantize(options, lambda: stack)


def test_it_starts_the_machine_that_reads_the_list_from_there(stack, capsys):
    arguments = ["--bucket-inventory", "s3://lists/a/manifest.json", "--dither", "ordered"]
    assert run(stack, *arguments, "--max-concurrency", "7") == SOME_FAILED
    (started,) = stack.states.started
    assert started["stateMachineArn"] == "machine of the inventory"
    assert json.loads(started["input"]) == {
        "inventory": {"bucket": "lists", "key": "a/manifest.json"},
        "options": {"dither": "ordered"},
        "max_concurrency": 7,
    }


def test_an_empty_prefix_is_the_whole_bucket(stack, capsys):
    run(stack, "--bucket-prefix", "")
    (started,) = stack.states.started
    assert json.loads(started["input"]) == {"prefix": "", "options": {}}


def test_it_is_followed_from_before_there_is_a_run_to_its_end(stack):
    seen: list[Counts] = []
    assert Backfill(stack, "arn").follow(seen.append) == "SUCCEEDED"
    assert [counts.ended for counts in seen] == [0, 4, 4]


def test_summary_counts_outcomes_and_names_failures(stack):
    stack.states.looks = 2
    summary = Backfill(stack, "arn").summary()
    assert summary.outcomes == {"quantized": 2, "up to date": 1, "UnsupportedImage": 1}
    assert summary.failures == [("d.png", "UnsupportedImage", "no image")]
    assert "d.png: UnsupportedImage: no image" in bucket_summary(summary).plain


def test_stopped_backfill_has_no_list_of_results(stack):
    stack.states.looks = 2
    stack.s3.objects.clear()
    assert not Backfill(stack, "arn").summary().outcomes


def test_summary_for_scripts_is_one_line_of_json(stack, capsys):
    run(stack, "--bucket-prefix", "", "--json")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcomes"]["quantized"] == 2


def test_files_and_the_bucket_are_not_mixed(stack, tmp_path, capsys):
    assert run(stack, "--bucket-prefix", "a", str(tmp_path)) == BAD_USAGE
    assert run(stack, "--bucket-list", str(tmp_path / "none")) == BAD_USAGE
    assert not stack.states.started


def test_stack_that_is_not_there_is_told(capsys):
    options = command().parse_args(["--stack", "none", "--bucket-prefix", "a"])

    def connect():
        raise StackError("no stack named 'none' is deployed")

    assert quantize(options, connect) == NO_STACK
