"""Color spaces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantization.options import Space

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
_OKLAB_TO_LMS = np.linalg.inv(_LMS_TO_OKLAB)
_LMS_TO_LINEAR = np.linalg.inv(_LINEAR_TO_LMS)

# Ottosson's toe.
_K1, _K2 = 0.206, 0.03
_K3 = (1 + _K1) / (1 + _K2)

_UNITS = 4096
"""Of OKLab's coordinates in `to_space`, a difference of 1."""


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
    linear = _LINEAR[rgb] if rgb.dtype == np.uint8 else _to_linear(rgb)
    oklab: NDArray[np.float64] = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_OKLAB.T
    return oklab


def _to_linear(levels: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    level = levels.astype(np.float64) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


_LINEAR = _to_linear(np.arange(256))


def oklab_to_srgb(oklab: NDArray[np.floating]) -> NDArray[np.float64]:
    """Convert OKLab colors, of shape (n, 3), to sRGB levels, clipped to 0..255."""
    linear = (oklab @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_LINEAR.T
    linear = np.clip(linear, 0, 1)
    level = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(255 * level)


def to_space(rgb: NDArray[np.floating | np.uint8], space: Space) -> NDArray[np.float64]:
    """Return the coordinates in which palettes are fitted and pixels find their nearest color.

    - rgb: the levels themselves. Least squared error, which weighs shadows little and blue a lot.
    - oklab: OKLab with Ottosson's toe on L (as in Okhsv, 2021), which makes steps of gray as even
      as CIELAB's. In whole units of 1/4096, so that all processors, whose roots and powers differ
      in the last digit, agree on them.

    Parameters
    ----------
    rgb : array of shape (n, 3)
        sRGB levels in 0..255.
    space : "rgb" or "oklab"

    Returns
    -------
    points : float64 array of shape (n, 3)
    """
    if space == "rgb":
        return np.asarray(rgb, dtype=np.float64)
    oklab = srgb_to_oklab(rgb)
    bent = _K3 * oklab[:, 0] - _K1
    oklab[:, 0] = (bent + np.sqrt(bent**2 + 4 * _K2 * _K3 * oklab[:, 0])) / 2
    points: NDArray[np.float64] = np.rint(_UNITS * oklab)
    return points


def from_space(points: NDArray[np.floating], space: Space) -> NDArray[np.float64]:
    """Return the sRGB levels, within 0..255, of coordinates that `to_space` gives."""
    if space == "rgb":
        return np.asarray(np.clip(points, 0, 255), dtype=np.float64)
    oklab: NDArray[np.float64] = points.astype(np.float64) / _UNITS
    oklab[:, 0] = oklab[:, 0] * (oklab[:, 0] + _K1) / (_K3 * (oklab[:, 0] + _K2))
    return oklab_to_srgb(oklab)


def to_hex(palette: NDArray[np.uint8]) -> list[str]:
    """Write RGB colors, uint8 of shape (k, 3), as ``#rrggbb``."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette.tolist()]


def from_hex(colors: Sequence[str]) -> NDArray[np.uint8]:
    """Read ``#rrggbb`` colors as RGB, uint8 of shape (k, 3)."""
    levels = bytes.fromhex("".join(color[1:] for color in colors))
    return np.frombuffer(levels, dtype=np.uint8).reshape(-1, 3)
