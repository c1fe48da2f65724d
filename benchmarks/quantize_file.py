"""All of the pipeline in one process: quantize_file.py IMAGE OUT.png [K].

Without K it is chosen as by default, of 8 to 32.
"""

import sys
from pathlib import Path

from benchmarks.steps import best_palette, rendered, sampled

source, target, *k = sys.argv[1:]
window = {"k_min": int(k[0]), "k_max": int(k[0])} if k else {}
summary, ks = sampled(Path(source), **window)
Path(target).write_bytes(rendered(Path(source), best_palette(summary, ks)))
