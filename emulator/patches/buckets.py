"""Patches in S3."""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

from emulator.patches.patching import patch

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("version", default=None)


@patch(
    s3,
    "_fire_s3_event",
    "bucket_name, key, event_name, size, etag, deletion_type, restore_event_data, version_id,"
    " sequencer, object_extra, record_extra",
)
def version_of_the_object_is_known(stock: Any, *arguments: Any, **more: Any) -> None:
    """Keep the version for the event; see `event_names_the_version`."""
    _version.set(more.get("version_id"))
    stock(*arguments, **more)


@patch(eventbridge, "_dispatch_event", "event, view")
def event_names_the_version(stock: Any, event: dict[str, Any], *more: Any) -> Any:
    """Put the object's version into the event that EventBridge gets from S3.

    AWS: the detail has object.version-id if the bucket keeps versions.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    Stock: it has not.
    """
    version = _version.get()
    if event["Source"] == "aws.s3" and version is not None:
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        event = event | {"Detail": json.dumps(detail)}
    return stock(event, *more)


@patch(s3, "_apply_bucket_scope", "method, bucket, key, headers, query_params, body, internal")
def key_has_a_longest_length(
    stock: Any, method: str, bucket: str, key: str, *more: Any, **by_name: Any
) -> Any:
    """Refuse whatever is asked of a key of more than 1024 bytes.

    AWS: a KeyTooLongError, also where something is only looked for.
    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    Stock: keys of any length.
    """
    if len(key.encode()) > 1024:
        return s3._error("KeyTooLongError", "Your key is too long", 400)
    return stock(method, bucket, key, *more, **by_name)
