"""Executions that something goes wrong in, held against undisturbed ones."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.fixtures import Aws
from tests.support.proxy import Call, Fault, Proxy
from tests.support.service import Execution, Service, until

FUNCTION_SECONDS = 14
"""The functions' time limit meanwhile: one call that is never answered fits in, and not two."""

TIMES = {"busy": 2, "out of time": 2}
"""How often a fault happens, where it is not once."""

TYPED = {"StorageFault", "Runtime.ExitError", "Sandbox.Timedout"}
"""How an execution may fail that something went wrong in."""


class Functions:
    """The stack's functions, made to reach S3 by the proxy.

    Parameters
    ----------
    aws : callable
        Makes clients of the engine's services.
    names : dict
        The functions' names by their logical ids.
    """

    def __init__(self, aws: Aws, names: dict[str, str]) -> None:
        self._lambda = aws("lambda")
        self._names = {id_.removesuffix("Function"): name for id_, name in names.items()}
        self.proxy = Proxy(aws("s3").meta.endpoint_url, self.kill)
        self._versions = {state: self._reroute(name) for state, name in self._names.items()}

    def close(self) -> None:
        """Give the functions their straight way back."""
        for state, version in self._versions.items():
            self._point(self._names[state], version)
        self.proxy.shutdown()
        self.proxy.server_close()

    def kill(self, state: str) -> None:
        """Kill all processes of a state's function, as Lambda does that run out of memory."""
        mark = f"AWS_LAMBDA_FUNCTION_NAME={self._names[state]}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue

    @contextmanager
    def throttled(self, state: str) -> Iterator[None]:
        """Let Lambda refuse all calls of a state's function."""
        name = self._names[state]
        self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            self._lambda.delete_function_concurrency(FunctionName=name)

    def _reroute(self, name: str) -> str:
        """Publish a version that reaches S3 by the proxy; return the one that was live before."""
        state = next(state for state, known in self._names.items() if known == name)
        before: str = self._lambda.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        configured = self._lambda.get_function_configuration(FunctionName=name)
        own = configured["Environment"]["Variables"]
        more = {"AWS_ENDPOINT_URL_S3": self.proxy.url, "AWS_SDK_UA_APP_ID": state}
        self._configure(name, own | more, FUNCTION_SECONDS)
        self._point(name, self._lambda.publish_version(FunctionName=name)["Version"])
        self._configure(name, own, configured["Timeout"])
        return before

    def _configure(self, name: str, variables: dict[str, str], timeout: int) -> None:
        self._lambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}, Timeout=timeout
        )

    def _point(self, name: str, version: str) -> None:
        self._lambda.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


class Trials:
    """Uploads of one key, each replacing the result of the one before while something goes wrong.

    Parameters
    ----------
    service : Service
    functions : Functions
    images : (bytes, bytes)
        Uploaded by turns.
    """

    def __init__(self, service: Service, functions: Functions, images: tuple[bytes, bytes]) -> None:
        self.service, self.functions, self.images = service, functions, images
        self.key = f"{uuid.uuid4()}.png"
        self.turn = 0
        self.version = ""
        self.wanted = []
        for _ in images:
            self.undisturbed()
            self.wanted.append(self._result())
        runs = []
        for _ in range(2):
            self._refuse()
            runs.append(self.undisturbed())
        # Of a function that ran out of time on a busy machine more calls are seen, once.
        made = [call for call in runs[0] if call in runs[1]]
        # With a failure to clear, Render looks a second time at what is to be tidied up.
        self.clearing = set(made) - set(self.undisturbed())
        # Of RecordFailure only what the machine calls it for; EventBridge does so again.
        self.calls = [c for c in made if c.state != "RecordFailure"] + [
            c for c in self._refuse() if c.state == "RecordFailure" and c.occurrence == 1
        ]

    def undisturbed(self) -> list[Call]:
        """Upload the next image, and let nothing go wrong; return the calls that were made."""
        self.functions.proxy.begin(None)
        self.version = self.send()
        ended = self.service.ended(self.version)
        assert ended["status"] == "SUCCEEDED", ended
        self.turn += 1
        return list(self.functions.proxy.calls)

    def at_call(self, call: Call, kind: str, times: int | None = None) -> str:
        """Upload, and let something go wrong at a call; return how the execution ended.

        It happens as often as `TIMES` says, or `times`.

        Raises
        ------
        AssertionError
            If that is no known end, or what lies in the bucket does not belong to it.
        """
        proxy = self.functions.proxy
        if call in self.clearing or call.what == ".error.json":
            self._refuse()
        refused = call.state == "RecordFailure"
        often = TIMES.get(kind, 1) if times is None else times
        proxy.begin(Fault("never" if kind == "out of time" else kind, call, often))
        try:
            version = self.send(refused=refused)
            ended = self.service.ended(version)
            assert proxy.fired, f"{call} was not made"
        finally:
            proxy.begin(None)
        return self.check(version, ended, refused=refused)

    def send(self, *, refused: bool = False) -> str:
        """Upload the next image, or what is none; return its version."""
        body = b"no image" if refused else self.images[self.turn % 2]
        return str(self.service.upload(self.key, body))

    def check(self, version: str, ended: Execution, *, refused: bool = False) -> str:
        """Hold an upload's end against what lies in the bucket; return it in short."""
        if ended["status"] == "SUCCEEDED":
            self._accept(version)
            assert self._failure() is None
            return "same bytes"
        assert ended["error"] in TYPED | ({"UnsupportedImage"} if refused else set()), ended
        if self._standing() == version:
            # Its result was written and only the clearing failed, which is RecordFailure's then.
            self._accept(version)
            until(lambda: self._failure() is None or None)
            return f"same bytes, {ended['error']}"
        assert self._standing() == self.version
        assert self._result() == self.wanted[(self.turn - 1) % 2]
        until(lambda: self._failure() == (version, ended["error"]) or None)
        if not refused:
            # What a redrive does is to run the same again; the engine has no other way.
            assert self.service.again(version)["status"] == "SUCCEEDED"
            self._accept(version)
        return str(ended["error"])

    def _refuse(self) -> list[Call]:
        proxy = self.functions.proxy
        proxy.begin(None)
        ended = self.service.ended(self.send(refused=True))
        assert ended["error"] == "UnsupportedImage", ended
        # The machine had it recorded, which reads the result twice; EventBridge does so once more,
        # which reads it again and, if late, would clear what the next execution is to find.
        reading = ("RecordFailure", "GET", ".json")
        until(lambda: [c[:3] for c in proxy.calls].count(reading) >= 3 or None)
        return list(proxy.calls)

    def _accept(self, version: str) -> None:
        """Take note of a result that has replaced the one before."""
        assert self._standing() == version
        assert self._result() == self.wanted[self.turn % 2]
        self.version = version
        self.turn += 1

    def _standing(self) -> str:
        return str(self.service.read(self.key.replace(".png", ".json"))["source"]["version_id"])

    def _failure(self) -> tuple[str, str] | None:
        told = self.service.read(f"{self.key}.error.json")
        return told and (told["source"]["version_id"], told["error"])

    def _result(self) -> tuple[bytes, dict[str, Any]]:
        """Return the image that the result names, and what the result says of the palette."""
        result = self.service.read(self.key.replace(".png", ".json"))
        there = self.service.stack.s3.get_object(
            Bucket=self.service.stack.output_bucket,
            Key=self.key,
            VersionId=result["image_file"]["version_id"],
        )
        told = ("source_file", "k", "picks", "palette", "scores", "sample_size")
        return there["Body"].read(), {name: result[name] for name in told}
