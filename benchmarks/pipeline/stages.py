"""Print how long each function's work takes in a warm process: stages.py IMAGE [RUNS].

Seconds of CPU, medians: importing what the functions import, sampling, scoring K = 8..32 one by one
(mean of a K), rendering.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

start = time.process_time()
from quantization.service.startup import quick_imports  # noqa: E402

with quick_imports():
    from quantization import recolor, sampling  # noqa: F401
    from quantization.encoding import png  # noqa: F401

imaging = time.process_time() - start
from benchmarks.steps import SPACE, rendered, sampled  # noqa: E402
from quantization.clustering import fit  # noqa: E402

clustering = time.process_time() - start - imaging


def seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median CPU time of some work, after one run to warm up."""
    work()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


source, runs = Path(sys.argv[1]), int(sys.argv[2])
summary, ks = sampled(source)
palette = fit(summary, 32, SPACE).palette
print(
    imaging,
    clustering,
    seconds(lambda: sampled(source), runs),
    seconds(lambda: [fit(summary, k, SPACE) for k in ks], runs) / len(ks),
    seconds(lambda: rendered(source, palette), runs),
)
