"""S3: reading the uploaded version, and the claim checks in the work bucket."""

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from quantization.errors import ImageTooLarge, ObjectGone
from quantization.messages import ObjectKey, Upload

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


def open_upload(s3: "S3Client", upload: Upload, *, max_bytes: int) -> "GetObjectOutputTypeDef":
    """Open exactly the version that was uploaded, whatever was done to the key since.

    Raises
    ------
    ObjectGone
        If that version, or its bucket, no longer exists.
    ImageTooLarge
        If it has more than `max_bytes` bytes, none of which is read to find out.
    """
    try:
        there = s3.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket"):
            raise ObjectGone(
                f"version {upload.version_id} was deleted before it was read; upload it again"
            ) from error
        raise
    if there["ContentLength"] > max_bytes:
        there["Body"].close()
        raise ImageTooLarge(
            f"{there['ContentLength']} bytes are over the limit of {max_bytes / 1e6:g} million; "
            "upload a smaller file"
        )
    return there


@contextmanager
def as_file(body: "StreamingBody") -> Iterator[Path]:
    """Hold what S3 sends in a temporary file: memory is for pixels."""
    with tempfile.NamedTemporaryFile() as file:
        shutil.copyfileobj(body, file)
        file.flush()
        yield Path(file.name)


def check_in(s3: "S3Client", claim: ObjectKey, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Store named arrays in the work bucket, for whoever holds the claim."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    s3.put_object(Bucket=claim.bucket, Key=claim.key, Body=buffer.getvalue())


def check_out(s3: "S3Client", claim: ObjectKey) -> dict[str, NDArray[Any]]:
    """Fetch the named arrays that a claim stands for."""
    body = s3.get_object(Bucket=claim.bucket, Key=claim.key)["Body"].read()
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        return dict(stored)
