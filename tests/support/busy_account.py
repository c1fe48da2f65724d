# ruff: noqa: N803 - the arguments are named as boto3 names them
"""An AWS account in simulated time: its quotas, its past executions, other users and faults.

It answers the calls of S3 and Step Functions that the client makes, as boto3's clients would. The
quotas are those of the largest regions:
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Source
from quantization_client.stack import AWS_POLL_SECONDS, Stack
from tests.support.results import result_with

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:quantize"
KS = range(8, 33)
QUOTAS = {
    "describe_execution": (300, 15),
    "list_executions": (200, 5),
    "get_execution_history": (400, 20),
    "start_execution": (1300, 300),
}
"""Of each call that is throttled: the bucket's size, and tokens a second."""

LATENCY_SECONDS = 0.05
EVENT_SECONDS = 1.0
"""From an upload to EventBridge's call of StartExecution."""

ATTEMPTS = 5
"""Of boto3's default way to try again."""

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Stands in for the module `time`: nobody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class TokenBucket:
    """How AWS throttles. Others take a part of what is refilled."""

    def __init__(self, size: float, a_second: float) -> None:
        self._size, self._a_second = size, a_second
        self._there, self._at = size, 0.0

    def take(self, now: float, others: float) -> bool:
        refilled = (now - self._at) * self._a_second * (1 - others)
        self._there, self._at = min(self._size, self._there + refilled), now
        if self._there < 1:
            return False
        self._there -= 1
        return True

    def drain(self) -> None:
        self._there = 0


def refusal(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "call")


@dataclass
class Started:
    """An execution: the upload that started it and when it does what."""

    arn: str
    key: str
    version_id: str
    start: float

    @property
    def stem(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def sampled(self) -> float:
        return self.start + 1.0

    @property
    def ended(self) -> float:
        return self.start + 4.0

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """List its history, as far as the client reads it."""

        def entered(name: str, kind: str = "Task", text: str = "{}") -> dict[str, Any]:
            details = {"name": name, "input": text}
            return {"type": f"{kind}StateEntered", "stateEnteredEventDetails": details}

        def scored(k: int) -> dict[str, Any]:
            output = json.dumps({"k": k, "silhouette": 1 / k})
            details = {"name": "ScoreK", "output": output}
            return {"type": "TaskStateExited", "stateExitedEventDetails": details}

        files = {
            what: {"bucket": "output", "key": f"{self.stem}.{ending}"}
            for what, ending in (("image", "png"), ("report", "html"), ("result", "json"))
        }
        timed = [
            (0.0, {"type": "ExecutionStarted"}),
            (0.0, entered("Sample")),
            (1.0, entered("ScoreEachK", "Map", json.dumps({"ks": list(KS)}))),
            # Of each iteration seven events, of which the client reads one.
            *((1.0 + 2 * k / 32, {"type": "Other"}) for k in KS for _ in range(6)),
            *((1.0 + 2 * k / 32, scored(k)) for k in KS),
            (3.0, entered("Render")),
            (
                4.0,
                {
                    "type": "ExecutionSucceeded",
                    "executionSucceededEventDetails": {"output": json.dumps(files)},
                },
            ),
        ]
        return [
            event | {"id": number, "timestamp": BEGINNING + timedelta(seconds=self.start + after)}
            for number, (after, event) in enumerate(sorted(timed, key=lambda at: at[0]), 1)
        ]


class BusyAccount:
    """The account, with so many executions of the machine in its past.

    Attributes
    ----------
    calls : Counter
        How often each call was made, its attempts included, and "throttled" ones of them.
    others : float
        Which part of each quota's refill others use.
    queue_seconds : float
        How long StartExecution is behind with its work, because of somebody's burst.
    fault : callable
        Given a call's name and the time; returns what to raise, or None.
    """

    def __init__(self, clock: Clock, past: int) -> None:
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.others = 0.0
        self.queue_seconds = 0.0
        self.fault: Callable[[str, float], Exception | None] = lambda _call, _now: None
        self._past = past
        self._quotas = {call: TokenBucket(*quota) for call, quota in QUOTAS.items()}
        self._uploads: dict[str, Started] = {}
        self._by_arn: dict[str, Started] = {}
        self._by_stem: dict[str, Started] = {}
        self._numbers = itertools.count()

    def stack(self) -> Stack:
        client: Any = self
        return Stack(client, client, "input", "work", "output", MACHINE, {}, AWS_POLL_SECONDS)

    def drain(self) -> None:
        """Let others use up all that has been saved of every quota."""
        for bucket in self._quotas.values():
            bucket.drain()

    def _call(self, name: str) -> None:
        """Let a call's time pass; raise what boto3 raises after its attempts."""
        for attempt in range(1, ATTEMPTS + 1):
            self.clock.now += LATENCY_SECONDS
            self.calls[name] += 1
            if error := self.fault(name, self.clock.now):
                raise error
            quota = self._quotas.get(name)
            if quota is None or quota.take(self.clock.now, self.others):
                return
            self.calls["throttled"] += 1
            if attempt < ATTEMPTS:
                self.clock.now += 0.5 * 2 ** (attempt - 1)
        raise refusal("ThrottlingException")

    # S3

    def put_object(self, *, Bucket: str, Key: str, Body: Any, Metadata: Any) -> dict[str, Any]:
        self._call("put_object")
        Key.encode()  # As botocore does.
        number = next(self._numbers)
        version = f"version-{number}"
        arn = f"{MACHINE.replace('stateMachine', 'execution', 1)}:execution-{number}"
        start = self.clock.now + EVENT_SECONDS + self.queue_seconds
        begun = Started(arn, Key, version, start)
        self._uploads[version] = self._by_arn[arn] = self._by_stem[begun.stem] = begun
        return {"VersionId": version}

    def head_object(self, *, Bucket: str, Key: str, VersionId: str) -> dict[str, Any]:
        self._call("head_object")
        if VersionId not in self._uploads:
            raise refusal("404", 404)
        return {}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        self._call("list_objects_v2")
        upload = self._uploads.get(Prefix.rstrip("/"))
        if upload is None or self.clock.now < upload.sampled:
            return {}
        return {"Contents": [{"Key": f"{Prefix}{upload.arn.rpartition(':')[2]}/summary.npz"}]}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._call("get_object")
        return {"Body": io.BytesIO(self._output(Key))}

    def download_file(self, Bucket: str, Key: str, Filename: str) -> None:
        self._call("download_file")
        Path(Filename).write_bytes(self._output(Key))

    def _output(self, key: str) -> bytes:
        upload = self._by_stem.get(key.removesuffix(".error.json").rpartition(".")[0])
        if upload is None or key.endswith(".error.json") or self.clock.now < upload.ended:
            raise refusal("NoSuchKey", 404)
        source = Source("input", upload.key, upload.version_id, "etag", "0A", width=4, height=3)
        return msgspec.json.encode(result_with(source=source, execution=upload.arn))

    # Step Functions

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        self._call("describe_execution")
        if (upload := self._by_arn.get(executionArn)) is None:
            return {"input": json.dumps({"detail": {"object": {"version-id": executionArn}}})}
        return {"input": json.dumps({"detail": {"object": {"version-id": upload.version_id}}})}

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(getattr(self, f"_pages_of_{operation}"))

    def _pages_of_list_executions(self, *, stateMachineArn: str) -> Iterator[dict[str, Any]]:
        self._call("list_executions")
        begun = [upload.arn for upload in self._uploads.values() if upload.start < self.clock.now]
        arns = [*reversed(begun), *(f"past-{n}" for n in range(self._past))]
        for first in range(0, len(arns), 100):
            if first:
                self._call("list_executions")
            yield {"executions": [{"executionArn": arn} for arn in arns[first : first + 100]]}

    def _pages_of_get_execution_history(
        self, *, executionArn: str, reverseOrder: bool, PaginationConfig: dict[str, int]
    ) -> Iterator[dict[str, Any]]:
        self._call("get_execution_history")
        now = BEGINNING + timedelta(seconds=self.clock.now)
        events = [e for e in self._by_arn[executionArn].events if e["timestamp"] <= now]
        assert reverseOrder
        size = PaginationConfig["PageSize"]
        for first in range(0, len(events), size):
            if first:
                self._call("get_execution_history")
            yield {"events": events[::-1][first : first + size]}


@dataclass
class _Pages:
    paginate: Callable[..., Iterator[dict[str, Any]]]
