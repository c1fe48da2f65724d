"""Buckets behave as in S3."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud, until


def versioned(cloud: Cloud) -> str:
    bucket = cloud.bucket()
    cloud.buckets.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    return bucket


def refusal(attempt: Callable[..., Any], **arguments: Any) -> str | None:
    """Return the code of the error that the attempt ends with."""
    try:
        attempt(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_event_names_the_version(cloud: Cloud) -> None:
    bucket, key = versioned(cloud), "späth photo+1%41.JPG"
    queue = cloud.queues.create_queue(QueueName=cloud.name())["QueueUrl"]
    rule = cloud.name()
    cloud.rules.put_rule(
        Name=rule,
        EventPattern=json.dumps(
            {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [bucket]}},
            }
        ),
    )
    arn = cloud.queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    cloud.rules.put_targets(
        Rule=rule, Targets=[{"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}]
    )
    cloud.buckets.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    put = cloud.buckets.put_object(Bucket=bucket, Key=key, Body=b"1")

    (message,) = until(lambda: cloud.queues.receive_message(QueueUrl=queue).get("Messages"))
    created = json.loads(message["Body"])["detail"]["object"]
    assert created["key"] == key
    assert created["size"] == 1
    assert created["etag"] == put["ETag"].strip('"')
    assert int(created["sequencer"], 16) > 0
    assert created.get("version-id") == put["VersionId"]


def test_version_can_be_read_after_its_successor_was_written(patched: Cloud) -> None:
    bucket = versioned(patched)
    first = patched.buckets.put_object(Bucket=bucket, Key="k", Body=b"1")
    patched.buckets.put_object(Bucket=bucket, Key="k", Body=b"2")
    read = {"Bucket": bucket, "Key": "k", "VersionId": first["VersionId"]}
    assert patched.buckets.get_object(**read)["Body"].read() == b"1"
    patched.buckets.delete_object(**read)
    assert refusal(patched.buckets.get_object, **read) == "NoSuchVersion"


def test_nothing_can_be_asked_of_a_key_over_1024_bytes(cloud: Cloud) -> None:
    bucket, longest = cloud.bucket(), "é" * 512
    cloud.buckets.put_object(Bucket=bucket, Key=longest, Body=b"1")
    assert refusal(cloud.buckets.get_object, Bucket=bucket, Key=longest) is None

    longer = {"Bucket": bucket, "Key": longest + "x"}
    assert refusal(cloud.buckets.put_object, **longer, Body=b"1") == "KeyTooLongError"
    assert refusal(cloud.buckets.get_object, **longer) == "KeyTooLongError"
    assert refusal(cloud.buckets.head_object, **longer) == "400"


@pytest.mark.parametrize("keep_versions", [True, False])
def test_put_may_be_conditional(patched: Cloud, keep_versions: bool) -> None:
    bucket = versioned(patched) if keep_versions else patched.bucket()
    write = {"Bucket": bucket, "Key": "k", "Body": b"1"}
    put = patched.buckets.put_object
    first = put(**write, IfNoneMatch="*")
    assert refusal(put, **write, IfNoneMatch="*") == "PreconditionFailed"
    assert refusal(put, **write, IfMatch='"0"') == "PreconditionFailed"
    assert refusal(put, **write, IfMatch=first["ETag"]) is None
    patched.buckets.delete_object(Bucket=bucket, Key="k")
    assert refusal(put, **write, IfMatch=first["ETag"]) == "NoSuchKey"
    assert refusal(put, **write, IfNoneMatch="*") is None


def test_lifecycle_is_accepted(patched: Cloud) -> None:
    bucket = patched.bucket()
    rule = {"ID": "a-day", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    patched.buckets.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    kept = patched.buckets.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert kept["Rules"] == [rule]
