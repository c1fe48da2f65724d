"""Whatever goes wrong on the way: the same bytes or a failure that is told of, never half a result.

A short form of `python -m benchmarks.reliability.faults`, which tries every fault at every call.
"""

import time
from collections.abc import Iterator

import pytest

from tests.support.faults import Functions, Trials
from tests.support.fixtures import Aws, ImageMaker
from tests.support.proxy import Call
from tests.support.service import Service


@pytest.fixture(scope="module")
def trials(
    aws: Aws, service: Service, functions: dict[str, str], image: ImageMaker
) -> Iterator[Trials]:
    rerouted = Functions(aws, functions)
    yield Trials(service, rerouted, (image(), image(9)))
    rerouted.close()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (Call("Sample", "GET", ".png"), "busy"),
        (Call("Sample", "PUT", ".npz"), "reset"),
        (Call("ScoreK", "GET", ".npz"), "cut"),
        (Call("ScoreK", "GET", ".npz"), "killed"),
        (Call("Render", "GET", ".png"), "never"),
        (Call("Render", "PUT", ".png"), "late"),
        (Call("Render", "PUT", ".json"), "lost"),
        (Call("Render", "PUT", ".json"), "killed"),
        (Call("Render", "PUT", ".json"), "killed after"),
        (Call("Render", "DELETE", ".error.json"), "killed"),
    ],
)
def test_passing_fault_leaves_the_same_bytes(trials: Trials, call: Call, kind: str) -> None:
    assert trials.at_call(call, kind) == "same bytes"


@pytest.mark.parametrize("kind", ["busy", "lost", "killed"])
def test_refusal_is_told_through_a_fault(trials: Trials, kind: str) -> None:
    call = Call("RecordFailure", "PUT", ".error.json")
    assert trials.at_call(call, kind) == "UnsupportedImage"


def test_function_that_is_killed_each_time_fails_by_name(trials: Trials) -> None:
    call = Call("Render", "PUT", ".html")
    assert trials.at_call(call, "killed", times=3) == "Runtime.ExitError"


def test_function_that_is_killed_after_its_result_leaves_the_result(trials: Trials) -> None:
    call = Call("Render", "DELETE", ".error.json")
    assert trials.at_call(call, "killed", times=3) == "same bytes, Runtime.ExitError"


@pytest.mark.parametrize("state", ["Sample", "ScoreK", "Render"])
def test_throttled_function_is_waited_for(trials: Trials, state: str) -> None:
    with trials.functions.throttled(state):
        version = trials.send()
        time.sleep(1)
    assert trials.check(version, trials.service.ended(version)) == "same bytes"
