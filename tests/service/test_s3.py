"""The functions' S3 client does what boto3's does."""

from typing import Any

import boto3
from mypy_boto3_s3 import S3Client

from quantization.service.storage.s3 import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS, make_client
from tests.support.fixtures import Uploader


def test_client_is_that_of_boto3(s3: S3Client, upload: Uploader) -> None:
    ours = make_client()
    theirs = boto3.client("s3")
    assert ours.meta.method_to_api_mapping == theirs.meta.method_to_api_mapping
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    for name in theirs.meta.service_model.operation_names:
        shapes = [
            repr(client.meta.service_model.operation_model(name).input_shape)
            for client in (ours, theirs)
        ]
        assert shapes[0] == shapes[1]
    uploaded = upload("a key", b"content")
    answer = ours.get_object(Bucket="input", Key="a key", VersionId=uploaded.version_id)
    assert answer["Body"].read() == b"content"


def test_no_call_lasts_longer_than_is_reckoned_with() -> None:
    config: Any = make_client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)
    assert config.retries["total_max_attempts"] == ATTEMPTS
