"""The life of a stack: what a change of its parameters does to the service."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

from emulator import engine
from emulator.deploy import ARCHITECTURE, deploy
from quantization_client.stack import UnfinishedStackError, find_stack
from tests.support.cloud import free_port
from tests.support.fixtures import Aws, Command, ImageMaker
from tests.support.scripted import entered
from tests.support.service import Service, until
from tools import samconfig
from tools.delete import delete


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Deploy to an engine for stacks that other tests do not meet."""
    port = free_port()
    deploy(port)
    yield port
    engine.stop(port)


@pytest.fixture(scope="module")
def client(port: int) -> Aws:
    """Make clients of the services on that engine."""
    return engine.clients(port)


def update(client: Aws, **parameters: str) -> None:
    """Give the stack these parameters, as ``update-stack --use-previous-template`` does."""
    cloudformation = client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=engine.STACK_NAME)["Stacks"]
    former = [parameter["ParameterKey"] for parameter in stack["Parameters"]]
    cloudformation.update_stack(
        StackName=engine.STACK_NAME,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": parameters[name]}
            if name in parameters
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in former
        ],
    )
    assert wait_while_in_progress(client, engine.STACK_NAME) == "UPDATE_COMPLETE"


def quantized(port: int, key: str, image: bytes) -> Any:
    """Upload an image to the stack, wait, and return its result."""
    service = Service(find_stack(engine.STACK_NAME, engine.aws_environment(engine.endpoint(port))))
    ended = service.ended(service.upload(f"{key}.png", image))
    assert ended["status"] == "SUCCEEDED", ended
    return service.read(f"{key}.json")


def memory_of_sample(client: Aws) -> int:
    """Return the memory in MB that Sample had when it was last called."""
    (group,) = (
        resource["PhysicalResourceId"]
        for resource in client("cloudformation").describe_stack_resources(
            StackName=engine.STACK_NAME
        )["StackResources"]
        if resource["LogicalResourceId"] == "SampleLogs"
    )
    events = client("logs").filter_log_events(logGroupName=group)["events"]
    sampled = [event["message"] for event in events if '"sampled"' in event["message"]]
    return int(json.loads(sampled[-1])["function_memory_size"])


def test_changed_parameters_show_in_the_next_execution(
    port: int, client: Aws, image: ImageMaker
) -> None:
    before = quantized(port, "before", image())["options"]
    assert (before["k_max"], before["criterion"]) == (32, "silhouette")
    assert memory_of_sample(client) == 1769

    update(client, KMax="16", Criterion="guarded", ImagingMemory="2048")
    after = quantized(port, "after", image())["options"]
    assert (after["k_max"], after["criterion"]) == (16, "guarded")
    assert memory_of_sample(client) == 2048


@pytest.mark.parametrize("window", [("40", "32"), ("1", "255")])
def test_window_that_every_upload_would_be_refused_for_is_not_deployed(
    client: Aws, window: tuple[str, str]
) -> None:
    with pytest.raises(ClientError, match="KMin and KMax have to be the same"):
        update(client, KMin=window[0], KMax=window[1])


def test_folder_that_the_console_makes_starts_nothing(port: int, image: ImageMaker) -> None:
    service = Service(find_stack(engine.STACK_NAME, engine.aws_environment(engine.endpoint(port))))
    folder = service.upload("photos/", b"")
    inside = service.upload("photos/first.png", image())
    assert service.ended(inside)["status"] == "SUCCEEDED"
    assert service.executions(folder) == []
    assert service.outputs("photos/") == {f"photos/first.{end}" for end in ("png", "json", "html")}


def test_fan_out_in_an_express_workflow_makes_the_same_image_and_logs_each_k(
    port: int, client: Aws, photo: Path
) -> None:
    images, results, histories = [], [], []
    for fan_out in ("Standard", "Express"):
        if fan_out == "Express":
            update(client, FanOut=fan_out)
        stack = find_stack(engine.STACK_NAME, engine.aws_environment(engine.endpoint(port)))
        service = Service(stack)
        options = {"k-max": "11", "criterion": "guarded"}
        ended = service.ended(service.upload(f"{fan_out}.jpg", photo.read_bytes(), **options))
        assert ended["status"] == "SUCCEEDED", ended
        image = stack.s3.get_object(Bucket=stack.output_bucket, Key=f"{fan_out}.png")
        images.append(image["Body"].read())
        results.append(service.read(f"{fan_out}.json"))
        histories.append(
            client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])
        )

    assert images[0] == images[1]
    assert results[0]["scores"] == results[1]["scores"]
    in_express = entered(histories[1]["events"])
    assert "ScoreInExpress" in in_express
    assert not {"ScoreEachK", "ScoreK"} & {*in_express}
    group = f"/aws/vendedlogs/states/{engine.STACK_NAME}-express"
    logged = [
        json.loads(event["message"])
        for event in client("logs").filter_log_events(logGroupName=group)["events"]
    ]
    scored = [json.loads(e["details"]["output"]) for e in logged if e["type"] == "TaskStateExited"]
    assert {(score["k"], score["silhouette"], score["error"]) for score in scored} == {
        (score["k"], score["silhouette"], score["error"]) for score in results[1]["scores"]
    }
    assert len(scored) == 4


# Beside each other, and their ends.

STAGING = "color-quantization-staging"


@pytest.fixture(scope="module")
def sam(port: int) -> Command:
    """Run one of the tools that call sam, against the engine."""

    def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"tools.{tool}", *arguments],
            cwd=engine.ROOT,
            env={**os.environ, **engine.aws_environment(engine.endpoint(port))},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def layers_of(client: Aws, stack: str) -> set[str]:
    resources = client("cloudformation").describe_stack_resources(StackName=stack)
    return {
        resource["PhysicalResourceId"].split(":")[6]
        for resource in resources["StackResources"]
        if resource["ResourceType"] == "AWS::Lambda::LayerVersion"
    }


def status_of(client: Aws, stack: str) -> str:
    try:
        (seen,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError:
        return "DELETE_COMPLETE"
    return str(seen["StackStatus"])


def test_second_stack_lies_beside_the_first_and_goes_without_it(
    port: int, client: Aws, sam: Command, image: ImageMaker
) -> None:
    update(client, KMax="24")
    deployed = sam("deploy", "--config-env", "staging", f"Architecture={ARCHITECTURE}", "KMax=16")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    layers = layers_of(client, STAGING)
    assert len(layers) == 3
    assert not layers & layers_of(client, engine.STACK_NAME)

    work = find_stack(STAGING, engine.aws_environment(engine.endpoint(port))).work_bucket
    for number in range(3):
        client("s3").put_object(Bucket=work, Key=f"{number}/summary.npz", Body=b"1")
    deleted = sam("delete", "--config-env", "staging")
    assert deleted.returncode == 0, deleted.stdout + deleted.stderr
    assert status_of(client, STAGING) == "DELETE_COMPLETE"
    assert quantized(port, "left", image())["options"]["k_max"] == 24


def test_build_for_one_processor_is_not_deployed_for_another(client: Aws) -> None:
    other = {"arm64": "x86_64", "x86_64": "arm64"}[ARCHITECTURE]
    with pytest.raises(ClientError, match=f"Architecture.*{ARCHITECTURE}"):
        update(client, Architecture=other)


KEEPING = yaml_parse((engine.ROOT / "template.yml").read_text())["Resources"]["InputBucket"][
    "DeletionPolicy"
]
BUCKETS = {
    name: {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy}
    for name, policy in (("InputBucket", KEEPING), ("WorkBucket", "Delete"))
}
# Of two versions of a function that did not change between them, Lambda refuses the second.
FUNCTION = {
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Code": {"ZipFile": "def handler(event, context): pass"},
        },
    }
}
VERSIONS = {
    name: {
        "Type": "AWS::Lambda::Version",
        "DependsOn": [*BUCKETS],
        "Properties": {"FunctionName": {"Ref": "Function"}},
    }
    for name in ("First", "Second")
}
FAILING = FUNCTION | VERSIONS


def named(stack: str) -> samconfig.Environment:
    return samconfig.Environment("staging", stack, None, {})


def wait_while_in_progress(client: Aws, stack: str) -> str:
    return until(
        lambda: None if status_of(client, stack).endswith("_PROGRESS") else status_of(client, stack)
    )


@pytest.fixture
def on_engine(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in engine.aws_environment(engine.endpoint(port)).items():
        monkeypatch.setenv(name, value)


def test_stack_that_was_looked_at_but_not_created_is_deleted(client: Aws, on_engine: None) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_change_set(
        StackName="looked-at",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": BUCKETS}),
    )
    assert status_of(client, "looked-at") == "REVIEW_IN_PROGRESS"
    with pytest.raises(UnfinishedStackError, match="REVIEW_IN_PROGRESS"):
        find_stack("looked-at")

    assert delete(named("looked-at"), cloudformation, client("s3")) == 0
    assert status_of(client, "looked-at") == "DELETE_COMPLETE"


def test_bucket_that_an_execution_still_writes_to_is_emptied_again(
    client: Aws, on_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation, s3 = client("cloudformation"), client("s3")
    cloudformation.create_stack(StackName="busy", TemplateBody=json.dumps({"Resources": BUCKETS}))
    assert wait_while_in_progress(client, "busy") == "CREATE_COMPLETE"
    resources = cloudformation.describe_stack_resources(StackName="busy")["StackResources"]
    buckets = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
    s3.put_object(Bucket=buckets["InputBucket"], Key="kept", Body=b"1")
    run = subprocess.run

    def written_to(*arguments: Any, **more: Any) -> subprocess.CompletedProcess[str]:
        s3.put_object(Bucket=buckets["WorkBucket"], Key="late/summary.npz", Body=b"1")
        return run(*arguments, **more)

    monkeypatch.setattr("tools.delete.subprocess.run", written_to)
    assert delete(named("busy"), cloudformation, s3) == 0
    assert status_of(client, "busy") == "DELETE_COMPLETE"
    assert s3.get_object(Bucket=buckets["InputBucket"], Key="kept")["Body"].read() == b"1"


def test_stack_that_could_not_be_created_is_deleted(client: Aws, on_engine: None) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName="failed", TemplateBody=json.dumps({"Resources": BUCKETS | FAILING})
    )
    assert wait_while_in_progress(client, "failed") == "ROLLBACK_COMPLETE"
    with pytest.raises(UnfinishedStackError, match="ROLLBACK_COMPLETE"):
        find_stack("failed")
    s3 = client("s3")
    there = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert not [name for name in there if name.startswith("failed-")]
    assert delete(named("failed"), cloudformation, s3) == 0
    assert status_of(client, "failed") == "DELETE_COMPLETE"


KEYS = {name: f"arn:aws:kms:us-east-1:000000000000:key/{name}" for name in ("new", "old", "older")}


def test_what_former_keys_encrypted_can_be_read_but_is_not_added_to(client: Aws) -> None:
    former = f"{KEYS['old']},{KEYS['older']}"
    update(client, KmsKeyArn=KEYS["new"], FormerKmsKeyArns=former)
    iam = client("iam")

    def allowed(role: str) -> set[tuple[str, str]]:
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        found = set()
        for name, key in KEYS.items():
            simulated = iam.simulate_principal_policy(
                PolicySourceArn=arn,
                ActionNames=["kms:Decrypt", "kms:GenerateDataKey"],
                ResourceArns=[key],
            )["EvaluationResults"]
            found |= {
                (name, result["EvalActionName"].removeprefix("kms:"))
                for result in simulated
                if result["EvalDecision"] == "allowed"
            }
        return found

    resources = client("cloudformation").describe_stack_resources(StackName=engine.STACK_NAME)
    roles = {
        resource["LogicalResourceId"]: allowed(resource["PhysicalResourceId"])
        for resource in resources["StackResources"]
        if resource["LogicalResourceId"]
        in ("SampleRole", "ScoreKRole", "RenderRole", "RecordFailureRole")
    }
    reading = {(name, "Decrypt") for name in KEYS}
    writing = reading | {("new", "GenerateDataKey")}
    assert roles == {
        "SampleRole": writing,
        "ScoreKRole": reading,
        "RenderRole": writing,
        "RecordFailureRole": writing,
    }
