"""A deployment to the local engine that is interrupted can be made again."""

from collections.abc import Iterator

import pytest

from emulator import engine
from emulator.deploy import deploy
from quantization_client.stack import find_stack
from tests.support.cloud import free_port

TEMPLATE = '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}'


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    engine.start(port)
    yield port
    engine.stop(port)


def test_deployment_that_was_cut_short_is_made_again(port: int) -> None:
    # What sam leaves between the two calls that create a stack; the second is what it calls a stack
    # for the bucket that it uploads to.
    for name in (engine.STACK_NAME, "aws-sam-cli-managed-default"):
        engine.clients(port)("cloudformation").create_change_set(
            StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=TEMPLATE
        )

    assert find_stack(engine.STACK_NAME, deploy(port)).input_bucket
