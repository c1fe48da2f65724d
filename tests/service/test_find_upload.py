"""FindUpload, from an object in the bucket's list to what there is to do for it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from mypy_boto3_s3 import S3Client

from functions.find_upload import handler as find_upload
from quantization.contract import Backfill, Source, Upload
from quantization.options import PALETTE_ENDINGS, Options
from quantization.service.messages import FindRequest, Found
from tests.support.keys import refusing_keys
from tests.support.results import result_with

KEY = "a dir/photo.jpg"


@pytest.fixture
def put(s3: S3Client) -> Callable[..., Upload]:
    def put(**metadata: str) -> Upload:
        response = s3.put_object(Bucket="input", Key=KEY, Body=b"bytes", Metadata=metadata)
        return Upload("input", KEY, response["VersionId"], response["ETag"].strip('"'), "0A")

    return put


@pytest.fixture
def publish(s3: S3Client) -> Callable[..., None]:
    def publish(upload: Upload, **changes: Any) -> None:
        source = Source(**msgspec.structs.asdict(upload), width=1, height=1)
        result = result_with(source=source, **changes)
        s3.put_object(Bucket="output", Key="a dir/photo.json", Body=msgspec.json.encode(result))

    return publish


@pytest.fixture
def find(context: LambdaContext) -> Callable[..., Found]:
    def find(key: str = KEY, **options: str) -> Found:
        request = FindRequest("input", key, Backfill("2026-01-01T00:00:00.000Z", options))
        found = find_upload.handler(msgspec.to_builtins(request), context)
        return msgspec.convert(found, Found)

    return find


def due(found: Found) -> Upload:
    """Return the upload that is to be quantized."""
    assert found.event is not None
    return found.event.upload


def replaced(upload: Upload) -> str | None:
    """Return the version whose result the upload may replace."""
    assert upload.backfill is not None
    return upload.backfill.replaces


def test_object_without_a_result_is_due(
    put: Callable[..., Upload], find: Callable[..., Found]
) -> None:
    upload = put()
    found = find(dither="ordered")
    assert found.outcome == "due"
    assert due(found) == msgspec.structs.replace(
        upload,
        sequencer="",
        backfill=Backfill("2026-01-01T00:00:00.000Z", {"dither": "ordered"}),
    )


def test_result_of_this_version_with_these_options_is_up_to_date(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    publish(put(format="webp"), options=Options(format="webp", k_max=16), k=12)
    assert find(**{"k-max": "16"}) == Found("up to date", k=12)


def test_upload_says_more_than_the_backfill(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    publish(put(dither="none"), options=Options())
    assert find(dither="ordered").outcome == "up to date"


def test_result_with_other_options_is_due(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    upload = put()
    publish(upload, options=Options())
    found = find(dither="ordered")
    assert found.outcome == "due"
    assert replaced(due(found)) == upload.version_id


def test_result_of_an_older_version_is_due(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    older = put()
    publish(older, options=Options())
    newer = put()
    upload = due(find())
    assert upload.version_id == newer.version_id
    assert replaced(upload) == older.version_id


def test_result_of_another_key_is_none_of_its_own(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    upload = put()
    publish(msgspec.structs.replace(upload, key="a dir/photo.png"), options=Options())
    assert replaced(due(find())) is None


def test_options_that_will_be_refused_are_due(
    put: Callable[..., Upload], publish: Callable[..., None], find: Callable[..., Found]
) -> None:
    """So the refusal is told of, as that of any upload."""
    publish(put(), options=Options())
    assert find(dither="odered").outcome == "due"


def test_object_that_was_deleted_since_it_was_listed_is_gone(
    s3: S3Client, put: Callable[..., Upload], find: Callable[..., Found]
) -> None:
    put()
    s3.delete_object(Bucket="input", Key=KEY)
    assert find() == Found("gone")


def test_object_whose_result_could_have_no_key_is_due(
    s3: S3Client, find: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the refusal is told of, as that of any upload."""
    monkeypatch.setattr(find_upload.s3, "get_object", refusing_keys(find_upload.s3.get_object))
    s3.put_object(Bucket="input", Key="x" * 1024, Body=b"bytes")
    assert find("x" * 1024).outcome == "due"


@pytest.mark.parametrize("ending", PALETTE_ENDINGS)
def test_palettes_are_left_out_as_an_upload_of_them_starts_nothing(
    s3: S3Client, find: Callable[..., Found], ending: str
) -> None:
    s3.put_object(Bucket="input", Key=f"palettes/brand{ending}", Body=b"000000")
    assert find(f"palettes/brand{ending}") == Found("left out")
