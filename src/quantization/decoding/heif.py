"""AVIF."""

from functools import partial
from pathlib import Path

from quantization.decoding.stored import Stored, by_libvips, load


def read(path: Path) -> Stored:
    """Read the header."""
    reopen = partial(load, "heifload", path)
    return by_libvips(reopen(), reopen)
