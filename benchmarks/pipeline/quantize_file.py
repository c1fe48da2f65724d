"""All of the pipeline in one process: quantize_file.py IMAGE OUT.png."""

# As the functions do, before all others.
import deferral  # noqa: F401
from quantization import startup

# isort: split

import sys
from pathlib import Path

from benchmarks.steps import rendered, sampled
from clustering import fit

startup.finished()
source, target = map(Path, sys.argv[1:])
summary, ks = sampled(source)
fits = [fit(summary, k) for k in ks]
best = max(fits, key=lambda fit: -2 if fit.silhouette is None else fit.silhouette)
target.write_bytes(rendered(source, best.palette))
