"""Real images that packages ship, found where they are installed; none is kept here.

- scikit-learn: china and flower, CC BY 2.0, see its ``datasets/images/README.txt``.
- scikit-image: public domain, CC0 or free of known rights, each as its ``skimage/data/README.txt``
  and docstrings say.
- Debian's gnome-backgrounds (``apt-get install gnome-backgrounds``): CC BY-SA 3.0, Jakub Steiner
  and others, as ``/usr/share/doc/gnome-backgrounds/copyright`` says.
"""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUNDS = Path("/usr/share/backgrounds/gnome")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MEGAPIXELS = 1.0

_PHOTOS = {
    "sklearn.datasets.images": ["china.jpg", "flower.jpg"],
    "skimage.data": [
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
        "motorcycle_left.png",
        "hubble_deep_field.jpg",
        "retina.jpg",
        "ihc.png",
        "camera.png",
        "moon.png",
        "coins.png",
        "brick.png",
        "grass.png",
        "gravel.png",
    ],
}


def photos() -> list[Path]:
    """Find the photos that scikit-learn and scikit-image ship, in color and in gray."""
    return [
        Path(str(files(package) / name)) for package, names in _PHOTOS.items() for name in names
    ]


def illustrations(folder: Path = BACKGROUNDS) -> list[Path]:
    """Find gnome-backgrounds' images: drawn, rendered and photographed."""
    return images_in(folder) if folder.exists() else []


def images_in(folder: Path) -> list[Path]:
    """Find all images in a folder and below it."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def read(path: Path) -> NDArray[np.uint8]:
    """Read an image, reduced to a megapixel if it is larger: RGB, uint8 (height, width, 3)."""
    image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))
    factor = (MEGAPIXELS * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5
    if factor < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        )
    return np.ascontiguousarray(image, dtype=np.uint8)
