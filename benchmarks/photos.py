"""Photos and illustrations of any size, made from those that packages ship; none is kept here.

- scikit-learn: china and flower, CC BY 2.0, see its ``datasets/images/README.txt``.
- scikit-image: public domain, CC0 or free of known rights, each as its ``skimage/data/README.txt``
  and docstrings say.
- Debian's gnome-backgrounds, mate-backgrounds, plasma-workspace-wallpapers, lomiri-wallpapers-16.04
  and -20.04, and ukui-wallpapers: CC BY-SA and others, as their ``/usr/share/doc/*/copyright`` say.

Rules and constants are chosen on `tuned_on`, with a look at `checked_on`. `held_out`, of which
nothing was known by then, says what they are worth.
"""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_LEARN = Path(str(files("sklearn.datasets.images")))
_SCIKIT = Path(str(files("skimage.data")))
_GNOME = Path("/usr/share/backgrounds/gnome")
_MATE = Path("/usr/share/backgrounds/mate")
_PLASMA = Path("/usr/share/wallpapers")
_LOMIRI_AND_UKUI = Path("/usr/share/backgrounds")

QUALITY = 92
"""Of the JPEG files, as cameras have it."""

_TUNED_ON = [
    *(_LEARN / f"{name}.jpg" for name in ("china", "flower")),
    *(_SCIKIT / name for name in ("astronaut.png", "chelsea.png", "rocket.jpg")),
    *(_GNOME / f"{name}.webp" for name in ("adwaita-l", "licorice-l")),
    *(_PLASMA / name for name in ("Canopee", "EveningGlow", "Kite", "PastelHills", "summer_1am")),
]
_CHECKED_ON = [
    *(_SCIKIT / name for name in ("coffee.png", "motorcycle_left.png", "hubble_deep_field.jpg")),
    *(_MATE / "nature" / f"{name}.jpg" for name in ("LadyBird", "Storm", "YellowFlower")),
    *(_PLASMA / name for name in ("Altai", "Autumn", "BytheWater", "ColorfulCups", "FallenLeaf")),
    *(_PLASMA / name for name in ("IceCold", "Path", "SafeLanding", "Volna")),
]
_HELD_OUT = [
    *sorted(_LOMIRI_AND_UKUI.glob("*_by_*.jpg")),
    *(_LOMIRI_AND_UKUI / f"{name}.jpg" for name in ("2004default", "firstgeneration", "rhythm")),
    *(_LOMIRI_AND_UKUI / f"{name}.jpg" for name in ("string", "the-mouse")),
    *(_LOMIRI_AND_UKUI / f"{name}.png" for name in ("calla", "city", "desert", "fluent-color")),
    *(_LOMIRI_AND_UKUI / f"{name}.png" for name in ("focal-ubuntukylin", "goldfish", "rollpaper")),
]


def available() -> dict[str, Path]:
    """Find all of them by name; those of Debian's packages only where they are installed."""
    return tuned_on() | checked_on() | held_out()


def tuned_on() -> dict[str, Path]:
    """Find the images that rules may be tuned on, by name."""
    return _installed(_TUNED_ON)


def checked_on() -> dict[str, Path]:
    """Find the images that were looked at while rules were tuned, by name."""
    return _installed(_CHECKED_ON)


def held_out() -> dict[str, Path]:
    """Find the images that nothing was tuned on, by name."""
    return _installed(_HELD_OUT)


def _installed(images: list[Path]) -> dict[str, Path]:
    found = {}
    for image in images:
        # A wallpaper of Plasma is a folder of one picture in several sizes.
        sizes = image.glob("contents/images/*") if image.is_dir() else [image]
        if existing := [path for path in sizes if path.exists()]:
            found[image.stem] = max(existing, key=lambda path: path.stat().st_size)
    return found


def decoded(path: Path) -> NDArray[np.uint8]:
    """Read a photo: BGR, uint8 (height, width, 3)."""
    photo = cv2.imread(str(path))
    if photo is None:
        raise FileNotFoundError(f"OpenCV reads no image from {path}")
    return np.asarray(photo, dtype=np.uint8)


def scaled(path: Path, megapixels: float) -> NDArray[np.uint8]:
    """Read a photo and scale it to a size, keeping its shape: BGR, uint8 (height, width, 3)."""
    photo = decoded(path)
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
