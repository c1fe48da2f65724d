"""Lambda execution environments: a process of the function each, spoken to over the Runtime API.

The process runs AWS's own runtime client for Python, awslambdaric, which asks over HTTP for the
next invocation and hands back its result, as it does in Lambda:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import json
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Lambda gives the init phase 10 s, and when that is over begins it anew within the function's own
# timeout. Both together are the limit here.
INIT_SECONDS = 10.0


@dataclass(frozen=True)
class Function:
    """What an execution environment is made from."""

    handler: str
    task: Path
    """Stands for /var/task."""
    layers: tuple[Path, ...]
    """Each stands for its share of /opt; of two, the last applied comes first."""
    variables: Mapping[str, str]
    timeout: float
    """Seconds that an invocation may take."""


@dataclass(frozen=True)
class Invocation:
    """An event on its way to the function."""

    request_id: str
    event: bytes
    function_arn: str
    trace_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of an invocation: the function's answer or its error, in JSON, and its output."""

    payload: bytes
    failed: bool
    log: str


class Environment:
    """Where a function serves one invocation at a time: a /tmp, and a process.

    When the process has ended, the next invocation begins another one. What the first left in /tmp
    is still there.
    """

    def __init__(self, python: Path, function: Function, scratch: Path) -> None:
        self._home = Path(tempfile.mkdtemp(dir=scratch))
        (self._home / "tmp").mkdir()
        self._begin = partial(_Process, python, function, self._home)
        self._process = self._begin()

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end."""
        if not self._process.alive:
            self._process.close()
            self._process = self._begin()
        return self._process.invoke(invocation)

    def close(self) -> None:
        """End the process and remove what it left."""
        self._process.close()
        shutil.rmtree(self._home)


class _Process:
    """One process of a function."""

    def __init__(self, python: Path, function: Function, home: Path) -> None:
        self._timeout = function.timeout
        output = home / "output"
        self._invocations: queue.SimpleQueue[tuple[Invocation, float] | None] = queue.SimpleQueue()
        # What the process says: "next" (it is ready), "response", "error", "init/error", "exit".
        self._events: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._runtime_api())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        opt = [d for layer in function.layers for d in _python_directories(layer)]
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                [python, "-m", "awslambdaric", function.handler],
                # Python puts the working directory first on its path: /var/task comes before /opt.
                cwd=function.task,
                env={
                    **function.variables,
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
                    "LAMBDA_TASK_ROOT": str(function.task),
                    "PYTHONPATH": ":".join(map(str, opt)),
                    "TMPDIR": str(home / "tmp"),
                },
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        self._output = output.open("rb")
        threading.Thread(target=self._report_exit, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process.poll() is None

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end; a process that overruns or ends is not used again."""
        kind, body = self._wait(INIT_SECONDS + self._timeout)
        if kind == "next":
            self._invocations.put((invocation, time.time() + self._timeout))
            kind, body = self._wait(self._timeout)
        if kind == "exit":
            body = _platform_error(
                "Runtime.ExitError",
                invocation,
                f"Runtime exited {_exit_reason(self._process.returncode)}",
            )
        elif kind == "timeout":
            body = _platform_error(
                "Sandbox.Timedout", invocation, f"Task timed out after {self._timeout:.2f} seconds"
            )
        if kind not in ("response", "error"):
            self._process.kill()
            self._process.wait()
        return Outcome(body, kind != "response", self._output.read().decode(errors="replace"))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._invocations.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._output.close()

    def _wait(self, seconds: float) -> tuple[str, bytes]:
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            return "timeout", b""

    def _report_exit(self) -> None:
        self._process.wait()
        self._events.put(("exit", b""))

    def _runtime_api(self) -> type[BaseHTTPRequestHandler]:
        invocations, events = self._invocations, self._events

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet: a second one would wait 40 ms

            def do_GET(self) -> None:
                """Answer /runtime/invocation/next when there is one."""
                events.put(("next", b""))
                waiting = invocations.get()
                if waiting is None:
                    self.close_connection = True
                    return
                invocation, deadline = waiting
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(invocation.event)))
                self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn)
                if invocation.trace_id:
                    self.send_header("Lambda-Runtime-Trace-Id", invocation.trace_id)
                self.end_headers()
                self.wfile.write(invocation.event)

            def do_POST(self) -> None:
                """Take the result: .../init/error, .../<request id>/response or .../error."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kind = self.path.rpartition("/")[2]
                events.put(("init/error" if "/init/" in self.path else kind, body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the engine's log free of these requests."""

        return RuntimeApi


class Pool:
    """The environments that are alive: so many in use, the rest waiting to be used again.

    Lambda gives every concurrent invocation an environment at once. One machine cannot, so an
    invocation that finds `running` others waits for its turn; none is refused. A function must
    therefore not wait for another function.
    """

    def __init__(self, running: int, idle: int) -> None:
        self.turn = threading.Semaphore(running)
        """To be held while an environment is in use."""
        self._idle_limit = idle
        self._idle: list[tuple[tuple[str, str], Environment]] = []  # least recently used first
        self._lock = threading.Lock()

    @contextmanager
    def lease(
        self, function: str, revision: str, begin: Callable[[], Environment]
    ) -> Iterator[Environment]:
        """Lend an environment of this very revision of the function, a new one if none is idle."""
        environment = self._reuse(function, revision) or begin()
        try:
            yield environment
        finally:
            self._keep(function, revision, environment)

    def _reuse(self, function: str, revision: str) -> Environment | None:
        with self._lock:
            same = [e for e in self._idle if e[0][0] == function]
            usable = [e for e in same if e[0][1] == revision]
            found = usable[-1] if usable else None
            self._idle = [e for e in self._idle if e not in same or e in usable[:-1]]
        for entry in same:
            if entry not in usable:
                entry[1].close()
        return found[1] if found else None

    def _keep(self, function: str, revision: str, environment: Environment) -> None:
        with self._lock:
            self._idle.append(((function, revision), environment))
            surplus = self._idle[: -self._idle_limit]
            self._idle = self._idle[-self._idle_limit :]
        for _, unused in surplus:
            unused.close()


def _python_directories(layer: Path) -> list[Path]:
    """Where Lambda looks for a layer's Python packages.

    https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
    """
    return [*layer.glob("python/lib/python3.*/site-packages"), layer / "python"]


def _platform_error(error_type: str, invocation: Invocation, message: str) -> bytes:
    """Return an error as Lambda itself words it, for want of an answer from the function."""
    text = f"RequestId: {invocation.request_id} Error: {message}"
    return json.dumps({"errorType": error_type, "errorMessage": text}).encode()


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"with error: signal: {signal.strsignal(-code)}".lower()
    return f"with error: exit status {code}" if code else "without providing a reason"
