"""Patches in CloudFormation."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import stacks

from emulator.patches.patching import patch


@patch(stacks, "_delete_resource", "resource_type, physical_id, props, stack_name, logical_id")
def bucket_is_deleted_only_when_empty(
    stock: Any, resource_type: str, physical_id: str, *more: Any
) -> None:
    """Fail the deletion of a bucket that holds something, and of its stack.

    AWS: the stack becomes DELETE_FAILED, for S3 does not delete such a bucket.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    Stock: the bucket is deleted with all that is in it.
    """
    if resource_type == "AWS::S3::Bucket" and physical_id in s3._buckets:
        status, _, answer = s3._delete_bucket(physical_id)
        if status >= 400:
            raise ValueError(answer.decode())
    stock(resource_type, physical_id, *more)
