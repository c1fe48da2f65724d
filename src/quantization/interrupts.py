"""Ctrl-C at moments when it would be lost, or come to the wrong process; and what does the same."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What ends a process unasked. Windows has no SIGHUP."""


@contextmanager
def held() -> Iterator[None]:
    """Have an interrupt that comes meanwhile answered afterwards, and not by processes that start.

    On Windows there is no way to.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDING})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def sent_by_others() -> Iterator[None]:
    """Have the end of a terminal, and a request to end, do what Ctrl-C does: files are removed.

    What the caller has ignored, as nohup does, stays ignored.
    """
    unasked = [number for number in ENDING if signal.getsignal(number) == signal.SIG_DFL]
    for number in unasked:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in unasked:
            signal.signal(number, signal.SIG_DFL)
