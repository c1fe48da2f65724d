"""What an execution's history says of its states: a step for each time one was entered."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

type Event = Mapping[str, Any]
"""As GetExecutionHistory returns it.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""


class Status(StrEnum):
    """What became of a state, in the words of the AWS console."""

    NOT_STARTED = "Not started"
    SUCCEEDED = "Succeeded"
    CANCELED = "Canceled"
    CAUGHT = "Caught error"
    RUNNING = "In progress"
    FAILED = "Failed"


@dataclass
class Step:
    """One run of a state.

    Attributes
    ----------
    event : int
        Id of the event of its entering.
    name, kind : str
        Of the state.
    index : int or None
        Of the iteration that it runs in; None outside of a Map.
    entered, exited : datetime
        `exited` is None if it has not come to its end.
    status : Status
    input, output : object
        As the history has them; `output` is None where there is none.
    error, cause : str
        Of its last attempt that failed; empty if none did.
    events : list of Event
        Its own; those of a Map without those of its iterations' states.
    """

    event: int
    name: str
    kind: str
    index: int | None
    entered: datetime
    input: Any
    exited: datetime | None = None
    status: Status = Status.RUNNING
    output: Any = None
    error: str = ""
    cause: str = ""
    events: list[Event] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How often its task was called."""
        return sum(event["type"] == "TaskScheduled" for event in self.events)

    @property
    def _failed_last(self) -> bool:
        return self.kind == "Fail" or self.events[-1]["type"].endswith(("Failed", "TimedOut"))

    def take(self, event: Event) -> None:
        """Add an event to it."""
        if exited := event.get("stateExitedEventDetails"):
            self.status = Status.CAUGHT if self._failed_last else Status.SUCCEEDED
            self.exited = event["timestamp"]
            self.output = json.loads(exited.get("output", "null"))
        details = details_of(event)
        if "error" in details:
            self.error, self.cause = details["error"], details.get("cause", "")
        self.events.append(event)

    def end(self, execution: Event) -> None:
        """Take into account that the execution ended while it was running."""
        failed = execution["type"] == "ExecutionFailed" and self._failed_last
        self.status = Status.FAILED if failed else Status.CANCELED
        self.exited = execution["timestamp"]
        if self.kind == "Fail":
            self.take(execution)


def read_steps(events: Iterable[Event]) -> list[Step]:
    """Tell the steps of an execution from its events.

    An event belongs to the step of the event that led to it. Those of a Map belong to the Map,
    whatever led to them: its end comes after the last iteration.

    Parameters
    ----------
    events : iterable of Event
        All of one execution, in their order. A Map within a Map is not told from the outer one.

    Returns
    -------
    steps : list of Step
        In the order of their entering.

    """
    steps: list[Step] = []
    of_event: dict[int, Step] = {}
    index: dict[int, int | None] = {}
    for event in events:
        before, kind = event.get("previousEventId", 0), event["type"]
        index[event["id"]] = index.get(before)
        if entered := event.get("stateEnteredEventDetails"):
            steps.append(
                Step(
                    event["id"],
                    entered["name"],
                    kind.removesuffix("StateEntered"),
                    index[event["id"]],
                    event["timestamp"],
                    json.loads(entered.get("input", "null")),
                )
            )
            step = steps[-1]
        elif kind.startswith("Map"):
            step = next(step for step in reversed(steps) if step.kind == "Map")
            index[event["id"]] = details_of(event).get("index")
        elif kind.startswith("Execution"):
            if kind not in ("ExecutionStarted", "ExecutionRedriven"):
                _end(steps, event)
            continue
        else:
            step = of_event[before]
        of_event[event["id"]] = step
        step.take(event)
    return steps


def _end(steps: list[Step], execution: Event) -> None:
    for step in steps:
        if step.exited is None:
            step.end(execution)
    told = any(step.status == Status.FAILED for step in steps)
    if steps and execution["type"] == "ExecutionFailed" and not told:
        # A state that calls nothing, such as a Choice, has no event of its failing.
        last = max(steps, key=lambda step: (step.status == Status.CANCELED, step.event))
        last.status = Status.FAILED
        last.take(execution)


def from_log(messages: Iterable[str]) -> list[Event]:
    """Return the events that an Express workflow has logged, as a history has them.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    """
    events: list[Event] = []
    for logged in map(json.loads, messages):
        kind = logged["type"]
        name = next((n for n in ("stateEntered", "stateExited") if kind.endswith(n[1:])), "logged")
        events.append(
            {
                "id": int(logged["id"]),
                "type": kind,
                "previousEventId": int(logged["previous_event_id"]),
                "timestamp": datetime.fromtimestamp(int(logged["event_timestamp"]) / 1000, UTC),
                f"{name}EventDetails": logged["details"],
            }
        )
    return events


def described(arn: str, events: list[Event]) -> dict[str, Any]:
    """Return what DescribeExecution would say of an execution, if it knew Express ones."""
    start, end = details_of(events[0]), details_of(events[-1])
    status = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED"}
    return {
        "executionArn": arn,
        "status": status.get(events[-1]["type"], "TIMED_OUT"),
        "startDate": events[0]["timestamp"],
        "stopDate": events[-1]["timestamp"],
        "input": start["input"],
        **{name: end[name] for name in ("output", "error", "cause") if name in end},
    }


def details_of(event: Event) -> Mapping[str, Any]:
    """Return the details of an event, whatever its type calls them."""
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def overall(steps: Iterable[Step]) -> Status:
    """Return the status of a state that ran several times: the one that most needs a look."""
    order = list(Status)
    return max((step.status for step in steps), key=order.index, default=Status.NOT_STARTED)
