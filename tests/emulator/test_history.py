"""Steps as told from histories in the order in which AWS has the events."""

from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.history import Event, Status, overall, read_steps

type Told = tuple[str, int, str, dict[str, Any] | None]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def history(*events: Told) -> list[Event]:
    """Number events that are given as their type, what led to them, and their details."""
    return [
        {"id": n, "type": kind, "previousEventId": before, "timestamp": NOON + timedelta(seconds=n)}
        | ({f"{key}EventDetails": details} if details else {})
        for n, (kind, before, key, details) in enumerate(events, 1)
    ]


def entered(kind: str, before: int, name: str, given: str = "0") -> Told:
    return f"{kind}StateEntered", before, "stateEntered", {"name": name, "input": given}


def exited(kind: str, before: int, name: str, output: str = "0") -> Told:
    return f"{kind}StateExited", before, "stateExited", {"name": name, "output": output}


def iteration(what: str, before: int, index: int) -> Told:
    return f"MapIteration{what}", before, f"mapIteration{what}", {"name": "Map", "index": index}


def test_iterations_are_told_apart_though_one_follows_the_other() -> None:
    # With a MaxConcurrency of 1, the last event of one iteration leads to the next, and that of the
    # last one to the end of the Map.
    steps = read_steps(
        history(
            ("ExecutionStarted", 0, "", None),
            entered("Map", 0, "Map"),
            ("MapStateStarted", 2, "mapStateStarted", {"length": 2}),
            iteration("Started", 3, 0),
            entered("Pass", 4, "It", "7"),
            exited("Pass", 5, "It", "70"),
            iteration("Succeeded", 6, 0),
            iteration("Started", 6, 1),
            entered("Pass", 8, "It", "8"),
            exited("Pass", 9, "It", "80"),
            iteration("Succeeded", 10, 1),
            ("MapStateSucceeded", 11, "", None),
            exited("Map", 11, "Map", "[70, 80]"),
            entered("Succeed", 13, "End"),
            exited("Succeed", 14, "End"),
            ("ExecutionSucceeded", 15, "executionSucceeded", {"output": "0"}),
        )
    )

    assert [(s.name, s.index, s.input, s.output, s.status) for s in steps] == [
        ("Map", None, 0, [70, 80], Status.SUCCEEDED),
        ("It", 0, 7, 70, Status.SUCCEEDED),
        ("It", 1, 8, 80, Status.SUCCEEDED),
        ("End", None, 0, 0, Status.SUCCEEDED),
    ]
    assert steps[0].exited is not None
    assert (steps[0].exited - steps[0].entered).total_seconds() == 11


def test_failure_of_one_iteration_cancels_the_others_and_fails_the_map() -> None:
    failure = {"error": "E", "cause": "because"}
    steps = read_steps(
        history(
            ("ExecutionStarted", 0, "", None),
            entered("Map", 0, "Map"),
            ("MapStateStarted", 2, "mapStateStarted", {"length": 2}),
            iteration("Started", 3, 0),
            entered("Task", 4, "It"),
            ("TaskScheduled", 5, "taskScheduled", {"resource": "invoke"}),
            iteration("Started", 3, 1),
            entered("Task", 7, "It"),
            ("TaskScheduled", 8, "taskScheduled", {"resource": "invoke"}),
            ("TaskFailed", 9, "taskFailed", failure),
            iteration("Failed", 10, 1),
            ("MapStateFailed", 10, "", None),
            ("ExecutionFailed", 12, "executionFailed", failure),
        )
    )

    assert [(s.name, s.index, s.status, s.error) for s in steps] == [
        ("Map", None, Status.FAILED, ""),
        ("It", 0, Status.CANCELED, ""),
        ("It", 1, Status.FAILED, "E"),
    ]
    assert overall(steps) == Status.FAILED


def test_state_without_a_call_that_fails_the_execution_has_failed() -> None:
    steps = read_steps(
        history(
            ("ExecutionStarted", 0, "", None),
            entered("Choice", 0, "It"),
            ("ExecutionFailed", 2, "executionFailed", {"error": "States.NoChoiceMatched"}),
        )
    )

    assert [(s.status, s.error) for s in steps] == [(Status.FAILED, "States.NoChoiceMatched")]


def test_execution_that_ended_before_its_first_state_has_no_steps() -> None:
    assert read_steps(history(("ExecutionFailed", 0, "executionFailed", {"error": "E"}))) == []
