"""What the template promises, read from its text."""

import json

import pytest
from samcli.yamlhelper import yaml_parse

from local.engine import ROOT

TEMPLATE = yaml_parse((ROOT / "template.yml").read_text())


def resources(kind: str) -> dict[str, dict]:
    found = {n: r for n, r in TEMPLATE["Resources"].items() if r["Type"] == kind}
    assert found
    return found


def test_nothing_is_named_but_the_log_group_whose_prefix_aws_prescribes():
    named = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        for field in resource.get("Properties", {})
        if field.endswith("Name")
    }
    assert named == {"StateMachineLogs"}


@pytest.mark.parametrize("name", resources("AWS::S3::Bucket"))
def test_bucket_is_private_encrypted_and_tls_only(name):
    bucket = TEMPLATE["Resources"][name]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policies = [r["Properties"] for r in resources("AWS::S3::BucketPolicy").values()]
    (policy,) = (p["PolicyDocument"] for p in policies if p["Bucket"] == {"Ref": name})
    assert {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        "Resource": [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}],
    }.items() <= policy["Statement"][0].items()


def test_users_images_outlive_the_stack_and_samples_a_day_only():
    for name in ("InputBucket", "OutputBucket"):
        bucket = TEMPLATE["Resources"][name]
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
        assert "LifecycleConfiguration" not in bucket["Properties"]
    (rule,) = TEMPLATE["Resources"]["WorkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 1)


def test_machine_calls_published_versions():
    machine = TEMPLATE["Resources"]["QuantizeStateMachine"]["Properties"]
    called = machine["DefinitionSubstitutions"]
    functions = resources("AWS::Serverless::Function")
    assert {called[name] for name in functions if isinstance(called[name], str)} == set()
    assert [called[name] for name in functions] == [{"Ref": f"{n}.Alias"} for n in functions]
    assert all(f["Properties"]["AutoPublishAliasAllProperties"] for f in functions.values())
    assert "AutoPublishAlias" in TEMPLATE["Globals"]["Function"]


def test_every_parameter_is_described_bounded_and_used():
    body = json.dumps({k: TEMPLATE[k] for k in ("Globals", "Resources")})
    for name, about in TEMPLATE["Parameters"].items():
        assert about["Description"]
        assert "Default" in about
        assert "AllowedValues" in about or {"MinValue", "MaxValue"} <= about.keys()
        assert f'"Ref": "{name}"' in body or f"${{{name}}}" in body
