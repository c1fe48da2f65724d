"""What went wrong with an execution, in words for whoever uploaded the image."""

import msgspec

from quantization.contract import Failure, Upload
from quantization.errors import REFUSALS
from quantization.service.messages import ExecutionStatusChange, ObjectCreated, RecolorRequest

OPERATOR = "It is not the image's fault. The service's operator can {}."
"""The advice for every error that is no refusal."""


class _LambdaError(msgspec.Struct):
    """The cause of a task that failed because its function raised an exception."""

    message: str = msgspec.field(name="errorMessage")


def explain_failure(ended: ExecutionStatusChange) -> Failure | None:
    """Tell why an execution has no result, or return None if no upload started it."""
    upload = _upload(ended)
    if upload is None:
        return None
    error = ended.error or {"TIMED_OUT": "States.Timeout"}.get(ended.status, ended.status)
    refusal = REFUSALS.get(error)
    # Backfills run it as an Express workflow, which AWS cannot redrive.
    express = ":express:" in ended.execution_arn
    again = "start the backfill again" if express else "redrive the execution"
    return Failure(
        source=upload,
        error=error,
        message=_message(ended.cause, upload) or f"the execution ended as {ended.status}",
        advice=refusal.advice if refusal else OPERATOR.format(again),
        execution=ended.execution_arn,
    )


def _upload(ended: ExecutionStatusChange) -> Upload | None:
    """Return the upload that the execution is of, as the machine says it."""
    try:
        return msgspec.json.decode(ended.input, type=ObjectCreated).upload
    except msgspec.DecodeError:
        pass
    try:
        recolor = msgspec.json.decode(ended.input, type=RecolorRequest)
    except msgspec.DecodeError:
        return None
    return recolor.upload(ended.start_date)


def _message(cause: str | None, upload: Upload) -> str:
    """Return the cause without what Lambda, or this service's own last state, wraps it in."""
    try:
        return msgspec.json.decode(cause or "", type=_LambdaError).message
    except msgspec.DecodeError:
        return (cause or "").removeprefix(f"s3://{upload.bucket}/{upload.key}: ")
