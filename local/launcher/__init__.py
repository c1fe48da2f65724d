"""Runs ministack with what it lacks for this project mended; imported in its environment only.

Each mend replaces one function of ministack and says what AWS does and what stock ministack does.
tests/engine shows both, so a mend that ministack has caught up with can be dropped.
"""
