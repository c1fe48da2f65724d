"""Decode every file of the corpus, each in a process of its own, and print how it ended as JSON.

The memory that a process took at most is that of one file, whatever was decoded before it.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from quantization.decoding import open_image
from quantization.errors import RefusedImage
from tests.support.corpus import corpus

MAX_PIXELS = 10**6


def decode(path: Path) -> int | str:
    """Return the number of pixels, or the name of the refusal."""
    try:
        image = open_image(path, max_pixels=MAX_PIXELS)
        return sum(int(strip.shape[0]) * int(strip.shape[1]) for strip in image.strips(2**17))
    except RefusedImage as refusal:
        return type(refusal).__name__


def apart(path: Path) -> tuple[int | str, int]:
    """Return how decoding ended in a process of its own, and the kilobytes this took at most."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(decode(path)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        end = pipe.read()
    _, status, usage = os.wait4(child, 0)
    return (json.loads(end) if end else f"exit status {status}"), usage.ru_maxrss


def main() -> None:
    """Print the end and the kilobytes of each file by its name, and of an empty one as ""."""
    ends = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        for name, body in [("", b""), *corpus(flips=4)]:
            path.write_bytes(body)
            ends[name] = apart(path)
    json.dump(ends, sys.stdout)


if __name__ == "__main__":
    main()
