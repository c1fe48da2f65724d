"""Quantize what lies in the input bucket already: start the backfill, follow it, sum it up."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from quantization_client.patience import patiently
from quantization_client.stack import Stack

FOLDER = ".backfill"
"""In the output bucket; statemachine/backfill.asl.yaml writes there."""

NEVER_BEGUN = "PENDING"
"""Status of a child that had not begun when the backfill ended."""

RUNNING = "RUNNING"

SHOWN_FAILURES = 20


@dataclass(frozen=True)
class Counts:
    """How many objects of a backfill are how far; `total` grows while the list is read."""

    total: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Objects that there is nothing left to do for."""
        return self.succeeded + self.failed


@dataclass
class Summary:
    """What became of the objects.

    Attributes
    ----------
    status : str
        Of the execution: "SUCCEEDED", "FAILED", "ABORTED" or "TIMED_OUT".
    outcomes : Counter of str
        Objects by outcome: "quantized", "up to date", "superseded", "left out", "gone", or the name
        of an error.
    failed : int
        Objects that have no outcome, for their child failed, ran out of time or was stopped.
    failures : list of (key, error, cause)
        The first of them.
    manifest : str
        Address of the list of all results.
    cause : str
        Why the execution failed.
    """

    status: str
    manifest: str
    cause: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)


class Backfill:
    """One execution of a backfill machine; `status` is what it was when it was looked at last."""

    def __init__(self, stack: Stack, execution: str) -> None:
        self.execution = execution
        self.status = RUNNING
        self._stack = stack

    @classmethod
    def start(cls, stack: Stack, source: dict[str, Any], settings: dict[str, Any]) -> "Backfill":
        """Start it over a source: ``{"prefix": ...}``, ``{"list": ...}`` or ``{"inventory": ...}``.

        Parameters
        ----------
        stack : Stack
        source : dict
            Of one entry; for a list or an inventory, of its `bucket` and `key`.
        settings : dict
            The rest of the machine's input.
        """
        (kind,) = source
        return cls(stack, stack.start(stack.backfills[kind], json.dumps(source | settings)))

    def follow(self, show: Callable[[Counts], None]) -> str:
        """Wait for its end, telling how far it is; return its status.

        Raises
        ------
        ClientError, BotoCoreError
            If AWS refuses a look at it, or is busy or out of reach for long.
        """
        poll_seconds = self._stack.poll_seconds
        while True:
            self.status = patiently(self._describe, poll_seconds)["status"]
            show(patiently(self.counts, poll_seconds))
            if self.status != RUNNING:
                return self.status
            time.sleep(poll_seconds)

    def counts(self) -> Counts:
        """Return how far it is."""
        if (run := self._run()) is None:
            return Counts()
        counts = self._stack.states.describe_map_run(mapRunArn=run)["itemCounts"]
        failed = counts["failed"] + counts["timedOut"]
        return Counts(counts["total"], counts["running"], counts["succeeded"], failed)

    def summary(self) -> Summary:
        """Read what became of each object; row by row, for there may be millions."""
        described = self._describe()
        folder = f"{FOLDER}/{(self._run() or '').rpartition(':')[2]}"
        bucket = self._stack.output_bucket
        summary = Summary(described["status"], f"s3://{bucket}/{folder}/manifest.json")
        summary.cause = described.get("cause", "")
        for row in self._rows(f"{folder}/manifest.json"):
            if "outcome" in row:
                summary.outcomes[row["outcome"]] += 1
                continue
            error = row.get("Error", row["Status"])
            summary.outcomes[error] += 1
            if row["Status"] == NEVER_BEGUN:
                continue
            summary.failed += 1
            if len(summary.failures) < SHOWN_FAILURES:
                key = json.loads(row["Input"])["key"]
                summary.failures.append((key, error, row.get("Cause", "")))
        return summary

    def _describe(self) -> Any:
        return self._stack.states.describe_execution(executionArn=self.execution)

    def _run(self) -> str | None:
        runs = self._stack.states.list_map_runs(executionArn=self.execution)["mapRuns"]
        return runs[0]["mapRunArn"] if runs else None

    def _rows(self, manifest: str) -> Iterator[dict[str, Any]]:
        s3, bucket = self._stack.s3, self._stack.output_bucket
        try:
            listed = json.loads(s3.get_object(Bucket=bucket, Key=manifest)["Body"].read())
        except s3.exceptions.NoSuchKey:  # An execution that was stopped writes none.
            return
        for files in listed["ResultFiles"].values():
            for file in files:
                for line in s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].iter_lines():
                    yield msgspec.json.decode(line)


def upload_list(stack: Stack, file: Path) -> dict[str, str]:
    """Upload a file of one key a line to the work bucket; return where it lies."""
    place = {"bucket": stack.work_bucket, "key": f"lists/{time.time_ns()}.csv"}
    stack.s3.upload_file(str(file), place["bucket"], place["key"])
    return place
