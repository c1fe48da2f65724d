"""Uploads: reading exactly the version that started an execution."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from quantization.contract import Upload
from quantization.errors import ImageTooLarge, ObjectGone

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
        response = s3.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket"):
            raise ObjectGone(
                f"version {upload.version_id} was deleted before it was read; upload it again"
            ) from error
        raise
    if response["ContentLength"] > max_bytes:
        response["Body"].close()
        raise ImageTooLarge(
            f"{response['ContentLength']} bytes are over the limit of {max_bytes / 1e6:g} million; "
            "upload a smaller file"
        )
    return response


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
