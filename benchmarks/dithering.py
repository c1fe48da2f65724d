"""Dither photos with Render's two ways, Pillow's and pngquant's, with as many colors each.

python -m benchmarks.dithering [--megapixels 2] [--photos china flower ...] [--k 8 16 32]

"from afar" is the mean squared error in RGB, the channels summed, after both images were blurred
with a Gaussian of 2 pixels, relative to that of the nearest colors. Render and Pillow have the
same palette, pngquant its own. CPU seconds are those of dithering alone, of pngquant those of the
whole program.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from sklearn.cluster import KMeans

from benchmarks import photos
from benchmarks.measure import run, table
from quantization.decoding import open_image
from quantization.encoding.png import encode_png
from quantization.options import Dither
from quantization.recolor import recolor

BLUR = 2.0
FIT_PIXELS = 20_000

Levels = NDArray[np.uint8]


def compare(photo: str, megapixels: float, k: int) -> dict[str, tuple[float, float, float]]:
    """Return for each way its error from afar, kilobytes of PNG and CPU seconds."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.png"
        cv2.imwrite(str(source), photos.scaled(photos.available()[photo], megapixels))
        image = open_image(source, max_pixels=10**9)
        original = image.pixels()
        palette = _palette(original, k)
        for dither in get_args(Dither):
            recolored, seconds = _timed(partial(recolor, image, palette, dither=dither))
            size = len(encode_png(recolored.indices, recolored.entries))
            seen = recolored.entries[recolored.indices]
            found[f"Render, {dither}"] = _afar(original, seen), size / 1e3, seconds
        for name, method in {
            "none": Pillow.Dither.NONE,
            "FS": Pillow.Dither.FLOYDSTEINBERG,
        }.items():
            fixed = Pillow.new("P", (1, 1))
            fixed.putpalette(np.resize(palette, (256, 3)).tobytes())
            picture = Pillow.fromarray(original)
            dithered, seconds = _timed(partial(picture.quantize, palette=fixed, dither=method))
            dithered.save(Path(folder) / "pillow.png", optimize=False)
            size = (Path(folder) / "pillow.png").stat().st_size
            seen = np.asarray(dithered.convert("RGB"))
            found[f"Pillow, {name}"] = _afar(original, seen), size / 1e3, seconds
        if program := shutil.which("pngquant"):
            for name, option in {"none": "--nofs", "FS": "--floyd=1"}.items():
                target = Path(folder) / "pngquant.png"
                command: list[str | Path] = [
                    program,
                    str(k),
                    "--force",
                    option,
                    "-o",
                    target,
                    "--",
                    source,
                ]
                taken = run(command)
                seen = np.asarray(Pillow.open(target).convert("RGB"))
                size = target.stat().st_size
                found[f"pngquant, {name}"] = _afar(original, seen), size / 1e3, taken.cpu
    return found


def _palette(pixels: Levels, k: int) -> Levels:
    colors = pixels.reshape(-1, 3)
    sample = colors[:: max(1, len(colors) // FIT_PIXELS)]
    centers = KMeans(k, n_init=1, random_state=0).fit(sample).cluster_centers_
    return np.asarray(np.rint(centers), dtype=np.uint8)


def _timed[T](work: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def _afar(original: Levels, seen: Levels) -> float:
    first, second = (
        cv2.GaussianBlur(levels, (0, 0), BLUR).astype(float) for levels in (original, seen)
    )
    return float(np.square(first - second).sum(axis=2).mean())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, default=2.0)
    parser.add_argument("--photos", nargs="+", default=list(photos.available()))
    parser.add_argument("--k", nargs="+", type=int, default=[8, 16, 32])
    options = parser.parse_args()
    for k in options.k:
        of_photos = [compare(photo, options.megapixels, k) for photo in options.photos]
        rows = []
        for way in of_photos[0]:
            ratios = [found[way][0] / found["Render, none"][0] for found in of_photos]
            sizes, seconds = (statistics.mean(f[way][i] for f in of_photos) for i in (1, 2))
            rows.append([way, f"{statistics.mean(ratios):.2f}", f"{sizes:.0f}", f"{seconds:.2f}"])
        print(table([f"K = {k}", "from afar", "kB", "CPU s"], rows), end="\n\n")


if __name__ == "__main__":
    main()
