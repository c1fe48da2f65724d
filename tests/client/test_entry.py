"""How the command ends: by Ctrl-C, wherever it comes, and by streams that fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from quantization import interrupts
from quantization.options import Values, values_of
from quantization_client.entry import INTERRUPTED, NO_OUTPUT
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


@pytest.fixture(params=["SIGTERM", "SIGHUP"])
def ending(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """Yield a signal that processes hear, even if the tests run under nohup."""
    number = signal.Signals[request.param]
    before = signal.signal(number, signal.SIG_DFL)
    yield number
    signal.signal(number, before)


@pytest.mark.skipif(sys.platform == "win32", reason="it ends processes unasked")
def test_command_that_is_told_to_end_leaves_no_temporary_files(
    tmp_path: Path, ending: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "quantization_client.entry", "--out", str(tmp_path / "out")],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not any(temporary.iterdir()) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(ending)
        _, said = process.communicate(timeout=50)

    assert process.returncode == INTERRUPTED
    assert said == "interrupted; the same command goes on from here\n"
    assert not any(temporary.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGHUP")
def test_hang_up_that_nohup_ignores_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.sent_by_others():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


PRINTS = """
import sys
from quantization_client.entry import standard_output, without_traceback

def run():
    with standard_output():
        print("a \N{RIGHTWARDS ARROW} b")
    return 0

sys.exit(without_traceback(run))
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTS],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == NO_OUTPUT
    assert done.stderr == ("error: standard output cannot be written to: No space left on device\n")


def test_characters_that_standard_output_lacks_are_replaced() -> None:
    """As in files and pipes on Windows."""
    windows = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    printed = subprocess.check_output([sys.executable, "-c", PRINTS], env=windows)

    assert printed.strip() == b"a ? b"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
@pytest.mark.skipif(sys.platform == "win32", reason="its shell closes no streams")
def test_closed_stream_does_not_matter(closed: str) -> None:
    command = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, PRINTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


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
