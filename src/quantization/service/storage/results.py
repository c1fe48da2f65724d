"""The output bucket: writing results and failures so that the newest upload prevails.

Events come twice and out of order, executions overtake each other and die at any point. Yet what
lies in the bucket must be of the newest upload, and belong together. S3 has no transactions; these
are what the protocol stands on:

- The result JSON decides. It is replaced only by a conditional write and only by that of a newer
  upload of the same key, and it names the version of the image that it is about. The bucket keeps
  versions. Results are named without the key's extension, so that another key may want the same
  name: the first keeps it, for the sequencers of two keys tell nothing of their order.
- Image, report and palettes are written after the JSON was read and before it is replaced: whoever
  loses that race writes them again. Whoever has written, or found that it is too late to, then
  tidies up. Of two that write before they look, at least one sees what the other wrote.
- What is older than the JSON, or another key's, is deleted: one exact version, which no JSON can
  name any more. Doing it late, twice, or by several at once does no harm.
- What is newer than the JSON but of an upload that failed is deleted too, or it would hide the
  image that the JSON names until that expires. Its execution may yet be alive, or be redriven: the
  JSON gets another ETag first, which makes such an execution write anew.

Which of two uploads is newer, `upload_order` tells; where it is not known, nothing is changed.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Failure, Result, Upload
from quantization.errors import NameTaken
from quantization.options import ImageFormat, Options
from quantization.palette_files import WRITERS, palette_file
from quantization.service.messages import ObjectKey, RenderedFiles
from quantization.service.storage.keys import error_key, result_key, without_extension
from quantization.service.storage.upload_order import Origin, UploadOrder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORT = "html"
KEY_HASH = "key_sha256"
ABSENT = {"404", "NoSuchKey", "NoSuchVersion", "KeyTooLongError"}
"""What S3 answers where there is no object, a HEAD with the first, and where there can be none."""
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


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

    Raises
    ------
    NameTaken
        If what lies in the result JSON's place is another key's.
    """
    stem = without_extension(upload.key)
    rendered = RenderedFiles(
        image=ObjectKey(bucket, f"{stem}.{options.format}"),
        report=ObjectKey(bucket, f"{stem}.{REPORT}"),
        result=ObjectKey(bucket, result_key(upload.key)),
        palettes={name: ObjectKey(bucket, f"{stem}.{name}") for name in options.palettes},
    )
    this_upload, order = Origin.of(upload), UploadOrder(s3, upload.bucket, upload.key)
    metadata = this_upload._asdict() | {KEY_HASH: _key_hash(upload.key)}
    put = partial(s3.put_object, Bucket=bucket, Metadata=metadata)
    written = False
    while not written:
        current = _document(s3, bucket, rendered.result.key)
        taken = current.key not in ("", upload.key)
        if taken or not order.is_older(current.origin, this_upload):
            break
        image_type = f"image/{options.format}"
        response = put(Key=rendered.image.key, Body=image, ContentType=image_type)
        result, report = build(response["VersionId"])
        put(Key=rendered.report.key, Body=report.encode(), ContentType="text/html; charset=utf-8")
        for name, palette in rendered.palettes.items():
            content = palette_file(result, name)
            put(Key=palette.key, Body=content, ContentType=WRITERS[name].media_type)
        written = _replace(s3, bucket, rendered.result.key, current, _json(result))
    _tidy_up(s3, bucket, upload)
    if taken:
        raise NameTaken(
            f"{rendered.result.key} is the {current.kind} of {current.key}; upload the image under"
            f" another name, or delete s3://{bucket}/{rendered.result.key} first"
        )
    superseded = not written and current.origin.run != this_upload.run
    return msgspec.structs.replace(rendered, superseded=superseded)


def publish_failure(s3: "S3Client", bucket: str, failure: Failure) -> bool | None:
    """Write why an upload failed, unless it or a newer one of its key has ended otherwise.

    The result of another key, which may have this failure's name, stays, and nothing is written.

    Returns
    -------
    recorded : bool or None
        Whether it was written. It is not if it was known before; None says that the name belongs to
        another key's result, so that nobody can tell.
    """
    upload = failure.source
    this_upload, order = Origin.of(upload), UploadOrder(s3, upload.bucket, upload.key)
    key = error_key(upload.key)
    recorded: bool | None = False
    while not recorded:
        current = _document(s3, bucket, key)
        if current.key != upload.key and current.kind == "result":
            recorded = None
            break
        known = (current.execution, current.error) == (failure.execution, failure.error)
        same_run = current.origin.run == this_upload.run
        replaceable = (
            current.key != upload.key or same_run or order.is_older(current.origin, this_upload)
        )
        if known or not replaceable:
            break
        result = _document(s3, bucket, result_key(upload.key))
        if result.key == upload.key and not order.is_older(result.origin, this_upload):
            break
        recorded = _replace(s3, bucket, key, current, _json(failure))
    _tidy_up(s3, bucket, upload)
    return recorded


def read_result(s3: "S3Client", bucket: str, key: str) -> Result | None:
    """Return the result that lies where an upload of this key would have its own, if it is one."""
    try:
        response = s3.get_object(Bucket=bucket, Key=result_key(key))
        return msgspec.json.decode(response["Body"].read(), type=Result)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    except msgspec.DecodeError:
        return None


class _Document(NamedTuple):
    """A JSON in the output bucket, and what it says of itself; all empty if there is none."""

    etag: str = ""
    version_id: str = ""
    body: bytes = b""
    key: str = ""
    origin: Origin = Origin()
    execution: str = ""
    error: str = ""
    image_version_id: str = ""

    @property
    def kind(self) -> Literal["result", "failure", ""]:
        """Which of ours it is, if it is one."""
        if not self.key:
            return ""
        return "failure" if self.error else "result"


class _Source(Upload, frozen=True, forbid_unknown_fields=False):
    """The upload, whatever else is said of it."""


class _Image(msgspec.Struct, frozen=True):
    version_id: str


class _Signed(msgspec.Struct):
    """What results and failures say of where they come from."""

    source: _Source
    execution: str
    error: str = ""
    image_file: _Image = _Image("")


def _document(s3: "S3Client", bucket: str, key: str) -> _Document:
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return _Document()
        raise
    etag, version_id, body = response["ETag"], response["VersionId"], response["Body"].read()
    try:
        signed = msgspec.json.decode(body, type=_Signed)
    except msgspec.DecodeError:  # not ours: anything is newer
        return _Document(etag, version_id, body)
    return _Document(
        etag,
        version_id,
        body,
        key=signed.source.key,
        origin=Origin.of(signed.source),
        execution=signed.execution,
        error=signed.error,
        image_version_id=signed.image_file.version_id,
    )


def _json(content: Result | Failure) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2)


def _replace(s3: "S3Client", bucket: str, key: str, current: _Document, text: bytes) -> bool:
    """Write a JSON in place of the one that was read; return False if that is no longer there."""
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


def _tidy_up(s3: "S3Client", bucket: str, upload: Upload) -> None:
    """Delete the versions that no result JSON names now or can name later.

    Failures of other keys are left alone.
    """
    key = result_key(upload.key)
    while (result := _document(s3, bucket, key)).key:
        order = UploadOrder(s3, upload.bucket, result.key)
        failure = _document(s3, bucket, error_key(result.key))
        attached = list(_attachments(s3, bucket, without_extension(upload.key)))
        superseded = [file for file in attached if _is_superseded(file, result, order)]
        others = [file for file in attached if file not in superseded]
        hiding = [file for file in others if _is_hiding(file, result, failure, order)]
        if upload.key == result.key and _is_outdated(failure, result, order):
            superseded.append(_Attachment(error_key(result.key), failure.version_id))
        if not superseded and not hiding:
            return
        # One more newline gives the JSON an ETag that it never had.
        if hiding and _replace(s3, bucket, key, result, result.body + b"\n"):
            superseded += hiding
        for item in superseded:
            s3.delete_object(Bucket=bucket, Key=item.key, VersionId=item.version_id)


class _Attachment(NamedTuple):
    """The current version of an image, report or palette."""

    key: str
    version_id: str
    is_image: bool = False
    origin: Origin = Origin()
    upload_key_hash: str = ""


def _attachments(s3: "S3Client", bucket: str, stem: str) -> Iterator[_Attachment]:
    """Yield what lies where a result has its image, report and palettes."""
    images = get_args(ImageFormat)
    for ending in (*images, REPORT, *WRITERS):
        key = f"{stem}.{ending}"
        try:
            response = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ABSENT:
                raise
            continue
        metadata = response["Metadata"]
        origin = Origin(*(metadata.get(field, "") for field in Origin._fields))
        key_hash = metadata.get(KEY_HASH, "")
        yield _Attachment(key, response["VersionId"], ending in images, origin, key_hash)


def _is_superseded(attached: _Attachment, result: _Document, order: UploadOrder) -> bool:
    """Tell whether a file is older than the JSON or another key's, so that none can name it."""
    if attached.upload_key_hash != _key_hash(result.key):
        return True
    if attached.origin.run == result.origin.run:
        return attached.is_image and attached.version_id != result.image_version_id
    return order.is_older(attached.origin, result.origin)


def _is_hiding(
    attached: _Attachment, result: _Document, failure: _Document, order: UploadOrder
) -> bool:
    """Tell whether a file is newer than the JSON but of an upload that failed."""
    return (
        failure.key == result.key
        and order.is_older(result.origin, attached.origin)
        and (
            attached.origin.run == failure.origin.run
            or order.is_older(attached.origin, failure.origin)
        )
    )


def _is_outdated(failure: _Document, result: _Document, order: UploadOrder) -> bool:
    """Tell whether a failure is of the JSON's key, and of the same run or an older upload."""
    return failure.key == result.key and (
        failure.origin.run == result.origin.run or order.is_older(failure.origin, result.origin)
    )


def _key_hash(key: str) -> str:
    """Return what stands for an upload's key in metadata, which are short and ASCII."""
    return hashlib.sha256(key.encode()).hexdigest()
