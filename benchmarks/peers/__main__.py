"""Reduce photos to 8, 16 and 32 colors, without dithering, with every program that is installed.

python -m benchmarks.peers [--megapixels 2] [--photos china flower ...] [--k 8 16 32] [--runs 3]
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from benchmarks import photos
from benchmarks.measure import in_turns, median, table
from benchmarks.peers.programs import at_hand
from benchmarks.quality import Quality, quality


class Row(NamedTuple):
    """What one program made of one photo."""

    quality: Quality
    kilobytes: float
    cpu: float
    wall: float


def compare(photo: str, megapixels: float, k: int, runs: int) -> dict[str, Row]:
    """Run every program on one photo."""
    original = photos.scaled(photos.available()[photo], megapixels)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.png"
        cv2.imwrite(str(source), original)
        programs = at_hand(source, k, Path(name))
        taken = in_turns({peer: command for peer, (command, _) in programs.items()}, runs)
        return {
            peer: Row(
                quality(original[:, :, ::-1], np.asarray(Image.open(path).convert("RGB"))),
                path.stat().st_size / 1e3,
                median(taken[peer], "cpu"),
                median(taken[peer], "wall"),
            )
            for peer, (_, path) in programs.items()
        }


def summary(k: int, of_photos: list[dict[str, Row]]) -> str:
    """Lay out the means over the photos, the error relative to the least on that photo."""
    lines = []
    for peer in of_photos[0]:
        rows = [photo[peer] for photo in of_photos]
        least = [min(row.quality.mse for row in photo.values()) for photo in of_photos]
        over_least = [row.quality.mse / mse for row, mse in zip(rows, least, strict=True)]
        lines.append(
            [
                peer,
                f"{statistics.mean(over_least):.2f}",
                f"{statistics.mean(row.quality.delta_e for row in rows):.2f}",
                f"{statistics.mean(row.quality.ssim for row in rows):.3f}",
                f"{statistics.mean(row.kilobytes for row in rows):.0f}",
                f"{statistics.mean(row.cpu for row in rows):.2f}",
                f"{statistics.mean(row.wall for row in rows):.2f}",
            ]
        )
    header = [f"K = {k}", "MSE over least", "ΔE2000", "SSIM", "kB", "CPU s", "wall s"]
    return table(header, lines)


def main() -> None:
    """Compare on all photos."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=2)
    parser.add_argument("--photos", nargs="+", default=list(photos.available()))
    parser.add_argument("--k", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    print(f"{arguments.megapixels:g} MP PNG of {', '.join(arguments.photos)}")
    for k in arguments.k:
        rows = [
            compare(photo, arguments.megapixels, k, arguments.runs) for photo in arguments.photos
        ]
        print(f"\n{summary(k, rows)}", flush=True)


if __name__ == "__main__":
    main()
