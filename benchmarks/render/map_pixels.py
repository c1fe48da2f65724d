"""Print what mapping costs in several ways, in ns a pixel: map_pixels.py IMAGE PALETTE.npy RUNS.

CPU time, medians of runs in turns. "wrong" is the share of pixels that did not get their nearest
color in RGB.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.cluster import KMeans

from benchmarks import photos
from benchmarks.baseline import given
from benchmarks.measure import table
from quantization.recolor import NearestLabels

Labels = NDArray[np.integer]


def by_predict(pixels: NDArray[np.uint8], fit: KMeans) -> Labels:
    """Label as the original script does."""
    labels: Labels = fit.predict(pixels.reshape(-1, 3)[:, ::-1].astype(np.float64))
    return labels


def by_pillow(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Labels:
    """Label as Pillow does: by a cache of rounded colors."""
    paletted = Image.new("P", (1, 1))
    paletted.putpalette(palette.tobytes())
    image = Image.fromarray(pixels)
    return np.asarray(image.quantize(palette=paletted, dither=Image.Dither.NONE))


def main() -> None:
    """Compare on one image."""
    pixels = np.ascontiguousarray(photos.decoded(Path(sys.argv[1]))[:, :, ::-1])
    palette, runs = np.load(sys.argv[2]), int(sys.argv[3])
    fit = given(palette)
    ways: dict[str, Callable[[], Labels]] = {
        "ours": lambda: NearestLabels(palette)(pixels),
        "ours in OKLab": lambda: NearestLabels(palette, space="oklab")(pixels),
        "scikit-learn predict, the original's": lambda: by_predict(pixels, fit),
        "Pillow quantize(palette=)": lambda: by_pillow(pixels, palette),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    labels = {}
    for _ in range(runs):
        for name, way in ways.items():
            start = time.process_time()
            labels[name] = way().reshape(-1)
            taken[name].append((time.process_time() - start) / labels[name].size * 1e9)
    right = labels["ours"]
    rows = []
    for name in ways:
        wrong = f"{(palette[labels[name]] != palette[right]).any(axis=1).mean():.2%}"
        if name == "ours in OKLab":
            wrong = "nearest in another space"
        rows.append([name, f"{statistics.median(taken[name]):.1f}", wrong])
    print(table(["mapping", "ns a pixel", "wrong"], rows))


if __name__ == "__main__":
    main()
