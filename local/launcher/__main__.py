"""Go into the background, mend ministack and serve.

Started by `local.engine`, which passes the settings in the environment.
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

        from local.launcher import alarms, buckets, functions, machines  # noqa: F401 - they mend

        app.main()


if __name__ == "__main__":
    main()
