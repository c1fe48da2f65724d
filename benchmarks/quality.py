"""How far a quantized image is from its original. No measure alone is what people see.

Butteraugli is a program (``apt-get install libjxl-devtools``); without it the others do.
"""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import blazediff_ssim
import flip_evaluator
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from skimage.color import deltaE_ciede2000, rgb2gray, rgb2lab
from skimage.metrics import structural_similarity
from ssimulacra2 import compute_ssimulacra2

RGB = NDArray[np.uint8]
"""An image: sRGB levels, of shape (height, width, 3)."""

_BUTTERAUGLI = shutil.which("butteraugli_main")


class Measure(NamedTuple):
    """One way to compare a quantized image with its original."""

    of: Callable[[RGB, RGB], float]
    """``of(original, quantized)``."""
    digits: int
    """Decimals worth printing."""
    more_is_better: bool = False


def mse(original: RGB, quantized: RGB) -> float:
    """Return the mean squared distance in RGB levels, the three channels summed."""
    return float(np.square(original.astype(np.int32) - quantized).sum(axis=2).mean())


def delta_e(original: RGB, quantized: RGB) -> float:
    """Return the mean CIEDE2000 color difference, of every fourth pixel."""
    lab = [rgb2lab(image[::2, ::2]) for image in (original, quantized)]
    return float(deltaE_ciede2000(*lab).mean())


def ssim(original: RGB, quantized: RGB) -> float:
    """Return the structural similarity of the luminance, 1 for equal."""
    gray = [rgb2gray(image) for image in (original, quantized)]
    return float(structural_similarity(*gray, data_range=1))


def ms_ssim(original: RGB, quantized: RGB) -> float:
    """Return the multi-scale structural similarity (Wang et al. 2003), 1 for equal."""
    height, width = original.shape[:2]
    opaque = np.full((height, width, 1), 255, dtype=np.uint8)
    rgba = [np.dstack([image, opaque]).tobytes() for image in (original, quantized)]
    compared = blazediff_ssim.compare_rgba(*rgba, width, height, metric="ms-ssim")
    return float(compared.score)


def flip(original: RGB, quantized: RGB) -> float:
    """Return the mean FLIP error (Andersson et al. 2020) at 67 pixels a degree, 0 for equal."""
    unit = [image.astype(np.float32) / 255 for image in (original, quantized)]
    return float(flip_evaluator.evaluate(*unit, "LDR", applyMagma=False)[1])


def ssimulacra2(original: RGB, quantized: RGB) -> float:
    """Return SSIMULACRA 2 by its port to Python: 100 for equal, below 0 far from it.

    It was fitted to compressed images better than those of few colors: it ranks them all the same.
    """
    files = [io.BytesIO(_png(image)) for image in (original, quantized)]
    return float(compute_ssimulacra2(*files))


def butteraugli(original: RGB, quantized: RGB) -> float:
    """Return the 3-norm of the Butteraugli distance of libjxl, 0 for equal."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("original.png", "quantized.png")]
        for path, image in zip(paths, (original, quantized), strict=True):
            path.write_bytes(_png(image))
        command = [str(_BUTTERAUGLI), *map(str, paths)]
        says = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(says.rpartition(":")[2])


def _png(image: RGB) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "png", compress_level=1)
    return file.getvalue()


MEASURES = {
    "MSE": Measure(mse, 2),
    "SSIMULACRA 2": Measure(ssimulacra2, 1, more_is_better=True),
    **({"Butteraugli": Measure(butteraugli, 2)} if _BUTTERAUGLI else {}),
    "FLIP": Measure(flip, 4),
    "ΔE2000": Measure(delta_e, 2),
    "SSIM": Measure(ssim, 4, more_is_better=True),
    "MS-SSIM": Measure(ms_ssim, 4, more_is_better=True),
}
"""By name, as tables head their columns."""


def quality(original: RGB, quantized: RGB) -> dict[str, float]:
    """Measure in every way."""
    return {name: measure.of(original, quantized) for name, measure in MEASURES.items()}
