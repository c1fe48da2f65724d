"""Patches in Step Functions, from an execution's start to its history."""

import contextvars
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml
from ministack.core.responses import now_iso
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from emulator.patches.functions import has_turn, pool
from emulator.patches.patching import patch

type State = dict[str, Any]
type Execution = dict[str, Any]
type Context = dict[str, Any]

ExecutionError = stepfunctions._ExecutionError

DEEPEST_EVALUATION = 100
EXPRESS_LIMIT_SECONDS = 300
"""https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html"""


@patch(provisioners, "_sfn_definition", "props")
def definition_in_s3_may_be_yaml(stock: Any, props: dict[str, Any]) -> str:
    """Read a definition file that is YAML.

    AWS: a file named by DefinitionS3Location is JSON or YAML.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachine.html
    Stock: JSON only.
    """
    definition: str = stock(props)
    try:
        json.loads(definition)
    except ValueError:
        return json.dumps(yaml.safe_load(definition))
    return definition


@patch(stepfunctions, "_evaluate_jsonata_choice_rule", "rule, raw_input, ctx")
def condition_is_true_or_false(_stock: Any, rule: State, data: object, context: Context) -> bool:
    """Fail a Choice whose condition is neither true nor false.

    AWS: a condition is true or false, and a value of another type a States.QueryEvaluationError.
    https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
    https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
    Stock: all that is not empty counts as true.
    """
    holds: bool = stepfunctions._jsonata_state_field(rule, "Condition", "boolean", data, context)
    return holds


# Time limits and retries


@patch(stepfunctions.jsonata.Jsonata, "jsonata", "expression, regex_engine, timeout, stack")
def expressions_are_not_deep(stock: Any, expression: str, *more: Any, **limits: Any) -> Any:
    """Fail an expression whose evaluation goes deeper than 100 levels.

    AWS: that is a States.QueryEvaluationError, by its own count: where an array has several
    elements, the level around it does not end.
    https://github.com/floci-io/floci/issues/2737
    https://github.com/jsonata-js/jsonata/blob/v2.0.6/src/jsonata.js
    Stock: as deep as Python goes.
    """
    return stock(expression, *more, **limits | {"stack": DEEPEST_EVALUATION})


@patch(stepfunctions, "_run_execution", "exec_arn")
def machine_has_a_time_limit(stock: Any, execution_arn: str) -> None:
    """End an execution that runs longer than the machine's TimeoutSeconds, or Express may.

    AWS: its status is TIMED_OUT, its error States.Timeout.
    https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html
    Stock: the field is ignored.
    """
    execution = stepfunctions._executions[execution_arn]
    machine = stepfunctions._state_machines[execution["stateMachineArn"]]
    try:
        limit = json.loads(machine["definition"]).get("TimeoutSeconds")
        if machine["type"] == "EXPRESS":
            limit = min(limit or EXPRESS_LIMIT_SECONDS, EXPRESS_LIMIT_SECONDS)
    except ValueError:
        limit = None  # the stock function fails the execution for it
    if limit is None:
        stock(execution_arn)
        return
    timer = threading.Timer(limit, contextvars.copy_context().run, [_time_out, execution])
    timer.daemon = True
    timer.start()
    stock(execution_arn)
    timer.cancel()


def _time_out(execution: Execution) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", error="States.Timeout", stopDate=now_iso())
    stepfunctions._add_event(
        execution,
        "ExecutionTimedOut",
        {"executionTimedOutEventDetails": {"error": "States.Timeout"}},
    )
    stepfunctions._emit_execution_status_event(execution)


@patch(stepfunctions, "_fail_execution", "execution, error, cause")
def ended_execution_stays_as_it_ended(
    stock: Any, execution: Execution, error: str, cause: str
) -> None:
    """Leave a stopped or timed-out execution alone when a state of it fails afterwards.

    AWS: an execution ends once.
    Stock: its status becomes FAILED.
    """
    if execution["status"] == "RUNNING":
        stock(execution, error, cause)


@patch(stepfunctions, "_invoke_resource_with_timeout", "resource, input_data, timeout")
def task_time_begins_with_its_turn(
    stock: Any, resource: str, arguments: dict[str, Any], seconds: float
) -> Any:
    """Do not count the time that a function waits for its turn on this machine.

    AWS: functions do not wait for each other.
    Stock: nor do they, until the machine's memory is used up.
    """
    if "states:::lambda:invoke" not in resource:
        return stock(resource, arguments, seconds)

    def invoke() -> Any:
        try:
            return stepfunctions._invoke_resource(resource, arguments)
        finally:
            pool.turn.release()

    pool.turn.acquire()
    context = contextvars.copy_context()
    context.run(has_turn.set, True)
    # One thread, left to itself when time is over: AWS does not stop the function either.
    threads = ThreadPoolExecutor(1)
    task = threads.submit(context.run, invoke)
    threads.shutdown(wait=False)
    try:
        return task.result(seconds)
    except TimeoutError:
        message = f"Task timed out after {seconds} seconds"
        raise ExecutionError("States.Timeout", message) from None


@patch(stepfunctions, "_find_matching_retrier", "retriers, error, retry_counts")
def retries_have_a_longest_delay_and_jitter(
    stock: Any, retriers: list[State], error: str, counts: dict[int, int]
) -> tuple[State | None, int]:
    """Heed a retrier's MaxDelaySeconds and JitterStrategy.

    AWS: the delay grows up to MaxDelaySeconds; with FULL jitter it is drawn between 0 and that.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    Stock: both are ignored.
    """
    retrier, index = stock(retriers, error, counts)
    if retrier is None:
        return None, index
    growth = retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
    delay = retrier.get("IntervalSeconds", 1) * growth
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)  # noqa: S311 - nothing to guess
    return retrier | {"IntervalSeconds": delay, "BackoffRate": 1}, index


# History

# Events come from several threads of an execution; each thread's chain of them is its own.
_recording = threading.Lock()
_ENDS = {f"Execution{end}" for end in ("Succeeded", "Failed", "TimedOut", "Aborted")}
_previous_event: contextvars.ContextVar[int] = contextvars.ContextVar("previous event", default=0)
# The name of the Map state whose iterations the current context runs.
_map: contextvars.ContextVar[str | None] = contextvars.ContextVar("map", default=None)


@patch(stepfunctions, "_add_event", "execution, event_type, details")
def events_name_their_predecessor(
    stock: Any, execution: Execution, kind: str, details: dict[str, Any] | None = None
) -> Any:
    """Give each event its previousEventId, and end the history with the execution.

    AWS: it is the event that led to this one, within an iteration the iteration's own. What goes on
    in a stopped execution is told of no more.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
    Stock: there is none, events of two iterations may get the same id, and more follow the end.
    """
    with _recording:
        if execution["events"][-1]["type"] in _ENDS:
            return None
        event = stock(execution, kind, details)
    execution["events"][0].setdefault("previousEventId", 0)
    event["previousEventId"] = _previous_event.get()
    _previous_event.set(event["id"])
    return event


# What the task of the current context passes to the function or service it calls.
_arguments: contextvars.ContextVar[object] = contextvars.ContextVar("arguments", default=None)


@patch(stepfunctions, "_apply_jsonata_arguments", "state_def, raw_input, ctx")
def arguments_are_kept_for_history(stock: Any, *state: Any) -> object:
    """Keep a task's arguments for the event of its call."""
    arguments: object = stock(*state)
    _arguments.set(arguments)
    return arguments


@patch(stepfunctions, "_add_event", "execution, event_type, details")
def calls_tell_what_is_called_and_with_what(
    stock: Any, execution: Execution, kind: str, details: dict[str, Any] | None = None
) -> Any:
    """Tell of a task's call as of one of a service, with its arguments.

    AWS: TaskScheduled has the service as `resourceType`, the call as `resource`, and the arguments
    as `parameters`, as JSON; TaskStarted follows it. A call that takes too long is TaskTimedOut.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_TaskScheduledEventDetails.html
    Stock: there are no arguments and no TaskStarted, `resource` is the state's, and every call that
    does not succeed is TaskFailed.
    """
    if kind not in ("TaskScheduled", "TaskSucceeded", "TaskFailed"):
        return stock(execution, kind, details)
    (told,) = (details or {}).values()
    service, _, call = told["resource"].rpartition(":states:::")[2].rpartition(":")
    called = {"resourceType": service, "resource": call}
    told |= called
    if kind == "TaskScheduled":
        told |= {
            "region": execution["executionArn"].split(":")[3],
            "parameters": json.dumps(_arguments.get()),
        }
        stock(execution, kind, details)
        kind, details = "TaskStarted", {"taskStartedEventDetails": called}
    elif told.get("error") == "States.Timeout":
        kind, details = "TaskTimedOut", {"taskTimedOutEventDetails": told}
    return stock(execution, kind, details)


@patch(stepfunctions, "_run_map_items", "state_def, raw_input, execution, ctx")
def map_tells_of_its_iterations(
    stock: Any, state: State, data: object, execution: Execution, context: Context
) -> Any:
    """Record a Map's start with its length, and its end.

    AWS: MapStateStarted, the iterations' events, and MapStateSucceeded or MapStateFailed.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
    Stock: there are none of these.
    """
    details = None
    if "Items" in state:
        items = stepfunctions._jsonata_state_field(state, "Items", "array", data, context)
        details = {"mapStateStartedEventDetails": {"length": len(items)}}
    stepfunctions._add_event(execution, "MapStateStarted", details)
    outer = _map.set(context["State"]["Name"])
    try:
        result = stock(state, data, execution, context)
    except ExecutionError:
        stepfunctions._add_event(execution, "MapStateFailed")
        raise
    finally:
        _map.reset(outer)
    stepfunctions._add_event(execution, "MapStateSucceeded")
    return result


@patch(stepfunctions, "_run_sub_machine", "states, start_at, input_data, execution, ctx")
def iterations_tell_of_their_states(
    stock: Any,
    states: dict[str, State],
    start: str,
    data: object,
    execution: Execution,
    context: Context,
) -> Any:
    """Record an iteration's beginning and end, and those of each state within.

    AWS: MapIterationStarted with the Map's name and the index, ...StateEntered and ...StateExited
    with input and output, MapIterationSucceeded or MapIterationFailed.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_MapIterationEventDetails.html
    Stock: only the attempts of tasks are told of, not to be told apart.
    """
    name = _map.get()
    if name is None:
        return run_states(states, start, data, execution, context)
    _map.set(None)  # what runs within the iteration is no iteration of this Map
    iteration = {"name": name, "index": context["Map"]["Item"]["Index"]}

    def record(outcome: str) -> None:
        details = {f"mapIteration{outcome}EventDetails": iteration}
        stepfunctions._add_event(execution, f"MapIteration{outcome}", details)

    record("Started")
    try:
        result = run_states(states, start, data, execution, context)
    except ExecutionError:
        record("Failed")
        raise
    record("Succeeded")
    return result


def leave_iteration() -> None:
    """Forget, in this context, the Map and the events that led to it: a child execution begins."""
    _map.set(None)
    _previous_event.set(0)


def run_states(
    states: dict[str, State], name: str | None, data: Any, execution: Execution, context: Context
) -> Any:
    """Run one state after the other until one ends or the execution has ended otherwise."""
    while name is not None and execution["status"] == "RUNNING":
        state = states[name]
        kind = state["Type"]
        context["State"] = {"Name": name, "EnteredTime": now_iso(), "RetryCount": 0}
        entered = {"name": name, "input": json.dumps(data)}
        stepfunctions._add_event(
            execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered}
        )
        following: str | None = None
        if kind == "Fail":
            raise ExecutionError(*stepfunctions._fail_state_error(state, data, context))
        if kind == "Succeed":
            data = stepfunctions._apply_input_path(state, data, context)
            data = stepfunctions._apply_output_path(state, data, context)
        elif kind in ("Task", "Parallel", "Map"):
            run = getattr(stepfunctions, f"_execute_{kind.lower()}")
            data, following = run(state, data, execution, context)
        else:
            run = getattr(stepfunctions, f"_execute_{kind.lower()}")
            data, following = run(state, data, context)
        exited = {"name": name, "output": json.dumps(data)}
        stepfunctions._add_event(
            execution, f"{kind}StateExited", {"stateExitedEventDetails": exited}
        )
        name = following
    return data
