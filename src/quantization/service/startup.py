"""Quick starts: the garbage collector rests while a function's modules are imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without looking for garbage, of which imports leave little.

    The search is up to a twelfth of their time. Afterwards the collector looks again, but not at
    what was imported: that stays.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
