"""Upload an image, find the execution that its upload started, and follow it to the end."""

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from local.stack import Stack
from quantization.messages import ObjectKey, Rendered

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

    running: bool
    state: str
    scored: int
    to_score: int


class Executions:
    """The executions of a stack, found by the version of the object that started them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._by_version: dict[str, str] = {}
        self._seen: set[str] = set()

    def look(self) -> None:
        """Read the executions that were not seen yet; the newest come first."""
        pages = self._stack.states.get_paginator("list_executions").paginate(
            stateMachineArn=self._stack.state_machine
        )
        for page in pages:
            new = [e["executionArn"] for e in page["executions"]]
            new = [arn for arn in new if arn not in self._seen]
            for arn in new:
                described = self._stack.states.describe_execution(executionArn=arn)
                if version_id := _version_in(described["input"]):
                    self._by_version[version_id] = arn
            self._seen.update(new)
            if len(new) < len(page["executions"]):
                return

    def started_by(self, upload: "StartedUpload") -> str | None:
        """Return the ARN of the execution that an upload started, or None if not seen yet.

        Raises
        ------
        NotStartedError
            If it should have been seen long ago.

        """
        execution = self._by_version.get(upload.version_id)
        if execution is None and time.monotonic() > upload.time + FIND_LIMIT_SECONDS:
            raise NotStartedError("the upload started no execution; is the stack complete?")
        return execution


@dataclass(frozen=True)
class StartedUpload:
    """An upload: the version that S3 gave it, and when it was made."""

    version_id: str
    time: float


def _version_in(execution_input: str) -> str | None:
    """Return the version that S3's event names, or None for an input that is no such event."""
    match msgspec.json.decode(execution_input):
        case {"detail": {"object": {"version-id": str(version_id)}}}:
            return version_id
    return None


def upload(stack: Stack, path: Path, key: str, metadata: dict[str, str]) -> StartedUpload:
    """Upload a file under the key."""
    with path.open("rb") as file:
        put = stack.s3.put_object(Bucket=stack.input_bucket, Key=key, Body=file, Metadata=metadata)
    return StartedUpload(put["VersionId"], time.monotonic())


def progress_of(stack: Stack, execution: str) -> Progress:
    """Read an execution's progress from its history."""
    # Asked before the history is read: a history read after the end is whole.
    status = stack.states.describe_execution(executionArn=execution)["status"]
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
    return Progress(status == "RUNNING", state, scored, to_score)


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
