"""What a user does with the deployed service, and sees of it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

from emulator import engine
from quantization_client.stack import Stack

LIMIT_SECONDS = 300

type Execution = DescribeExecutionOutputTypeDef


def until[T](look: Callable[[], T | None]) -> T:
    """Return the first value of `look` that is not None."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (seen := look()) is None:
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
    return seen


def function_names(cloudformation: Any) -> dict[str, str]:
    """Return each function's name by its logical id."""
    resources = cloudformation.describe_stack_resources(StackName=engine.STACK_NAME)
    return {
        r["LogicalResourceId"]: r["PhysicalResourceId"]
        for r in resources["StackResources"]
        if r["ResourceType"] == "AWS::Lambda::Function"
    }


class Service:
    """The service, and what was seen of its executions."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.inputs: dict[str, str] = {}

    def upload(self, key: str, body: bytes, **metadata: str) -> str:
        put = self.stack.s3.put_object(
            Bucket=self.stack.input_bucket, Key=key, Body=body, Metadata=metadata
        )
        return put["VersionId"]

    @contextmanager
    def before_the_stack(self) -> Iterator[None]:
        """Start nothing by uploads: what is put is as old as a bucket may be."""
        notify = self.stack.s3.put_bucket_notification_configuration
        notify(Bucket=self.stack.input_bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            notify(
                Bucket=self.stack.input_bucket,
                NotificationConfiguration={"EventBridgeConfiguration": {}},
            )

    def executions(self, version: str) -> list[Execution]:
        """Describe the executions that an upload started."""
        pages = self.stack.states.get_paginator("list_executions").paginate(
            stateMachineArn=self.stack.state_machine
        )
        describe = self.stack.states.describe_execution
        for arn in (e["executionArn"] for page in pages for e in page["executions"]):
            if arn not in self.inputs:
                self.inputs[arn] = describe(executionArn=arn)["input"]
        return [
            describe(executionArn=arn)
            for arn, event in list(self.inputs.items())
            if version in event
        ]

    def ended(self, version: str) -> Execution:
        """Wait until the execution of an upload has ended."""

        def look() -> Execution | None:
            started = self.executions(version)
            return started[0] if started and started[0]["status"] != "RUNNING" else None

        return until(look)

    def again(self, version: str) -> Execution:
        """Start another execution with the same event, and wait for its end."""
        started = self.stack.states.start_execution(
            stateMachineArn=self.stack.state_machine, input=self.executions(version)[0]["input"]
        )

        def look() -> Execution | None:
            seen = self.stack.states.describe_execution(executionArn=started["executionArn"])
            return seen if seen["status"] != "RUNNING" else None

        return until(look)

    def read(self, key: str) -> Any:
        """Return a JSON of the output bucket, or None."""
        try:
            there = self.stack.s3.get_object(Bucket=self.stack.output_bucket, Key=key)
        except self.stack.s3.exceptions.NoSuchKey:
            return None
        return json.loads(there["Body"].read())

    def stop_backfill(self, execution: str) -> None:
        """Stop a backfill, and wait until what it had begun is over."""
        states = self.stack.states
        states.stop_execution(executionArn=execution)
        (run,) = states.list_map_runs(executionArn=execution)["mapRuns"]
        describe = states.describe_map_run
        until(lambda: describe(mapRunArn=run["mapRunArn"])["status"] == "ABORTED" or None)

    def result_versions(self, folder: str) -> dict[str, int]:
        """Count how often each result JSON in a folder was written."""
        pages = self.stack.s3.get_paginator("list_object_versions").paginate(
            Bucket=self.stack.output_bucket, Prefix=folder
        )
        keys = [version["Key"] for page in pages for version in page.get("Versions", [])]
        return Counter(k for k in keys if k.endswith(".json") and not k.endswith(".error.json"))

    def outputs(self, prefix: str) -> set[str]:
        listed = self.stack.s3.list_objects_v2(Bucket=self.stack.output_bucket, Prefix=prefix)
        return {there["Key"] for there in listed.get("Contents", [])}
