"""Quick starts: the garbage collector rests while a function's modules are imported.

Imports leave little garbage, and looking for it is up to a twelfth of their time. It rests once
this is imported, before all else, and until `finished` is called.
"""

import gc

gc.disable()


def finished() -> None:
    """Let the collector look again, but not at what was imported: that stays."""
    gc.freeze()
    gc.enable()
