"""Go into the background, patch ministack and serve.

Started by `emulator.engine`, which passes the settings in the environment.
"""

import os


def main() -> None:
    """Serve until killed, holding the lock that says so."""
    # Left open: the lock is to last until the process has ended, and said why.
    lock = int(os.environ["ENGINE_LOCK"])
    os.write(lock, str(os.getpgrp()).encode())
    if os.fork():
        os._exit(0)

    from ministack import app

    from emulator.patches import (  # noqa: F401 - they patch
        alarms,
        buckets,
        functions,
        map_runs,
        stacks,
    )

    app.main()


if __name__ == "__main__":
    main()
