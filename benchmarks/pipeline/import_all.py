"""Only import what the whole pipeline imports."""

import benchmarks.steps  # noqa: F401
import clustering  # noqa: F401
