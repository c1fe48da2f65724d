"""Ten varied images, quantized by both criteria: what the gallery and the published pages show."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from quantization import quantize
from quantization.contract import Result
from quantization.options import Criterion

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

LONGEST_SIDE = 360
"""Pixels; the images are there to be looked at, and the project is not to grow by them."""


@dataclass(frozen=True)
class Exhibit:
    """One image, where it is from, and how to draw or read it: BGR(A) levels."""

    name: str
    origin: str
    load: Callable[[], cv2.typing.MatLike]


@dataclass(frozen=True)
class Shown:
    """An exhibit, its file, and what each criterion made of it.

    The picture of a criterion lies beside the file as ``NAME-CRITERION.png``, its report as
    ``NAME-CRITERION.html``.
    """

    exhibit: Exhibit
    file: Path
    results: dict[Criterion, Result]

    def picture(self, criterion: Criterion) -> Path:
        """Return where the picture of a criterion is."""
        return self.file.with_name(f"{self.exhibit.name}-{criterion}.png")

    def report(self, criterion: Criterion) -> Path:
        """Return where the report of a criterion is."""
        return self.picture(criterion).with_suffix(".html")


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


_SKLEARN = "sklearn/datasets/images"
_SKIMAGE = "skimage/data"
EXHIBITS = [
    Exhibit(
        "temple",
        "scikit-learn, china.jpg; danielbuechele, CC BY 2.0",
        _from("scikit-learn", f"{_SKLEARN}/china.jpg"),
    ),
    Exhibit(
        "flower",
        "scikit-learn, flower.jpg; vultilion, CC BY 2.0",
        _from("scikit-learn", f"{_SKLEARN}/flower.jpg"),
    ),
    *(
        Exhibit(name, f"scikit-image, {file}", _from("scikit-image", f"{_SKIMAGE}/{file}"))
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


def show(exhibit: Exhibit, folder: Path) -> Shown:
    """Write an exhibit, its pictures and its reports into a folder."""
    file = _write_original(exhibit, folder)
    shown = Shown(exhibit, file, {})
    for criterion in CRITERIA:
        quantized = quantize(file, criterion=criterion)
        shown.picture(criterion).write_bytes(quantized.file)
        shown.report(criterion).write_text(quantized.report())
        shown.results[criterion] = quantized.result
    return shown


def _write_original(exhibit: Exhibit, folder: Path) -> Path:
    image = exhibit.load()
    factor = LONGEST_SIDE / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    photo = exhibit.load is not flat_art and image.shape[2] == 3
    path = folder / f"{exhibit.name}.{'jpg' if photo else 'png'}"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90] if photo else [])
    return path


def error_of(result: Result) -> float | None:
    """Return the mean error of the palette that was chosen."""
    (error,) = (score.error for score in result.scores if score.k == result.k)
    return error


def kilobytes(path: Path) -> str:
    """Return the size of a file as one says it."""
    size = path.stat().st_size / 1000
    return f"{size:.1f} kB" if size < 10 else f"{size:.0f} kB"
