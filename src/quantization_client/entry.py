"""Where the command `quantize` begins: nothing is imported before Ctrl-C is answered."""

import _thread
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NO_OUTPUT, INTERRUPTED, NO_READER = 1, 130, 141


class OutputError(Exception):
    """Standard output takes nothing."""


@contextmanager
def standard_output() -> Iterator[None]:
    """Tell a standard output that cannot be written to from other files that cannot.

    Raises
    ------
    BrokenPipeError
        If its reader has gone.
    OutputError
        For any other reason, such as a full disk.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written to: {error.strerror}") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""

    def run() -> int:
        from quantization_client import main as command

        return command.main(arguments)

    return without_traceback(run)


def without_traceback(run: Callable[[], int]) -> int:
    """Return a command's exit code, also where Ctrl-C, a closed pipe or a full disk ends it.

    Parameters
    ----------
    run : callable
        Imports the rest of the command itself: that takes a second, in which Ctrl-C may come.
    """
    sys.unraisablehook = _interrupt_again
    _take_all_that_is_printed()
    try:
        code = run()
        with standard_output():
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return NO_READER
    except OutputError as error:
        print(f"error: {error}", file=sys.stderr)
        _write_no_more()
        return NO_OUTPUT
    return code


def _take_all_that_is_printed() -> None:
    """Open the streams that the caller closed, and replace characters that standard output lacks.

    Windows writes to files and pipes in a code page that has no arrow.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _write_no_more() -> None:
    """Have Python write nothing when it flushes standard output once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Have a Ctrl-C that was ignored answered a moment later.

    One that comes while C calls Python, as botocore's signing does, is lost otherwise, and what it
    broke off waited for without end.
    """
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        threading.Timer(0.1, _interrupt, [threading.get_ident()]).start()
    else:
        sys.__unraisablehook__(ignored)


def _interrupt(thread: int) -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:  # This ends what the thread waits for, too.
        signal.pthread_kill(thread, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
