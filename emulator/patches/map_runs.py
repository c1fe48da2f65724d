"""Patches in Step Functions: the Distributed Map, its Map Runs, and Express executions."""

import contextvars
import csv
import gzip
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, new_uuid, now_iso
from ministack.services import cloudwatch_logs, s3, stepfunctions

from emulator.patches import machines
from emulator.patches.machines import Context, Execution, ExecutionError, State
from emulator.patches.patching import patch

DONE, FAILED, ABORTED, RUNNING, PENDING = "SUCCEEDED", "FAILED", "ABORTED", "RUNNING", "PENDING"
_COUNTED_AS = {
    DONE: "succeeded",
    FAILED: "failed",
    ABORTED: "aborted",
    RUNNING: "running",
    PENDING: "pending",
}


# Express executions


@patch(stepfunctions, "_start_sync_execution", "data")
def only_express_runs_synchronously(stock: Any, request: dict[str, Any]) -> Any:
    """Run Express machines alone synchronously, for five minutes at most, with no history but logs.

    AWS: another machine is refused as StateMachineTypeNotSupported; an execution that takes longer
    is TIMED_OUT; none can be described or listed, but its events are in the machine's log group.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
    Stock: machines of both types run as long as they like, every execution is kept for ever, and
    nothing is logged.
    """
    machine = stepfunctions._state_machines.get(request.get("stateMachineArn", ""))
    if machine and machine["type"] != "EXPRESS":
        message = f"{machine['stateMachineArn']} is not an Express machine"
        return error_response_json("StateMachineTypeNotSupported", message, 400)
    name = request.setdefault("name", new_uuid())
    status, headers, body = stock(request)
    if machine:
        kept = machine["stateMachineArn"].replace(":stateMachine:", ":execution:") + f":{name}"
        execution = stepfunctions._executions.pop(kept, {})
        _log(machine, execution)
        if execution.get("status") == "TIMED_OUT":
            body = json.dumps(json.loads(body) | {"error": "States.Timeout", "cause": ""}).encode()
    return status, headers, body


KEPT_LOGS = 200
"""Streams of a log group, the newest: an engine keeps all in memory."""


def _log(machine: dict[str, Any], execution: Execution) -> None:
    """Write an execution's events to the log groups of its machine, if it logs all.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    """
    config = _camel(machine["loggingConfiguration"])
    if not execution or config["level"] != "ALL":
        return
    told = [
        _logged(event, execution, config["includeExecutionData"]) for event in execution["events"]
    ]
    events = [{"timestamp": int(t["event_timestamp"]), "message": json.dumps(t)} for t in told]
    for destination in config["destinations"]:
        arn = destination["cloudWatchLogsLogGroup"]["logGroupArn"]
        group = arn.partition(":log-group:")[2].removesuffix(":*")
        where = {"logGroupName": group, "logStreamName": f"states/{execution['name']}"}
        cloudwatch_logs._create_log_stream(where)
        cloudwatch_logs._put_log_events({**where, "logEvents": events})
        for oldest in list(cloudwatch_logs._log_groups[group]["streams"])[:-KEPT_LOGS]:
            cloudwatch_logs._delete_log_stream(where | {"logStreamName": oldest})


def _camel(config: Any) -> Any:
    """Return a configuration as the API spells it, which CloudFormation begins with capitals."""
    match config:
        case dict():
            return {name[0].lower() + name[1:]: _camel(value) for name, value in config.items()}
        case list():
            return [_camel(value) for value in config]
    return config


def _logged(event: dict[str, Any], execution: Execution, with_data: bool) -> dict[str, Any]:
    told: Any = (value for name, value in event.items() if name.endswith("EventDetails"))
    data = () if with_data else ("input", "output", "parameters")
    return {
        "id": str(event["id"]),
        "type": event["type"],
        "details": {name: value for name, value in next(told, {}).items() if name not in data},
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)),
        "execution_arn": execution["executionArn"],
        "redrive_count": "0",
    }


# The data set


def _items(state: State, data: object, context: Context) -> list[Any]:
    """Read the items of a Distributed Map, as its ItemReader says or from the input."""
    reader = state.get("ItemReader")
    if reader is None:
        items = stepfunctions._jsonata_state_field(state, "Items", "array", data, context)
        return list(items)
    where = stepfunctions._apply_jsonata_template(reader["Arguments"], data, context)
    config = stepfunctions._apply_jsonata_template(reader.get("ReaderConfig", {}), data, context)
    if config.get("InputType") == "MANIFEST":
        items = list(_inventory(**where))
        return items[: config.get("MaxItems", len(items))]
    reader = reader | {"Arguments": where, "ReaderConfig": config}
    read: list[Any] = stepfunctions._read_map_items(reader, data, context)
    return read


def _inventory(Bucket: str, Key: str) -> Iterator[dict[str, str]]:  # noqa: N803 - as in the state
    """Yield the rows of an S3 inventory in CSV.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    manifest = json.loads(_read(Bucket, Key))
    fields = [name.strip() for name in manifest["fileSchema"].split(",")]
    for file in manifest["files"]:
        rows = gzip.decompress(_read(Bucket, file["key"])).decode()
        for row in csv.reader(io.StringIO(rows)):
            yield dict(zip(fields, row, strict=True))


def _read(bucket: str, key: str) -> bytes:
    content: bytes | None = s3._get_object_data(bucket, key)
    if content is None:
        message = f"The specified key does not exist. (Bucket: {bucket}, Key: {key})"
        raise ExecutionError("States.ItemReaderFailed", message)
    return content


# The run


class MapRun:
    """The child executions of one Distributed Map."""

    def __init__(
        self, state: State, processor: State, data: object, parent: Execution, context: Context
    ) -> None:
        def number(field: str) -> Any:
            if field not in state:
                return None
            return stepfunctions._jsonata_state_field(state, field, "number", data, context)

        self._state, self._data = state, data
        self._processor = processor
        self._parent, self._context = parent, context
        self._lock = threading.Lock()
        self._kind = processor["ProcessorConfig"].get("ExecutionType", "STANDARD")
        self._items = _items(state, data, context)
        self._rows: dict[str, list[object]] = {DONE: [], FAILED: [], PENDING: []}
        self._outputs: list[object] = [None] * len(self._items)
        self._most_failed = number("ToleratedFailureCount")
        self._most_percent = number("ToleratedFailurePercentage")
        # AWS runs up to 10,000 children at once; more than this many only wait for their turn here.
        self._workers = min(number("MaxConcurrency") or 64, 64)
        prefix, _, machine = parent["stateMachineArn"].rpartition(":")
        self._prefix = prefix.removesuffix(":stateMachine")
        self._machine = f"{machine}/{state.get('Label') or new_uuid()}"
        counts = dict.fromkeys(
            (
                *("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total"),
                *("resultsWritten", "failuresNotRedrivable", "pendingRedrive"),
            ),
            0,
        )
        counts |= {"total": len(self._items), "pending": len(self._items)}
        self.description: dict[str, Any] = {
            "mapRunArn": f"{self._prefix}:mapRun:{self._machine}:{new_uuid()}",
            "executionArn": parent["executionArn"],
            "status": RUNNING,
            "startDate": now_iso(),
            "maxConcurrency": number("MaxConcurrency") or 0,
            "toleratedFailurePercentage": self._most_percent or 0.0,
            "toleratedFailureCount": self._most_failed or 0,
            "itemCounts": counts,
            "executionCounts": counts.copy(),
            "redriveCount": 0,
            "_stateMachineArn": f"{self._prefix}:stateMachine:{self._machine}",
        }

    def run(self) -> object:
        """Run all children; return what the state's result is.

        Raises
        ------
        ExecutionError
            If more of them failed than are tolerated.

        """
        arn = self.description["mapRunArn"]
        stepfunctions._map_runs[arn] = self.description
        self._tell("Started", {"mapRunStartedEventDetails": {"mapRunArn": arn}})
        with ThreadPoolExecutor(self._workers) as pool:
            for index, item in enumerate(self._items):
                pool.submit(contextvars.copy_context().run, self._child, index, item)
        result: object = self._outputs
        if "ResultWriter" in self._state:
            result = {"MapRunArn": arn, "ResultWriterDetails": self._write()}
        ended = ABORTED if self._parent["status"] != RUNNING else FAILED if self._failed else DONE
        self.description.update(status=ended, stopDate=now_iso())
        if ended == FAILED:
            message = "The specified tolerated failure threshold was exceeded"
            error = "States.ExceedToleratedFailureThreshold"
            self._tell("Failed", {"mapRunFailedEventDetails": {"error": error, "cause": message}})
            raise ExecutionError(error, message)
        if ended == DONE:
            self._tell("Succeeded")
        return result

    @property
    def _failed(self) -> bool:
        """Whether more children have failed than are tolerated."""
        failed = self.description["itemCounts"]["failed"]
        if self._most_failed is None and self._most_percent is None:
            return bool(failed)
        return bool(
            (self._most_failed is not None and failed > self._most_failed)
            or (
                self._most_percent is not None
                and 100 * failed > self._most_percent * len(self._items)
            )
        )

    def _tell(self, what: str, details: dict[str, Any] | None = None) -> None:
        stepfunctions._add_event(self._parent, f"MapRun{what}", details)

    def _count(self, before: str, after: str) -> None:
        with self._lock:
            for counts in (self.description["itemCounts"], self.description["executionCounts"]):
                counts[_COUNTED_AS[before]] -= 1
                counts[_COUNTED_AS[after]] += 1

    def _child(self, index: int, item: object) -> None:
        """Run one child execution, unless the run is over."""
        child = self._begin(index, item)
        if self._parent["status"] != RUNNING or self._failed:
            after = ABORTED if self._parent["status"] != RUNNING else PENDING
            self._rows[PENDING].append(self._row(child) | {"Status": PENDING})
            self._count(PENDING, after)
            return
        self._count(PENDING, RUNNING)
        if self._kind == "STANDARD":
            stepfunctions._executions[child["executionArn"]] = child
        machines.leave_iteration()
        context = {
            "QueryLanguage": self._context["QueryLanguage"],
            "Execution": {
                "Id": child["executionArn"],
                "Input": json.loads(child["input"]),
                "Name": child["name"],
                "StartTime": child["startDate"],
            },
            "StateMachine": {"Id": child["stateMachineArn"], "Name": self._machine},
            "variables": {},
        }
        try:
            output = machines.run_states(
                self._processor["States"],
                self._processor["StartAt"],
                json.loads(child["input"]),
                child,
                context,
            )
            child.update(status=DONE, output=json.dumps(output))
            self._outputs[index] = output
        except ExecutionError as error:
            child.update(status=FAILED, error=error.error, cause=error.cause)
        child["stopDate"] = now_iso()
        if self._parent["status"] != RUNNING:
            child["status"] = ABORTED
        else:
            self._rows[child["status"]].append(self._row(child))
        self._count(RUNNING, child["status"])

    def _begin(self, index: int, item: object) -> Execution:
        context = self._context | {"Map": {"Item": {"Index": index, "Value": item}}}
        selector = self._state.get("ItemSelector", item)
        selected = stepfunctions._apply_jsonata_template(selector, self._data, context)
        name = new_uuid()
        kind = "express" if self._kind == "EXPRESS" else "execution"
        arn = f"{self._prefix}:{kind}:{self._machine}:{name}"
        now = now_iso()
        given = json.dumps(selected)
        started = {"input": given, "roleArn": ""}
        return {
            "executionArn": f"{arn}:{new_uuid()}" if kind == "express" else arn,
            "stateMachineArn": self.description["_stateMachineArn"],
            "mapRunArn": self.description["mapRunArn"],
            "name": name,
            "status": RUNNING,
            "startDate": now,
            "stopDate": None,
            "input": given,
            "output": None,
            "events": [
                {
                    "id": 1,
                    "type": "ExecutionStarted",
                    "timestamp": now,
                    "executionStartedEventDetails": started,
                }
            ],
        }

    def _row(self, child: Execution) -> Any:
        """Return what the ResultWriter says of a child."""
        config = self._state.get("ResultWriter", {}).get("WriterConfig", {})
        if child["status"] == DONE and config.get("Transformation") in ("COMPACT", "FLATTEN"):
            return json.loads(child["output"])
        row = {
            "ExecutionArn": child["executionArn"],
            "Name": child["name"],
            "StateMachineArn": child["stateMachineArn"],
            "Status": child["status"],
            "Input": child["input"],
            "InputDetails": {"Included": True},
            "Output": child["output"],
            "Error": child.get("error"),
            "Cause": child.get("cause"),
            "StartDate": child["startDate"],
            "StopDate": child["stopDate"],
        }
        return {field: value for field, value in row.items() if value is not None}

    def _write(self) -> dict[str, str]:
        """Write the children's results and a manifest of them; return where that lies.

        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        """
        writer = self._state["ResultWriter"]
        where = stepfunctions._apply_jsonata_template(
            writer["Arguments"], self._data, self._context
        )
        bucket = where["Bucket"]
        run = self.description["mapRunArn"].rpartition(":")[2]
        folder = f"{where.get('Prefix', '').rstrip('/')}/{run}".lstrip("/")
        config = writer.get("WriterConfig", {})
        lines = config.get("OutputType") == "JSONL"
        files: dict[str, list[dict[str, object]]] = {DONE: [], FAILED: [], PENDING: []}
        for outcome, rows in self._rows.items():
            if not rows:
                continue
            text = "".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(rows)
            key = f"{folder}/{outcome}_0.{'jsonl' if lines else 'json'}"
            self._put(bucket, key, text)
            files[outcome].append({"Key": key, "Size": len(text.encode())})
        manifest = {
            "DestinationBucket": bucket,
            "MapRunArn": self.description["mapRunArn"],
            "ResultFiles": files,
        }
        self._put(bucket, f"{folder}/manifest.json", json.dumps(manifest))
        written = sum(map(len, self._rows.values()))
        self.description["itemCounts"]["resultsWritten"] = written
        return {"Bucket": bucket, "Key": f"{folder}/manifest.json"}

    def _put(self, bucket: str, key: str, text: str) -> None:
        status, _, body = s3._put_object(bucket, key, text.encode(), {})
        if status >= 400:
            raise ExecutionError("States.ResultWriterFailed", body.decode())


@patch(
    stepfunctions,
    "_run_distributed_map",
    "state_def, raw_input, effective, iterator, execution, ctx",
)
def distributed_map_has_a_reader_and_a_writer(
    stock: Any,
    state: State,
    data: object,
    effective: object,
    processor: State,
    execution: Execution,
    context: Context,
) -> Any:
    """Run a Distributed Map that is written in JSONata, with all that a backfill uses of it.

    AWS: ItemReader's, ResultWriter's and ItemSelector's values, MaxConcurrency and the tolerated
    failures may be expressions; an inventory may be read; results and a manifest are written; the
    run ends once more has failed than is tolerated, and when its execution is stopped; Express
    children are not kept.
    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    Stock: expressions are passed on literally, ResultWriter is ignored, and each run goes on to its
    last item.
    """
    if stepfunctions._state_query_language(state, context) != "JSONata":
        return stock(state, data, effective, processor, execution, context)
    result = MapRun(state, processor, data, execution, context).run()
    output = stepfunctions._apply_jsonata_output(
        state, data, context, result=result, default=result
    )
    stepfunctions._apply_state_assign(state, data, context, result=result)
    return output, stepfunctions._next_or_end(state)
