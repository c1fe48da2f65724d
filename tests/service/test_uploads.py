"""What reading an upload leaves behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

KILLED_WHILE_READING = """
import io, os, signal
from quantization.service.storage.uploads import as_file

with as_file(io.BytesIO(bytes(1_000_000))) as path:
    assert path.read_bytes() == bytes(1_000_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_function_leaves_no_file(tmp_path: Path) -> None:
    # Lambda keeps /tmp for the next process; what was left there would fill it up.
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_READING],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
