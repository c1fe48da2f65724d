"""Let each call of S3 that an execution makes go wrong in each way, one after the other.

    python -m benchmarks.reliability.faults [--kinds busy reset ...]

Each time what lies in the bucket is held against an undisturbed run: the same bytes, or a failure
that is told of while the older result stands. Then the functions are throttled, and S3 stays busy
for longer than all retries last.
"""

import argparse
import sys
import time
from collections import Counter

from benchmarks.measure import table
from benchmarks.reliability.on_engine import deployed, small_image
from tests.support.faults import Functions, Trials

KINDS = {
    "busy": "S3 answers 503 SlowDown, twice",
    "reset": "the connection is closed without an answer",
    "late": "the answer comes 1.5 s late",
    "lost": "S3 does it, and the answer is lost",
    "cut": "half of the answer comes",
    "killed": "the function is killed before S3 hears of it",
    "killed after": "the function is killed once S3 has done it",
    "never": "no answer comes",
    "out of time": "no answer comes until the function's time is over",
    "throttled": "Lambda refuses the function's calls for 3 s",
    "outage": "S3 stays busy for longer than all retries last",
}


def ends(trials: Trials, kind: str) -> Counter[str]:
    """Count how executions end in which a kind of fault happens, at every place for it."""
    found: Counter[str] = Counter()
    for call in trials.calls:
        first = next(c for c in trials.calls if c.state == call.state)
        if kind in ("outage", "throttled", "out of time") and call != first:
            continue  # once a function
        try:
            if kind == "throttled":
                with trials.functions.throttled(call.state):
                    version = trials.send(refused=call.state == "RecordFailure")
                    time.sleep(3)
                ended = trials.service.ended(version)
                end = trials.check(version, ended, refused=call.state == "RecordFailure")
            elif kind == "outage":
                end = trials.at_call(call, "busy", times=1000)
            else:
                end = trials.at_call(call, kind)
        except AssertionError as error:
            end = "wrong"
            print(f"{call}, {kind}: {error!r}", file=sys.stderr, flush=True)
            trials.undisturbed()
        found[end] += 1
    return found


def run(kinds: list[str]) -> Counter[str]:
    """Print how executions end by kind of fault; return how often each end was."""
    total: Counter[str] = Counter()
    with deployed() as (service, aws, names, _):
        functions = Functions(aws, names)
        trials = Trials(service, functions, (small_image(0), small_image(9)))
        lines = []
        for kind in kinds:
            found = ends(trials, kind)
            total += found
            told = ", ".join(f"{end} {count}" for end, count in found.items())
            lines.append([KINDS[kind], found.total(), told])
            print(f"{kind}: {told}", file=sys.stderr, flush=True)
        print(table(["what goes wrong", "executions", "how they end"], lines))
    return total


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    return 1 if run(parser.parse_args().kinds)["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
