"""Show the local engine's executions in the browser, until Ctrl-C.

    python -m emulator.console [--port PORT] [--engine PORT]

The web view is stackport, in an environment of its own, served by `emulator.console_server`.
"""

import argparse
import os
import sys
from typing import NoReturn
from urllib.parse import quote

from emulator import engine
from quantization_client.stack import NoSuchStackError, find_stack

ENVIRONMENT = engine.HOME / "console"
DEFAULT_PORT = 4580
PORT_VARIABLE = "CONSOLE_PORT"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator.console", description=__doc__)
    engine.add_port(parser, "--port", PORT_VARIABLE, DEFAULT_PORT)
    engine.add_port(parser, "--engine")
    arguments = parser.parse_args()
    try:
        serve(arguments.port, arguments.engine)
    except (engine.EngineError, NoSuchStackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def serve(port: int, engine_port: int) -> NoReturn:
    """Become the web view's server.

    Raises
    ------
    engine.EngineError
        If no engine runs, or the port is taken.
    NoSuchStackError
        If nothing is deployed there.

    """
    if not engine.is_running(engine_port):
        raise engine.EngineError(f"no engine runs on port {engine_port}; `make run` starts one")
    aws_environment = engine.aws_environment(engine.endpoint(engine_port))
    machine = find_stack(engine.STACK_NAME, aws_environment).state_machine
    engine.check_port_is_free(port, PORT_VARIABLE)
    engine.sync(ENVIRONMENT, "console")
    page = f"http://{engine.HOST}:{port}/resources/stepfunctions?machine={quote(machine, safe='')}"
    python = str(ENVIRONMENT / "bin/python")
    os.chdir(engine.ROOT)
    os.execve(  # noqa: S606
        python,
        [python, "-m", "emulator.console_server", str(port), page],
        {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **aws_environment,
            "STACKPORT_ALLOW_WRITES": "false",
            "STACKPORT_LEARN": "false",
            "STACKPORT_SERVICES": "stepfunctions,lambda,s3,events,logs,cloudformation",
            # It remembers the endpoint it was given first.
            "STACKPORT_DATA_DIR": str(engine.state_directory(engine_port) / "console"),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
