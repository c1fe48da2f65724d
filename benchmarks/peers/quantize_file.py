"""Quantize to a given number of colours as the service does: quantize_file.py IMAGE OUT.png K."""

import sys
from pathlib import Path

from benchmarks.steps import rendered, sampled
from clustering import fit

source, target, k = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
summary, _ = sampled(source, k_min=k, k_max=k)
target.write_bytes(rendered(source, fit(summary, k).palette))
