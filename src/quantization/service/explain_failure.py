"""What went wrong with an execution, in words for whoever uploaded the image."""

import msgspec

from quantization.contract import Failure, Upload
from quantization.errors import REFUSALS
from quantization.service.messages import ExecutionStatusChange

OPERATOR = "It is not the image's fault. The service's operator can redrive the execution."
"""The advice for every error that is no refusal."""


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str
    etag: str
    sequencer: str
    version_id: str = msgspec.field(name="version-id")


class _Detail(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(msgspec.Struct):
    """S3's event, as far as it names the upload."""

    detail: _Detail


class _LambdaError(msgspec.Struct):
    """The cause of a task that failed because its function raised an exception."""

    message: str = msgspec.field(name="errorMessage")


def explain_failure(ended: ExecutionStatusChange) -> Failure | None:
    """Tell why an execution has no result, or return None if no upload started it."""
    try:
        created = msgspec.json.decode(ended.input, type=_ObjectCreated).detail
    except msgspec.DecodeError:
        return None
    error = ended.error or {"TIMED_OUT": "States.Timeout"}.get(ended.status, ended.status)
    refusal = REFUSALS.get(error)
    found = created.object
    upload = Upload(created.bucket.name, found.key, found.version_id, found.etag, found.sequencer)
    return Failure(
        source=upload,
        error=error,
        message=_message(ended.cause, upload) or f"the execution ended as {ended.status}",
        advice=refusal.advice if refusal else OPERATOR,
        execution=ended.execution_arn,
    )


def _message(cause: str | None, upload: Upload) -> str:
    """Return the cause without what Lambda, or this service's own last state, wraps it in."""
    try:
        return msgspec.json.decode(cause or "", type=_LambdaError).message
    except msgspec.DecodeError:
        return (cause or "").removeprefix(f"s3://{upload.bucket}/{upload.key}: ")
