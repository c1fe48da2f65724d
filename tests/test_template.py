"""What the template promises, where the local engine cannot show it."""

import json
import re

import pytest
from samcli.yamlhelper import yaml_parse

import quantization
from local.engine import ROOT

TEMPLATE = yaml_parse((ROOT / "template.yml").read_text())
RESOURCES = TEMPLATE["Resources"]
# What AWS offers no narrower resource for.
ON_EVERYTHING = {"xray", "logs"}


def of_type(kind: str) -> dict:
    return {
        name: resource.get("Properties", {})
        for name, resource in RESOURCES.items()
        if resource["Type"] == kind
    }


def statements(value):
    """Yield every policy statement in the template."""
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from statements(part)


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("bucket", of_type("AWS::S3::Bucket"))
def test_bucket_is_private_and_encrypted(bucket):
    properties = of_type("AWS::S3::Bucket")[bucket]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    encryption = rule["ServerSideEncryptionByDefault"]
    assert encryption["SSEAlgorithm"] == {"Fn::If": ["HasKmsKey", "aws:kms", "AES256"]}
    assert encryption["KMSMasterKeyID"]["Fn::If"][1] == {"Ref": "KmsKeyArn"}


def test_bucket_and_queue_are_reached_by_tls_only():
    policies = [
        *of_type("AWS::S3::BucketPolicy").values(),
        *of_type("AWS::SQS::QueuePolicy").values(),
    ]
    guarded = set()
    for policy in policies:
        (deny,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny")
        assert deny["Principal"] == "*"
        assert deny["Action"] in ("s3:*", "sqs:*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        guarded |= {r["Ref"] for r in listed(policy.get("Bucket", policy.get("Queues")))}
    assert guarded == of_type("AWS::S3::Bucket").keys() | of_type("AWS::SQS::Queue").keys()


def test_nothing_is_granted_on_everything_but_what_has_no_narrower_resource():
    granted = [s for s in statements(RESOURCES) if s["Effect"] == "Allow"]
    assert len(granted) > 10
    for statement in granted:
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions)
        if "*" in listed(statement.get("Resource", [])):
            assert {action.partition(":")[0] for action in actions} <= ON_EVERYTHING


def test_every_function_has_a_role_of_its_own_with_the_boundary():
    functions = of_type("AWS::Serverless::Function")
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(set(roles)) == len(functions)
    boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    for role in of_type("AWS::IAM::Role").values():
        assert role["PermissionsBoundary"] == boundary
    (machine,) = of_type("AWS::Serverless::StateMachine").values()
    assert machine["PermissionsBoundary"] == boundary


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
def test_role_may_use_the_key_if_there_is_one(role):
    (policy,) = of_type("AWS::IAM::Role")[role]["Policies"]
    (key,) = (s["Fn::If"] for s in policy["PolicyDocument"]["Statement"] if "Fn::If" in s)
    assert key[0] == "HasKmsKey"
    assert key[1]["Resource"] == {"Ref": "KmsKeyArn"}
    assert "kms:Decrypt" in listed(key[1]["Action"])
    writes = "s3:PutObject" in json.dumps(policy)
    assert ("kms:GenerateDataKey" in listed(key[1]["Action"])) == writes


def test_undeliverable_events_go_to_the_queue_with_the_alarm():
    targets = [
        event["Properties"]
        for kind in ("AWS::Serverless::StateMachine", "AWS::Serverless::Function")
        for resource in of_type(kind).values()
        for event in resource.get("Events", {}).values()
    ]
    assert len(targets) == 2
    for target in targets:
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86400
    alarm = of_type("AWS::CloudWatch::Alarm")["DeadLettersAlarm"]
    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["DeadLetters", "QueueName"]}
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_every_function_and_the_machine_log_for_so_long_as_the_parameter_says():
    logs = of_type("AWS::Logs::LogGroup")
    used = [
        f["LoggingConfig"]["LogGroup"]["Ref"] for f in of_type("AWS::Serverless::Function").values()
    ]
    assert {*used, "StateMachineLogs"} == logs.keys()
    for group in logs.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_publication_names_files_that_exist_and_the_version_of_the_package():
    published = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    for document in ("LicenseUrl", "ReadmeUrl"):
        assert (ROOT / published[document]).read_text()
    assert (ROOT / published["LicenseUrl"]).read_text().startswith(published["SpdxLicenseId"])
    assert published["SemanticVersion"] == quantization.__version__
    # As the repository demands.
    assert re.fullmatch("[a-zA-Z0-9-]{1,140}", published["Name"])
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", published["Author"])
