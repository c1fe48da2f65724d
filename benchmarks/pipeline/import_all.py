"""Only import what the whole pipeline imports."""

# As the functions do, before all others.
import deferral  # noqa: F401
from quantization import startup

# isort: split

import benchmarks.steps  # noqa: F401
import clustering  # noqa: F401

startup.finished()
