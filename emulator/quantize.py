"""Reduce images to their best few colors, by the whole service on the local engine."""

import sys
from typing import TYPE_CHECKING

from quantization_client.entry import without_traceback

if TYPE_CHECKING:
    from quantization_client.stack import Stack


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return without_traceback(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    from rich.console import Console

    from emulator import engine
    from quantization_client import main as client
    from quantization_client import on_stack

    command = client.parser("python -m emulator.quantize", __doc__)
    engine.add_port(command, "--port")
    options = client.parse(command, arguments)
    code = on_stack.quantize(options, lambda: connect(options.port))
    if engine.is_running(options.port) and not options.json:
        console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=options.quiet)
        console.print(
            f"\nThe engine keeps running at {engine.endpoint(options.port)}:\n"
            "`make console` shows its executions, `make stop` ends it."
        )
        if options.verbose:
            variables = engine.aws_environment(engine.endpoint(options.port))
            settings = " ".join(f"{name}={value}" for name, value in variables.items())
            console.print(f"The AWS CLI finds it after: export {settings}")
    return code


def connect(port: int) -> "Stack":
    """Bring this tree's stack up on the engine and find it.

    Raises
    ------
    StackError
        If the engine does not start, or sam cannot build or deploy.
    """
    from emulator import engine
    from emulator.deploy import DeployError, deploy
    from quantization_client.jobs import StackError
    from quantization_client.stack import find_stack

    try:
        return find_stack(engine.STACK_NAME, deploy(port))
    except (DeployError, engine.EngineError) as error:
        raise StackError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
