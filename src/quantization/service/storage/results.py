"""The output bucket: writing results and failures so that the newest upload prevails.

Events come twice and out of order, executions overtake each other and die at any point. Yet what
lies in the bucket must be of the newest upload, and belong together. S3 has no transactions; these
are what the protocol stands on:

- The result JSON decides. It is replaced only by a conditional write and only by that of a newer
  upload, and it names the version of the image that it is about. The bucket keeps versions.
- Image, report and palettes are written first, the JSON or a failure next. Whoever has written, or
  found that it is too late to, then looks at all and clears what is older than the JSON: images,
  reports and palettes above its own or of another format, and failures. Of two that write before
  they look, at least one sees what the other wrote.
- What is cleared is one exact version, and being older than the JSON it will stay so for ever:
  clearing it late, twice, or by several at once does no harm.

Which of two uploads is newer, `upload_order` tells; where it is not known, nothing is changed.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, get_args

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Failure, Result, Upload
from quantization.errors import KeyTooLong
from quantization.options import ImageFormat, Options
from quantization.palette_files import WRITERS, palette_file
from quantization.service.messages import ObjectKey, RenderedFiles
from quantization.service.storage.upload_order import Origin, UploadOrder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORT = "html"
ERROR_ENDING = ".error.json"
LONGEST_KEY = 1024 - len(ERROR_ENDING)
"""In bytes of UTF-8; S3's own limit is 1024."""

ABSENT = {"404", "NoSuchKey", "NoSuchVersion"}
"""What S3 answers where there is no object, a HEAD with the first of them."""
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


def without_extension(key: str) -> str:
    """Return the key without its last extension: ``a.b/c.d.jpg`` gives ``a.b/c.d``."""
    folder, slash, name = key.rpartition("/")
    stem, _, _ = name.rpartition(".")
    return folder + slash + (stem or name)


def error_key(key: str) -> str:
    """Return the key of the failure for an upload's key, which is cut if it is too long."""
    return key.encode()[:LONGEST_KEY].decode(errors="ignore") + ERROR_ENDING


def check_key(key: str) -> None:
    """Make sure that results can lie beside each other under this key.

    Raises
    ------
    KeyTooLong
        If S3 would refuse one of their keys.
    """
    if (length := len(key.encode())) > LONGEST_KEY:
        raise KeyTooLong(
            f"the key has {length} bytes, but at most {LONGEST_KEY} leave room for the endings of "
            "the results' keys; upload the image under a shorter one"
        )


def publish_result(
    s3: "S3Client",
    bucket: str,
    upload: Upload,
    options: Options,
    image: bytes,
    build: Callable[[str], tuple[Result, str]],
) -> RenderedFiles:
    """Write image, report, palettes and result JSON, unless those of a newer upload are there.

    Parameters
    ----------
    s3 : S3Client
    bucket : str
        The output bucket.
    upload : Upload
        What was quantized.
    options : Options
        Says the image's format and those of the palettes.
    image : bytes
        The recolored image's file.
    build : callable
        Makes the result and the report, once it is known which version the image's object has.

    Returns
    -------
    rendered : RenderedFiles
        ``<key without extension>.<image format>``, ``<same>.html``, ``<same>.json`` and the
        palettes as ``<same>.<extension>``, in `bucket`.
    """
    stem = without_extension(upload.key)
    rendered = RenderedFiles(
        image=ObjectKey(bucket, f"{stem}.{options.format}"),
        report=ObjectKey(bucket, f"{stem}.{REPORT}"),
        result=ObjectKey(bucket, f"{stem}.json"),
        palettes={name: ObjectKey(bucket, f"{stem}.{name}") for name in options.palettes},
    )
    this_upload, order = Origin.of(upload), UploadOrder(s3, upload.bucket, upload.key)
    put = partial(s3.put_object, Bucket=bucket, Metadata=this_upload._asdict())
    current = _document(s3, bucket, rendered.result.key)
    written = False
    if order.is_older(current.origin, this_upload):
        image_type = f"image/{options.format}"
        response = put(Key=rendered.image.key, Body=image, ContentType=image_type)
        result, report = build(response["VersionId"])
        put(Key=rendered.report.key, Body=report.encode(), ContentType="text/html; charset=utf-8")
        for name, palette in rendered.palettes.items():
            content = palette_file(result, name)
            put(Key=palette.key, Body=content, ContentType=WRITERS[name].media_type)
        while order.is_older(current.origin, this_upload):
            if written := _replace(s3, bucket, rendered.result.key, current, result):
                break
            current = _document(s3, bucket, rendered.result.key)
    _delete_superseded(s3, bucket, upload.key, order)
    superseded = not written and current.origin.run != this_upload.run
    return msgspec.structs.replace(rendered, superseded=superseded)


def publish_failure(s3: "S3Client", bucket: str, failure: Failure) -> bool:
    """Write why an upload failed, unless it or a newer one of its key has ended otherwise.

    Returns
    -------
    recorded : bool
        Whether it was not known before.
    """
    upload = failure.source
    this_upload, order = Origin.of(upload), UploadOrder(s3, upload.bucket, upload.key)
    key = error_key(upload.key)
    recorded = False
    while not recorded:
        current = _document(s3, bucket, key)
        known = (current.execution, current.error) == (failure.execution, failure.error)
        replaceable = current.origin.run == this_upload.run or order.is_older(
            current.origin, this_upload
        )
        if known or not replaceable:
            break
        result = _document(s3, bucket, f"{without_extension(upload.key)}.json")
        if result.key == upload.key and not order.is_older(result.origin, this_upload):
            break
        recorded = _replace(s3, bucket, key, current, failure)
    _delete_superseded(s3, bucket, upload.key, order)
    return recorded


def read_result(s3: "S3Client", bucket: str, key: str) -> Result | None:
    """Return the result that lies where an upload of this key would have its own, if it is one."""
    try:
        response = s3.get_object(Bucket=bucket, Key=f"{without_extension(key)}.json")
        return msgspec.json.decode(response["Body"].read(), type=Result)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    except msgspec.DecodeError:
        return None


class _Document(NamedTuple):
    """What a JSON in the output bucket says of itself; all empty if there is none."""

    etag: str = ""
    version_id: str = ""
    key: str = ""
    origin: Origin = Origin()
    execution: str = ""
    error: str = ""


class _Source(Upload, frozen=True, forbid_unknown_fields=False):
    """The upload, whatever else is said of it."""


class _Signed(msgspec.Struct):
    """What results and failures have in common."""

    source: _Source
    execution: str
    error: str = ""


def _document(s3: "S3Client", bucket: str, key: str) -> _Document:
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return _Document()
        raise
    etag, version_id = response["ETag"], response["VersionId"]
    try:
        signed = msgspec.json.decode(response["Body"].read(), type=_Signed)
    except msgspec.DecodeError:  # not ours: anything is newer
        return _Document(etag, version_id)
    source = signed.source
    origin = Origin.of(source)
    return _Document(etag, version_id, source.key, origin, signed.execution, signed.error)


def _replace(
    s3: "S3Client", bucket: str, key: str, current: _Document, content: Result | Failure
) -> bool:
    """Write a JSON in place of the one that was read; return False if that is no longer there."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    put = partial(s3.put_object, Bucket=bucket, Key=key, Body=text, ContentType="application/json")
    try:
        if current.etag:
            put(IfMatch=current.etag)
        else:
            put(IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] in _LOST_RACE:
            return False
        raise
    return True


def _delete_superseded(s3: "S3Client", bucket: str, key: str, order: UploadOrder) -> None:
    """Clear what is older than the result JSON, except for other keys' failures."""
    stem = without_extension(key)
    result = _document(s3, bucket, f"{stem}.json")
    for ending in (*get_args(ImageFormat), REPORT, *WRITERS):
        attached = f"{stem}.{ending}"
        while (top := _attachment(s3, bucket, attached)) and order.is_older(
            top.origin, result.origin
        ):
            s3.delete_object(Bucket=bucket, Key=attached, VersionId=top.version_id)
    while result.key == key:
        failure = _document(s3, bucket, error_key(key))
        outdated = failure.origin.run == result.origin.run or order.is_older(
            failure.origin, result.origin
        )
        if not failure.etag or not outdated:
            break
        s3.delete_object(Bucket=bucket, Key=error_key(key), VersionId=failure.version_id)


class _Attachment(NamedTuple):
    """The current version of an image, report or palette."""

    version_id: str
    origin: Origin


def _attachment(s3: "S3Client", bucket: str, key: str) -> _Attachment | None:
    try:
        response = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    metadata = response["Metadata"]
    origin = Origin(*(metadata.get(field, "") for field in Origin._fields))
    return _Attachment(response["VersionId"], origin)
