"""Each role may do what its function does and nothing else, with IAM enforced by an engine.

And a user with the permissions of docs/operations.md may do what the command does.

Not shown here: logs, traces and keys, which the functions do not ask the engine for.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from emulator import engine
from emulator.deploy import deploy
from quantization_client.backfill import Backfill, upload_list
from quantization_client.main import ALL_DONE, NO_STACK, command
from quantization_client.on_stack import quantize
from quantization_client.stack import Stack, find_stack
from tests.support.cloud import free_port
from tests.support.fixtures import Aws, ImageMaker
from tests.support.service import Execution, Service

# Services that the engine's functions do not call themselves.
NOT_CALLED = {"logs", "xray", "sqs", "kms"}
# Without these S3 says "access denied" of what is missing; the engine says "missing" all the same.
NOT_ENFORCED = {"s3:ListBucket", "s3:ListBucketVersions"}

TEMPLATE = yaml_parse((engine.ROOT / "template.yml").read_text())["Resources"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def granted() -> list[tuple[str, int, str]]:
    """List every action that the template grants to a function's role."""
    return [
        (role, number, action)
        for role, resource in TEMPLATE.items()
        if resource["Type"] == "AWS::IAM::Role"
        for number, statement in enumerate(
            resource["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        )
        if "Action" in statement
        for action in listed(statement["Action"])
        if action.partition(":")[0] not in NOT_CALLED and action not in NOT_ENFORCED
    ]


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Service, Aws]]:
    """Deploy to an engine that enforces IAM; return the service and a maker of clients."""
    port = free_port()
    place = engine.aws_environment(engine.endpoint(port))
    # The client's key is the account's root, who may do anything.
    root = {name: place[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    engine.start(port, {"AUTH": "true", **root})
    try:
        stack = find_stack(engine.STACK_NAME, deploy(port))
        # The engine speaks HTTP, which they deny; tests/test_template.py reads them as text.
        for bucket in (stack.input_bucket, stack.work_bucket, stack.output_bucket):
            stack.s3.delete_bucket_policy(Bucket=bucket)
        yield Service(stack), engine.clients(port)
    finally:
        engine.stop(port)


@pytest.fixture(scope="module")
def service(guarded: tuple[Service, Aws]) -> Service:
    return guarded[0]


@pytest.fixture(scope="module")
def iam(guarded: tuple[Service, Aws]) -> Any:
    return guarded[1]("iam")


@pytest.fixture(scope="module")
def roles(guarded: tuple[Service, Aws]) -> dict[str, str]:
    """Return each role's name by its logical id."""
    resources = guarded[1]("cloudformation").describe_stack_resources(StackName=engine.STACK_NAME)
    return {
        r["LogicalResourceId"]: r["PhysicalResourceId"]
        for r in resources["StackResources"]
        if r["ResourceType"] == "AWS::IAM::Role"
    }


def life_of_an_upload(service: Service, image: ImageMaker) -> list[str]:
    """Go through all that the service does; return how each upload ended."""
    name = str(uuid.uuid4())
    ends = []

    def end(ended: Execution) -> None:
        ends.append(f"{ended['status']} {ended.get('error', '')} {sorted(service.outputs(name))}")

    refused = service.upload(f"{name}.png", b"no image")
    end(service.ended(refused))
    failure = service.read(f"{name}.png.error.json")
    first = service.upload(f"{name}.png", image())
    end(service.ended(first))
    # As if the failure had been written late: the next look at it clears it.
    service.stack.s3.put_object(
        Bucket=service.stack.output_bucket,
        Key=f"{name}.png.error.json",
        Body=json.dumps(failure).encode(),
    )
    end(service.again(refused))
    # In another format, so the first one's image is cleared.
    service.upload(f"of-{name}.hex", b"000000\nffffff\n")
    second = service.upload(f"{name}.png", image(9), format="webp", palette=f"of-{name}.hex")
    end(service.ended(second))
    service.stack.s3.delete_object(
        Bucket=service.stack.input_bucket, Key=f"{name}.png", VersionId=second
    )
    end(service.again(second))
    refused = service.upload(f"{name}.gif", b"no image")
    end(service.ended(refused))
    # The newer version is gone, so what a backfill finds takes its place.
    settings = {"tolerated_failure_percentage": 100}
    backfill = Backfill.start(service.stack, {"prefix": name}, settings)
    ends.append(f"{backfill.follow(lambda _: None)} {dict(backfill.summary().outcomes)}")
    return [e.replace(name, "a") for e in ends]


EXPECTED = [
    "FAILED UnsupportedImage ['a.png.error.json']",
    "SUCCEEDED  ['a.html', 'a.json', 'a.png']",
    "FAILED UnsupportedImage ['a.html', 'a.json', 'a.png']",
    "SUCCEEDED  ['a.html', 'a.json', 'a.webp']",
    "FAILED ObjectGone ['a.html', 'a.json', 'a.webp']",
    "FAILED UnsupportedImage ['a.gif.error.json', 'a.html', 'a.json', 'a.webp']",
    "SUCCEEDED {'quantized': 1, 'UnsupportedImage': 1}",
]


def test_granted_actions_are_enough(service: Service, image: ImageMaker) -> None:
    assert life_of_an_upload(service, image) == EXPECTED


@pytest.fixture
def without(iam: Any, roles: dict[str, str]) -> Iterator[Callable[[str, int, str], None]]:
    """Take an action away from a role for a while."""
    whole = []

    def take(role: str, number: int, action: str) -> None:
        (name,) = iam.list_role_policies(RoleName=roles[role])["PolicyNames"]
        of = {"RoleName": roles[role], "PolicyName": name}
        policy = iam.get_role_policy(**of)["PolicyDocument"]
        whole.append(of | {"PolicyDocument": json.dumps(policy)})
        statement = policy["Statement"][number]
        statement["Action"] = [a for a in listed(statement["Action"]) if a != action]
        if not statement["Action"]:
            del policy["Statement"][number]
        iam.put_role_policy(**of, PolicyDocument=json.dumps(policy))

    yield take
    for policy in whole:
        iam.put_role_policy(**policy)


@pytest.mark.parametrize(("role", "number", "action"), granted())
def test_no_granted_action_can_be_spared(
    service: Service,
    image: ImageMaker,
    without: Callable[[str, int, str], None],
    role: str,
    number: int,
    action: str,
) -> None:
    without(role, number, action)
    assert life_of_an_upload(service, image) != EXPECTED


FOREIGN = [
    "s3:DeleteObject",
    "s3:PutBucketPolicy",
    "s3:PutObjectAcl",
    "s3:DeleteBucket",
    "iam:PassRole",
    "states:StartExecution",
    "sqs:ReceiveMessage",
]


def test_each_role_is_denied_what_it_should_not_have(
    iam: Any, roles: dict[str, str], service: Service, tmp_path: Path
) -> None:
    stack = service.stack
    keys = tmp_path / "keys.txt"
    keys.write_text("a.png\n")
    list_key = upload_list(stack, keys)["key"]
    objects = {
        "input": f"arn:aws:s3:::{stack.input_bucket}/a.png",
        "palette": f"arn:aws:s3:::{stack.input_bucket}/a.gpl",
        "work": f"arn:aws:s3:::{stack.work_bucket}/version/first/summary.npz",
        "list": f"arn:aws:s3:::{stack.work_bucket}/{list_key}",
        "output": f"arn:aws:s3:::{stack.output_bucket}/a.json",
        "image": f"arn:aws:s3:::{stack.output_bucket}/a.png",
        "else": "arn:aws:s3:::another-bucket/a.png",
        "function": "arn:aws:lambda:us-east-1:000000000000:function:another",
    }
    tidying = {
        (action, where)
        for action in ("s3:GetObject", "s3:DeleteObjectVersion")
        for where in ("output", "image")
    }
    own = {
        "SampleRole": {("s3:GetObjectVersion", "input"), ("s3:PutObject", "work")}
        | {(a, "palette") for a in ("s3:GetObjectVersion", "s3:GetObject")},
        "ScoreKRole": {("s3:GetObject", "work")},
        "RenderRole": {("s3:GetObjectVersion", where) for where in ("input", "palette")}
        | tidying
        | {("s3:PutObject", where) for where in ("output", "image")},
        "RecordFailureRole": tidying | {("s3:PutObject", "output")},
        "FindUploadRole": {("s3:GetObject", where) for where in ("input", "palette", "output")},
        "QuantizeExpressRole": set(),
        "BackfillRole": {("s3:GetObject", "list")},
        "BackfillFromListRole": {("s3:GetObject", "list")},
        "BackfillFromInventoryRole": {("s3:GetObject", "list")},
        "QuantizeStateMachineRole": set(),
        "QuantizeStateMachineUploadRole": set(),
    }
    assert own.keys() == roles.keys()
    for role, may in own.items():
        arn = iam.get_role(RoleName=roles[role])["Role"]["Arn"]
        for where, resource in objects.items():
            asked = [*FOREIGN, *{action for all_of in own.values() for action, _ in all_of}]
            asked.append("lambda:InvokeFunction")
            simulated = iam.simulate_principal_policy(
                PolicySourceArn=arn,
                ActionNames=asked,
                ResourceArns=[resource],
            )["EvaluationResults"]
            allowed = {r["EvalActionName"] for r in simulated if r["EvalDecision"] == "allowed"}
            expected = {action for action, at in may if at == where}
            assert allowed == expected, (role, where)


def documented(what: str, stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """Return the statements that the page lists for a use of the command, by its columns."""
    page = (engine.ROOT / "docs/operations.md").read_text()
    (row,) = re.findall(rf"^\| {what} \| (.*) \| (.*) \|$", page, re.MULTILINE)

    def statement(part: str) -> dict[str, Any]:
        name = part.partition(": ")[0].split()[-1]
        bucket = getattr(stack, f"{name}_bucket")
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        return allow(re.findall("`(s3:[A-Za-z]+)`", part), resources)

    return {
        "buckets": [statement(part) for part in row[0].split("; ")],
        "states": [allow(re.findall("`(states:[A-Za-z]+)`", row[1]), "*")],
    }


def allow(actions: list[str], resources: str | list[str]) -> dict[str, Any]:
    assert actions
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


@pytest.fixture(scope="module")
def user(iam: Any) -> tuple[Callable[[list[dict[str, Any]]], None], dict[str, str]]:
    """Make a user; return what sets all that they may do, and the variables of their key."""
    iam.create_user(UserName="user")
    key = iam.create_access_key(UserName="user")["AccessKey"]

    def may(statements: list[dict[str, Any]]) -> None:
        described = allow(["cloudformation:DescribeStacks"], "*")
        policy = {"Version": "2012-10-17", "Statement": [described, *statements]}
        iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=json.dumps(policy))

    return may, {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def test_command_needs_the_permissions_that_the_page_lists(
    service: Service,
    user: tuple[Callable[[list[dict[str, Any]]], None], dict[str, str]],
    image: ImageMaker,
    tmp_path: Path,
) -> None:
    may, key = user
    place = engine.aws_environment(service.stack.s3.meta.endpoint_url) | key
    picture, out, keys = tmp_path / "user.png", tmp_path / "out", tmp_path / "keys.txt"
    picture.write_bytes(image())
    keys.write_text("user.png\n")

    def run(*arguments: object) -> int:
        options = command().parse_args(["--stack", engine.STACK_NAME, *map(str, arguments)])
        return quantize(options, lambda: find_stack(engine.STACK_NAME, place))

    for what, arguments in {
        "image files": [picture, "--out", out],
        "with `--again`": ["--again", out / "user.json", "--k", 3],
        "images in the bucket": ["--bucket-list", keys],
    }.items():
        statements = documented(what, service.stack)
        may(statements["buckets"])
        assert run(*arguments) == NO_STACK, what
        may([*statements["buckets"], *statements["states"]])
        assert run(*arguments) == ALL_DONE, what
