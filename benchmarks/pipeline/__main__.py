"""Quantize a photo from file to file: the service, the original script, pngquant; and price it.

python -m benchmarks.pipeline [--megapixels 12] [--photo china] [--runs 5] [--engine]
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks import photos
from benchmarks.measure import ROOT, Command, in_turns, median, output_of, ratio, run, table
from benchmarks.peers.programs import pngquants
from benchmarks.pipeline import cost, on_engine

HERE = ROOT / "benchmarks" / "pipeline"
PORT = 4599
"""Of the engine that the benchmark starts for itself."""


def error(original: np.ndarray, path: Path) -> tuple[float, int]:
    """Return the mean squared RGB distance of a result, and its number of colors."""
    quantized = np.asarray(Image.open(path).convert("RGB"))
    squares = [
        np.square(rows.astype(np.int32) - of_original).sum()
        for rows, of_original in zip(quantized, original, strict=True)
    ]
    packed = quantized.astype(np.uint32) @ np.array([1, 256, 65536], dtype=np.uint32)
    return float(sum(squares)) / packed.size, len(np.unique(packed))


def in_one_process(source: Path, runs: int, folder: Path) -> str:
    """Compare the service's way, imports and all, with the original script's and with pngquant."""
    lossless, ours, seeds = folder / "source.png", folder / "ours.png", folder / "seed.png"
    original = photos.decoded(source)
    cv2.imwrite(str(lossless), original)
    targets = {"ours": ours, "seed": seeds}
    commands: dict[str, Command] = {
        "ours": ["python", ROOT / "benchmarks" / "quantize_file.py", source, ours],
        "seed": ["python", "-m", "benchmarks.baseline", source, seeds],
        "imports alone": ["python", "-c", "import benchmarks.steps"],
        "sample": ["python", HERE / "sample_file.py", source],
        "sample, imports alone": [
            "python",
            "-c",
            "import quantization.sampling, quantization.decoding",
        ],
        "decode, count colors": ["python", HERE / "count_file.py", source],
        "decode": ["python", ROOT / "benchmarks" / "render" / "decode_file.py", source],
        "decode, imports alone": ["python", "-c", "import cv2"],
    }
    run(commands["ours"])
    _, k = error(original[:, :, ::-1], ours)
    for number, (name, program) in enumerate(pngquants().items()):
        targets[name] = folder / f"pngquant{number}.png"
        options: Command = ["--force", "--nofs", "--output", targets[name], str(k), lossless]
        commands[name] = [program, *options]
    taken = in_turns(commands, runs)
    lines = []
    for name, runs_of in taken.items():
        mse, colors, size = "", "", ""
        if name in targets:
            levels, count = error(original[:, :, ::-1], targets[name])
            mse, colors = f"{levels:.1f}", str(count)
            size = f"{targets[name].stat().st_size / 1e3:.0f}"
        lines.append(
            [
                name,
                f"{median(runs_of, 'cpu'):.2f}",
                f"{median(runs_of, 'wall'):.2f}",
                *(f"{ratio(runs_of, taken[to], 'cpu'):.3f}" for to in ("seed", "decode")),
                f"{ratio(taken['ours'], runs_of, 'wall'):.2f}",
                f"{median(runs_of, 'peak'):.0f}",
                colors,
                mse,
                size,
            ]
        )
    header = ["", "CPU s", "wall s", "CPU / seed", "CPU / decode", "ours / its wall"]
    return table([*header, "peak MB", "colors", "MSE", "kB"], lines)


def priced(source: Path, runs: int) -> str:
    """Price the functions' work by the CPU time it takes here."""
    stages = output_of(["python", HERE / "stages.py", source, str(runs)])
    imaging, clustering, sample, score, render = map(float, stages.split())
    warm = cost.Seconds(sample, score, score, render)
    cold = cost.Seconds(sample + imaging, score + clustering, score, render + imaging)
    return (
        f"CPU s: import imaging {imaging:.2f}, clustering {clustering:.2f};"
        f" sample {sample:.2f}, score one K {score:.3f}, render {render:.2f}\n\n"
        + cost.summary(warm, cold)
        + f"\n\nS3, an image: {cost.requests(25).puts} puts, {cost.requests(25).gets} gets\n\n"
        + cost.a_month()
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--photo", default="china", choices=photos.available())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engine", action="store_true", help="and on a local engine")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source = photos.jpeg(arguments.photo, arguments.megapixels, Path(name))
        print(f"{arguments.photo}, {arguments.megapixels:g} MP JPEG\n")
        print(in_one_process(source, arguments.runs, Path(name)), flush=True)
        print(f"\n{priced(source, arguments.runs)}", flush=True)
        if arguments.engine:
            whole, functions, machine = on_engine.run(source, arguments.runs, PORT)
            print(
                f"\nlocal engine, warm: {whole:.2f} s from upload to result;"
                f" {functions:.2f} s with a function running, {machine:.2f} s the state machine's"
            )


if __name__ == "__main__":
    main()
