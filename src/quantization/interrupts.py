"""Ctrl-C at moments when it would be lost, or come to the wrong process."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[None]:
    """Have a Ctrl-C that comes meanwhile answered afterwards, and processes that start not hear it.

    On Windows there is no way to.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
