"""Fuzz the decoding, guided by coverage, from the tests' corpus on, in processes apart.

    python -m benchmarks.reliability.fuzz [--seconds 60] [--seed 1]

A file that ends the process, takes too much memory or time, or ends otherwise than in pixels or a
refusal, is kept in ``out/fuzz/`` and makes the exit code 1; add it to `tests.corpus` once it is
understood. Needs the dependency group benchmarks.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import ENVIRONMENT
from tests.support.corpus import corpus

TARGET = Path(__file__).with_name("decode_target.py")
KEPT = Path("out/fuzz")
MOST_MB = 600
"""Of the process with its libraries: a third of the smallest function."""
LONGEST_SECONDS = 20
"""For one file, on a machine with other work."""


class Fuzzed(NamedTuple):
    """How it went."""

    tried: int
    covered: int
    """Branches of the Python code."""
    finds: int
    peak: float
    """In MB."""


def number(name: str, text: str) -> int:
    """Return the last number that libFuzzer prints under a name, 0 where it prints none."""
    return int((re.findall(rf"{name}:?\s+(\d+)", text) or [0])[-1])


def run(seconds: float, seed: int) -> Fuzzed:
    """Fuzz for so long, starting again after each find."""
    KEPT.mkdir(parents=True, exist_ok=True)
    tried = covered = finds = 0
    peak = 0.0
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        for name, body in corpus():
            (Path(folder) / name).write_bytes(body)
        while (left := deadline - time.monotonic()) > 1:
            options = [
                f"-max_total_time={left:.0f}",
                f"-seed={seed}",
                f"-timeout={LONGEST_SECONDS}",
            ]
            options += [f"-rss_limit_mb={MOST_MB}", f"-artifact_prefix={KEPT}/"]
            done = subprocess.run(
                [sys.executable, TARGET, *options, "-print_final_stats=1", folder],
                env=ENVIRONMENT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode:
                finds += 1
                print(*done.stderr.splitlines()[-20:], sep="\n", file=sys.stderr)
            tried += number("stat::number_of_executed_units", done.stderr)
            covered = max(covered, number("cov", done.stderr))
            peak = max(peak, number("stat::peak_rss_mb", done.stderr))
            seed += 1
    return Fuzzed(tried, covered, finds, peak)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzzed = run(options.seconds, options.seed)
    print(f"{fuzzed.tried} inputs tried, {fuzzed.covered} branches covered, {fuzzed.finds} finds")
    print(f"peak memory {fuzzed.peak:.0f} MB")
    return 1 if fuzzed.finds else 0


if __name__ == "__main__":
    sys.exit(main())
