"""Make docs/gallery, ten varied images by both criteria on the local engine, and README's pictures.

python -m tools.gallery
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import cv2
import numpy as np

from emulator import engine
from emulator.deploy import deploy
from quantization.contract import Result
from quantization.options import Criterion
from quantization.report.charts import curves
from quantization_client.finding import sample_image
from quantization_client.jobs import Job
from quantization_client.run import Run
from quantization_client.stack import Stack, find_stack
from tools.hero import Row, hero

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

FOLDER = engine.ROOT / "docs/gallery"
README_PICTURES = engine.ROOT / "docs/images"

LONGEST_SIDE = 360
"""Pixels; the images are there to be looked at, and the project is not to grow by them."""

_SHOWN = 260
"""Pixels of width, so that three columns fit beside each other."""

HEADER = """\
# Gallery

`make gallery` made this page on the local engine. Each result links to its report: download the
file and open it. Images are at most {side} pixels wide or high.

| original | silhouette | guarded |
|---|---|---|
"""


@dataclass(frozen=True)
class Exhibit:
    """One image, where it is from, and how to draw or read it: BGR(A) levels."""

    name: str
    origin: str
    load: Callable[[], cv2.typing.MatLike]


def _from(package: str, path: str) -> Callable[[], cv2.typing.MatLike]:
    """Return how to read an image that an installed package ships."""

    def read() -> cv2.typing.MatLike:
        file = distribution(package).locate_file(path)
        image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise FileNotFoundError(file)
        return image

    return read


def flat_art() -> cv2.typing.MatLike:
    """Draw a landscape in twelve flat colors."""
    picture = np.full((240, 360, 3), (235, 206, 135), np.uint8)
    cv2.circle(picture, (290, 55), 32, (90, 220, 255), -1)
    hills = [((90, 330), 190, (140, 190, 140)), ((280, 340), 180, (100, 160, 90))]
    for center, radius, color in hills:
        cv2.circle(picture, center, radius, color, -1)
    cv2.rectangle(picture, (0, 200), (359, 239), (60, 110, 60), -1)
    walls = [(60, (200, 220, 245)), (140, (130, 160, 235)), (220, (245, 230, 210))]
    roofs = [(45, 60, 170), (70, 50, 40), (120, 80, 150)]
    for (left, wall), roof in zip(walls, roofs, strict=True):
        cv2.rectangle(picture, (left, 140), (left + 55, 215), wall, -1)
        gable = np.array([[left - 8, 140], [left + 27, 105], [left + 63, 140]], np.int32)
        cv2.fillPoly(picture, [gable], roof)
        cv2.rectangle(picture, (left + 20, 180), (left + 36, 215), (30, 45, 70), -1)
    return picture


SKLEARN = "sklearn/datasets/images"
SKIMAGE = "skimage/data"
EXHIBITS = [
    Exhibit(
        "temple",
        "scikit-learn, china.jpg<br>danielbuechele, CC BY 2.0",
        _from("scikit-learn", f"{SKLEARN}/china.jpg"),
    ),
    Exhibit(
        "flower",
        "scikit-learn, flower.jpg<br>vultilion, CC BY 2.0",
        _from("scikit-learn", f"{SKLEARN}/flower.jpg"),
    ),
    *(
        Exhibit(name, f"scikit-image, {file}", _from("scikit-image", f"{SKIMAGE}/{file}"))
        for name, file in {
            "astronaut": "astronaut.png",
            "cat": "chelsea.png",
            "coffee": "coffee.png",
            "galaxies": "hubble_deep_field.jpg",
            "launch": "rocket.jpg",
            "tissue": "ihc.png",
            "logo": "logo.png",
        }.items()
    ),
    Exhibit("houses", "drawn in twelve flat colors", flat_art),
]


def main() -> int:
    """Run the command line."""
    stack = find_stack(engine.STACK_NAME, deploy(engine.default_port()))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    jobs = [_write_original(exhibit) for exhibit in EXHIBITS]
    results = {criterion: _quantize(stack, jobs, criterion, FOLDER) for criterion in CRITERIA}
    rows = [
        _row(exhibit, job, [results[criterion][job] for criterion in CRITERIA])
        for exhibit, job in zip(EXHIBITS, jobs, strict=True)
    ]
    page = HEADER.format(side=LONGEST_SIDE) + "".join(rows)
    (FOLDER / "README.md").write_text(page)
    houses = jobs[-1]
    art = Row(houses.path, FOLDER / "houses-silhouette.png", results["silhouette"][houses])
    _illustrate_readme(stack, art)
    return 0


def _illustrate_readme(stack: Stack, art: Row) -> None:
    """Put the sample photo, its image by each criterion, curves and hero into docs/images."""
    job = Job(README_PICTURES / "photo.jpg", Path("photo.jpg"))
    shutil.copyfile(sample_image(), job.path)
    results = {
        criterion: _quantize(stack, [job], criterion, README_PICTURES, files=["image"])[job]
        for criterion in CRITERIA
    }
    (README_PICTURES / "photo-curves.svg").write_text(curves(results["guarded"]))
    photo = Row(job.path, README_PICTURES / "photo-guarded.png", results["guarded"])
    hero([photo, art]).save(README_PICTURES / "hero.png", optimize=True)


def _write_original(exhibit: Exhibit) -> Job:
    image = exhibit.load()
    factor = LONGEST_SIDE / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    photo = exhibit.load is not flat_art and image.shape[2] == 3
    path = FOLDER / f"{exhibit.name}.{'jpg' if photo else 'png'}"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90] if photo else [])
    return Job(path, Path(path.name))


def _quantize(
    stack: Stack,
    jobs: list[Job],
    criterion: str,
    folder: Path,
    files: Sequence[str] = ("image", "report"),
) -> dict[Job, Result]:
    """Quantize all; leave these files of each in the folder, named after the criterion."""
    done = {}
    with TemporaryDirectory() as out:
        run = Run(stack, Path(out), {"criterion": criterion}, lambda job, progress: None)
        for outcome in run.outcomes(jobs):
            if outcome.result is None:
                raise RuntimeError(f"{outcome.job.path}: {outcome.error}")
            for file in (outcome.files[what] for what in files):
                shutil.copy(file, folder / f"{outcome.job.stem}-{criterion}{file.suffix}")
            done[outcome.job] = outcome.result
            print(f"{outcome.job.name}, {criterion}", file=sys.stderr)
    return done


def _row(exhibit: Exhibit, job: Job, results: list[Result]) -> str:
    cells = [f"{_picture(exhibit.name, job.path)} {exhibit.origin}<br>{_kilobytes(job.path)}"]
    for result in results:
        stem = f"{exhibit.name}-{result.options.criterion}"
        (error,) = (score.error for score in result.scores if score.k == result.k)
        cells.append(
            _picture(f"{exhibit.name} in {result.k} colors", FOLDER / f"{stem}.png")
            + f" [{result.k} colors]({stem}.html), error {error:.2f}, "
            + _kilobytes(FOLDER / f"{stem}.png")
        )
    return f"| {' | '.join(cells)} |\n"


def _picture(name: str, path: Path) -> str:
    return f'<img src="{path.name}" alt="{name}" width="{_SHOWN}"><br>'


def _kilobytes(path: Path) -> str:
    return f"{path.stat().st_size / 1000:.0f} kB"


if __name__ == "__main__":
    sys.exit(main())
