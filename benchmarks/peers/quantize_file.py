"""Quantize to a given number of colours as the service does: quantize_file.py IMAGE OUT.png K."""

# As the functions do, before all others.
import deferral  # noqa: F401
from quantization import startup

# isort: split

import sys
from pathlib import Path

from benchmarks.steps import rendered, sampled
from clustering import fit

startup.finished()
source, target, k = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
summary, _ = sampled(source, k_min=k, k_max=k)
target.write_bytes(rendered(source, fit(summary, k).palette))
