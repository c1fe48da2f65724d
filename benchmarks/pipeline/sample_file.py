"""Do what Sample does, and nothing else: sample_file.py IMAGE."""

import sys
from pathlib import Path

from benchmarks.steps import sampled

sampled(Path(sys.argv[1]))
