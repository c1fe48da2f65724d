"""Both processors give the same pixels, palettes, scores and files, byte for byte."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from quantization.decoding.signatures import FORMATS
from tests.support import processors
from tests.support.built import ARCHITECTURES
from tests.support.corpus import intact, saved
from tests.support.sandbox import Command

# An emulated processor is some thirty times slower: small images, and one K.
WIDTH, HEIGHT = 24, 18
KS = (11,)


def small_images(photo: Path) -> dict[str, bytes]:
    """Return a photo, the same ever clearer to the right, and flat art."""
    with Image.open(photo) as whole:
        small = whole.resize((WIDTH, HEIGHT))
    soft = small.copy()
    soft.putalpha(Image.linear_gradient("L").rotate(90).resize(small.size))
    return {
        "photo.jpg": saved(small, "JPEG"),
        "soft.png": saved(soft, "PNG"),
        "flat.png": saved(ImageOps.posterize(small, 2), "PNG"),
    }


@pytest.fixture(scope="module")
def outcomes(
    interpreter: Callable[[str], Command],
    photo: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, processors.Outcomes]:
    interpreters = {architecture: interpreter(architecture) for architecture in ARCHITECTURES}
    return processors.run_on_all(
        interpreters,
        tmp_path_factory.mktemp("processors"),
        files=dict(intact()),
        images=small_images(photo),
        scored=KS,
        rendered=KS,
    )


@pytest.mark.parametrize("stage", processors.FUNCTIONS)
def test_arm64_gives_what_x86_64_gives(
    outcomes: dict[str, processors.Outcomes], stage: str
) -> None:
    assert outcomes["arm64"][stage] == outcomes["x86_64"][stage]


def test_every_format_is_read(outcomes: dict[str, processors.Outcomes]) -> None:
    kinds = {steps["format"] for steps in outcomes["arm64"]["read"].values()}
    assert kinds == set(FORMATS)
