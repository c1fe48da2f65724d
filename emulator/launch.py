"""Go into the background, patch ministack and serve.

Started by `emulator.engine`, which passes the settings in the environment.
"""

import os


def main() -> None:
    """Serve until killed, holding the lock that says so."""
    with os.fdopen(int(os.environ["ENGINE_LOCK"]), "w") as lock:
        lock.write(str(os.getpgrp()))
        lock.flush()
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
