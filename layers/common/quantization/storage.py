"""S3: reading the uploaded version, the claim checks in the work bucket, and the results."""

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from quantization.errors import ObjectGone
from quantization.messages import ObjectKey, Rendered, Result, Upload

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


def open_upload(s3: "S3Client", upload: Upload) -> "GetObjectOutputTypeDef":
    """Open exactly the version that was uploaded, whatever was done to the key since.

    Raises
    ------
    ObjectGone
        If that version, or its bucket, no longer exists.
    """
    try:
        return s3.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket"):
            raise ObjectGone(
                f"version {upload.version_id} was deleted before it was read; upload it again"
            ) from error
        raise


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


def write_result(
    s3: "S3Client", bucket: str, result: Result, image_file: bytes, report: str
) -> Rendered:
    """Write the recoloured image, its report, and last the result JSON: where it is, all are.

    Returns
    -------
    rendered : Rendered
        ``<key without extension>.<image format>``, ``<same>.html`` and ``<same>.json`` in `bucket`.
    """
    stem = without_extension(result.source.key)
    extension = result.image_file.format
    document = msgspec.json.format(msgspec.json.encode(result), indent=2)

    def put(extension: str, body: bytes, content_type: str) -> ObjectKey:
        to = ObjectKey(bucket, f"{stem}.{extension}")
        s3.put_object(Bucket=to.bucket, Key=to.key, Body=body, ContentType=content_type)
        return to

    return Rendered(
        image=put(extension, image_file, f"image/{extension}"),
        report=put("html", report.encode(), "text/html; charset=utf-8"),
        result=put("json", document, "application/json"),
    )


def without_extension(key: str) -> str:
    """Return the key without its last extension: ``a.b/c.d.jpg`` gives ``a.b/c.d``."""
    folder, slash, name = key.rpartition("/")
    stem, _, _ = name.rpartition(".")
    return folder + slash + (stem or name)
