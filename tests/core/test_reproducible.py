"""The same image gives the same palette and K on processors with other vector instructions."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FIT = """
import hashlib, sys
import numpy as np
from pathlib import Path
from quantization.clustering import fit
from quantization.decoding import open_image
from quantization.nearest import nearest
from quantization.sampling import summarize

pixels = open_image(Path(sys.argv[1]), max_pixels=10**6).pixels()[::2, ::2]
height, width = pixels.shape[:2]
y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
alpha = np.clip(255 * (1.4 - np.hypot(x, y)), 1, 255).astype(np.uint8)
soft = np.dstack([pixels, alpha])
for image in (pixels, soft):
    summary, _ = summarize([image], pixels=height * width, k_min=8, k_max=32, sample_size=2048)
    for name, array in summary.to_arrays().items():
        print(name, hashlib.sha256(array.tobytes()).hexdigest())
    for space in ("rgb", "oklab"):
        for k in (8, 20):
            found = fit(summary, k, space)
            labels = nearest(pixels.reshape(-1, 3), found.palette, space)
            print(found, hashlib.sha256(labels.tobytes()).hexdigest())
"""

NARROWER = {"AVX2": "X86_V4 AVX512_ICL AVX512_SPR", "SSE": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}


def fitted(photo: Path, **environment: Any) -> str:
    command: list[str | Path] = [sys.executable, "-W", "ignore", "-c", FIT, photo]
    environment |= os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def fitted_here(photo: Path) -> str:
    return fitted(photo)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("disabled", NARROWER.values(), ids=NARROWER)
def test_narrower_vectors_give_the_same(photo: Path, fitted_here: str, disabled: str) -> None:
    assert fitted(photo, NPY_DISABLE_CPU_FEATURES=disabled) == fitted_here
