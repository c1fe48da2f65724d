"""How well each criterion chooses K: ``python -m benchmarks.k_selection``."""
