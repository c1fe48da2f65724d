"""A deployed stack, on the local engine or on AWS: its buckets, its state machine, its clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError

from quantization_client.jobs import StackError
from quantization_client.patience import patiently

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

LOCAL_POLL_SECONDS = 0.1
AWS_POLL_SECONDS = 1.0
"""An account may read 20 histories a second; 16 images are followed at once."""


class NoSuchStackError(StackError):
    """No stack of that name is deployed where the client looks."""


class UnfinishedStackError(StackError):
    """The stack has not been created to its end, or its creation has failed."""


class ForeignStackError(StackError):
    """The stack is not of this project, or of another version."""


@dataclass(frozen=True)
class Stack:
    """Where to upload, what to follow, how often to look, and where the results are."""

    s3: "S3Client"
    states: "SFNClient"
    input_bucket: str
    work_bucket: str
    output_bucket: str
    state_machine: str
    backfills: Mapping[str, str]
    """The machines for what is in the bucket already, by where they read its list."""
    poll_seconds: float

    def start(self, machine: str, given: str) -> str:
        """Start an execution with an input, once AWS is neither busy nor out of reach.

        Returns
        -------
        execution : str
            ARN. It has a name, by which AWS starts it once, however often it is asked to.

        Raises
        ------
        ClientError, BotoCoreError
            If AWS refuses, or is busy or out of reach for long.
        """
        start = partial(
            self.states.start_execution, stateMachineArn=machine, name=str(uuid4()), input=given
        )
        return patiently(start, self.poll_seconds)["executionArn"]


def find_stack(name: str, environment: Mapping[str, str] | None = None) -> Stack:
    """Find a stack by its name.

    Parameters
    ----------
    name : str
        Name of the CloudFormation stack.
    environment : mapping, optional
        Variables AWS_* that point at another endpoint; without them the AWS account and region
        that the shell is set up for.

    Raises
    ------
    NoSuchStackError
        If it is not deployed there.
    UnfinishedStackError
        If it has no outputs.
    ForeignStackError
        If it lacks one.

    """
    aws_environment = environment or {}
    session = boto3.Session(
        aws_access_key_id=aws_environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=aws_environment.get("AWS_SECRET_ACCESS_KEY"),
        region_name=aws_environment.get("AWS_REGION"),
    )
    endpoint = aws_environment.get("AWS_ENDPOINT_URL")
    try:
        described = session.client("cloudformation", endpoint_url=endpoint).describe_stacks(
            StackName=name
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise NoSuchStackError(f"no stack named {name!r} is deployed") from error
        raise
    (stack,) = described["Stacks"]
    # There are none before the first deployment has succeeded, and none while one is rolled back.
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if not outputs:
        raise UnfinishedStackError(
            f"the stack {name!r} is {stack['StackStatus']}; deploy it to its end first"
        )

    def output(key: str) -> str:
        if key not in outputs:
            raise ForeignStackError(
                f"the stack {name!r} has no output {key}: it is none of color-quantization, or one"
                " to deploy anew"
            )
        return outputs[key]

    return Stack(
        input_bucket=output("InputBucket"),
        work_bucket=output("WorkBucket"),
        output_bucket=output("OutputBucket"),
        state_machine=output("StateMachine"),
        backfills={
            "prefix": output("Backfill"),
            "list": output("BackfillFromList"),
            "inventory": output("BackfillFromInventory"),
        },
        s3=session.client("s3", endpoint_url=endpoint),
        states=session.client("stepfunctions", endpoint_url=endpoint),
        poll_seconds=LOCAL_POLL_SECONDS if endpoint else AWS_POLL_SECONDS,
    )
