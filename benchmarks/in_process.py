"""Quantize a photo by the command in one process, on all processors, and by pngquant.

python -m benchmarks.in_process [--megapixels 2 12] [--photos china flower] [--runs 5]

All read the same PNG file. Ours tries K from 8 to 32 and writes report and result besides; pngquant
is told how many colors that came to. Times are of whole processes, imports and all.
"""

import argparse
import os
import tempfile
from pathlib import Path

import cv2
import loky
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import photos
from benchmarks.measure import Command, in_turns, median, ratio, run, table
from benchmarks.peers.programs import pngquants
from quantization.color import srgb_to_oklab

OURS = {
    "in process": [],
    "in process, space rgb": ["--space", "rgb"],
    "in process, one K": ["--k", "{k}"],
}


def errors(original: NDArray[np.uint8], path: Path) -> tuple[int, float, float]:
    """Return a result's number of colors, its mean squared error in RGB, and in OKLab x 100."""
    quantized = np.asarray(Image.open(path).convert("RGB"))
    ours, theirs = original.reshape(-1, 3), quantized.reshape(-1, 3)
    colors = len(np.unique(theirs.astype(np.uint32) @ np.array([1, 256, 65536], dtype=np.uint32)))
    squares = np.square(ours.astype(np.int32) - theirs).sum(axis=1).mean()
    drift = np.linalg.norm(srgb_to_oklab(ours[::7]) - srgb_to_oklab(theirs[::7]), axis=1).mean()
    return colors, float(squares), 100 * float(drift)


def compare(photo: str, megapixels: float, runs: int, folder: Path) -> str:
    """Lay out what each program takes for one photo, and makes of it."""
    source = folder / f"{photo}-{megapixels:g}.png"
    original = photos.scaled(photos.available()[photo], megapixels)
    cv2.imwrite(str(source), original)
    quantize: Command = ["python", "-m", "quantization_client.main", source, "--json", "--out"]
    run([*quantize, folder / "first"])
    k, _, _ = errors(original[:, :, ::-1], folder / "first" / source.name)
    commands: dict[str, Command] = {}
    targets: dict[str, Path] = {}
    for number, (name, options) in enumerate(OURS.items()):
        out = folder / str(number)
        targets[name] = out / source.name
        commands[name] = [*quantize, out, *(option.format(k=k) for option in options)]
    for name, program in pngquants().items():
        targets[name] = folder / f"{name}.png"
        commands[name] = [program, "--force", "--nofs", "--output", targets[name], str(k), source]
    taken = in_turns(commands, runs)
    lines = []
    for name, runs_of in taken.items():
        colors, squares, drift = errors(original[:, :, ::-1], targets[name])
        lines.append(
            [
                name,
                f"{median(runs_of, 'wall'):.2f}",
                f"{median(runs_of, 'cpu'):.2f}",
                f"{ratio(taken['in process'], runs_of, 'wall'):.2f}",
                f"{median(runs_of, 'peak'):.0f}",
                colors,
                f"{squares:.0f}",
                f"{drift:.2f}",
                f"{targets[name].stat().st_size / 1e3:.0f}",
            ]
        )
    header = [f"{photo}, {megapixels:g} MP", "wall s", "CPU s", "in process / its wall", "peak MB"]
    return table([*header, "colors", "MSE", "error", "kB"], lines)


def main() -> None:
    """Print a table for each photo and size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[2, 12])
    parser.add_argument("--photos", nargs="+", default=["china"], choices=photos.available())
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{loky.cpu_count()} processors, {load:.0f} processes at work before")
    for photo in arguments.photos:
        for megapixels in arguments.megapixels:
            with tempfile.TemporaryDirectory() as folder:
                made = compare(photo, megapixels, arguments.runs, Path(folder))
                print(f"\n{made}", flush=True)


if __name__ == "__main__":
    main()
