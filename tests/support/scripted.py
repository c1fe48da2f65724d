"""The state machine's own file on an engine, its functions played by `tests/machine/stubs.py`."""

import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from emulator.engine import ROOT
from tests.machine.stubs import LET_GO

DEFINITION = ROOT / "statemachine/quantize.asl.yaml"
EVENT = json.loads((ROOT / "events/upload.json").read_text())
ROLE = "arn:aws:iam::000000000000:role/quantize"
LIMIT_SECONDS = 120


def entered(events: list[dict[str, Any]]) -> list[str]:
    """List the states that an execution entered, by its history."""
    return [
        e["stateEnteredEventDetails"]["name"] for e in events if e["type"].endswith("StateEntered")
    ]


class ScriptedMachine:
    """Runs the machine; called with a script, it returns what DescribeExecution says at the end."""

    def __init__(self, aws: Callable[[str], Any], calls: Path) -> None:
        self.states = aws("stepfunctions")
        self._calls = calls
        self._substitutions = {
            "Partition": "aws",
            "MapConcurrency": "25",
            "ScoringWorkflow": "",
            "TimeLimit": "3600",
        }
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.write(ROOT / "tests/machine/stubs.py", "stubs.py")
        for name in ("Sample", "ScoreK", "Render", "RecordFailure"):
            handler = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            created = aws("lambda").create_function(
                FunctionName=f"stub-{name}-{time.time_ns()}",
                Runtime="python3.13",
                Role=ROLE,
                Handler=f"stubs.{handler}",
                Code={"ZipFile": code.getvalue()},
                Timeout=900,
                Environment={"Variables": {"CALLS": str(calls)}},
            )
            self._substitutions[f"{name}Function"] = created["FunctionArn"]

    def create(self, scoring_workflow: str = "", **score_k: Any) -> str:
        """Create the machine and return its ARN; `score_k` replaces fields of the state ScoreK."""
        return self._create({"ScoringWorkflow": scoring_workflow}, score_k)

    def create_express(self, log_group: str, **score_k: object) -> str:
        """Create it as an Express workflow that logs all to a group; return its ARN."""
        group = f"arn:aws:logs:us-east-1:000000000000:log-group:{log_group}:*"
        logging = {
            "level": "ALL",
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
        }
        return self._create({}, score_k, type="EXPRESS", loggingConfiguration=logging)

    def _create(
        self, substitutions: dict[str, str], score_k: dict[str, object], **kind: object
    ) -> str:
        text = DEFINITION.read_text()
        for name, value in (self._substitutions | substitutions).items():
            text = text.replace(f"${{{name}}}", value)
        definition = yaml.safe_load(text)
        definition["States"]["ScoreEachK"]["ItemProcessor"]["States"]["ScoreK"] |= score_k
        created = self.states.create_state_machine(
            name=f"quantize-{time.time_ns()}",
            definition=json.dumps(definition),
            roleArn=ROLE,
            **kind,
        )
        arn: str = created["stateMachineArn"]
        return arn

    def start(self, machine: str, script: dict[str, Any]) -> str:
        """Start an execution with an upload of that script; return its ARN."""
        event = json.loads(json.dumps(EVENT))
        event["detail"]["object"]["key"] = json.dumps(script)
        return self.start_with(machine, event)

    def start_with(self, machine: str, given: dict[str, Any]) -> str:
        """Start an execution of this input; return its ARN."""
        started = self.states.start_execution(stateMachineArn=machine, input=json.dumps(given))
        arn: str = started["executionArn"]
        return arn

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the end of an execution."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            described: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            if described["status"] != "RUNNING":
                return described
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def let_go(self) -> None:
        """End the waiting of all held functions: each takes one of the engine's few turns."""
        (self._calls / LET_GO).touch()

    def __call__(self, script: dict[str, Any], **score_k: Any) -> dict[str, Any]:
        """Run with an upload of that script, to the end."""
        return self.ended(self.start(self.create(**score_k), script))

    def history(self, ended: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all events of an execution."""
        events: list[dict[str, Any]] = self.states.get_execution_history(
            executionArn=ended["executionArn"], maxResults=1000
        )["events"]
        return events
