"""docs/gallery shows what `quantize` makes of its images; where it does not, run `make gallery`."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emulator.engine import ROOT
from quantization import quantize

GALLERY = ROOT / "docs" / "gallery"
PICTURES = sorted(GALLERY.glob("*-*.png"))
CAPTION = re.compile(r'src="(\S+-\w+\.png)".*?(\d+) colors<br>.*?error ([\d.]+)', re.DOTALL)


def original_of(picture: Path) -> Path:
    (file,) = GALLERY.glob(picture.stem.partition("-")[0] + ".[jp]*")
    return file


@pytest.fixture(scope="module")
def captions() -> dict[str, tuple[int, str]]:
    """Return the number of colors and the error that the page gives of each picture."""
    found = CAPTION.findall((GALLERY / "README.md").read_text())
    return {name: (int(k), error) for name, k, error in found}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_picture_is_what_its_number_of_colors_makes(
    picture: Path, captions: dict[str, tuple[int, str]]
) -> None:
    k, error = captions[picture.name]

    quantized = quantize(original_of(picture), k=k)

    assert f"{quantized.scores[0].error:.2f}" == error
    with Image.open(picture) as shown:
        mode = "RGB" if quantized.entries.shape[1] == 3 else "RGBA"
        np.testing.assert_array_equal(quantized.pixels(), np.asarray(shown.convert(mode)))


def test_pictures_have_as_many_colors_as_each_criterion_picks(
    captions: dict[str, tuple[int, str]],
) -> None:
    """Of the coffee, for which both choose from inside the window."""
    shown = {name: captions[f"coffee-{name}.png"][0] for name in ("silhouette", "guarded")}
    assert all(8 < k < 32 for k in shown.values())

    assert quantize(GALLERY / "coffee.jpg").picks == shown
