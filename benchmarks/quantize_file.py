"""All of the pipeline in one process: quantize_file.py IMAGE OUT.png [K [DITHER]].

Without K it is chosen as by default, of 8 to 32.
"""

import sys
from pathlib import Path

import msgspec

from benchmarks.steps import best_palette, rendered, sampled
from quantization.options import Dither

source, target, *rest = sys.argv[1:]
window = {"k_min": int(rest[0]), "k_max": int(rest[0])} if rest else {}
dither: Dither = msgspec.convert(rest[1], Dither) if rest[1:] else "none"
summary, ks = sampled(Path(source), **window)
Path(target).write_bytes(rendered(Path(source), best_palette(summary, ks), dither))
