"""The machine as an Express workflow, and the one that has it score each K, on the local engine."""

import json
from typing import Any

import pytest
import yaml
from samcli.yamlhelper import yaml_parse

from emulator.engine import ROOT
from quantization.service.storage.s3 import StorageFault, StorageRejected
from tests.support.fixtures import Aws
from tests.support.scripted import ScriptedMachine, entered

EXPRESS_LIMIT_SECONDS = 300
"""https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html"""
LOGS = "/aws/vendedlogs/states/scripted"


@pytest.fixture(scope="module")
def machine(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> ScriptedMachine:
    aws("logs").create_log_group(logGroupName=LOGS)
    return ScriptedMachine(aws, tmp_path_factory.mktemp("calls"))


@pytest.fixture(scope="module")
def nested(machine: ScriptedMachine) -> str:
    """Create the machine that scores in an Express workflow; return its ARN."""
    return machine.create(machine.create_express(LOGS))


def test_result_is_that_of_the_machine_by_itself(machine: ScriptedMachine, nested: str) -> None:
    script = {
        "silhouettes": {"8": 0.3, "9": 0.7},
        "score": {"10": "MemoryError"},
        "options": {"keep": ["#ff0000"]},
    }
    alone = machine(script)
    ended = machine.ended(machine.start(nested, script))

    said = [json.loads(e["output"]) for e in (alone, ended)]
    for request in said:
        for of_the_execution in ("execution", "state_entered_at"):
            request.pop(of_the_execution)
    assert said[0] == said[1]
    assert [s["palette"][0] for s in said[1]["scores"] if "palette" in s] == ["#ff0000"] * 3
    assert entered(machine.history(ended)) == [
        "CheckInput",
        "Sample",
        "CheckPalette",
        "ScoreInExpress",
        "CheckScores",
        "ChooseK",
        "Render",
    ]
    times = json.loads(ended["output"])["state_entered_at"]
    assert list(times) == ["Sample", "ScoreEachK", "Render"]


def test_functions_are_told_of_the_execution_that_the_upload_started(
    aws: Aws, machine: ScriptedMachine, nested: str
) -> None:
    ended = machine.ended(machine.start(nested, {"ks": [8]}))
    logged = aws("logs").filter_log_events(logGroupName=LOGS)["events"]
    calls = [
        json.loads(event["details"]["parameters"])
        for event in (json.loads(e["message"]) for e in logged)
        if event["type"] == "TaskScheduled"
    ]
    assert ended["executionArn"] in [call["Payload"]["execution"] for call in calls]


def test_palette_that_is_given_needs_no_scores(machine: ScriptedMachine, nested: str) -> None:
    given = {"k": 2, "error": 1.5, "palette": ["#0a0b0c", "#ffffff"]}
    ended = machine.ended(machine.start(nested, {"ks": [], "given": given}))
    states = ["CheckInput", "Sample", "CheckPalette", "TakePalette", "Render"]
    assert entered(machine.history(ended)) == states


def test_no_fitted_k_is_reported_by_the_machine_that_asked(
    machine: ScriptedMachine, nested: str
) -> None:
    ended = machine.ended(machine.start(nested, {"ks": [8], "score": {"8": "MemoryError"}}))
    assert (ended["status"], ended["error"]) == ("FAILED", "AllScoresFailed")
    assert "ScoreEachK" not in entered(machine.history(ended))


def test_fault_that_passes_is_waited_out_in_the_express_workflow(
    machine: ScriptedMachine, nested: str
) -> None:
    script = {"score": {"9": StorageFault.__name__}, "once": True}
    ended = machine.ended(machine.start(nested, script))
    assert ended["status"] == "SUCCEEDED"
    assert "ScoreEachK" not in entered(machine.history(ended))


def test_what_does_not_end_well_there_is_done_again_where_it_can_wait_and_be_redriven(
    machine: ScriptedMachine, nested: str
) -> None:
    script = {"score": {"9": StorageRejected.__name__}, "once": True}
    ended = machine.ended(machine.start(nested, script))
    assert ended["status"] == "SUCCEEDED"
    assert entered(machine.history(ended)).count("ScoreK") == 4

    lasting = {"score": {"9": StorageRejected.__name__}}
    ended = machine.ended(machine.start(nested, lasting))
    assert (ended["status"], ended["error"]) == ("FAILED", StorageRejected.__name__)
    assert entered(machine.history(ended))[-1] == "ScoreK"


def test_call_that_is_refused_is_done_without(machine: ScriptedMachine) -> None:
    nested = machine.create("arn:aws:states:us-east-1:000000000000:stateMachine:gone")
    ended = machine.ended(machine.start(nested, {}))
    assert ended["status"] == "SUCCEEDED"
    assert entered(machine.history(ended)).count("ScoreK") == 4


def waits(retriers: list[dict[str, Any]]) -> float:
    """Return how long a state waits at most, whatever fails: each retrier counts for itself."""
    return sum(
        float(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** retry)
        for retrier in retriers
        for retry in range(retrier["MaxAttempts"])
    )


def test_backfill_has_time_to_tell_of_a_failure() -> None:
    """Its children are Express workflows, too, that call one."""
    backfill = yaml.safe_load((ROOT / "statemachine/backfill.asl.yaml").read_text())
    child = backfill["States"]["QuantizeEach"]["ItemProcessor"]["States"]
    around = sum(waits(child[name]["Retry"]) for name in ("FindUpload", "RecordFailure"))
    template = yaml_parse((ROOT / "template.yml").read_text())["Resources"]
    given = template["QuantizeExpress"]["Properties"]["DefinitionSubstitutions"]
    assert around + int(given["TimeLimit"]) < EXPRESS_LIMIT_SECONDS
