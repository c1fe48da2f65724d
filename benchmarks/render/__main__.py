"""Render one palette file to file, each way in a process of its own.

python -m benchmarks.render [--megapixels 2 12 24 50 100] [--photos china] [--k 32] [--runs 5]
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import photos
from benchmarks.measure import ROOT, Command, in_turns, median, output_of, ratio, table

HERE = ROOT / "benchmarks" / "render"


def palette_of(path: Path, k: int) -> NDArray[np.uint8]:
    """Cluster some pixels; any palette of the image's own colors would do."""
    pixels = photos.decoded(path)[:, :, ::-1].reshape(-1, 3)
    some = pixels[np.random.default_rng(0).choice(len(pixels), 2000)].astype(np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 0.1)
    starts = np.zeros((len(some), 1), dtype=np.int32)
    _, _, centers = cv2.kmeans(some, k, starts, criteria, 3, cv2.KMEANS_PP_CENTERS)
    return np.rint(np.asarray(centers)).astype(np.uint8)


def same_pixels(first: Path, second: Path) -> bool:
    """Whether two image files show the same."""
    Image.MAX_IMAGE_PIXELS = None
    shown = [np.asarray(Image.open(path).convert("RGB")) for path in (first, second)]
    return bool((shown[0] == shown[1]).all())


def compare(source: Path, k: int, runs: int, folder: Path) -> list[str]:
    """Render one image in every way and describe what it took."""
    palette, ours, seeds = folder / "palette.npy", folder / "ours.png", folder / "seed.png"
    np.save(palette, palette_of(source, k))
    taken = in_turns(
        {
            "seed": ["python", "-m", "benchmarks.baseline", source, seeds, palette],
            "ours": ["python", HERE / "render_file.py", source, ours, palette],
            "decode": ["python", HERE / "decode_file.py", source],
        },
        runs,
    )
    identical = same_pixels(ours, seeds) if source.suffix == ".jpg" else "not compared"
    return [
        f"{median(taken['ours'], 'cpu'):.2f}",
        f"{median(taken['seed'], 'cpu'):.2f}",
        f"{median(taken['decode'], 'cpu'):.2f}",
        f"{ratio(taken['ours'], taken['seed']):.3f}",
        f"{ratio(taken['ours'], taken['decode']):.2f}",
        f"{ratio(taken['ours'], taken['seed'], 'wall'):.3f}",
        *(f"{median(taken[name], 'peak'):.0f}" for name in ("ours", "seed", "decode")),
        f"{ours.stat().st_size / 1e3:.0f}",
        f"{seeds.stat().st_size / 1e3:.0f}",
        str(identical),
    ]


def main() -> None:
    """Compare at every size asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[2, 12, 24, 50, 100])
    parser.add_argument("--photos", nargs="+", default=["china"], choices=photos.available())
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()

    header = [f"K = {arguments.k}", "CPU s", "seed", "decode", "CPU / seed", "CPU / decode"]
    header += ["wall / seed", "peak MB", "seed", "decode", "kB", "seed", "same pixels"]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for photo in arguments.photos:
            for megapixels in arguments.megapixels:
                for make in (photos.jpeg, photos.png):
                    source = make(photo, megapixels, folder)
                    label = f"{photo} {megapixels:g} MP {source.suffix[1:]}"
                    label += " with alpha" if make is photos.png else ""
                    rows.append([label, *compare(source, arguments.k, arguments.runs, folder)])
                    print(table(header, rows[-1:]), flush=True)
        print(f"\n{table(header, rows)}")
        for photo in arguments.photos:
            source = photos.jpeg(
                photo, min(arguments.megapixels, key=lambda mp: abs(mp - 12)), folder
            )
            palette = folder / "palette.npy"
            np.save(palette, palette_of(source, arguments.k))
            mapping: Command = [
                "python",
                HERE / "map_pixels.py",
                source,
                palette,
                str(arguments.runs),
            ]
            print(f"\n{photo}\n\n{output_of(mapping)}")


if __name__ == "__main__":
    main()
