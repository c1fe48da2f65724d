"""Show the local engine's executions in the browser, until Ctrl-C.

    python -m emulator.console [--port PORT] [--engine PORT]

It only reads, and listens on 127.0.0.1. Each page has an address of its own:

    /?machine=uploads&status=FAILED         executions, the newest first
    /executions/ARN?state=NAME&step=EVENT   an execution, with a state or one run of it
    /executions/ARN/history.json            all that Step Functions says of it
    /express/ARN                            an Express execution that it called, from the logs
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from emulator import console_pages as pages
from emulator import engine
from emulator.history import described, from_log
from quantization.report.charts import THEME
from quantization_client.jobs import StackError
from quantization_client.stack import Stack, find_stack

DEFAULT_PORT = 4580
PORT_VARIABLE = "CONSOLE_PORT"
EXPRESS_LOGS = f"/aws/vendedlogs/states/{engine.STACK_NAME}-express"
PAGE_SIZE = 50
HERE = Path(__file__).parent
FILES = {
    "console.css": ("text/css", THEME + (HERE / "console.css").read_text()),
    "console.js": ("text/javascript", (HERE / "console.js").read_text()),
}


class NoSuchPageError(Exception):
    """An address that leads to nothing."""


class Console:
    """The executions of a stack, read anew for each page.

    Parameters
    ----------
    find : callable
        Returns the stack, which another engine on the same port may have anew.
    logs
        Client of CloudWatch Logs.
    endpoint : str
        Of S3, where the result's files are.

    """

    def __init__(self, find: Callable[[], Stack], logs: Any, endpoint: str) -> None:
        self.stack = find
        self._logs = logs
        self._endpoint = endpoint
        self._described = lru_cache(10_000)(self._describe)

    def executions(self, machine: str = "uploads", status: str = "", after: str = "") -> str:
        """Return the page that lists executions."""
        stack = self.stack()
        machines = {"uploads": stack.state_machine}
        machines |= {f"backfill by {name}": arn for name, arn in stack.backfills.items()}
        if machine not in machines:
            raise NoSuchPageError(f"there is no machine {machine}")
        request: dict[str, Any] = {"stateMachineArn": machines[machine], "maxResults": PAGE_SIZE}
        request |= {"statusFilter": status} if status else {}
        request |= {"nextToken": after} if after else {}
        listed = stack.states.list_executions(**request)
        return pages.listing(
            list(machines),
            machine,
            status,
            [self._described(e["executionArn"], e["status"]) for e in listed["executions"]],
            listed.get("nextToken"),
        )

    def execution(self, arn: str, state: str = "", step: int = 0) -> str:
        """Return the page of an execution."""
        states = self.stack().states
        machine = states.describe_state_machine_for_execution(executionArn=arn)
        return pages.execution(
            states.describe_execution(executionArn=arn),
            json.loads(machine["definition"]),
            self._events(arn),
            state,
            step,
            self._endpoint,
        )

    def express(self, arn: str, state: str = "", step: int = 0) -> str:
        """Return the page of an Express execution, of which only the logs know."""
        machine, _, name = arn.replace(":execution:", ":stateMachine:").rpartition(":")
        logged = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=EXPRESS_LOGS, logStreamNames=[f"states/{name}"]
        )
        events = from_log(event["message"] for page in logged for event in page["events"])
        if not events:
            raise NoSuchPageError(f"nothing is logged of {arn}")
        definition = self.stack().states.describe_state_machine(stateMachineArn=machine)
        return pages.execution(
            described(arn, events),
            json.loads(definition["definition"]),
            events,
            state,
            step,
            self._endpoint,
        )

    def history(self, arn: str) -> str:
        """Return all events of an execution in JSON."""
        return json.dumps(self._events(arn), indent=1, default=str)

    def _events(self, arn: str) -> list[Any]:
        states = self.stack().states
        found = states.get_paginator("get_execution_history").paginate(
            executionArn=arn, PaginationConfig={"PageSize": 1000}
        )
        return [event for page in found for event in page["events"]]

    def _describe(self, arn: str, status: str) -> Any:
        """Describe an execution, which stays as it is while its status does."""
        return self.stack().states.describe_execution(executionArn=arn)


def server(port: int, console: Console) -> ThreadingHTTPServer:
    """Return the web server, listening; port 0 takes any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                self._answer(HTTPStatus.OK, *self._found())
            except (NoSuchPageError, ClientError) as error:
                self._answer(HTTPStatus.NOT_FOUND, "text/html", pages.message(str(error)))
            except (BotoCoreError, StackError) as error:
                page = pages.message(str(error))
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/html", page)

        def _found(self) -> tuple[str, str]:
            # A site that has its name point at 127.0.0.1 is not to read along.
            here = f"{engine.HOST}:{web.server_port}"
            if self.headers["Host"] != here:
                raise NoSuchPageError(f"this is http://{here}/")
            address = urlsplit(self.path)
            name = address.path.strip("/")
            if name in FILES:
                return FILES[name]
            asked = {key: values[0] for key, values in parse_qs(address.query).items()}
            match name.split("/"):
                case [""]:
                    machine = asked.get("machine", "uploads")
                    status, after = asked.get("status", ""), asked.get("after", "")
                    return "text/html", console.executions(machine, status, after)
                case ["executions" | "express" as kind, arn]:
                    show = console.execution if kind == "executions" else console.express
                    step = asked.get("step", "")
                    # Longer ones are no event's, and int refuses some of them.
                    event = int(step) if step.isdecimal() and len(step) < 20 else 0
                    return "text/html", show(unquote(arn), asked.get("state", ""), event)
                case ["executions", arn, "history.json"]:
                    return "application/json", console.history(unquote(arn))
            raise NoSuchPageError(f"there is no page {address.path}")

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", pages.POLICY)
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the terminal for the address."""

    web = ThreadingHTTPServer((engine.HOST, port), Handler)
    return web


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator.console", description=__doc__)
    engine.add_port(parser, "--port", PORT_VARIABLE, DEFAULT_PORT)
    engine.add_port(parser, "--engine")
    arguments = parser.parse_args()
    try:
        serve(arguments.port, arguments.engine)
    except (engine.EngineError, StackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def serve(port: int, engine_port: int) -> None:
    """Print the address of the pages, and serve them until Ctrl-C.

    Raises
    ------
    engine.EngineError
        If no engine runs, or the port is taken.
    StackError
        If nothing is deployed there.

    """
    if not engine.is_running(engine_port):
        raise engine.EngineError(f"no engine runs on port {engine_port}; `make run` starts one")
    endpoint = engine.endpoint(engine_port)
    aws_environment = engine.aws_environment(endpoint)
    logs = engine.clients(engine_port)("logs")
    console = Console(lambda: find_stack(engine.STACK_NAME, aws_environment), logs, endpoint)
    console.stack()
    engine.check_port_is_free(port, PORT_VARIABLE)
    with server(port, console) as web, contextlib.suppress(KeyboardInterrupt):
        print(f"http://{engine.HOST}:{web.server_port}/", flush=True)
        web.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
