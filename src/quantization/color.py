"""Color spaces."""

import numpy as np
from numpy.typing import NDArray

_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def srgb_to_oklab(rgb: NDArray[np.floating | np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB colors to OKLab (Björn Ottosson, "A perceptual color space", 2020).

    Parameters
    ----------
    rgb : array of shape (n, 3)
        sRGB levels in 0..255.

    Returns
    -------
    oklab : float64 array of shape (n, 3)
        L in 0..1, a and b within about -0.4..0.4.
    """
    level = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    oklab: NDArray[np.float64] = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_OKLAB.T
    return oklab


def to_hex(palette: NDArray[np.uint8]) -> list[str]:
    """Write RGB colors, uint8 of shape (k, 3), as ``#rrggbb``."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette.tolist()]


def from_hex(colors: list[str]) -> NDArray[np.uint8]:
    """Read ``#rrggbb`` colors as RGB, uint8 of shape (k, 3)."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], dtype=np.uint8)
