"""ICC profiles (ICC.1:2022) of colors that are given by numbers instead."""

import struct
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Curve: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From levels to light, both 0..1."""

Chromaticities: TypeAlias = tuple[float, float, float, float, float, float, float, float]
"""CIE x and y of white, red, green and blue."""

_D65 = (0.3127, 0.329)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_NTSC = (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07)

PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: _NTSC,
    7: _NTSC,
    8: (0.31, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (*_D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
"""By their code points in ITU-T H.273, table 2."""

_CURVE_POINTS = 1024
_D50 = np.array([0.9642, 1.0, 0.8249])
# The cone responses of Bradford's chromatic adaptation (ICC.1:2022, annex E).
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def power(exponent: float) -> Curve:
    """Return the curve of a pure power."""
    return lambda levels: levels**exponent


def _piecewise(exponent: float, offset: float, slope: float, limit: float) -> Curve:
    return lambda levels: np.where(
        levels <= limit, levels / slope, ((levels + offset) / (1 + offset)) ** exponent
    )


SRGB_CURVE = _piecewise(2.4, 0.055, 12.92, 0.04045)
_BT_709 = _piecewise(1 / 0.45, 0.099, 4.5, 0.081)

CURVES: dict[int, Curve] = {
    1: _BT_709,
    4: power(2.2),
    5: power(2.8),
    6: _BT_709,
    8: power(1),
    13: SRGB_CURVE,
    14: _BT_709,
    15: _BT_709,
}
"""By their code points in ITU-T H.273, table 3. Those of high dynamic range are not among them."""


def make_profile(chromaticities: Chromaticities, curve: Curve) -> bytes:
    """Make a profile for a display with these primaries.

    Raises
    ------
    numpy.linalg.LinAlgError, ZeroDivisionError
        If the chromaticities are none of a display.
    """
    points = np.rint(curve(np.linspace(0, 1, _CURVE_POINTS)) * 65535).clip(0, 65535)
    table = b"curv" + struct.pack(">II", 0, _CURVE_POINTS) + points.astype(">u2").tobytes()
    red, green, blue = _to_d50(chromaticities).T
    tags = {b"wtpt": _xyz(_D50), b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    body, entries, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        entries += struct.pack(">4sII", name, at + len(body), len(tag))
        body += tag
    head = struct.pack(">I4sI4s", at + len(body), b"", 0x04300000, b"mntr")
    head += b"RGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def _xyz(xyz: NDArray[np.float64]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *np.rint(xyz * 65536).astype(int).tolist())


def _to_d50(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ under D50."""
    xyz = np.array(
        [
            [x / y, 1, (1 - x - y) / y]
            for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)
        ]
    )
    white, primaries = xyz[0], xyz[1:].T
    matrix = primaries * np.linalg.solve(primaries, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.solve(_BRADFORD, cones[:, None] * (_BRADFORD @ matrix))
    return adapted
