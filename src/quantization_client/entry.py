"""Where the command `quantize` begins: nothing is imported before Ctrl-C is answered."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable

INTERRUPTED, NO_READER = 130, 141


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""

    def run() -> int:
        from quantization_client import main as command

        return command.main(arguments)

    return without_traceback(run)


def without_traceback(run: Callable[[], int]) -> int:
    """Return a command's exit code, also where Ctrl-C or a closed pipe ends it.

    Parameters
    ----------
    run : callable
        Imports the rest of the command itself: that takes a second, in which Ctrl-C may come.
    """
    sys.unraisablehook = _interrupt_again
    try:
        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER
    return code


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
