"""Distributed Maps and Express executions as in Step Functions."""

import gzip
import json
from typing import Any

import pytest

from tests.support.cloud import ROLE, Cloud, until

FUNCTION = """
import time

class NoPixelsError(ValueError): ...

def handler(event, context):
    if event == "raise": raise NoPixelsError("none at all")
    if isinstance(event, (int, float)): time.sleep(event)
    return event
"""


@pytest.fixture
def function(cloud: Cloud) -> str:
    return cloud.function(FUNCTION)


def alone(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"StartAt": "It", "States": {"It": {"End": True} | state}} | fields


def call(function: str, payload: object = "{% $states.input %}") -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        "Output": "{% $states.result.Payload %}",
    }


def distributed(state: dict[str, Any], kind: str = "EXPRESS", **fields: Any) -> dict[str, Any]:
    """Return a machine that is one Distributed Map."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}} | alone(state)
    over = {} if "ItemReader" in fields else {"Items": "{% $states.input.items %}"}
    return alone({"Type": "Map", "Label": "Run", "ItemProcessor": processor} | over | fields)


def reader(resource: str, arguments: dict[str, Any], **config: Any) -> dict[str, Any]:
    config = {"ReaderConfig": config} if config else {}
    return {"Resource": f"arn:aws:states:::s3:{resource}", "Arguments": arguments} | config


def run_of(cloud: Cloud, execution: str) -> dict[str, Any]:
    (run,) = cloud.machines.list_map_runs(executionArn=execution)["mapRuns"]
    described: dict[str, Any] = cloud.machines.describe_map_run(mapRunArn=run["mapRunArn"])
    return described


def test_map_run_reads_the_objects_that_the_input_names(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    for key in ("in/a b.jpg", "in/ü.png", "out/c.jpg"):
        cloud.buckets.put_object(Bucket=bucket, Key=key, Body=b"12345")
    machine = distributed(
        {"Type": "Pass"},
        ItemReader=reader(
            "listObjectsV2", {"Bucket": bucket, "Prefix": "{% $states.input.prefix %}"}
        ),
        ItemSelector={
            "key": "{% $states.context.Map.Item.Value.Key %}",
            "size": "{% $states.context.Map.Item.Value.Size %}",
            "by": "{% $states.input.prefix %}",
        },
    )
    ended = cloud.run(machine, {"prefix": "in/"})
    assert ended["status"] == "SUCCEEDED"
    assert ended["output"] == [
        {"key": "in/a b.jpg", "size": 5, "by": "in/"},
        {"key": "in/ü.png", "size": 5, "by": "in/"},
    ]


def test_map_run_reads_an_inventory(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    rows = gzip.compress(b'"b","a%20b.jpg","5"\n"b","c.jpg","6"\n')
    cloud.buckets.put_object(Bucket=bucket, Key="data/1.csv.gz", Body=rows)
    manifest = {
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "data/1.csv.gz", "size": len(rows), "MD5checksum": ""}],
    }
    cloud.buckets.put_object(Bucket=bucket, Key="manifest.json", Body=json.dumps(manifest))
    arguments = {"Bucket": "{% $states.input.bucket %}", "Key": "manifest.json"}
    machine = distributed(
        {"Type": "Pass"}, ItemReader=reader("getObject", arguments, InputType="MANIFEST")
    )
    assert cloud.run(machine, {"bucket": bucket})["output"] == [
        {"Bucket": "b", "Key": "a%20b.jpg", "Size": "5"},
        {"Bucket": "b", "Key": "c.jpg", "Size": "6"},
    ]


def test_map_run_reads_a_list_in_a_file(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    cloud.buckets.put_object(Bucket=bucket, Key="list.csv", Body=b"a b.jpg\nc.jpg\n")
    arguments = {"Bucket": "{% $states.input.bucket %}", "Key": "list.csv"}
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["Key"]}
    machine = distributed({"Type": "Pass"}, ItemReader=reader("getObject", arguments, **config))
    ended = cloud.run(machine, {"bucket": bucket})
    assert ended["output"] == [{"Key": "a b.jpg"}, {"Key": "c.jpg"}]


def test_result_writer_leaves_results_and_a_manifest(cloud: Cloud, function: str) -> None:
    bucket = cloud.bucket()
    machine = distributed(
        call(function),
        ToleratedFailurePercentage="{% $states.input.percent %}",
        MaxConcurrency="{% $states.input.at_once %}",
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Arguments": {"Bucket": bucket, "Prefix": "{% $states.input.folder %}"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"},
        },
    )
    given = {"items": ["a", "raise", "c"], "percent": 40, "at_once": 2, "folder": "runs"}
    execution = cloud.start(cloud.machine(machine), given)
    ended = cloud.ended(execution)
    assert ended["status"] == "SUCCEEDED"
    written = ended["output"]["ResultWriterDetails"]
    assert written["Bucket"] == bucket
    assert written["Key"].startswith("runs/")
    assert written["Key"].endswith("/manifest.json")

    def read(key: str) -> bytes:
        body: bytes = cloud.buckets.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    manifest = json.loads(read(written["Key"]))
    assert manifest["DestinationBucket"] == bucket
    rows = {
        outcome: [json.loads(line) for file in files for line in read(file["Key"]).splitlines()]
        for outcome, files in manifest["ResultFiles"].items()
    }
    assert sorted(rows["SUCCEEDED"]) == ["a", "c"]
    (failed,) = rows["FAILED"]
    assert (failed["Error"], json.loads(failed["Input"])) == ("NoPixelsError", "raise")
    assert rows["PENDING"] == []
    counts = run_of(cloud, execution)["itemCounts"]
    assert (counts["succeeded"], counts["failed"], counts["resultsWritten"]) == (2, 1, 3)


def test_map_run_ends_once_more_has_failed_than_is_tolerated(cloud: Cloud, function: str) -> None:
    machine = distributed(
        call(function),
        ToleratedFailurePercentage="{% $states.input.percent %}",
        MaxConcurrency=1,
    )
    given = {"items": ["raise", "raise", *"abcdefgh"], "percent": 10}
    execution = cloud.start(cloud.machine(machine), given)
    ended = cloud.ended(execution)
    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    run = run_of(cloud, execution)
    assert run["status"] == "FAILED"
    assert (run["itemCounts"]["failed"], run["itemCounts"]["pending"]) == (2, 8)


def test_map_run_is_aborted_with_its_execution(cloud: Cloud, function: str) -> None:
    machine = distributed(call(function), MaxConcurrency=1)
    execution = cloud.start(cloud.machine(machine), {"items": [5] * 2 + [0] * 18})
    until(lambda: cloud.machines.list_map_runs(executionArn=execution)["mapRuns"])
    until(lambda: run_of(cloud, execution)["itemCounts"]["running"])
    cloud.machines.stop_execution(executionArn=execution)
    run = until(lambda: (run := run_of(cloud, execution))["status"] != "RUNNING" and run)
    assert run["status"] == "ABORTED"
    assert run["itemCounts"]["aborted"] > 15


def test_child_sees_its_own_execution_and_no_variable_of_its_parent(cloud: Cloud) -> None:
    child = {"Type": "Pass", "Output": "{% [$states.context.Execution.Id, $exists($of)] %}"}
    machine = distributed(child)
    machine["States"]["It"]["End"] = True
    machine |= {"StartAt": "Before"}
    machine["States"]["Before"] = {"Type": "Pass", "Assign": {"of": 1}, "Next": "It"}
    ((execution, known),) = cloud.run(machine, {"items": [1]})["output"]
    assert ":express:" in execution
    assert not known


def express(cloud: Cloud, definition: dict[str, Any]) -> str:
    created = cloud.machines.create_state_machine(
        name=cloud.name(),
        type="EXPRESS",
        definition=json.dumps({"QueryLanguage": "JSONata"} | definition),
        roleArn=ROLE,
    )
    arn: str = created["stateMachineArn"]
    return arn


def synchronously(machine: str) -> dict[str, Any]:
    return alone(
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution",
            "Arguments": {"StateMachineArn": machine, "Input": "{% $string($states.input) %}"},
        }
    )


def test_express_execution_is_started_and_waited_for(patched: Cloud) -> None:
    machine = express(patched, alone({"Type": "Pass", "Output": {"got": "{% $states.input %}"}}))
    result = patched.run(synchronously(machine), {"k": 3})["output"]
    assert (result["Status"], json.loads(result["Output"])) == ("SUCCEEDED", {"got": {"k": 3}})


def test_express_execution_that_fails_is_no_error_of_the_caller(patched: Cloud) -> None:
    failing = {"StartAt": "It", "States": {"It": {"Type": "Fail", "Error": "E", "Cause": "c"}}}
    result = patched.run(synchronously(express(patched, failing)))["output"]
    assert (result["Status"], result["Error"], result["Cause"]) == ("FAILED", "E", "c")


def test_standard_machine_is_not_run_synchronously(cloud: Cloud) -> None:
    machine = cloud.machine(alone({"Type": "Pass"}))
    ended = cloud.run(synchronously(machine))
    assert "StateMachineTypeNotSupported" in ended.get("error", "")


def test_express_execution_is_not_kept(cloud: Cloud) -> None:
    machine = express(cloud, alone({"Type": "Pass"}))
    cloud.run(synchronously(machine))
    assert not cloud.machines.list_executions(stateMachineArn=machine)["executions"]


def test_express_execution_is_logged_with_each_iteration_and_its_data(cloud: Cloud) -> None:
    group = f"/aws/vendedlogs/states/{cloud.name()}"
    cloud.logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:eu-west-1:000000000000:log-group:{group}:*"
    doubled = alone({"Type": "Pass", "Output": "{% $states.input * 2 %}"})
    over = {"Type": "Map", "Items": "{% $states.input %}", "ItemProcessor": doubled}
    created = cloud.machines.create_state_machine(
        name=cloud.name(),
        type="EXPRESS",
        definition=json.dumps({"QueryLanguage": "JSONata"} | alone(over)),
        roleArn=ROLE,
        loggingConfiguration={
            "level": "ALL",
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        },
    )
    cloud.run(synchronously(created["stateMachineArn"]), [4, 5])

    found = cloud.logs.filter_log_events(logGroupName=group)["events"]
    events = [json.loads(event["message"]) for event in found]
    assert [event["id"] for event in events] == [str(n) for n in range(1, len(events) + 1)]
    outputs = [e["details"]["output"] for e in events if e["type"] == "PassStateExited"]
    assert sorted(outputs) == ["10", "8"]
    started = [e["details"]["index"] for e in events if e["type"] == "MapIterationStarted"]
    assert sorted(started) == [0, 1]
    assert events[-1]["type"] == "ExecutionSucceeded"
