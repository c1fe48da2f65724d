"""Compare what arm64 and x86_64 make of the same files: the built functions, one of them emulated.

    python -m benchmarks.processors [--megapixels 0.05] [--ks 8 20 32] [--images china ...]

On an x86_64 machine with Debian's mirror in reach. Every file that the tests of decoding have is
read, and the images go through Sample, ScoreK and Render. Each row counts the outcomes of one kind
and how many are the same, byte for byte.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measure, photos
from emulator import engine
from tests.support import arm64, processors
from tests.support.corpus import corpus
from tests.support.sandbox import PYTHON

KINDS = {
    "format": "format, told by content",
    "header": "size, frames and resolution",
    "pixels": "decoded pixels",
    "refusal": "refusals, word by word",
    "window": "K to try",
    "summary": "arrays of the summary",
    "palette": "palettes",
    "scores": "silhouette, inertia, error and accent error, from which K is chosen",
    "drawn": "indices, palettes and shares of rendered images",
    "png": "PNG files",
    "webp": "WebP files, without loss",
    "preview": "the report's previews",
}
"""The first words of steps, and what they are."""


def outcomes(images: dict[str, bytes], ks: list[int]) -> dict[str, processors.Outcomes]:
    """Run all stages on both processors, at the same time."""
    engine.sync(engine.RUNTIME_ENVIRONMENT, "runtime")
    interpreters = {"arm64": arm64.interpreter(), "x86_64": [PYTHON]}
    with tempfile.TemporaryDirectory() as folder:
        return processors.run_on_all(
            interpreters,
            Path(folder),
            files=dict(corpus()),
            images=images,
            scored=ks,
            rendered=ks[:1],
        )


def pairs(found: dict[str, processors.Outcomes]) -> Iterator[tuple[str, object, object]]:
    """Yield each step's kind and its outcome on both processors; None where it has none."""
    one, other = found.values()
    for stage, files in one.items():
        for file, steps in files.items():
            there = other[stage][file]
            for step in steps | there:
                yield step.split()[0], steps.get(step), there.get(step)


def table(found: dict[str, processors.Outcomes]) -> str:
    """Return the rows of each kind."""
    compared, same = Counter[str](), Counter[str]()
    for kind, one, other in pairs(found):
        compared[kind] += 1
        same[kind] += one == other
    rows = [[name, compared[kind], same[kind]] for kind, name in KINDS.items()]
    return measure.table(["", "compared", "identical"], rows)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=0.05)
    parser.add_argument("--ks", type=int, nargs="+", default=[8, 20, 32])
    parser.add_argument("--images", nargs="+", default=sorted(photos.available()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [
            make(image, arguments.megapixels, folder)
            for image in arguments.images
            for make in (photos.jpeg, photos.png)
        ]
        images = {path.name: path.read_bytes() for path in made}
    print(table(outcomes(images, arguments.ks)))


if __name__ == "__main__":
    main()
