"""State machines run as in Step Functions."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from emulator import engine
from tests.emulator.conftest import BOTH
from tests.support.cloud import Cloud, until

FUNCTION = """
import time

class NoPixelsError(ValueError): ...

def handler(event, context):
    if event == "raise": raise NoPixelsError("none at all")
    if isinstance(event, (int, float)): time.sleep(event)
    return event
"""


LARGEST = "($larger := function($n) { $max([$n, 0]) }"


@pytest.fixture
def function(cloud: Cloud) -> str:
    return cloud.function(FUNCTION)


@pytest.fixture
def mended_function(patched: Cloud) -> str:
    return patched.function(FUNCTION)


def task(function: str, payload: object, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        "Output": "{% $states.result.Payload %}",
    } | fields


def alone(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    end = {} if state["Type"] in ("Choice", "Fail", "Succeed") else {"End": True}
    return {"StartAt": "It", "States": {"It": end | state}} | fields


def chain(**states: Any) -> dict[str, Any]:
    """Put the states one after the other."""
    names = list(states)
    following = [{"Next": name} for name in names[1:]] + [{"End": True}]
    joined = {name: states[name] | end for name, end in zip(names, following, strict=True)}
    return {"StartAt": names[0], "States": joined}


def test_error_is_caught_by_its_name(cloud: Cloud, function: str) -> None:
    caught = {
        "ErrorEquals": ["NoPixelsError"],
        "Output": "{% $parse($states.errorOutput.Cause).errorMessage & $states.input %}",
        "Assign": {"error": "{% $states.errorOutput.Error %}"},
        "Next": "Caught",
    }
    machine = chain(
        It=task(function, "raise", Catch=[caught]),
        Caught={"Type": "Pass", "Output": "{% [$error, $states.input] %}"},
    )
    assert cloud.run(machine, "!")["output"] == ["NoPixelsError", "none at all!"]


def test_throttling_is_named(cloud: Cloud, function: str) -> None:
    cloud.functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert cloud.run(alone(task(function, 0)))["error"] == "Lambda.TooManyRequestsException"


@pytest.mark.parametrize(
    ("state", "output"),
    [
        pytest.param(
            {"Output": "{% [$states.context.Execution.Input, $states.input] %}"},
            [{"k": 3}, {"k": 3}],
            id="context",
        ),
        pytest.param({"Output": "{% $exists($states.input.k) %}"}, True, id="exists"),
        pytest.param({"Output": "{% $exists($states.input.j) %}"}, False, id="exists not"),
        pytest.param({"Output": "{% {'a': null = null ? -2 : 1} %}"}, {"a": -2}, id="null"),
        pytest.param(
            {"Output": "{% [{'k': 9, 's': 1}, {'k': 8, 's': 1}, {'k': 7, 's': 0}]^(>s, k)[0].k %}"},
            8,
            id="sort",
        ),
        pytest.param(
            {"Output": "{% [[{'k': 9, 's': 1}].$sift(function($v, $n) {$n != 's'})] %}"},
            [{"k": 9}],
            id="sift",
        ),
        pytest.param({"Output": "{% $parse('[1]')[0] %}"}, 1, id="parse"),
    ],
)
def test_expression(patched: Cloud, state: dict[str, Any], output: object) -> None:
    assert patched.run(alone({"Type": "Pass"} | state), {"k": 3})["output"] == output


@pytest.mark.parametrize(
    ("deep", "shallow"),
    [
        ("+".join(["1"] * 110), "+".join(["1"] * 90)),
        # Each array of several elements keeps the level around it from ending.
        (f"{LARGEST}; [1..120].$larger($))", f"{LARGEST}; [1..60].$larger($))"),
    ],
)
def test_expression_goes_no_deeper_than_on_aws(cloud: Cloud, deep: str, shallow: str) -> None:
    ends = [
        cloud.run(alone({"Type": "Pass", "Output": f"{{% {expression} %}}"}))
        for expression in (shallow, deep)
    ]
    assert [end["status"] for end in ends] == ["SUCCEEDED", "FAILED"]
    assert ends[1]["error"] == "States.QueryEvaluationError"


def test_context_names_the_execution(patched: Cloud) -> None:
    machine = patched.machine(
        alone({"Type": "Pass", "Output": "{% $states.context.Execution.Id %}"})
    )
    execution = patched.start(machine)
    assert patched.ended(execution)["output"] == execution


def test_assigned_variable_outlives_its_state(patched: Cloud, mended_function: str) -> None:
    machine = chain(
        It=task(mended_function, {"k": 8}, Assign={"k": "{% $states.result.Payload.k %}"}),
        Between={"Type": "Pass", "Output": None},
        Then={"Type": "Pass", "Output": "{% $k + 1 %}"},
    )
    assert patched.run(machine)["output"] == 9


def test_choice_and_failure_may_be_expressions(patched: Cloud) -> None:
    machine = {
        "StartAt": "It",
        "States": {
            "It": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.k > 1 %}", "Next": "Fail"}],
                "Default": "Pass",
            },
            "Pass": {"Type": "Pass", "End": True},
            "Fail": {
                "Type": "Fail",
                "Error": "{% $states.input.error %}",
                "Cause": "{% 'k is ' & $states.input.k %}",
            },
        },
    }
    failed = patched.run(machine, {"k": 2, "error": "TooMany"})
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "TooMany", "k is 2")
    assert patched.run(machine, {"k": 1})["status"] == "SUCCEEDED"


@pytest.mark.parametrize("condition", ["{% $states.input %}", "{% 'true' %}", "{% 1 %}"])
def test_condition_is_true_or_false(cloud: Cloud, condition: str) -> None:
    machine = {
        "StartAt": "It",
        "States": {
            "It": {
                "Type": "Choice",
                "Choices": [{"Condition": condition, "Next": "Pass"}],
                "Default": "Pass",
            },
            "Pass": {"Type": "Pass", "End": True},
        },
    }
    ended = cloud.run(machine, {"k": 2})
    assert (ended["status"], ended.get("error")) == ("FAILED", "States.QueryEvaluationError")


def map_over(
    state: dict[str, Any], items: str = "{% $states.input %}", **fields: Any
) -> dict[str, Any]:
    return {
        "Type": "Map",
        "Items": items,
        "ItemSelector": "{% $states.context.Map.Item.Value %}",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}} | alone(state),
    } | fields


def test_map_keeps_the_order_and_its_items_may_fail_alone(
    patched: Cloud, mended_function: str
) -> None:
    caught = {"ErrorEquals": ["NoPixelsError"], "Output": "none", "Next": "PassOver"}
    process = {
        "StartAt": "It",
        "States": {
            "It": task(mended_function, "{% $states.input.do %}", Catch=[caught], End=True),
            "PassOver": {"Type": "Pass", "End": True},
        },
    }
    machine = alone(
        map_over(
            {"Type": "Pass"},
            ItemSelector={
                "do": "{% $states.context.Map.Item.Value %}",
                "index": "{% $states.context.Map.Item.Index %}",
            },
            MaxConcurrency="{% $count($states.input) %}",
            ItemProcessor={"ProcessorConfig": {"Mode": "INLINE"}} | process,
            Output={"all": "{% $states.result %}"},
        )
    )
    assert patched.run(machine, [0.2, "raise", 0])["output"] == {"all": [0.2, "none", 0]}


def test_history_tells_of_each_iteration(cloud: Cloud, function: str) -> None:
    machine = alone(map_over(task(function, "{% $states.input %}")))
    execution = cloud.start(cloud.machine(machine), ["a", "b", "c"])
    assert cloud.ended(execution)["output"] == ["a", "b", "c"]
    events = {event["id"]: event for event in cloud.history(execution)}
    kinds = [event["type"] for event in events.values()]
    for kind in ("MapStateStarted", "MapStateSucceeded", "MapStateExited"):
        assert kinds.count(kind) == 1
    for kind in ("MapIterationStarted", "TaskStateEntered", "TaskSucceeded", "TaskStateExited"):
        assert kinds.count(kind) == 3
    started = next(e for e in events.values() if e["type"] == "MapStateStarted")
    assert started["mapStateStartedEventDetails"]["length"] == 3

    # Followed backwards, an iteration's events lead to its own beginning.
    outputs = {}
    for event in events.values():
        if event["type"] == "MapIterationSucceeded":
            chain = [event]
            while chain[-1]["type"] != "MapIterationStarted":
                chain.append(events[chain[-1]["previousEventId"]])
            index = event["mapIterationSucceededEventDetails"]["index"]
            assert chain[-1]["mapIterationStartedEventDetails"] == {"name": "It", "index": index}
            assert chain[-1]["previousEventId"] == started["id"]
            outputs[index] = json.loads(chain[1]["stateExitedEventDetails"]["output"])
    assert outputs == {0: "a", 1: "b", 2: "c"}


def test_history_tells_of_an_iteration_that_fails(cloud: Cloud, function: str) -> None:
    execution = cloud.start(
        cloud.machine(alone(map_over(task(function, "{% $states.input %}")))), ["a", "raise"]
    )
    assert cloud.ended(execution)["status"] == "FAILED"
    events = cloud.history(execution)
    failed = [e for e in events if e["type"] == "MapIterationFailed"]
    assert [e["mapIterationFailedEventDetails"]["index"] for e in failed] == [1]
    assert "MapStateFailed" in [e["type"] for e in events]


def test_event_names_its_predecessor(cloud: Cloud) -> None:
    machine = chain(It={"Type": "Pass"}, Then={"Type": "Pass"})
    execution = cloud.start(cloud.machine(machine))
    cloud.ended(execution)
    predecessors = [event.get("previousEventId") for event in cloud.history(execution)]
    assert predecessors == [0, 0, 2, 3, 4, 5]


def test_events_of_a_call_tell_what_is_called_and_with_what(cloud: Cloud, function: str) -> None:
    execution = cloud.start(cloud.machine(alone(task(function, "{% $states.input %}"))), {"k": 8})
    cloud.ended(execution)
    events = [e for e in cloud.history(execution) if e["type"].startswith("Task")]
    assert [event["type"].removeprefix("Task") for event in events] == [
        *("StateEntered", "Scheduled", "Started", "Succeeded", "StateExited")
    ]
    called = [value for event in events[1:4] for value in event.values() if type(value) is dict]
    assert {(c["resourceType"], c["resource"]) for c in called} == {("lambda", "invoke")}
    parameters = json.loads(called[0]["parameters"])
    assert parameters == {"FunctionName": function, "Payload": {"k": 8}}


def test_call_that_takes_too_long_is_told_as_that(cloud: Cloud, function: str) -> None:
    execution = cloud.start(cloud.machine(alone(task(function, 10, TimeoutSeconds=1))))
    assert cloud.ended(execution)["error"] == "States.Timeout"
    kinds = [event["type"] for event in cloud.history(execution)]
    assert "TaskTimedOut" in kinds
    assert "TaskFailed" not in kinds


def test_definition_that_cannot_be_read_fails_the_execution(patched: Cloud) -> None:
    machine = patched.machines.create_state_machine(
        name=patched.name(), definition="{", roleArn="arn:aws:iam::000000000000:role/any"
    )
    ended = patched.ended(patched.start(machine["stateMachineArn"]))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidDefinition")


def test_task_is_given_up_after_its_time(patched: Cloud, mended_function: str) -> None:
    ended = patched.run(alone(task(mended_function, 10, TimeoutSeconds=1)))
    assert ended["error"] == "States.Timeout"


def test_task_that_waits_for_its_turn_does_not_use_up_its_time(
    patched: Cloud, mended_function: str
) -> None:
    napping = task(mended_function, 0.5, TimeoutSeconds=5)
    turns, at_once = 12, 2 * (os.cpu_count() or 1)
    naps = turns * at_once
    assert patched.run(alone(map_over(napping)), list(range(naps)))["output"] == [0.5] * naps


def test_machine_ends_after_its_time(cloud: Cloud, function: str) -> None:
    ended = cloud.run(alone(task(function, 10), TimeoutSeconds=1))
    assert (ended["status"], ended.get("error")) == ("TIMED_OUT", "States.Timeout")


def test_machine_that_is_over_in_time_has_succeeded(patched: Cloud) -> None:
    execution = patched.start(patched.machine(alone({"Type": "Pass"}, TimeoutSeconds=60)))
    assert patched.ended(execution)["status"] == "SUCCEEDED"


def test_stopped_execution_stays_stopped(cloud: Cloud, function: str) -> None:
    napping = alone(map_over(task(function, "{% $states.input %}"), MaxConcurrency=1))
    execution = cloud.start(cloud.machine(napping), [5, "raise"])
    until(lambda: [e for e in cloud.history(execution) if e["type"] == "TaskScheduled"])
    cloud.machines.stop_execution(executionArn=execution)
    # A call made now that this one is over finds the napping one over, too.
    cloud.call(function, 6)
    assert cloud.ended(execution)["status"] == "ABORTED"
    assert cloud.history(execution)[-1]["type"] == "ExecutionAborted"


PYTHON = engine.ENGINE_ENVIRONMENT / "bin/python"
DELAYS = """
import json, sys
from ministack.services import stepfunctions
if sys.argv[1] == "patched":
    from emulator.patches import machines

retrier = {"ErrorEquals": ["E"], "IntervalSeconds": 4, "BackoffRate": 2} | json.loads(sys.argv[2])
delays = []
for retries in range(4):
    found, _ = stepfunctions._find_matching_retrier([retrier], "E", {0: retries})
    delays.append(found["IntervalSeconds"] * found["BackoffRate"] ** retries)
print(json.dumps(delays))
"""


@pytest.fixture(params=BOTH)
def delays(request: pytest.FixtureRequest, engine_port: int) -> Callable[..., list[float]]:
    """Return a function that gives the delays before each of four retries."""

    def ask(**retrier: Any) -> list[float]:
        asked = subprocess.run(
            [PYTHON, "-c", DELAYS, request.param, json.dumps(retrier)],
            cwd=engine.ROOT,
            env={"ENGINE_STATE": "", "ENGINE_RUNTIME": "", "GATEWAY_PORT": str(engine_port)},
            stdout=subprocess.PIPE,
            check=True,
        )
        waits: list[float] = json.loads(asked.stdout)
        return waits

    return ask


def test_delay_grows_up_to_the_longest(delays: Callable[..., list[float]]) -> None:
    assert delays(MaxDelaySeconds=10, MaxAttempts=4) == [4, 8, 10, 10]


def test_jitter_draws_a_shorter_delay(delays: Callable[..., list[float]]) -> None:
    drawn = delays(JitterStrategy="FULL", MaxAttempts=4)
    assert all(0 <= delay < full for delay, full in zip(drawn, [4, 8, 16, 32], strict=True))


def test_definition_may_be_yaml(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    cloud.buckets.put_object(
        Bucket=bucket,
        Key="machine.yaml",
        Body=b"""
            QueryLanguage: JSONata
            StartAt: It
            States:
              It:
                # the ${Word} is substituted
                Type: Pass
                Output: "{% '${Word}' & $states.input %}"
                End: true
        """,
    )
    name = cloud.name()
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "StateMachineName": name,
                    "RoleArn": "arn:aws:iam::000000000000:role/any",
                    "DefinitionS3Location": {"Bucket": bucket, "Key": "machine.yaml"},
                    "DefinitionSubstitutions": {"Word": "color "},
                },
            }
        }
    }
    cloud.stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    machine = f"arn:aws:states:eu-west-1:000000000000:stateMachine:{name}"
    cloud.stacks.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    assert cloud.ended(cloud.start(machine, "red"))["output"] == "color red"
