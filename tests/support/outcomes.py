"""What a processor makes of images, stage by stage: digests that another one's are held against.

    python -P outcomes.py read FOLDER
    python -P outcomes.py sample FOLDER
    python -P outcomes.py score FOLDER K ...
    python -P outcomes.py render FOLDER K ...

The interpreter is that of a built function, which has its own layers only. `read` decodes all
files in ``FOLDER/files``. Those in ``FOLDER/images`` go through the other stages: `sample` leaves a
summary of each, `score` fits so many colors to it, and `render` draws it in the palettes found.
Each stage leaves its outcomes, by file and step, in ``FOLDER/STAGE.json``.
"""

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from quantization.color import from_hex, to_hex
from quantization.options import Dither, Space
from quantization.service import lazy_imports  # noqa: F401 - before scikit-learn, as in ScoreK
from quantization.summary import Summary

MAX_PIXELS = 10**7
K_MIN, K_MAX, SAMPLE_SIZE = 8, 32, 2048

type Steps = Iterator[tuple[str, object]]


def digest(content: bytes | NDArray[Any]) -> str:
    """Return what stands for the bytes, or for the array with its shape and type."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return f"{content.dtype}{content.shape} {digest(content.tobytes())}"


def read(path: Path) -> Steps:
    """Decode a file, or tell of its refusal."""
    from quantization.decoding import open_image
    from quantization.errors import RefusedImage

    try:
        image = open_image(path, max_pixels=MAX_PIXELS)
        yield "format", image.format
        yield "header", [image.width, image.height, image.frames, image.dots_per_meter]
        yield "pixels", digest(image.pixels())
    except RefusedImage as refusal:
        yield "refusal", f"{type(refusal).__name__}: {refusal}"


def sample(path: Path) -> Steps:
    """Summarize an image, and leave the summary."""
    from quantization.decoding import open_image
    from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize

    image = open_image(path, max_pixels=MAX_PIXELS)
    summary, ks = summarize(
        image.strips(SUMMARY_STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=K_MIN,
        k_max=K_MAX,
        sample_size=SAMPLE_SIZE,
    )
    yield "window", ks
    arrays = summary.to_arrays()
    np.savez(_summary_of(path), allow_pickle=False, **arrays)
    yield from ((f"summary {name}", digest(array)) for name, array in arrays.items())


def score(path: Path, ks: list[int]) -> Steps:
    """Fit each of these K to an image, in both spaces."""
    from quantization.clustering import fit

    with np.load(_summary_of(path)) as arrays:
        summary = Summary.from_arrays(dict(arrays))
    for k in ks:
        for space in get_args(Space):
            fitted = fit(summary, min(k, len(summary.pooled.rgb)), space)
            yield f"palette {space} {k}", to_hex(fitted.palette)
            yield f"scores {space} {k}", fitted[1:]


def render(path: Path, palettes: dict[tuple[Space, int], list[str]]) -> Steps:
    """Draw an image in each of its palettes, in all ways, as a file of each format."""
    from quantization.decoding import open_image
    from quantization.encoding import ENCODERS
    from quantization.recolor import recolor
    from quantization.report.previews import Preview

    image = open_image(path, max_pixels=MAX_PIXELS)
    for (space, k), palette in palettes.items():
        for dither in get_args(Dither):
            preview = Preview(image)
            drawn = recolor(image, from_hex(palette), space=space, dither=dither, watch=preview.add)
            yield f"drawn {dither} {space} {k}", [digest(array) for array in drawn]
            for kind, encode in ENCODERS.items():
                encoded = encode(drawn.indices, drawn.entries, image.dots_per_meter)
                yield f"{kind} {dither} {space} {k}", digest(encoded)
    yield "preview", digest(preview.encode(10**6).data)


def _summary_of(path: Path) -> Path:
    return path.parents[1] / f"{path.name}.npz"


def _of_each(folder: Path, steps: Callable[[Path], Steps]) -> dict[str, dict[str, object]]:
    return {path.name: dict(steps(path)) for path in sorted(folder.iterdir())}


def _palettes(steps: dict[str, Any], ks: list[int]) -> dict[tuple[Space, int], list[str]]:
    pairs: Iterator[tuple[Space, int]] = itertools.product(get_args(Space), ks)
    return {(space, k): steps[f"palette {space} {k}"] for space, k in pairs}


def main(stage: str, folder: Path, ks: list[int]) -> None:
    """Run one stage for all images."""
    match stage:
        case "read":
            outcomes = _of_each(folder / "files", read)
        case "sample":
            outcomes = _of_each(folder / "images", sample)
        case "score":
            outcomes = _of_each(folder / "images", lambda path: score(path, ks))
        case "render":
            scored = json.loads((folder / "score.json").read_text())
            outcomes = _of_each(
                folder / "images",
                lambda path: render(path, _palettes(scored[path.name], ks)),
            )
        case unknown:
            raise ValueError(f"there is no stage {unknown}")
    (folder / f"{stage}.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), list(map(int, sys.argv[3:])))
