"""The command without a stack."""

import pytest

from quantization_client import backfill, patience
from quantization_client import run as running
from quantization_client.main import parser, quantize
from tests.support.busy_account import Clock
from tests.support.fixtures import CommandInProcess
from tests.support.runner import InstantRunner


@pytest.fixture
def run() -> CommandInProcess:
    """Run the command in a way that takes no time; return its exit code."""

    def call(*arguments: object) -> int:
        options = parser("quantize", None).parse_intermixed_args(
            [str(argument) for argument in arguments]
        )
        return quantize(options, lambda asked, show: InstantRunner(asked.out, asked.options, show))

    return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the time of what waits for AWS."""
    clock = Clock()
    for module in (backfill, patience, running):
        monkeypatch.setattr(module, "time", clock)
    return clock
