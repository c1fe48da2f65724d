"""Decode mutated image files for a while, in a process apart, and count how they end.

python -m benchmarks.reliability.fuzz [--seconds SECONDS] [--seed SEED]

Each round makes the tests' corpus anew with another seed, so that other bits are flipped. A file
that crashes the process, or ends otherwise than in pixels or a refusal, is kept in
``out/fuzz/`` and makes the exit code 1; add it to the tests' corpus once it is understood.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from quantization.errors import RefusedImage
from quantization.images import open_image
from tests.corpus import corpus

MAX_PIXELS = 10**6
KEPT = Path("out/fuzz")


def decode(requests: Connection) -> None:
    """Answer each file with how its decoding ended, and the process's peak memory in KB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        while True:
            path.write_bytes(requests.recv())
            try:
                image = open_image(path, max_pixels=MAX_PIXELS)
                end = "pixels"
                for _ in image.strips(2**17):
                    pass
            except RefusedImage as refusal:
                end = type(refusal).__name__
            except Exception as error:
                end = f"wrong: {error!r}"
            requests.send((end, getrusage(RUSAGE_SELF).ru_maxrss))


def start() -> Connection:
    """Start a process that decodes."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=decode, args=[theirs], daemon=True).start()
    theirs.close()
    return ours


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    deadline, seed = time.monotonic() + options.seconds, options.seed
    worker, ends, peak = start(), dict.fromkeys(["pixels", "crash", "wrong"], 0), 0
    while time.monotonic() < deadline:
        for name, body in corpus(seed, flips=200):
            worker.send(body)
            try:
                end, memory = worker.recv()
            except EOFError:
                end, memory, worker = "crash", 0, start()
            if memory > peak + 50_000:
                print(f"{seed}-{name}: peak memory rose to {memory / 1024:.0f} MB")
            peak = max(peak, memory)
            kind = end.partition(":")[0]
            ends[kind] = ends.get(kind, 0) + 1
            if kind in ("crash", "wrong"):
                KEPT.mkdir(parents=True, exist_ok=True)
                (KEPT / f"{seed}-{name}").write_bytes(body)
                print(f"{seed}-{name}: {end}")
            if time.monotonic() > deadline:
                break
        seed += 1
    print(f"inputs tried {sum(ends.values())}", *(f"{n} {count}" for n, count in ends.items()))
    print(f"peak memory {peak / 1024:.0f} MB")
    return 1 if ends["crash"] or ends["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
