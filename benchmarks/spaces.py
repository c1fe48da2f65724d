"""What fitting and rendering cost in each space, in turns in one process.

python -m benchmarks.spaces [--photos china] [--megapixels 12] [--k 8 16 32] [--runs 3]
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import get_args

from benchmarks import photos
from benchmarks.measure import table
from benchmarks.steps import opened, sampled
from quantization.clustering import fit
from quantization.options import Space
from quantization.recolor import recolor

SPACES: tuple[Space, ...] = get_args(Space)


def compare(source: Path, ks: list[int], runs: int) -> list[list[object]]:
    """Fit and draw one image with each K in each space; lay out medians of CPU seconds."""
    summary, _ = sampled(source)
    rows: list[list[object]] = []
    for k in ks:
        taken: dict[tuple[str, Space], list[float]] = defaultdict(list)
        for _ in range(runs):
            for space in SPACES:
                start = time.process_time()
                palette = fit(summary, k, space).palette
                fitted = time.process_time()
                recolor(opened(source), palette, space=space)
                taken["ScoreK", space].append(fitted - start)
                taken["Render", space].append(time.process_time() - fitted)
        medians = {name: statistics.median(times) for name, times in taken.items()}
        for step in ("ScoreK", "Render"):
            rgb, oklab = medians[step, "rgb"], medians[step, "oklab"]
            rows.append([step, k, f"{rgb:.2f}", f"{oklab:.2f}", f"{oklab / rgb:.2f}"])
    return rows


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", nargs="+", default=["china"], choices=photos.available())
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--k", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        for photo in arguments.photos:
            source = photos.jpeg(photo, arguments.megapixels, Path(folder))
            rows = compare(source, arguments.k, arguments.runs)
            header = [f"{photo}, {arguments.megapixels:g} MP", "K", "rgb, CPU s", "oklab", "ratio"]
            print(f"\n{table(header, rows)}", flush=True)


if __name__ == "__main__":
    main()
