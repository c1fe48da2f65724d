"""Two engines: as this project patches it, and as its makers ship it.

A test that takes `cloud` runs against both, and must fail on the second: once it passes there, the
patch it is about has become superfluous. A test that takes `patched` runs against ours alone.
"""

import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from emulator import engine
from tests.support.cloud import Cloud, free_port, until

GAP = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="stock ministack differs from AWS here; when it no longer does, drop the patch",
)


@pytest.fixture(scope="session")
def patched(engine_port: int) -> Cloud:
    return Cloud(engine.endpoint(engine_port))


@pytest.fixture(scope="session")
def stock(engine_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run ministack as it is, in the environment that starting ours has made."""
    port = free_port()
    home = tmp_path_factory.mktemp("stock")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [engine.ENGINE_ENVIRONMENT / "bin/python", "-m", "ministack"],
            env={
                "PATH": os.environ["PATH"],
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "TMPDIR": str(home),
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def healthy() -> bool:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health"),
        ):
            return True
        return False

    until(healthy)
    yield Cloud(f"http://127.0.0.1:{port}")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


BOTH = ["patched", pytest.param("stock", marks=GAP)]


@pytest.fixture(params=BOTH)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    chosen: Cloud = request.getfixturevalue(request.param)
    return chosen
