"""Color spaces against values that others have published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantization.color import from_hex, srgb_to_oklab, to_hex

# https://www.w3.org/TR/css-color-4/ gives `oklab()` of these; MDN and browsers show the same.
PUBLISHED = {
    "#ffffff": (1.0, 0.0, 0.0),
    "#ff0000": (0.62796, 0.22486, 0.12585),
    "#00ff00": (0.86644, -0.23389, 0.17950),
    "#0000ff": (0.45201, -0.03246, -0.31153),
    "#ffff00": (0.96798, -0.07137, 0.19857),
    "#00ffff": (0.90540, -0.14944, -0.03940),
    "#ff00ff": (0.70167, 0.27457, -0.16916),
    "#000000": (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("color", PUBLISHED)
def test_oklab_is_as_published(color: str) -> None:
    np.testing.assert_allclose(srgb_to_oklab(from_hex([color]))[0], PUBLISHED[color], atol=1e-4)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1))
def test_hex_is_read_as_it_is_written(levels: list[tuple[int, ...]]) -> None:
    palette = np.array(levels, dtype=np.uint8)

    np.testing.assert_array_equal(from_hex(to_hex(palette)), palette)
