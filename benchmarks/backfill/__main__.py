"""Simulate a backfill of millions of objects, and run one of some thousand on the local engine.

    python -m benchmarks.backfill [--objects 10000000] [--seconds SAMPLE SCORE RENDER]
        [--at-once 30] [--concurrency 1000] [--broken 0.025] [--engine 2000]

--seconds are of one image; without them they are measured here, on a photo of 12 megapixels.
"""

import argparse
import sys

from benchmarks.backfill.proof import line, prove
from benchmarks.backfill.simulation import simulate
from benchmarks.measure import table
from benchmarks.pipeline import cost
from benchmarks.reliability.burst import measured


def simulated(options: argparse.Namespace) -> str:
    """Simulate the whole, and the same started again when half or all of it was done."""
    sample, score, render = options.seconds or measured()
    seconds = cost.Seconds(sample, score, score, render)
    lines = []
    for at_once, concurrency in [
        (options.at_once, options.concurrency),
        (10 * options.at_once, 10 * options.concurrency),
    ]:
        for done_before in (0.0, 0.5, 1.0):
            went = simulate(
                options.objects,
                seconds,
                at_once=at_once,
                concurrency=concurrency,
                broken=options.broken,
                done_before=done_before,
            )
            lines.append(
                [
                    f"{options.objects:,}",
                    f"{100 * done_before:.0f} %",
                    f"{went.at_once}",
                    f"{concurrency:,}",
                    f"{went.done:,}",
                    f"{went.passed_over:,}",
                    f"{went.failed:,}",
                    f"{went.hours:.1f}",
                    f"{went.dollars:,.0f}",
                ]
            )
    header = ["objects", "done before", "at once", "Lambda's quota", "quantized", "passed over"]
    return table([*header, "refused", "hours", "$"], lines)


def main() -> int:
    """Print the simulation, and the proof if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, nargs=3, metavar=("SAMPLE", "SCORE", "RENDER"))
    parser.add_argument("--at-once", type=int, default=30)
    parser.add_argument("--concurrency", type=int, default=1000)
    parser.add_argument("--broken", type=float, default=0.025)
    parser.add_argument("--engine", type=int, metavar="OBJECTS", help="run so many, 1 in 40 broken")
    options = parser.parse_args()
    print(simulated(options), flush=True)
    if options.engine is None:
        return 0
    broken = options.engine // 40
    proof = prove(options.engine, broken)
    print(line(proof))
    good = options.engine - broken
    accounted = sum(proof.outcomes.values()) == options.engine
    fine = accounted and (proof.results, proof.told, proof.written_twice) == (good, broken, 0)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
