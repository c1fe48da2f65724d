"""Fuzz the decoding, let each call of S3 go wrong, upload 200 images at once; and sum it up.

python -m benchmarks.reliability [--fuzz-seconds 300] [--kinds busy reset ...] [--uploads 200]
"""

import argparse
import sys

from benchmarks.measure import table
from benchmarks.reliability import faults, fuzz, load


def main() -> int:
    """Print one table; return 1 if anything in it is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fuzz-seconds", type=float, default=300)
    parser.add_argument("--kinds", nargs="+", choices=faults.KINDS, default=list(faults.KINDS))
    parser.add_argument("--uploads", type=int, default=200)
    options = parser.parse_args()

    fuzzed = fuzz.run(options.fuzz_seconds, seed=1)
    disturbed = faults.run(options.kinds)
    ends, seconds, peak = load.run(options.uploads)
    print(f"\n{load.summary(ends, seconds)}")

    tried = fuzzed.tried, disturbed.total(), options.uploads
    bad = [
        (fuzzed.finds, 0, 0, 0),
        (0, disturbed["wrong"], 0, 0),
        (0, ends["wrong state"], ends["lost"], ends["duplicated"]),
    ]
    memory = (fuzzed.peak, fuzz.MOST_MB), None, (peak, load.MOST_MB)
    header = ["", "inputs tried", "crashes", "wrong states", "lost", "duplicated", "peak MB"]
    lines = [
        [name, count, *found, f"{used[0]:.0f} of {used[1]}" if used else ""]
        for name, count, found, used in zip(
            ("decoding", "faults", "load"), tried, bad, memory, strict=True
        )
    ]
    print("\n" + table(header, lines))
    within = all(used is None or used[0] <= used[1] for used in memory)
    return 0 if within and not any(map(any, bad)) else 1


if __name__ == "__main__":
    sys.exit(main())
