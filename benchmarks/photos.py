"""Photos of any size, made from the ones that scikit-learn and Debian's gnome-backgrounds ship."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUNDS = Path("/usr/share/backgrounds/gnome")
QUALITY = 92
"""Of the JPEG files, as cameras have it."""


def available() -> dict[str, Path]:
    """Find the photos by name; gnome-backgrounds' only where it is installed."""
    shipped = Path(str(files("sklearn.datasets.images")))
    photos = {name: shipped / f"{name}.jpg" for name in ("china", "flower")}
    for name in ("wood-l", "pixels-l", "adwaita-l", "licorice-l"):
        path = BACKGROUNDS / f"{name}.webp"
        if path.exists():
            photos[name] = path
    return photos


def scaled(path: Path, megapixels: float) -> NDArray[np.uint8]:
    """Read a photo and scale it to a size, keeping its shape: BGR, uint8 (height, width, 3)."""
    photo = cv2.imread(str(path))
    factor = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
    size = round(photo.shape[1] * factor), round(photo.shape[0] * factor)
    method = cv2.INTER_LANCZOS4 if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(photo, size, interpolation=method), dtype=np.uint8)


def jpeg(name: str, megapixels: float, folder: Path) -> Path:
    """Make a JPEG file of a photo at a size."""
    path = folder / f"{name}-{megapixels:g}.jpg"
    image = scaled(available()[name], megapixels)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return path


def png(name: str, megapixels: float, folder: Path) -> Path:
    """Make a PNG file of a photo at a size, opaque on the left and ever clearer to the right."""
    path = folder / f"{name}-{megapixels:g}-alpha.png"
    image = scaled(available()[name], megapixels)
    opacity = np.linspace(400, 0, image.shape[1]).clip(0, 255).astype(np.uint8)
    rgba = np.empty((*image.shape[:2], 4), dtype=np.uint8)
    rgba[:, :, :3] = image
    rgba[:, :, 3] = opacity
    cv2.imwrite(str(path), rgba, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return path
