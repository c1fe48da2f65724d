"""The whole service on the tests' engine, and the client that drives it."""

import subprocess
import sys
import uuid

import numpy as np
import pytest

from emulator import engine
from emulator.deploy import deploy
from emulator.engine import ROOT
from quantization_client.stack import Stack, find_stack
from tests.support.fixtures import Aws, Command, ImageMaker, PngMaker
from tests.support.service import Service, function_names

QUANTIZE = [sys.executable, "-m", "emulator.quantize"]


@pytest.fixture(scope="session")
def stack(engine_port: int) -> Stack:
    """Deploy the template to the tests' engine."""
    return find_stack(engine.STACK_NAME, deploy(engine_port))


@pytest.fixture(scope="session")
def quantize(stack: Stack, engine_port: int) -> Command:
    """Run the client; return the finished process."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QUANTIZE, *map(str, arguments), "--port", str(engine_port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def image(make_png: PngMaker) -> ImageMaker:
    """Make an image of three colors, others for another seed."""
    # Three colors: one K to try, which is quick.
    rows = np.arange(12)[:, None, None] % 3 * 100
    return lambda seed=0: make_png(np.broadcast_to(rows + np.array([0, 5, seed]), (12, 12, 3)))


@pytest.fixture(scope="session")
def functions(aws: Aws, stack: Stack) -> dict[str, str]:
    return function_names(aws("cloudformation"))


@pytest.fixture(scope="session")
def service(stack: Stack) -> Service:
    return Service(stack)


@pytest.fixture
def name() -> str:
    return f"{uuid.uuid4()}/späth photo+1 100%"
