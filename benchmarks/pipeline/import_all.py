"""Only import what the whole pipeline imports."""

# As ScoreK does, before all others.
import deferral  # noqa: F401

# isort: split

import benchmarks.steps  # noqa: F401
import clustering  # noqa: F401
