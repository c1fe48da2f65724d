"""What the stack's parameters do, by CloudFormation's and SAM's own rules."""

import itertools
import json
import re
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from emulator.engine import ROOT
from quantization.options import LARGEST_K, Options

LOCAL_SOURCES = ("CodeUri", "ContentUri", "DefinitionUri")
LONGEST_DESCRIPTION = 256
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html"""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse((ROOT / "template.yml").read_text())
    return template


@pytest.fixture(scope="module")
def translated(template: dict[str, Any]) -> dict[str, Any]:
    """What SAM makes of the template, its code uploaded; parameters are left to CloudFormation."""
    template = json.loads(json.dumps(template))
    for name, resource in template["Resources"].items():
        for source in LOCAL_SOURCES:
            if source in resource.get("Properties", {}):
                resource["Properties"][source] = {"Bucket": "packages", "Key": name}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        translated: dict[str, Any] = Translator({}, Parser()).translate(template, {})
    return translated


def of_type(translated: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in translated["Resources"].items()
        if resource["Type"] == kind
    }


def parameters_in(value: object, template: dict[str, Any]) -> set[str]:
    """Return the parameters that a value depends on."""
    text = json.dumps(value)
    named = {*re.findall(r'{"Ref": "(\w+)"}', text), *re.findall(r"\${(\w+)}", text)}
    return named & set(template["Parameters"])


def description_of_version(function: str, translated: dict[str, Any]) -> dict[str, Any]:
    (version,) = (
        version
        for version in of_type(translated, "AWS::Lambda::Version").values()
        if version["FunctionName"] == {"Ref": function}
    )
    description: dict[str, Any] = version["Description"]
    return description


FUNCTIONS = [
    *("SampleFunction", "ScoreKFunction", "RenderFunction"),
    *("RecordFailureFunction", "FindUploadFunction"),
]


def test_every_function_is_held_to_it(translated: dict[str, Any]) -> None:
    assert sorted(of_type(translated, "AWS::Lambda::Function")) == sorted(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_version_is_replaced_by_just_the_parameters_that_change_its_function(
    function: str, template: dict[str, Any], translated: dict[str, Any]
) -> None:
    # SAM names a version by its function's properties with the parameters unresolved, so their
    # values do not replace it. Its description does; but a new version of an unchanged function is
    # refused, so it has no other parameter.
    properties = of_type(translated, "AWS::Lambda::Function")[function]
    description = description_of_version(function, translated)
    assert parameters_in(description, template) == parameters_in(properties, template)


def test_old_versions_go_and_their_snapshots_with_them(translated: dict[str, Any]) -> None:
    # SAM keeps them by default, and AWS charges for each snapshot until it is deleted.
    versions = [r for r in translated["Resources"].values() if r["Type"] == "AWS::Lambda::Version"]
    assert [version["DeletionPolicy"] for version in versions] == ["Delete"] * len(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_description_of_a_version_has_room_for_the_longest_values(
    function: str, template: dict[str, Any], translated: dict[str, Any]
) -> None:
    description = description_of_version(function, translated)["Fn::Sub"]

    def longest(found: re.Match[str]) -> str:
        parameter = template["Parameters"][found[1]]
        if "AllowedValues" in parameter:
            return max(map(str, parameter["AllowedValues"]), key=len)
        whole = float(parameter["MinValue"]).is_integer()
        return str(parameter["MaxValue"]) if whole else str(1 / 3)

    assert len(re.sub(r"\${(\w+)}", longest, description)) <= LONGEST_DESCRIPTION


def holds(condition: dict[str, Any], values: dict[str, int]) -> bool:
    """Evaluate a rule's condition; CloudFormation compares all values as text."""
    ((function, arguments),) = condition.items()
    match function:
        case "Fn::Or":
            return any(holds(argument, values) for argument in arguments)
        case "Fn::And":
            return all(holds(argument, values) for argument in arguments)
        case "Fn::Equals":
            return len({str(values[argument["Ref"]]) for argument in arguments}) == 1
        case "Fn::Contains":
            return str(values[arguments[1]["Ref"]]) in arguments[0]
    raise NotImplementedError(function)


def test_rule_lets_no_window_through_that_every_upload_would_be_refused_for(
    template: dict[str, Any],
) -> None:
    ((assertion),) = template["Rules"]["WindowIsPossible"]["Assertions"]
    sizes = range(1, LARGEST_K + 1)
    passed = {
        (k_min, k_max)
        for k_min, k_max in itertools.product(sizes, sizes)
        if holds(assertion["Assert"], {"KMin": k_min, "KMax": k_max})
    }
    for k_min, k_max in passed:
        Options(k_min=k_min, k_max=k_max)
    usual = {(1, 64), (2, 8), (8, 16), (8, 32), (8, 64), (10, 20), (16, 64), (32, 64), (64, 96)}
    assert usual | {(k, k) for k in sizes} <= passed


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        *(("", True), ("inventories.2026-eu", True)),
        # They would be part of an ARN: of all buckets, or of none.
        *(("*", False), ("s3://inventories", False), ("arn:aws:s3:::inventories", False)),
    ],
)
def test_bucket_of_inventories_is_named_alone(
    given: str, taken: bool, template: dict[str, Any]
) -> None:
    pattern = template["Parameters"]["InventoryBucket"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, given)) == taken
