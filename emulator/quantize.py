"""Reduce images to their best few colors, by the whole service on the local engine."""

import sys

from rich.console import Console

from emulator import engine
from emulator.deploy import DeployError, deploy
from quantization_client import main as client
from quantization_client import on_stack
from quantization_client.jobs import StackError
from quantization_client.stack import Stack, find_stack


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    command = client.parser("python -m emulator.quantize", __doc__)
    command.add_argument(
        "--port",
        type=int,
        default=engine.default_port(),
        help=f"of the engine; default: the variable {engine.PORT_VARIABLE}, or"
        f" {engine.DEFAULT_PORT}",
    )
    options = command.parse_args(arguments)
    code = on_stack.quantize(options, lambda: connect(options.port))
    if engine.is_running(options.port):
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(
            f"\nThe engine keeps running at {engine.endpoint(options.port)}: `make console` shows"
            " its executions, `make stop` ends it."
        )
    return code


def connect(port: int) -> Stack:
    """Bring this tree's stack up on the engine and find it.

    Raises
    ------
    StackError
        If the engine does not start, or sam cannot build or deploy.
    """
    try:
        return find_stack(engine.STACK_NAME, deploy(port))
    except (DeployError, engine.EngineError) as error:
        raise StackError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
