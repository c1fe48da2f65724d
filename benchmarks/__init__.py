"""Commands that measure the service beside its baseline and its peers: ``make benchmark-NAME``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

SOURCES = [str(folder) for folder in (ROOT, ROOT / "layers/common", *ROOT.glob("functions/*/"))]
"""Where imports are found; in Lambda, a function's folder and its layers are."""

sys.path[:0] = SOURCES
