"""Palettes in a terminal, in the colors themselves or in those that look most like them."""

from functools import cache

from rich.console import Console
from rich.text import Text

from quantization.options import HexColor


def shows_palettes(console: Console) -> bool:
    """Tell whether a terminal has enough colors; with 16, each terminal has others."""
    return not console.no_color and console.color_system in ("truecolor", "256")


def block(console: Console, color: HexColor, width: int) -> Text:
    """Return so many cells in a color, for a terminal that `shows_palettes`."""
    shown = color if console.color_system == "truecolor" else f"color({nearest_of_256(color)})"
    return Text("█" * width, shown)


@cache
def nearest_of_256(color: HexColor) -> int:
    """Return the number of the terminal color that looks most like a color, by OKLab.

    Where none is close, a wrong hue looks worse than a wrong lightness, and counts twice as much.
    The first 16 are left out, since each terminal has others. The rest is xterm's: a cube of 6
    levels, and 24 grays.
    """
    # Not before it is needed: it imports numpy.
    import numpy as np

    from quantization.color import srgb_to_oklab

    levels = [0, 95, 135, 175, 215, 255]
    cube = [(r, g, b) for r in levels for g in levels for b in levels]
    grays = [(gray, gray, gray) for gray in range(8, 248, 10)]
    wanted = tuple(bytes.fromhex(color[1:]))
    oklab = srgb_to_oklab(np.array([*cube, *grays, wanted], np.uint8))
    differences = (oklab[:-1] - oklab[-1]) * [1, 2, 2]
    return 16 + int((differences**2).sum(axis=1).argmin())
