"""The local engine: the AWS services this project uses, served on 127.0.0.1 by one process tree.

    python -m emulator.engine start|stop|status [--port PORT]

The engine is ministack, started by `emulator.launch` in an environment of its own; functions run in
a third one that holds what AWS's Python runtime holds. Nothing outlives `stop`: buckets, stacks
and executions live in memory, and the rest in `.engine/state/PORT`.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".engine"
ENGINE_ENVIRONMENT = HOME / "venv"
RUNTIME_ENVIRONMENT = HOME / "runtime"

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
STACK_NAME = "color-quantization"
PORT_VARIABLE = "ENGINE_PORT"
START_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 60.0


class EngineError(Exception):
    """The local engine cannot do what it was asked to."""


class PortTakenError(EngineError):
    """Another program listens on the engine's port."""


class StartError(EngineError):
    """The engine's process ended, did not answer in time, or could not be given its files."""


class SetupError(EngineError):
    """One of the engine's two Python environments could not be made."""


def default_port() -> int:
    """Return the port named by the variable ENGINE_PORT, or 4566.

    Raises
    ------
    EngineError
        If the variable names none.
    """
    try:
        return port_number(os.environ.get(PORT_VARIABLE, str(DEFAULT_PORT)))
    except argparse.ArgumentTypeError as error:
        raise EngineError(f"{PORT_VARIABLE}: {error}") from error


def port_number(text: str) -> int:
    """Read a port that a program may listen on.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    if not (text.isdecimal() and 1024 <= int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1024 to 65535")
    return int(text)


def add_port(
    parser: argparse.ArgumentParser,
    flag: str = "--port",
    variable: str = PORT_VARIABLE,
    default: int = DEFAULT_PORT,
) -> None:
    """Let a command be told a port by a flag or a variable."""
    parser.add_argument(
        flag,
        type=port_number,
        metavar="PORT",
        # Text is read as if it was given.
        default=os.environ.get(variable, str(default)),
        help=f"default: the variable {variable}, or {default}",
    )


def endpoint(port: int) -> str:
    """Return the URL to give the AWS tools as AWS_ENDPOINT_URL."""
    return f"http://{HOST}:{port}"


def aws_environment(endpoint: str) -> dict[str, str]:
    """Return the variables that point every AWS tool at the engine."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def clients(port: int) -> Callable[[str], Any]:
    """Return what makes a client of each service on an engine, by the service's name."""
    import boto3  # Takes longer than to stop an engine.

    place = aws_environment(endpoint(port))
    session: Any = boto3.Session(
        place["AWS_ACCESS_KEY_ID"],
        place["AWS_SECRET_ACCESS_KEY"],
        region_name=place["AWS_REGION"],
    )
    return lambda service: session.client(service, endpoint_url=place["AWS_ENDPOINT_URL"])


def state_directory(port: int) -> Path:
    """Return the directory that exists while the engine on this port runs, and no longer."""
    return HOME / "state" / str(port)


def log_file(port: int) -> Path:
    """Return where the engine on this port writes its log."""
    return state_directory(port) / "engine.log"


def unpacked(state: Path, archive: bytes) -> Path:
    """Return the folder that an engine unpacks the zip file of a function or a layer to."""
    return state / "unpacked" / hashlib.sha256(archive).hexdigest()


def start(port: int | None = None, settings: Mapping[str, str] | None = None) -> str:
    """Start the engine unless it runs already, and wait until it answers.

    Parameters
    ----------
    port
        Port on 127.0.0.1; `default_port()` when not given. Engines on different ports are
        independent.
    settings
        Further variables for ministack, such as ``{"AUTH": "true"}`` to enforce IAM policies.
        An engine that runs already keeps the settings it was started with.

    Returns
    -------
    str
        The endpoint's URL.

    Raises
    ------
    PortTakenError, StartError, SetupError

    """
    port = default_port() if port is None else port
    try:
        with _one_at_a_time():
            _start(port, settings or {})
    except OSError as error:
        raise StartError(str(error)) from error
    return endpoint(port)


def _start(port: int, settings: Mapping[str, str]) -> None:
    if is_running(port):
        return
    check_port_is_free(port, PORT_VARIABLE)
    sync(ENGINE_ENVIRONMENT, "engine")
    sync(RUNTIME_ENVIRONMENT, "runtime")
    try:
        _launch(port, settings)
        _wait_until_healthy(port)
    except BaseException:
        _kill(port)  # above all on Ctrl-C: what was not reported is not left running
        raise


def stop(port: int | None = None) -> bool:
    """Kill the engine with all its function processes and remove its state.

    Returns whether there was one to stop.
    """
    with _one_at_a_time():
        return _kill(default_port() if port is None else port)


def is_running(port: int | None = None) -> bool:
    """Tell whether an engine of this project runs on the port.

    The engine holds an exclusive lock on its process group file while it lives, so a leftover file
    or a reused process id is never taken for an engine.
    """
    path = _process_group_file(default_port() if port is None else port)
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _kill(port: int) -> bool:
    running = is_running(port)
    if running:
        os.killpg(int(_process_group_file(port).read_text()), signal.SIGKILL)
        deadline = time.monotonic() + STOP_LIMIT_SECONDS
        while is_running(port):
            if time.monotonic() > deadline:
                raise EngineError(f"the engine on port {port} does not end")
            time.sleep(0.02)
    shutil.rmtree(state_directory(port), ignore_errors=True)
    return running


def _process_group_file(port: int) -> Path:
    return state_directory(port) / "process-group"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let neither two starts nor a start and a stop get in each other's way."""
    HOME.mkdir(exist_ok=True)
    directory = os.open(HOME, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def check_port_is_free(port: int, variable: str) -> None:
    """Raise PortTakenError, naming the variable that chooses another one, if something listens."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise PortTakenError(
                f"port {port} is taken by another program; choose another one with"
                f" {variable}={port + 1}"
            )


def sync(environment: Path, group: str) -> None:
    """Make an environment hold exactly what the lock file says for a dependency group.

    Raises
    ------
    SetupError

    """
    uv = shutil.which("uv", path=os.pathsep.join([str(ROOT / ".tools/uv/bin"), os.environ["PATH"]]))
    if uv is None:
        raise SetupError("uv is not installed: see https://docs.astral.sh/uv/")
    done = subprocess.run(
        [uv, "sync", "--quiet", "--frozen", "--no-default-groups", "--only-group", group],
        cwd=ROOT,
        env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(environment)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupError(f"uv could not make {environment}: {done.stderr.strip()}")


def _launch(port: int, settings: Mapping[str, str]) -> None:
    state = state_directory(port)
    shutil.rmtree(state, ignore_errors=True)
    (state / "tmp").mkdir(parents=True)
    # Only these two are inherited: a shell's AWS_* and PYTHON* variables would change results.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with _process_group_file(port).open("w") as lock, log_file(port).open("w") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            [ENGINE_ENVIRONMENT / "bin/python", "-m", "emulator.launch"],
            cwd=ROOT,
            env={
                **inherited,
                "BIND_HOST": HOST,
                "GATEWAY_PORT": str(port),
                "TMPDIR": str(state / "tmp"),
                # Invocations wait for their turn; none is refused for their number.
                "LAMBDA_ACCOUNT_CONCURRENCY": "0",
                **settings,
                "ENGINE_LOCK": str(lock.fileno()),
                "ENGINE_STATE": str(state),
                "ENGINE_RUNTIME": str(RUNTIME_ENVIRONMENT / "bin/python"),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock.fileno()],
            start_new_session=True,
            check=True,
        )


def _wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while not _is_healthy(port):
        if not is_running(port) or time.monotonic() > deadline:
            tail = log_file(port).read_text().splitlines()[-10:]
            raise StartError("\n".join([f"the engine did not start on port {port}:", *tail]))
        time.sleep(0.05)


def _is_healthy(port: int) -> bool:
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        url = f"{endpoint(port)}/_ministack/health"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http on loopback
            return bool(answer.status == 200)
    return False


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator.engine", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status"])
    add_port(parser)
    arguments = parser.parse_args()
    port: int = arguments.port
    try:
        if arguments.command == "start":
            print(start(port))
        elif arguments.command == "stop":
            print("stopped" if stop(port) else f"no engine was running on port {port}")
        elif is_running(port):
            print(f"running at {endpoint(port)}, log in {log_file(port)}")
        else:
            print(f"not running on port {port}")
            return 1
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
