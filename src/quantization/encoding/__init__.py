"""Image files that Render writes: one module, and one row here, a format."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantization.encoding.png import encode_png
from quantization.encoding.webp import encode_webp
from quantization.options import ImageFormat

Encoder: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.uint8], tuple[int, int] | None], bytes]
"""Takes indices, palette entries, and the resolution in dots a meter if the source states one."""

ENCODERS: dict[ImageFormat, Encoder] = {
    "png": encode_png,
    # The format has no place for a resolution.
    "webp": lambda indices, palette, _dots_per_meter: encode_webp(indices, palette),
}
