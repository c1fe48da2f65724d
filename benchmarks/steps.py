"""The pipeline's steps as the functions do them, without S3, at the template's defaults."""

# As the functions do, before all others.
from quantization.service import lazy_imports  # noqa: F401 - before all others
from quantization.service.startup import quick_imports

with quick_imports():
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from quantization.clustering import fit
    from quantization.decoding import Image, open_image
    from quantization.encoding.png import encode_png
    from quantization.options import Dither, Options
    from quantization.recolor import recolor
    from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize
    from quantization.summary import Summary


SPACE = Options().space


def opened(path: Path) -> Image:
    """Open an image of any size."""
    return open_image(path, max_pixels=10**9)


def sampled(path: Path, *, k_min: int = 8, k_max: int = 32) -> tuple[Summary, list[int]]:
    """Do what Sample does."""
    image = opened(path)
    return summarize(
        image.strips(SUMMARY_STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=k_min,
        k_max=k_max,
        sample_size=2048,
    )


def best_palette(summary: Summary, ks: list[int]) -> NDArray[np.uint8]:
    """Do what ScoreK does for each K, and choose the best silhouette."""
    fits = [fit(summary, k, SPACE) for k in ks]
    return max(fits, key=lambda fit: -2 if fit.silhouette is None else fit.silhouette).palette


def rendered(path: Path, palette: NDArray[np.uint8], dither: Dither = "none") -> bytes:
    """Do what Render does."""
    image = opened(path)
    recolored = recolor(image, palette, space=SPACE, dither=dither)
    return encode_png(recolored.indices, recolored.entries, dots_per_meter=image.dots_per_meter)
