"""A built function in what it finds in Lambda: /var/task, /opt, the runtime and nothing else."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import samcli.local.rapid

from emulator import engine
from emulator.deploy import ARCHITECTURE
from tests.support.built import BuiltFunction

EMULATOR = Path(samcli.local.rapid.__path__[0]) / f"aws-lambda-rie-{ARCHITECTURE}"
PYTHON = engine.RUNTIME_ENVIRONMENT / "bin/python"
START_SECONDS = 60
INVOKE_SECONDS = 300
"""Of a function, its imports among them, on an emulated processor of a busy machine."""

type Command = Sequence[str | Path]
"""What runs a program, without the program's arguments."""


class Sandbox:
    """A function laid out for its runtime.

    Parameters
    ----------
    function : BuiltFunction
    root : Path
        An empty folder. The function is reached through ``var/task`` and its layers through
        ``opt`` in it.
    variables : mapping of str to str
        Environment variables beside, or instead of, those of the template.
    interpreter : sequence of str or Path
        The runtime's Python; by default this machine's own.

    Raises
    ------
    FileExistsError
        If two layers bring the same package: in Lambda one would hide the other.

    """

    def __init__(
        self,
        function: BuiltFunction,
        root: Path,
        variables: Mapping[str, str],
        interpreter: Command = (PYTHON,),
    ) -> None:
        self._interpreter = interpreter
        self.task = root / "var/task"
        self.opt = root / "opt"
        self.task.parent.mkdir()
        self.task.symlink_to(function.task)
        (self.opt / "python").mkdir(parents=True)
        for layer in function.layers.values():
            for entry in (layer / "python").iterdir():
                if entry.name != "__pycache__":
                    (self.opt / "python" / entry.name).symlink_to(entry)
        self._handler = function.handler
        self.environment = {
            "PATH": str(self.opt / "bin"),  # none of this machine's commands
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{self.task}:{self.opt / 'python'}",
            "LAMBDA_TASK_ROOT": str(self.task),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(INVOKE_SECONDS),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **function.variables,
            **variables,
        }

    def python(self, *arguments: str | Path) -> str:
        """Run the runtime's interpreter here and return what it prints."""
        done = subprocess.run(
            [*self._interpreter, *arguments],
            cwd=self.task,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def booted(self) -> Iterator["Booted"]:
        """Boot the function under AWS's runtime interface emulator and client."""
        emulator, runtime = _free_ports(2)
        command: list[str | Path] = [
            *(EMULATOR, "--runtime-interface-emulator-address", f"127.0.0.1:{emulator}"),
            *("--runtime-api-address", f"127.0.0.1:{runtime}"),
            *(*self._interpreter, "-m", "awslambdaric", self._handler),
        ]
        with self.opt.with_name("log").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.task,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_for(emulator)
            yield Booted(process.pid, emulator)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Booted:
    """A function that waits for events."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        """Of the emulator, whose child the function is."""
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"

    def invoke(self, event: Any) -> Any:
        """Send an event; return the answer, or what Lambda says of the error, both from JSON."""
        request = urllib.request.Request(self._url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as response:
            return json.load(response)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
