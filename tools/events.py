"""Record the inputs for `sam local invoke` from the newest execution on the local engine.

Writes ``events/upload.json`` (the event that S3 sent), ``events/{sample,score_k,render}.json``
(what each function was invoked with) and ``env.json`` (the functions' variables).
"""

import json
import sys
from pathlib import Path
from typing import Any

from emulator import engine
from quantization_client.stack import Stack, find_stack

FUNCTIONS = {"Sample": "sample", "ScoreK": "score_k", "Render": "render"}


def main() -> int:
    """Run the command line."""
    try:
        port = engine.default_port()
    except engine.EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not engine.is_running(port):
        print("error: no engine is running; `make run` starts one", file=sys.stderr)
        return 1
    aws_environment = engine.aws_environment(engine.endpoint(port))
    stack = find_stack(engine.STACK_NAME, aws_environment)
    for name, event in _inputs(stack).items():
        _write(engine.ROOT / "events" / f"{name}.json", event)
    buckets = {"WORK_BUCKET": stack.work_bucket, "OUTPUT_BUCKET": stack.output_bucket}
    _write(
        engine.ROOT / "env.json",
        {"Parameters": buckets | {"AWS_ENDPOINT_URL_S3": aws_environment["AWS_ENDPOINT_URL"]}},
    )
    return 0


def _inputs(stack: Stack) -> dict[str, Any]:
    """Return S3's event, and the payload of the first invocation of each function."""
    (newest,) = stack.states.list_executions(
        stateMachineArn=stack.state_machine, statusFilter="SUCCEEDED", maxResults=1
    )["executions"]
    arn = newest["executionArn"]
    inputs = {"upload": json.loads(stack.states.describe_execution(executionArn=arn)["input"])}
    state = ""
    for page in stack.states.get_paginator("get_execution_history").paginate(executionArn=arn):
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                state = event["stateEnteredEventDetails"]["name"]
            elif "taskScheduledEventDetails" in event and FUNCTIONS[state] not in inputs:
                parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
                inputs[FUNCTIONS[state]] = parameters["Payload"]
    return inputs


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
