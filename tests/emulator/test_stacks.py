"""Stacks are deleted as by CloudFormation."""

import json

from botocore.exceptions import ClientError

from tests.support.cloud import Cloud, until

BUCKET = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}


def ended(cloud: Cloud, stack: str) -> str:
    """Wait until nothing is done to the stack, and return its status."""

    def look() -> str | None:
        try:
            (seen,) = cloud.stacks.describe_stacks(StackName=stack)["Stacks"]
        except ClientError:
            return "gone"
        status: str = seen["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    return str(until(look))


def test_bucket_that_holds_something_keeps_its_stack(cloud: Cloud) -> None:
    stack = cloud.name()
    cloud.stacks.create_stack(StackName=stack, TemplateBody=json.dumps(BUCKET))
    assert ended(cloud, stack) == "CREATE_COMPLETE"
    (resource,) = cloud.stacks.describe_stack_resources(StackName=stack)["StackResources"]
    bucket = resource["PhysicalResourceId"]
    cloud.buckets.put_object(Bucket=bucket, Key="k", Body=b"1")

    cloud.stacks.delete_stack(StackName=stack)
    assert ended(cloud, stack) == "DELETE_FAILED"
    cloud.buckets.delete_object(Bucket=bucket, Key="k")
    cloud.stacks.delete_stack(StackName=stack)
    assert ended(cloud, stack) in ("gone", "DELETE_COMPLETE")
