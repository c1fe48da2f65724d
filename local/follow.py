"""Upload an image, find the execution that its upload started, and follow it to the end."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from local.stack import Stack
from quantization.messages import ObjectKey, Rendered

POLL_SECONDS = 0.2
FIND_LIMIT_SECONDS = 60.0
"""S3 events reach EventBridge within seconds; an execution that is not there by then is lost."""


class QuantizeError(Exception):
    """One image was not quantized."""


class NotStartedError(QuantizeError):
    """The upload started no execution."""


class FailedError(QuantizeError):
    """The execution ended without a result."""


@dataclass(frozen=True)
class Progress:
    """How far an execution is: the state it is in, and how many K are scored of how many."""

    state: str
    scored: int = 0
    to_score: int = 0


@dataclass
class Executions:
    """The executions of a stack, found by the version of the object that started them."""

    stack: Stack
    _by_version: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def started_by(self, version_id: str) -> str:
        """Wait for the execution that this version of an object started; return its ARN.

        Raises
        ------
        NotStartedError
            If there is none within a minute.

        """
        deadline = time.monotonic() + FIND_LIMIT_SECONDS
        while version_id not in self._by_version:
            if time.monotonic() > deadline:
                raise NotStartedError("the upload started no execution; is the stack complete?")
            time.sleep(POLL_SECONDS)
            self._look()
        return self._by_version[version_id]

    def _look(self) -> None:
        """Read the executions that were not seen yet; the newest come first."""
        pages = self.stack.states.get_paginator("list_executions").paginate(
            stateMachineArn=self.stack.state_machine
        )
        for page in pages:
            new = [e["executionArn"] for e in page["executions"]]
            new = [arn for arn in new if arn not in self._seen]
            for arn in new:
                described = self.stack.states.describe_execution(executionArn=arn)
                if version_id := _version_in(described["input"]):
                    self._by_version[version_id] = arn
            self._seen.update(new)
            if len(new) < len(page["executions"]):
                return


def _version_in(execution_input: str) -> str | None:
    """Return the version that S3's event names, or None for an input that is no such event."""
    match msgspec.json.decode(execution_input):
        case {"detail": {"object": {"version-id": str(version_id)}}}:
            return version_id
    return None


def upload(stack: Stack, path: Path, key: str, metadata: dict[str, str]) -> str:
    """Upload a file under the key and return the version that S3 gave it."""
    with path.open("rb") as file:
        put = stack.s3.put_object(Bucket=stack.input_bucket, Key=key, Body=file, Metadata=metadata)
    return put["VersionId"]


def follow(stack: Stack, execution: str) -> Iterator[Progress]:
    """Report an execution's progress, whenever there is some, until it ends."""
    reported = None
    running = True
    while running:
        time.sleep(POLL_SECONDS)
        # Asked before the history is read, so that the last report is of the end.
        status = stack.states.describe_execution(executionArn=execution)["status"]
        running = status == "RUNNING"
        progress = _progress(stack, execution)
        if progress != reported:
            reported = progress
            yield progress


def _progress(stack: Stack, execution: str) -> Progress:
    pages = stack.states.get_paginator("get_execution_history").paginate(
        executionArn=execution, includeExecutionData=False
    )
    state, scored, to_score = "Start", 0, 0
    for page in pages:
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                state = event["stateEnteredEventDetails"]["name"]
            elif event["type"] == "MapStateStarted":
                to_score = event["mapStateStartedEventDetails"]["length"]
            elif event["type"] == "MapIterationSucceeded":
                scored += 1
    return Progress(state, scored, to_score)


def fetch_result(stack: Stack, execution: str, name: str, out: Path) -> tuple[Path, Path]:
    """Download the image and the result JSON of an execution that has ended.

    Parameters
    ----------
    stack : Stack
        Where it ran.
    execution : str
        Its ARN.
    name : str
        The files' name without extension, relative to `out`.
    out : Path
        Directory to write to; made when missing.

    Raises
    ------
    FailedError
        If the execution failed; the message is its error and cause.

    """
    ended = stack.states.describe_execution(executionArn=execution)
    if ended["status"] != "SUCCEEDED":
        error, cause = ended.get("error", ended["status"]), ended.get("cause", "no cause given")
        raise FailedError(f"{error}: {cause}")
    rendered = msgspec.json.decode(ended["output"], type=Rendered)
    image, document = out / f"{name}.png", out / f"{name}.json"
    image.parent.mkdir(parents=True, exist_ok=True)
    for source, target in ((rendered.image, image), (rendered.result, document)):
        _download(stack, source, target)
    return image, document


def _download(stack: Stack, source: ObjectKey, target: Path) -> None:
    """Download beside the target, then move: there is never half a file of the result's name."""
    partial = target.with_name(target.name + ".part")
    stack.s3.download_file(source.bucket, source.key, str(partial))
    partial.replace(target)
