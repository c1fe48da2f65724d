"""Ctrl-C ends the command, wherever it comes."""

import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from quantization.options import Values, values_of
from quantization_client.main import main

WAITS = """
import ctypes, os, signal, sys, time
from quantization_client.entry import without_traceback

signal.signal(signal.SIGINT, signal.default_int_handler)

@ctypes.CFUNCTYPE(None)
def called_by_c():
    os.kill(os.getpid(), signal.SIGINT)

def run():
    called_by_c()
    time.sleep(60)
    return 0

sys.exit(without_traceback(run))
"""


def test_interrupt_that_comes_while_c_calls_python_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS], capture_output=True, text=True, timeout=50, check=False
    )

    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_interrupt_that_comes_while_options_are_read_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose(name: str) -> Values:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return values_of(name)

    monkeypatch.setattr("quantization_client.main.values_of", lose)

    with pytest.raises(KeyboardInterrupt):
        main(["--version"])
