"""Record the inputs for `sam local invoke` from an execution on the local engine.

It is the newest that called each of the functions: one with a palette of its own scores no K.

Writes ``events/upload.json`` (the event that S3 sent), ``events/{sample,score_k,render}.json``
(what each function was invoked with) and ``env.json`` (the functions' variables).
"""

import json
import sys
from pathlib import Path
from typing import Any

from emulator import engine
from quantization_client.jobs import StackError
from quantization_client.stack import Stack, find_stack

FUNCTIONS = {"Sample": "sample", "ScoreK": "score_k", "Render": "render"}


class NoExecutionError(Exception):
    """No execution has the inputs of all functions."""


def main() -> int:
    """Run the command line."""
    try:
        _record(engine.default_port())
    except (engine.EngineError, StackError, NoExecutionError) as error:
        print(f"error: {error}; `make run` starts one", file=sys.stderr)
        return 1
    return 0


def _record(port: int) -> None:
    if not engine.is_running(port):
        raise engine.EngineError(f"no engine is running on port {port}")
    aws_environment = engine.aws_environment(engine.endpoint(port))
    stack = find_stack(engine.STACK_NAME, aws_environment)
    for name, event in _newest(stack).items():
        _write(engine.ROOT / "events" / f"{name}.json", event)
    buckets = {"WORK_BUCKET": stack.work_bucket, "OUTPUT_BUCKET": stack.output_bucket}
    _write(
        engine.ROOT / "env.json",
        {"Parameters": buckets | {"AWS_ENDPOINT_URL_S3": aws_environment["AWS_ENDPOINT_URL"]}},
    )


def _newest(stack: Stack) -> dict[str, Any]:
    """Return the inputs of the newest execution that called each function.

    Raises
    ------
    NoExecutionError

    """
    for page in stack.states.get_paginator("list_executions").paginate(
        stateMachineArn=stack.state_machine, statusFilter="SUCCEEDED"
    ):
        for execution in page["executions"]:
            inputs = _inputs(stack, execution["executionArn"])
            if inputs.keys() >= {*FUNCTIONS.values()}:
                return inputs
    raise NoExecutionError(f"no execution has called {', '.join(FUNCTIONS)}")


def _inputs(stack: Stack, arn: str) -> dict[str, Any]:
    """Return S3's event, and the payload of the first invocation of each function."""
    inputs = {"upload": json.loads(stack.states.describe_execution(executionArn=arn)["input"])}
    state = ""
    for page in stack.states.get_paginator("get_execution_history").paginate(executionArn=arn):
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                state = event["stateEnteredEventDetails"]["name"]
            elif "taskScheduledEventDetails" in event and state in FUNCTIONS:
                parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
                inputs.setdefault(FUNCTIONS[state], parameters["Payload"])
    return inputs


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
