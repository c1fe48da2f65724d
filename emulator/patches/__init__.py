"""Runs ministack with what it lacks for this project patched; imported in its environment only.

Each patch replaces one function of ministack and says what AWS does and what stock ministack does.
tests/emulator shows both, so a patch that ministack has caught up with can be dropped.
"""
