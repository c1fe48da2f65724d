"""Uploads: reading exactly the version that started an execution."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from quantization.contract import Upload
from quantization.errors import (
    ImageTooLarge,
    ObjectArchived,
    ObjectEncrypted,
    ObjectGone,
    ObjectUnversioned,
    RefusedImage,
)

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


def open_upload(s3: "S3Client", upload: Upload, *, max_bytes: int) -> "GetObjectOutputTypeDef":
    """Open exactly the version that was uploaded, whatever was done to the key since.

    Raises
    ------
    ObjectUnversioned
        If the event did not say which version, or had no sequencer.
    ObjectGone
        If that version, or its bucket, no longer exists.
    ObjectArchived
        If its storage class has to be restored first.
    ObjectEncrypted
        If it takes a key that is not at hand, is disabled or may not be used.
    ImageTooLarge
        If it has more than `max_bytes` bytes, none of which is read to find out.
    """
    # "null" is the version of all objects written while versioning is suspended.
    unordered = not upload.sequencer and upload.backfill is None
    if upload.version_id in ("", "null") or unordered:
        raise ObjectUnversioned(
            f"the event says version {upload.version_id!r} and sequencer {upload.sequencer!r}"
        )
    try:
        response = s3.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    except ClientError as error:
        if refusal := refusal_of(error):
            raise refusal(f"version {upload.version_id} cannot be read: {error}") from error
        raise
    if response["ContentLength"] > max_bytes:
        response["Body"].close()
        raise ImageTooLarge(
            f"{response['ContentLength']} bytes are over the limit of {max_bytes / 1e6:g} million; "
            "upload a smaller file"
        )
    return response


def refusal_of(error: ClientError) -> type[RefusedImage] | None:
    """Return what to refuse an object for that S3 did not send; None if it is not the object.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    match code:
        case "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket":
            return ObjectGone
        case "InvalidObjectState":
            return ObjectArchived
        case "InvalidRequest":  # SSE-C: S3 asks for the key.
            return ObjectEncrypted
        case "AccessDenied" if re.search("kms|ciphertext", message, re.IGNORECASE):
            return ObjectEncrypted
    return ObjectEncrypted if code.startswith("KMS.") else None


@contextmanager
def as_file(body: "StreamingBody") -> Iterator[Path]:
    """Hold what S3 sends in a temporary file: memory is for pixels.

    The file has no name in /tmp. Lambda keeps /tmp when it kills the function, and would hand what
    was left there to the next invocations.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(body, file)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")
