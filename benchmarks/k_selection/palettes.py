"""Palettes of a given K beside those of other programs, all mapped to the nearest color."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import imagequant
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from benchmarks.k_selection import pictures
from quantization.clustering import find_palette
from quantization.nearest import nearest
from quantization.options import Space
from quantization.sampling import summarize

SPACE: Space = "rgb"
"""The one for the least squared error, which is compared."""

KS = [8, 16, 32]
MAGICK = "convert-im6.q16"
"""As Debian's package imagemagick calls it."""


def ours(pixels: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Return the service's palette."""
    total = pixels.shape[0] * pixels.shape[1]
    summary, _ = summarize([pixels], pixels=total, k_min=k, k_max=k, sample_size=2)
    return find_palette(summary, min(k, len(summary.pooled.rgb)), SPACE)


def ours_of_1000_pixels(pixels: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Return the service's palette of 1000 random pixels."""
    total = pixels.shape[0] * pixels.shape[1]
    summary, ks = summarize(
        [pixels], pixels=total, k_min=k, k_max=k, sample_size=1000, whole_image=False
    )
    return find_palette(summary, ks[0], SPACE)


def by_imagequant(pixels: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Return libimagequant's palette at its best quality, no dithering."""
    indexed = imagequant.quantize_pil_image(
        Pillow.fromarray(pixels).convert("RGBA"), dithering_level=0.0, max_colors=k
    )
    return np.array(indexed.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)[:k]


def by_pillow(method: Pillow.Quantize) -> Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]:
    """Return Pillow's palette by one of its methods."""

    def palette(pixels: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
        indexed = Pillow.fromarray(pixels).quantize(k, method=method, dither=Pillow.Dither.NONE)
        return np.array(indexed.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)[:k]

    return palette


def by_imagemagick(pixels: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Return ImageMagick's palette, no dithering."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"
        Pillow.fromarray(pixels).save(source)
        command = [MAGICK, str(source), "+dither", "-colors", str(k), str(target)]
        subprocess.run(command, check=True)
        with Pillow.open(target) as image:
            flat = np.asarray(image.convert("RGB")).reshape(-1, 3)
    return np.unique(flat, axis=0)


def recolor(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], space: Space
) -> NDArray[np.uint8]:
    """Give every pixel its nearest palette color."""
    flat = pixels.reshape(-1, 3)
    labels = [nearest(flat[i : i + 2**16], palette, space) for i in range(0, len(flat), 2**16)]
    return palette[np.concatenate(labels)].reshape(pixels.shape)


def mean_squared_error(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> float:
    """Return the mean squared RGB distance to the nearest color, three channels summed."""
    difference = pixels.astype(np.int32) - recolor(pixels, palette, SPACE)
    return float(np.square(difference).sum(axis=2).mean())


def print_table(paths: list[Path]) -> None:
    """Print the mean error of each program's palettes."""
    programs = {
        "whole image": ours,
        "1000 pixels": ours_of_1000_pixels,
        "imagequant": by_imagequant,
        "Pillow median cut": by_pillow(Pillow.Quantize.MEDIANCUT),
        "Pillow octree": by_pillow(Pillow.Quantize.FASTOCTREE),
    }
    if shutil.which(MAGICK):
        programs["ImageMagick 6"] = by_imagemagick
    images = [pictures.read(path) for path in paths]
    print(f"\npalettes of {len(images)} images, mean squared error at K =", *KS)
    for name, program in programs.items():
        errors = [
            np.mean([mean_squared_error(pixels, program(pixels, k)) for pixels in images])
            for k in KS
        ]
        print(f"{name:20s}", *(f"{error:9.1f}" for error in errors))
