"""What there is to do for an object that a backfill reads in the bucket's list."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Backfill, Upload
from quantization.errors import InvalidOptions
from quantization.options import PALETTE_ENDINGS, Options, ignored_metadata, refuse_unknown
from quantization.service.messages import FindRequest, Found, ObjectCreated
from quantization.service.storage.results import ABSENT, read_result

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def options_of(
    backfill: Backfill | None, metadata: Mapping[str, str], defaults: Options
) -> Options:
    """Return what is asked for: by the upload, else by the backfill, else by the stack.

    Raises
    ------
    InvalidOptions
        If one of them asks for what there is not.
    """
    asked = backfill.options if backfill else {}
    refuse_unknown(asked)
    ignored_metadata(metadata)  # For what it refuses.
    return defaults.updated(asked).updated(metadata)


def find_upload(
    s3: "S3Client", output_bucket: str, request: FindRequest, defaults: Options
) -> Found:
    """Look up the object's current version, and whether it has a result with these options."""
    if request.key.endswith(PALETTE_ENDINGS):  # As by the rule that starts executions of uploads.
        return Found("left out")
    # The result before the version: so the version is newer than what the result is of.
    result = read_result(s3, output_bucket, request.key)
    if result and result.source.key != request.key:
        result = None
    try:
        current = s3.head_object(Bucket=request.bucket, Key=request.key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return Found("gone")
        raise
    version_id = current["VersionId"]
    if (
        result
        and result.source.version_id == version_id
        and result.options == _valid(request.backfill, current["Metadata"], defaults)
    ):
        return Found("up to date", k=result.k)
    found = msgspec.structs.replace(
        request.backfill, replaces=result.source.version_id if result else None
    )
    upload = Upload(
        bucket=request.bucket,
        key=request.key,
        version_id=version_id,
        etag=current["ETag"].strip('"'),
        sequencer="",
        backfill=found,
    )
    return Found("due", ObjectCreated.of(upload))


def _valid(backfill: Backfill, metadata: Mapping[str, str], defaults: Options) -> Options | None:
    """Return the options, or None if they will be refused."""
    try:
        return options_of(backfill, metadata, defaults)
    except InvalidOptions:
        return None
