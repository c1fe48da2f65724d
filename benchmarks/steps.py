"""The pipeline's steps as the functions do them, without S3, at the template's defaults."""

# As the functions do, before all others.
import deferral  # noqa: F401
from quantization import startup

# isort: split

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clustering import fit
from png import encode_png
from quantization.images import Image, open_image
from quantization.summary import Summary
from recolour import recolour
from sampling import STRIP_PIXELS, summarise

startup.finished()


def opened(path: Path) -> Image:
    """Open an image of any size."""
    return open_image(path, max_pixels=10**9)


def sampled(path: Path, *, k_min: int = 8, k_max: int = 32) -> tuple[Summary, list[int]]:
    """Do what Sample does."""
    image = opened(path)
    return summarise(
        image.strips(STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=k_min,
        k_max=k_max,
        sample_size=2048,
    )


def best_palette(summary: Summary, ks: list[int]) -> NDArray[np.uint8]:
    """Do what ScoreK does for each K, and choose the best silhouette."""
    fits = [fit(summary, k) for k in ks]
    return max(fits, key=lambda fit: -2 if fit.silhouette is None else fit.silhouette).palette


def rendered(path: Path, palette: NDArray[np.uint8]) -> bytes:
    """Do what Render does."""
    image = opened(path)
    recoloured = recolour(image, palette)
    return encode_png(recoloured.indices, recoloured.entries, dots_per_metre=image.dots_per_metre)
