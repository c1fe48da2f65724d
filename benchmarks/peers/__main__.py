"""Reduce images to 8, 16 and 32 colors with every program that is installed.

python -m benchmarks.peers [--megapixels 0.3] [--images tuned-on checked-on held-out china ...]
                           [--k 8 16 32] [--dithered] [--programs "ours" pngquant ...] [--runs 1]
                           [--jobs 1]

The images that rules were tuned on, those that were looked at meanwhile and those held out stand in
tables of their own. Measures are means over the images, of the squared error the mean of its ratio
to the least on that image. The second table of each K says on how many of the images the first
program is better than the others.
"""

import argparse
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from benchmarks import photos
from benchmarks.measure import in_turns, median, table
from benchmarks.peers.programs import at_hand
from benchmarks.quality import MEASURES, quality

SETS = {
    "tuned-on": photos.tuned_on,
    "checked-on": photos.checked_on,
    "held-out": photos.held_out,
}


class Row(NamedTuple):
    """What one program made of one image."""

    quality: dict[str, float]
    kilobytes: float
    cpu: float
    wall: float


def compare(
    image: str, *, megapixels: float, k: int, dithered: bool, programs: list[str] | None, runs: int
) -> dict[str, Row]:
    """Run every program on one image."""
    original = photos.scaled(photos.available()[image], megapixels)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.png"
        cv2.imwrite(str(source), original)
        chosen = {
            peer: placed
            for peer, placed in at_hand(source, k, Path(name), dithered=dithered).items()
            if programs is None or peer in programs
        }
        taken = in_turns({peer: command for peer, (command, _) in chosen.items()}, runs)
        return {
            peer: Row(
                quality(original[:, :, ::-1], np.asarray(Image.open(path).convert("RGB"))),
                path.stat().st_size / 1e3,
                median(taken[peer], "cpu"),
                median(taken[peer], "wall"),
            )
            for peer, (_, path) in chosen.items()
        }


def means(title: str, of_images: list[dict[str, Row]]) -> str:
    """Lay out each program's means over the images."""
    lines = []
    for peer in of_images[0]:
        rows = [rows[peer] for rows in of_images]
        cells = [peer]
        for name, measure in MEASURES.items():
            values = [row.quality[name] for row in rows]
            digits = measure.digits
            if name == "MSE":
                least = [min(row.quality[name] for row in rows.values()) for rows in of_images]
                values = [value / one for value, one in zip(values, least, strict=True)]
            cells.append(f"{statistics.mean(values):.{digits}f}")
        for what, digits in (("kilobytes", 0), ("cpu", 2), ("wall", 2)):
            cells.append(f"{statistics.mean(getattr(row, what) for row in rows):.{digits}f}")
        lines.append(cells)
    header = [title, "MSE over least", *list(MEASURES)[1:], "kB", "CPU s", "wall s"]
    return table(header, lines)


def wins(title: str, of_images: list[dict[str, Row]]) -> str:
    """Lay out on how many images the first program is better than each of the others."""
    first, *others = of_images[0]
    lines = []
    for peer in others:
        cells = [peer]
        for name, measure in MEASURES.items():
            sign = 1 if measure.more_is_better else -1
            ahead = [
                sign * rows[first].quality[name] > sign * rows[peer].quality[name]
                for rows in of_images
            ]
            cells.append(f"{sum(ahead)}/{len(ahead)}")
        lines.append(cells)
    return table([f"{title}, {first} better than", *MEASURES], lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dithered", action="store_true", help="as each program does by default")
    parser.add_argument("--megapixels", type=float, default=0.3)
    parser.add_argument("--images", nargs="+", default=list(SETS), help="sets, or names of images")
    parser.add_argument("--k", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--programs", nargs="+", help="those of these names only")
    parser.add_argument("--runs", type=int, default=1, help="of which times are the median")
    parser.add_argument("--jobs", type=int, default=1, help="images at once; times suffer")
    arguments = parser.parse_args()

    groups = {name: list(SETS[name]()) for name in arguments.images if name in SETS}
    if named := [name for name in arguments.images if name not in SETS]:
        groups["named"] = named
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for name, images in groups.items():
            print(f"\n{arguments.megapixels:g} MP PNG, {name}: {', '.join(images)}")
            for k in arguments.k:
                work = partial(
                    compare,
                    megapixels=arguments.megapixels,
                    k=k,
                    dithered=arguments.dithered,
                    programs=arguments.programs,
                    runs=arguments.runs,
                )
                rows = list(pool.map(work, images))
                print(f"\n{means(f'K = {k}', rows)}")
                print(f"\n{wins(f'K = {k}', rows)}", flush=True)


if __name__ == "__main__":
    main()
