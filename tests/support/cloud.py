"""What the tests of the engine do with it."""

import io
import itertools
import json
import socket
import time
import zipfile
from collections.abc import Callable
from typing import Any

import boto3

ROLE = "arn:aws:iam::000000000000:role/any"
LIMIT_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def archive(files: dict[str, str]) -> bytes:
    """Return a zip file of these texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return buffer.getvalue()


def until[T](look: Callable[[], T]) -> T:
    """Return the first true value of `look`."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return seen


class Cloud:
    """What the tests do with an engine."""

    def __init__(self, endpoint: str) -> None:
        self._names = itertools.count()
        session: Any = boto3.Session("test", "test", region_name="eu-west-1")

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=endpoint)

        self.functions = client("lambda")
        self.machines = client("stepfunctions")
        self.buckets = client("s3")
        self.stacks = client("cloudformation")
        self.rules = client("events")
        self.queues = client("sqs")
        self.logs = client("logs")

    def name(self) -> str:
        return f"test-{next(self._names)}"

    def bucket(self) -> str:
        name = self.name()
        self.buckets.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        return name

    def function(self, code: str, **settings: Any) -> str:
        """Create a function whose module `app` is this code and has a `handler`."""
        name = self.name()
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": archive({"app.py": code} | settings.pop("files", {}))},
            **{"Timeout": 60} | settings,
        )
        return name

    def layer(self, files: dict[str, str]) -> str:
        published = self.functions.publish_layer_version(
            LayerName=self.name(), Content={"ZipFile": archive(files)}
        )
        arn: str = published["LayerVersionArn"]
        return arn

    def call(self, function: str, event: object = None) -> Any:
        """Return what the function answers, its error's fields included."""
        answer = self.functions.invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def machine(self, definition: dict[str, Any]) -> str:
        created = self.machines.create_state_machine(
            name=self.name(),
            definition=json.dumps({"QueryLanguage": "JSONata"} | definition),
            roleArn=ROLE,
        )
        arn: str = created["stateMachineArn"]
        return arn

    def start(self, machine: str, data: object = None) -> str:
        started = self.machines.start_execution(stateMachineArn=machine, input=json.dumps(data))
        arn: str = started["executionArn"]
        return arn

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the execution's end and describe it, its output parsed."""

        def look() -> Any:
            seen = self.machines.describe_execution(executionArn=execution)
            return seen if seen["status"] != "RUNNING" else None

        seen: dict[str, Any] = until(look)
        return seen | {"output": json.loads(seen["output"]) if "output" in seen else None}

    def run(self, definition: dict[str, Any], data: object = None) -> dict[str, Any]:
        return self.ended(self.start(self.machine(definition), data))

    def history(self, execution: str) -> list[dict[str, Any]]:
        events = self.machines.get_execution_history(executionArn=execution, maxResults=1000)
        return list(events["events"])
