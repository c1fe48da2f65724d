"""Upload an image, find the execution that its upload started, and follow it to the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Result
from quantization.replacing import replacing
from quantization.service.messages import ObjectKey, RenderedFiles
from quantization.service.storage.keys import (
    error_key,
    execution_name,
    result_key,
    summary_prefix,
)
from quantization_client.jobs import Ended, Progress
from quantization_client.stack import Stack

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

PAGE_SIZE = 50
"""Events read in one call; about what happens between two looks at an execution."""


class ImageError(Exception):
    """One image was not quantized; the others are not concerned."""


class FailedError(ImageError):
    """The execution ended without a result."""


class OverwrittenError(ImageError):
    """Another upload under the same key took the result's place."""


class RejectedError(ImageError):
    """AWS does not take this image, or has nothing of it any more."""


class NotStartedError(Exception):
    """The uploads start no executions."""


_REJECTED = {"EntityTooLarge", "KeyTooLongError", "ExecutionDoesNotExist", "NoSuchKey", "404"}


@contextmanager
def image_errors() -> Iterator[None]:
    """Raise as `RejectedError` the errors of AWS that are about one image."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _REJECTED:
            raise RejectedError(str(error)) from error
        raise


@image_errors()
def upload(stack: Stack, path: Path, key: str, metadata: dict[str, str]) -> str:
    """Stream a file to the input bucket; return the version that S3 gave it."""
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise RejectedError("its name is not in UTF-8, which S3 takes only; rename it") from error
    with path.open("rb") as file:
        put = stack.s3.put_object(Bucket=stack.input_bucket, Key=key, Body=file, Metadata=metadata)
    return put["VersionId"]


def is_uploaded(stack: Stack, key: str, version_id: str) -> bool:
    """Tell whether an earlier upload is there: a local engine forgets all when it ends."""
    try:
        stack.s3.head_object(Bucket=stack.input_bucket, Key=key, VersionId=version_id)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404):
            return False
        raise
    return True


def find_execution(stack: Stack, key: str, version_id: str) -> str | None:
    """Return the ARN of the execution that an upload started, or None if nothing is known of it.

    Step Functions can only list a machine's executions, of which there may be very many, and
    describe them one by one. But Sample files its summary under the upload's version, and what an
    execution leaves in the output bucket names the version and the execution.
    """
    listed = stack.s3.list_objects_v2(
        Bucket=stack.work_bucket, Prefix=summary_prefix(version_id), MaxKeys=1
    )
    for summary in listed.get("Contents", []):
        name = execution_name(summary["Key"])
        return f"{stack.state_machine.replace(':stateMachine:', ':execution:')}:{name}"
    for document in (error_key(key), result_key(key)):
        left = _read_left(stack, document)
        if left and left.source.version_id == version_id:
            return left.execution
    return None


def _read_left(stack: Stack, key: str) -> "_Left | None":
    try:
        body = stack.s3.get_object(Bucket=stack.output_bucket, Key=key)["Body"].read()
        return msgspec.json.decode(body, type=_Left)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    except msgspec.DecodeError:
        pass  # somebody else's
    return None


class _Source(msgspec.Struct):
    version_id: str


class _Left(msgspec.Struct):
    """What a result and a failure say of where they come from."""

    source: _Source
    execution: str


class Execution:
    """One execution, followed by reading what is new in its history."""

    def __init__(self, stack: Stack, arn: str) -> None:
        self.arn = arn
        self.progress = Progress()
        self._history = stack.states.get_paginator("get_execution_history")
        self._last_id = 0
        self._start: datetime | None = None

    @image_errors()
    def poll(self) -> Progress:
        """Read the events since the last look, and return how far the execution is."""
        new: dict[int, HistoryEventTypeDef] = {}
        pages = self._history.paginate(
            executionArn=self.arn, reverseOrder=True, PaginationConfig={"PageSize": PAGE_SIZE}
        )
        for page in pages:
            unseen = {e["id"]: e for e in page["events"] if e["id"] > self._last_id}
            new |= unseen
            if len(unseen) < len(page["events"]):
                break
        for event_id in sorted(new):
            self._take(new[event_id])
            self._last_id = event_id
        return self.progress

    def _take(self, event: "HistoryEventTypeDef") -> None:
        progress = self.progress
        if entered := event.get("stateEnteredEventDetails"):
            progress.state = entered["name"]
            if event["type"] == "MapStateEntered":
                progress.ks = msgspec.json.decode(entered["input"], type=_ToScore).ks
        elif exited := event.get("stateExitedEventDetails"):
            if exited["name"] in ("ScoreK", "SkipK"):
                scored = msgspec.json.decode(exited["output"], type=_Scored)
                progress.silhouettes[scored.k] = scored.silhouette
        elif event["type"].startswith("Execution"):
            self._start = self._start or event["timestamp"]
            seconds = (event["timestamp"] - self._start).total_seconds()
            progress.ended = _ending(event, seconds)


class _ToScore(msgspec.Struct):
    """The part of the Map's input that says which K there will be."""

    ks: list[int]


class _Scored(msgspec.Struct):
    """The part of an iteration's output that is shown while the others go on."""

    k: int
    silhouette: float | None


def _ending(event: "HistoryEventTypeDef", seconds: float) -> Ended | None:
    match event["type"]:
        case "ExecutionStarted" | "ExecutionRedriven":
            return None
        case "ExecutionSucceeded":
            return Ended(seconds, output=event["executionSucceededEventDetails"]["output"])
    details = (
        event.get("executionFailedEventDetails")
        or event.get("executionTimedOutEventDetails")
        or event.get("executionAbortedEventDetails")
        or {}
    )
    cause = details.get("cause", "no cause given")
    return Ended(seconds, error=details.get("error", event["type"]), cause=cause)


@image_errors()
def fetch_result(
    stack: Stack, ended: Ended, version_id: str, name: str, out: Path
) -> tuple[Result, dict[str, Path]]:
    """Download what an execution wrote.

    Parameters
    ----------
    stack : Stack
        Where it ran.
    ended : Ended
        How it ended.
    version_id : str
        The version that was uploaded.
    name : str
        The files' name without extension, relative to `out`.
    out : Path
        Directory to write to; made when missing.

    Returns
    -------
    result : Result
    files : dict of str to Path
        The files by what they are: "image", "report", "result", and palettes by their formats.

    Raises
    ------
    FailedError
        If the execution failed; the message is its error and cause.
    OverwrittenError
        If the result is that of another upload.

    """
    if ended.output is None:
        raise FailedError(f"{ended.error}: {ended.cause}")
    rendered = msgspec.json.decode(ended.output, type=RenderedFiles)
    if rendered.superseded:
        raise OverwrittenError("a newer upload of the same name was quantized before this one")
    written: dict[str, ObjectKey] = {
        "image": rendered.image,
        "report": rendered.report,
        **{str(name): palette for name, palette in rendered.palettes.items()},
        "result": rendered.result,
    }
    files = {what: out / f"{name}{PurePosixPath(at.key).suffix}" for what, at in written.items()}
    with replacing(files) as partial:
        for what, source in written.items():
            stack.s3.download_file(source.bucket, source.key, str(partial[what]))
        result = msgspec.json.decode(partial["result"].read_bytes(), type=Result)
        if result.source.version_id != version_id:
            raise OverwrittenError("another upload of the same name took the result's place")
    return result, files
