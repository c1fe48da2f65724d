"""Delete a stack of samconfig.toml, in whatever state it is, but not its uploads and results.

    python -m tools.delete [--config-env ENV]

The input and the output bucket stay, with all that is in them. The work bucket, which
CloudFormation deletes only when it is empty, is emptied: what is in it is of use only to executions
that are running, and these end with the stack.
"""

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from emulator.engine import ROOT
from tools import samconfig

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

NEVER_CREATED = "REVIEW_IN_PROGRESS"
"""Of a stack whose first changes were looked at, and not made. It has nothing but a name."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.delete", description=__doc__)
    parser.add_argument("--config-env", default="default", help="an environment of samconfig.toml")
    try:
        environment = samconfig.read(parser.parse_args().config_env)
        session = environment.session()
        return delete(environment, session.client("cloudformation"), session.client("s3"))
    except (samconfig.ConfigurationError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def delete(
    environment: samconfig.Environment, cloudformation: "CloudFormationClient", s3: "S3Client"
) -> int:
    """Delete the stack of an environment; return the exit code."""
    name = environment.stack_name
    status = _status(cloudformation, name)
    if status is None:
        print(f"error: no stack named {name!r} is deployed", file=sys.stderr)
        return 1
    if status.endswith("_IN_PROGRESS") and status != NEVER_CREATED:
        print(
            f"error: the stack {name!r} is {status}; delete it when that is over", file=sys.stderr
        )
        return 1
    buckets = _buckets(cloudformation, name)
    if status != NEVER_CREATED:
        _empty(s3, buckets.get("WorkBucket"))
        # It also deletes the packages that it has uploaded.
        subprocess.run(
            [
                *("sam", "delete", "--stack-name", name, "--no-prompts"),
                *("--config-file", samconfig.FILE, "--config-env", environment.name),
                # sam does not look for them among what it deploys with.
                *(("--region", environment.region) if environment.region else ()),
                *(("--profile", environment.profile) if environment.profile else ()),
            ],
            cwd=ROOT,
            check=False,
        )
    if _status(cloudformation, name) is not None:
        # Executions that were running have written to the bucket. Their functions are gone by now.
        _empty(s3, buckets.get("WorkBucket"))
        cloudformation.delete_stack(StackName=name)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)
        except WaiterError:
            print(f"error: the stack {name!r} is {_status(cloudformation, name)}", file=sys.stderr)
            return 1
    kept = [buckets[bucket] for bucket in ("InputBucket", "OutputBucket") if bucket in buckets]
    print(f"deleted {name}; kept, with what is in them: {', '.join(kept) or 'nothing'}")
    return 0


def _status(cloudformation: "CloudFormationClient", name: str) -> str | None:
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return None if status == "DELETE_COMPLETE" else status


def _buckets(cloudformation: "CloudFormationClient", name: str) -> dict[str, str]:
    """Return the names of the stack's buckets that there are, by their logical ids.

    They are asked for as resources: a stack that could not be created has no outputs.
    """
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::S3::Bucket"
        and resource["ResourceStatus"] != "DELETE_COMPLETE"
        and resource.get("PhysicalResourceId")
    }


def _empty(s3: "S3Client", bucket: str | None) -> None:
    """Delete all objects of a bucket, by the thousand."""
    if bucket is None:
        return
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            objects: list[Any] = [{"Key": found["Key"]} for found in page.get("Contents", [])]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    except s3.exceptions.NoSuchBucket:
        return


if __name__ == "__main__":
    sys.exit(main())
