"""Where the command `quantize` begins: nothing is imported before Ctrl-C is answered."""

import os
import sys
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


if __name__ == "__main__":
    sys.exit(main())
