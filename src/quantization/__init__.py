"""Reduce images to their best few colors.

>>> from quantization import quantize
>>> quantized = quantize("docs/gallery/houses.png")
>>> quantized.k
12
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantization.in_process import Quantized, quantize

__all__ = ["Quantized", "quantize"]
__version__ = "0.1.0"

# libvips looks for it when it is loaded, and is silent then: of damaged files it would warn on
# standard error, beside the refusal, and of whole ones that hold what it does not know.
os.environ.setdefault("VIPS_WARNING", "0")


def __getattr__(name: str) -> Any:
    # A function of the service shall not import what another one needs.
    if name in __all__:
        return getattr(import_module("quantization.in_process"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
