"""What is made of samconfig.toml when a stack is deployed or deleted."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from mypy_boto3_cloudformation import CloudFormationClient
from mypy_boto3_s3 import S3Client
from samcli.yamlhelper import yaml_parse

from emulator.engine import ROOT
from tools import delete as deletion
from tools import gallery, samconfig
from tools.delete import delete
from tools.deploy import LONGEST_STACK_NAME, check_stack_name

CONFIGURATION = """\
[default.global.parameters]
stack_name = "one"
parameter_overrides = ["Architecture=arm64", "KMax=16"]
[default.deploy.parameters]
region = "eu-central-1"
profile = "work"
[other.global.parameters]
stack_name = "other"
parameter_overrides = "Architecture=x86_64"
"""


def test_parameters_are_read_however_sam_lets_them_be_written(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(CONFIGURATION)

    assert samconfig.read("default", file) == samconfig.Environment(
        "default", "one", "eu-central-1", {"Architecture": "arm64", "KMax": "16"}, "work"
    )
    assert samconfig.read("other", file).parameters == {"Architecture": "x86_64"}
    with pytest.raises(samconfig.ConfigurationError, match="only default, other"):
        samconfig.read("staging", file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[default.global.parameters]\nregion = "eu-central-1"', "no stack_name in default.global"),
        ("version = 0.1", "no section 'default'"),
        ("[default", "samconfig.toml: "),
    ],
)
def test_configuration_that_lacks_something_is_told_as_that(
    content: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(content)

    with pytest.raises(samconfig.ConfigurationError, match=re.escape(said)):
        samconfig.read("default", file)


def test_value_that_is_no_section_is_no_environment(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(f"version = 0.1\n{CONFIGURATION}")

    with pytest.raises(samconfig.ConfigurationError, match="only default, other"):
        samconfig.read("version", file)


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., tuple[int, str, list[str]]]:
    """Run `tools.deploy` with a `sam` that only writes down how it was called."""
    calls = tmp_path / "calls"
    sam = tmp_path / "bin" / "sam"
    sam.parent.mkdir()
    sam.write_text(f'#!/bin/sh\necho "$@" >>{calls}\n')
    sam.chmod(0o755)

    def run(*arguments: str, **variables: str) -> tuple[int, str, list[str]]:
        kept = {name: value for name, value in os.environ.items() if "AWS" not in name}
        done = subprocess.run(
            [sys.executable, "-m", "tools.deploy", *arguments],
            cwd=ROOT,
            env={
                **kept,
                "PATH": f"{sam.parent}:{os.environ['PATH']}",
                "AWS_CONFIG_FILE": str(tmp_path / "none"),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr, calls.read_text().split() if calls.exists() else []

    return run


@pytest.mark.parametrize("variables", [{}, {"AWS_REGION": "eu-central-1"}])
def test_region_is_asked_for_before_the_build(
    deploy: Callable[..., tuple[int, str, list[str]]], variables: dict[str, str]
) -> None:
    code, said, called = deploy(**variables)

    assert code != 0
    assert "AWS_DEFAULT_REGION" in said
    assert called == []


@pytest.mark.parametrize(
    ("arguments", "variables", "wrong"),
    [
        (["Architecture=mips"], {"AWS_DEFAULT_REGION": "eu-central-1"}, "mips"),
        (["--build-only", "Architecture="], {}, "Architecture"),
        ([], {"AWS_PROFILE": "nobody"}, "nobody"),
    ],
)
def test_slip_is_told_in_one_line_before_the_build(
    deploy: Callable[..., tuple[int, str, list[str]]],
    arguments: list[str],
    variables: dict[str, str],
    wrong: str,
) -> None:
    code, said, called = deploy(*arguments, **variables)

    (line,) = said.splitlines()
    assert code == 1
    assert line.startswith("error: ")
    assert wrong in line
    assert called == []


def test_longest_stack_name_is_that_whose_machines_aws_creates() -> None:
    model = boto3.client("stepfunctions", "us-east-1").meta.service_model
    given = model.operation_model("CreateStateMachine").input_shape
    assert given
    resources = yaml_parse((ROOT / "template.yml").read_text())["Resources"].values()
    machines = (r["Properties"] for r in resources if r["Type"].endswith("::StateMachine"))
    suffixes = [
        machine["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}")
        for machine in machines
        if "Name" in machine
    ]
    assert max(map(len, suffixes)) + LONGEST_STACK_NAME == given.members["name"].metadata["max"]

    longest = samconfig.Environment("default", "x" * LONGEST_STACK_NAME, None, {})
    check_stack_name(longest)
    with pytest.raises(samconfig.ConfigurationError, match="choose one of at most"):
        check_stack_name(replace(longest, stack_name=longest.stack_name + "x"))


class OneStack:
    """CloudFormation with one stack, which has a work bucket."""

    def __init__(self, status: str = "UPDATE_ROLLBACK_COMPLETE") -> None:
        self.status = status
        self.deleted = False

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.deleted:
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": "it does not exist"}},
                "DescribeStacks",
            )
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_resources(self, **_: str) -> dict[str, Any]:
        work = {
            "LogicalResourceId": "WorkBucket",
            "PhysicalResourceId": "work",
            "ResourceType": "AWS::S3::Bucket",
            "ResourceStatus": "CREATE_COMPLETE",
        }
        return {"StackResources": [work]}

    def delete_stack(self, **_: str) -> None:
        self.deleted = True

    def get_waiter(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(wait=lambda **_: None)


def test_work_bucket_is_emptied_by_the_thousand(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1001):
        s3.put_object(Bucket="work", Key=f"{number}/summary.npz", Body=b"")
    calls = []

    def note(model: OperationModel, **_: Any) -> None:
        calls.append(model.name)

    s3.meta.events.register("before-call.s3.*", note)
    monkeypatch.setattr("tools.delete.subprocess.run", lambda *_, **__: None)

    cloudformation = cast(CloudFormationClient, OneStack())
    assert delete(samconfig.Environment("default", "one", None, {}), cloudformation, s3) == 0
    s3.meta.events.unregister("before-call.s3.*", note)
    assert calls.count("DeleteObjects") == 2
    assert "DeleteObject" not in calls
    assert s3.list_objects_v2(Bucket="work")["KeyCount"] == 0


def test_stack_is_deleted_where_it_was_deployed(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another of its name may lie where the shell points."""
    profiles = tmp_path / "config"
    profiles.write_text("[profile work]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    there = samconfig.Environment("default", "one", "eu-central-1", {}, "work")
    monkeypatch.setattr(samconfig, "read", lambda _: there)
    monkeypatch.setattr(sys, "argv", ["delete"])
    called: list[str] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: called.extend(map(str, command)))
    stack = OneStack()
    asked = []

    def client(session: boto3.Session, service: str) -> Any:
        asked.append((session.profile_name, session.region_name, service))
        return stack if service == "cloudformation" else s3

    monkeypatch.setattr(boto3.Session, "client", client)
    assert deletion.main() == 0
    assert asked == [
        ("work", "eu-central-1", "cloudformation"),
        ("work", "eu-central-1", "s3"),
    ]
    assert " --region eu-central-1 --profile work" in " ".join(called)


def test_stack_that_is_being_changed_is_left_alone(
    s3: S3Client, capsys: pytest.CaptureFixture[str]
) -> None:
    changing = cast(CloudFormationClient, OneStack("UPDATE_IN_PROGRESS"))

    assert delete(samconfig.Environment("default", "one", None, {}), changing, s3) == 1
    assert "UPDATE_IN_PROGRESS" in capsys.readouterr().err


def test_gallery_is_left_alone_where_its_pictures_cannot_be_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.png").touch()
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    monkeypatch.setattr(gallery, "EXHIBITS", [])
    monkeypatch.setattr(shutil, "which", lambda _: None)

    assert gallery.main() == 1

    assert capsys.readouterr().err == "error: no Chromium: apt-get install chromium\n"
    assert (tmp_path / "photo.png").exists()
