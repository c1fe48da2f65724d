"""What the template promises, where the local engine cannot show it."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

import quantization
from emulator.engine import ROOT
from quantization import options
from quantization.errors import REFUSALS
from quantization.report.page import CONSOLES
from quantization.service.stack_defaults import PREFIX
from quantization.service.storage.s3 import LONGEST_CALL_SECONDS
from tests.support.dashboards import metrics_of

TEMPLATE = yaml_parse((ROOT / "template.yml").read_text())
RESOURCES = TEMPLATE["Resources"]
VARIABLES = RESOURCES["SampleFunction"]["Properties"]["Environment"]["Variables"]
# What AWS offers no narrower resource for.
ON_EVERYTHING = {"xray", "logs"}


def of_type(kind: str) -> dict[str, Any]:
    return {
        name: resource.get("Properties", {})
        for name, resource in RESOURCES.items()
        if resource["Type"] == kind
    }


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every policy statement in the template."""
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from statements(part)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_parameters_offer_what_uploads_may_ask_for() -> None:
    parameters = TEMPLATE["Parameters"]
    for name, field in options.FIELDS.items():
        parameter = parameters.get(field.name.title().replace("_", ""))
        variable = PREFIX + field.name.upper()
        assert (parameter is None) == (variable not in VARIABLES), name
        if parameter is not None:
            values = options.values_of(name)
            assert parameter["Default"] == field.default
            assert tuple(parameter.get("AllowedValues", ())) == values.choices
            if not values.choices:
                limits = "from {MinValue:g} to {MaxValue:g}".format(**parameter)
                assert values.phrase.endswith(limits)
    assert f"KMin + {options.MAX_SIZES}" in parameters["KMax"]["Description"]


def test_palettes_are_read_and_start_no_execution() -> None:
    endings = options.PALETTE_ENDINGS
    event = RESOURCES["QuantizeStateMachine"]["Properties"]["Events"]["Upload"]["Properties"]
    images, folders = event["Pattern"]["detail"]["object"]["$or"]
    assert images == {"key": [{"anything-but": {"suffix": ["/", *endings]}}]}
    assert folders == {"key": [{"suffix": "/"}], "size": [{"numeric": [">", 0]}]}
    (read,) = (
        statement
        for statement in statements(RESOURCES["SampleRole"])
        if statement["Action"] == "s3:GetObject"
    )
    assert [r["Fn::Sub"] for r in read["Resource"]] == [
        f"${{InputBucket.Arn}}/*{e}" for e in endings
    ]


@pytest.mark.parametrize("bucket", of_type("AWS::S3::Bucket"))
def test_bucket_is_private_and_encrypted(bucket: str) -> None:
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


def test_bucket_and_queue_are_reached_by_tls_only() -> None:
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


def test_bucket_that_outlives_the_stack_is_still_reached_by_tls_only() -> None:
    # Except where the stack could not be created: nothing is in them yet.
    policies = {name: resource.get("DeletionPolicy") for name, resource in RESOURCES.items()}
    kept = {name for name, policy in policies.items() if policy == "RetainExceptOnCreate"}
    for policy in (RESOURCES[name] for name in kept if name.endswith("Policy")):
        assert policy["Properties"]["Bucket"]["Ref"] in kept
    assert kept == {"InputBucket", "OutputBucket", "InputBucketPolicy", "OutputBucketPolicy"}


def test_nothing_is_granted_on_everything_but_what_has_no_narrower_resource() -> None:
    granted = [s for s in statements(RESOURCES) if s["Effect"] == "Allow"]
    assert len(granted) > 10
    for statement in granted:
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions)
        if "*" in listed(statement.get("Resource", [])):
            assert {action.partition(":")[0] for action in actions} <= ON_EVERYTHING


def test_every_function_has_a_role_of_its_own_with_the_boundary() -> None:
    functions = of_type("AWS::Serverless::Function")
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(set(roles)) == len(functions)
    boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    for role in of_type("AWS::IAM::Role").values():
        assert role["PermissionsBoundary"] == boundary
    for machine in of_type("AWS::Serverless::StateMachine").values():
        assert machine["PermissionsBoundary"] == boundary


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
def test_role_may_use_the_key_if_there_is_one(role: str) -> None:
    (policy,) = of_type("AWS::IAM::Role")[role]["Policies"]
    key, former = (s["Fn::If"] for s in policy["PolicyDocument"]["Statement"] if "Fn::If" in s)
    assert key[0] == "HasKmsKey"
    assert key[1]["Resource"] == {"Ref": "KmsKeyArn"}
    assert "kms:Decrypt" in listed(key[1]["Action"])
    writes = "s3:PutObject" in json.dumps(policy)
    assert ("kms:GenerateDataKey" in listed(key[1]["Action"])) == writes
    # Objects stay encrypted with the key that they were written with.
    assert former[0] == "HasFormerKeys"
    assert former[1]["Action"] == "kms:Decrypt"
    assert former[1]["Resource"] == {"Ref": "FormerKmsKeyArns"}


def test_undeliverable_events_go_to_the_queue_with_the_alarm() -> None:
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


def test_every_function_and_machine_logs_for_so_long_as_the_parameter_says() -> None:
    logs = of_type("AWS::Logs::LogGroup")
    used = [
        f["LoggingConfig"]["LogGroup"]["Ref"] for f in of_type("AWS::Serverless::Function").values()
    ]
    for machine in of_type("AWS::Serverless::StateMachine").values():
        (to,) = machine["Logging"]["Destinations"]
        used.append(to["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0])
    assert set(used) == logs.keys()
    for group in logs.values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_a_backfill_runs_the_machine_of_uploads_as_an_express_workflow() -> None:
    """No other can be run synchronously, and only a Standard one can have a Distributed Map."""
    machines = of_type("AWS::Serverless::StateMachine")
    uploads, express = machines["QuantizeStateMachine"], machines["QuantizeExpress"]
    assert (uploads["Type"], express["Type"]) == ("STANDARD", "EXPRESS")
    assert uploads["DefinitionUri"] == express["DefinitionUri"]
    assert uploads["Policies"][:1] == express["Policies"]
    assert express["Logging"]["Level"] == "ALL"
    given, given_express = (m["DefinitionSubstitutions"] for m in (uploads, express))
    assert given.keys() == given_express.keys()
    differing = {name for name in given if given[name] != given_express[name]}
    assert differing == {"ScoringWorkflow", "TimeLimit"}
    nested = {"Fn::If": ["ScoresInExpress", {"Ref": "QuantizeExpress"}, ""]}
    assert given["ScoringWorkflow"] == nested
    assert given_express["ScoringWorkflow"] == ""
    for name in ("Backfill", "BackfillFromList", "BackfillFromInventory"):
        assert machines[name]["Type"] == "STANDARD"
        assert machines[name]["DefinitionSubstitutions"]["QuantizeExpress"] == {
            "Ref": "QuantizeExpress"
        }


def test_find_upload_has_the_options_that_sample_has() -> None:
    """Or it would take what is done for what is due."""
    variables = RESOURCES["FindUploadFunction"]["Properties"]["Environment"]["Variables"]
    defaults = {name: value for name, value in VARIABLES.items() if name.startswith(PREFIX)}
    assert defaults.items() <= variables.items()


@pytest.mark.parametrize("function", of_type("AWS::Serverless::Function"))
def test_function_outlives_a_call_of_s3_that_is_never_answered(function: str) -> None:
    assert of_type("AWS::Serverless::Function")[function]["Timeout"] > LONGEST_CALL_SECONDS


# Operations.

ALARMS = of_type("AWS::CloudWatch::Alarm")
# What AWS publishes, and the resource that its dimension names:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
PUBLISHED = {
    ("AWS/Lambda", "FunctionName", "AWS::Serverless::Function"): {
        "ConcurrentExecutions",
        "Duration",
        "Throttles",
    },
    ("AWS/States", "StateMachineArn", "AWS::Serverless::StateMachine"): {
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "ExecutionsFailed",
        "ExecutionsTimedOut",
        "ExecutionsAborted",
        "ExecutionThrottled",
    },
    ("AWS/SQS", "QueueName", "AWS::SQS::Queue"): {"ApproximateNumberOfMessagesVisible"},
}


def alarmed() -> set[tuple[str, str, str, str]]:
    """Return namespace, metric, dimension and resource of what the alarms are on."""
    found = set()
    for alarm in ALARMS.values():
        stats = [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m]
        for metric in stats or [alarm]:
            (dimension,) = metric["Dimensions"]
            value = dimension["Value"]
            if isinstance(value, dict):
                (value,) = value.values()
            found.add(
                (
                    str(metric["Namespace"]),
                    metric["MetricName"],
                    dimension["Name"],
                    value[0] if isinstance(value, list) else value,
                )
            )
    return found


def shown() -> set[tuple[str, str, str, str]]:
    """Return the same of what the dashboard shows."""
    (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
    found = set()
    for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]:
        for metric in metrics_of(widget):
            namespace, name, dimension, resource, *_ = metric
            resource = resource.removeprefix("${").removesuffix("}")
            found.add((namespace, name, dimension, resource))
    return found


def test_alarms_and_dashboard_are_on_what_aws_publishes_of_the_resources() -> None:
    of_aws = {metric for metric in alarmed() | shown() if metric[0].startswith("AWS/")}
    assert len(of_aws) > 10
    for namespace, metric, dimension, resource in of_aws:
        kind = RESOURCES[resource]["Type"]
        assert metric in PUBLISHED[namespace, dimension, kind]


def test_every_function_is_watched_for_throttles() -> None:
    throttled = {metric[3] for metric in alarmed() if metric[1] == "Throttles"}
    assert throttled == of_type("AWS::Serverless::Function").keys()


def test_dashboard_shows_every_alarm() -> None:
    (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
    for alarm in ALARMS:
        assert f'"${{{alarm}.Arn}}"' in dashboard["DashboardBody"]["Fn::Sub"]


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_notifies_the_topic_if_there_is_one(alarm: str) -> None:
    topic = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    assert ALARMS[alarm]["AlarmActions"] == ALARMS[alarm]["OKActions"] == topic
    assert ALARMS[alarm]["TreatMissingData"] == "notBreaching"


def test_runbook_starts_from_each_alarm() -> None:
    runbook = (ROOT / "docs/operations.md").read_text()
    headings = re.findall(r"^## (\w+Alarm)$", runbook, re.MULTILINE)
    assert sorted(headings) == sorted(ALARMS)


def test_runbook_names_only_parameters_and_outputs_that_exist() -> None:
    runbook = (ROOT / "docs/operations.md").read_text()
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][A-Za-z]+)+)`", runbook))
    known = {*TEMPLATE["Parameters"], *TEMPLATE["Outputs"], *RESOURCES, *REFUSALS}
    states = re.findall(r"^ +(\w+):$", (ROOT / "statemachine/quantize.asl.yaml").read_text(), re.M)
    emitted = {metric[1] for metric in alarmed() | shown()}
    assert named - known - set(states) - emitted - {"StorageRejected", "StorageFault"} == set()


@pytest.mark.parametrize("layer", of_type("AWS::Serverless::LayerVersion"))
def test_changed_layer_publishes_its_functions_anew(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def versions(content: str) -> set[str]:
        """Return the logical ids of all functions' versions."""
        template = copy.deepcopy(TEMPLATE)
        places = {
            "Function": "CodeUri",
            "LayerVersion": "ContentUri",
            "StateMachine": "DefinitionUri",
        }
        for name, resource in template["Resources"].items():
            if place := places.get(resource["Type"].removeprefix("AWS::Serverless::")):
                key = content if name == layer else name
                resource["Properties"][place] = {"Bucket": "packages", "Key": key}
        translated = Translator({}, Parser()).translate(template, {})
        return {
            name
            for name, resource in translated["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Version"
        }

    functions = of_type("AWS::Serverless::Function").values()
    users = [f for f in functions if {"Ref": layer} in f["Layers"]]
    assert users
    assert len(versions("new") - versions("old")) == len(users)


def test_layers_of_two_stacks_have_names_of_their_own() -> None:
    names = [
        layer["LayerName"]["Fn::Sub"] for layer in of_type("AWS::Serverless::LayerVersion").values()
    ]
    assert len(set(names)) == len(names) == 3
    for name in names:
        # A stack's name may have 128 characters, a layer's 140.
        assert "${AWS::StackName}" in name
        assert len(name.replace("${AWS::StackName}", "s" * 128)) <= 140


@pytest.mark.parametrize("bucket", of_type("AWS::S3::Bucket"))
def test_bucket_keeps_no_parts_of_broken_uploads(bucket: str) -> None:
    rules = of_type("AWS::S3::Bucket")[bucket]["LifecycleConfiguration"]["Rules"]
    (after,) = (rule[part] for rule in rules for part in rule if part.startswith("Abort"))
    assert after == {"DaysAfterInitiation": 1}


def test_input_bucket_keeps_replaced_uploads_as_long_as_asked() -> None:
    rules = of_type("AWS::S3::Bucket")["InputBucket"]["LifecycleConfiguration"]["Rules"]
    condition, expiry, _ = rules[1]["Fn::If"]
    assert condition == "ForgetsUploads"
    assert expiry["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": {"Ref": "ReplacedUploadDays"}
    }
    parameter = TEMPLATE["Parameters"]["ReplacedUploadDays"]
    assert parameter["Default"] == 0
    # Executions can be redriven for 14 days, and read the version that started them.
    assert min(set(parameter["AllowedValues"]) - {0}) >= 14


@pytest.mark.parametrize("output", ["Console", "Dashboard"])
def test_addresses_of_the_console_are_of_the_partition(output: object) -> None:
    address, variables = TEMPLATE["Outputs"][output]["Value"]["Fn::Sub"]
    assert address.startswith("https://${AWS::Region}.${Domain}/")
    domain = variables["Domain"]["Fn::FindInMap"]
    assert domain == ["Consoles", {"Ref": "AWS::Partition"}, "Domain"]
    assert {
        partition: names["Domain"] for partition, names in TEMPLATE["Mappings"]["Consoles"].items()
    } == CONSOLES


def test_each_partition_has_its_console() -> None:
    """The isolated ones (aws-iso and its kin) have no public address."""
    known = botocore.session.get_session().get_available_partitions()
    assert {partition for partition in known if "-iso" not in partition} == CONSOLES.keys()


def test_publication_names_files_that_exist_and_the_version_of_the_package() -> None:
    published = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    for document in ("LicenseUrl", "ReadmeUrl"):
        assert (ROOT / published[document]).read_text()
    assert (ROOT / published["LicenseUrl"]).read_text().startswith(published["SpdxLicenseId"])
    assert published["SemanticVersion"] == quantization.__version__
    # As the repository demands.
    assert re.fullmatch("[a-zA-Z0-9-]{1,140}", published["Name"])
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", published["Author"])
