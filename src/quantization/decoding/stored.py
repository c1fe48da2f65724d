"""What a format's module says of a file, and what libvips decodes of it."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding.srgb import to_srgb
from quantization.errors import UnsupportedImage

_FETCHED_PIXELS = 2**14
"""Pixels that libvips decodes at a time: it holds them once for each step of the conversion, some
as floating point, and they should stay in the processor's cache."""

ORIENTATIONS = range(1, 9)
"""Exif 2.32, tag 0x112."""

Rows: TypeAlias = Callable[[int, int], NDArray[np.uint8]]
"""Decodes the stored rows from one up to another; they are asked for once and in order."""

# What libvips reports, in dots per meter, of a file that states no resolution.
_UNSTATED = {1000, 2834, 2835}

_HIGHEST_RESOLUTION = 2**31 - 1
"""Dots per meter that a PNG has room for."""

# libvips remembers what it read from a path, even when the path has another file by now.
pyvips.cache_set_max(0)

# pyvips passes libvips' warnings on to Python. While it does so Python may look for garbage, an
# image among it may warn as it is closed, and GLib ends a process in which a warning leads to
# another. `quantization` silences them.
pyvips._remove_log_handler()


class Stored(NamedTuple):
    """A file whose header has been read.

    Attributes
    ----------
    width, height : int
        Size in pixels as stored, before the orientation is applied.
    has_alpha : bool
        Whether the rows have four channels.
    decode : callable
        Start decoding: returns `Rows`, uint8 arrays of shape (rows, width, 3 or 4).
    orientation : int
        How the stored rows lie, 1..8 (Exif 2.32, tag 0x112).
    frames : int
        Frames of an animation, or pages; the first one is decoded.
    dots_per_meter : (int, int) or None
        Horizontal and vertical resolution as stored; see `resolution`.
    decoded_pixels : int
        Pixels that a decoder holds, where they may be more than those that are shown.
    """

    width: int
    height: int
    has_alpha: bool
    decode: Callable[[], Rows]
    orientation: int = 1
    frames: int = 1
    dots_per_meter: tuple[int, int] | None = None
    decoded_pixels: int = 0


def mapped(path: Path) -> mmap.mmap:
    """Map a file into memory. What is written to the map stays there, the file is not changed."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def damaged(what: str) -> UnsupportedImage:
    """Return the refusal of a file that lacks something, or contradicts itself."""
    return UnsupportedImage(f"the file is damaged or cut off: {what}; upload an intact copy")


def load(loader: str, source: Path | bytes | mmap.mmap, fail_on: str = "error") -> pyvips.Image:
    """Open a file, or bytes, with one of libvips' loaders; rows can be read once and in order."""
    if isinstance(source, Path):
        # As bytes, for a name need not be UTF-8.
        name = os.fsencode(source)
        image = getattr(pyvips.Image, loader)(name, access="sequential", fail_on=fail_on)
    else:
        image = pyvips.Image.new_from_source(
            pyvips.Source.new_from_memory(source), "", access="sequential", fail_on=fail_on
        )
    return image


def by_libvips(
    image: pyvips.Image, reopen: Callable[[], pyvips.Image], *, frames: int | None = None
) -> Stored:
    """Describe an image that libvips decodes.

    Parameters
    ----------
    image : pyvips.Image
        It, with its header read.
    reopen : callable
        Opens it for decoding.
    frames : int, optional
        Where libvips has not counted them.
    """
    orientation = field(image, "orientation", 1)
    dots = (round(image.xres * 1000), round(image.yres * 1000))
    return Stored(
        width=image.width,
        height=image.height,
        has_alpha=bool(image.hasalpha()),
        decode=lambda: rows_of(reopen()),
        orientation=orientation if orientation in ORIENTATIONS else 1,
        frames=frames or field(image, "n-pages", 1),
        dots_per_meter=None if set(dots) <= _UNSTATED else resolution(*dots),
    )


def resolution(across: int, down: int) -> tuple[int, int] | None:
    """Return so many dots per meter, or None where that is none, or more than a PNG can state."""
    possible = min(across, down) > 0 and max(across, down) <= _HIGHEST_RESOLUTION
    return (across, down) if possible else None


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Return the image with another orientation in its metadata."""
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image


def field(image: pyvips.Image, name: str, default: int) -> int:
    """Return one number of an image's metadata."""
    # Not by listing all fields: of a PNG their names contain its texts', which may be in Latin-1.
    return image.get(name) if image.get_typeof(name) else default


def rows_of(image: pyvips.Image) -> Rows:
    """Return what decodes rows of an image and converts them to sRGB."""
    image = to_srgb(image)
    width, bands = image.width, image.bands
    region = pyvips.Region.new(image)
    most = max(1, _FETCHED_PIXELS // width)

    def fetched(top: int, bottom: int) -> NDArray[np.uint8]:
        # This reference to `image` keeps it and its source bytes alive as long as rows are read.
        levels = np.frombuffer(region.fetch(0, top, image.width, bottom - top), dtype=np.uint8)
        return levels.reshape(bottom - top, width, bands)

    def rows(top: int, bottom: int) -> NDArray[np.uint8]:
        if bottom - top <= most:
            return fetched(top, bottom)
        strip = np.empty((bottom - top, width, bands), dtype=np.uint8)
        for start in range(top, bottom, most):
            stop = min(start + most, bottom)
            strip[start - top : stop - top] = fetched(start, stop)
        return strip

    return rows
