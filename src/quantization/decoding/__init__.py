"""Decoding, the same for Sample and Render.

Pixels are sRGB levels of 8 bits, channels in the order R, G, B and, where there is transparency, A
(not premultiplied). They come in strips of rows, so that an image need not fit into memory.
"""

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from quantization.decoding.png import check_chunks
from quantization.decoding.signatures import HEAD, image_format
from quantization.decoding.srgb import has_foreign_profile, to_srgb
from quantization.errors import ImageTooLarge, UnsupportedImage

STRIP_PIXELS = 2**17
"""Pixels of a strip, where its user does not say."""

OPENCV_PIXELS = 2**24
"""Larger images go through libvips: OpenCV holds all pixels at once, libvips a few rows."""

_LOADERS = {
    "jpeg": "jpegload",
    "png": "pngload",
    "webp": "webpload",
    "gif": "gifload",
    "tiff": "tiffload",
    "avif": "heifload",
}
# libheif holds some 18 bytes a pixel of an AVIF, three times as much as any other decoder
# (`benchmarks.memory_sizes`): it may have half the pixels.
_PIXELS_COUNT = {"avif": 2}

_BY_OPENCV = {"jpeg", "png", "webp", "bmp"}

# What libvips reports, in dots per meter, of a file that states no resolution.
_UNSTATED = {1000, 2834, 2835}

_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], cv2.typing.MatLike]] = {
    1: lambda plane: plane,
    2: lambda plane: cv2.flip(plane, 1),
    3: lambda plane: cv2.rotate(plane, cv2.ROTATE_180),
    4: lambda plane: cv2.flip(plane, 0),
    5: cv2.transpose,
    6: lambda plane: cv2.rotate(plane, cv2.ROTATE_90_CLOCKWISE),
    7: lambda plane: cv2.rotate(cv2.transpose(plane), cv2.ROTATE_180),
    8: lambda plane: cv2.rotate(plane, cv2.ROTATE_90_COUNTERCLOCKWISE),
}

# libvips remembers what it read from a path, even when the path has another file by now.
pyvips.cache_set_max(0)


@dataclass(frozen=True)
class Image:
    """An image whose header has been read. Its pixels are decoded when `strips` asks for them.

    Attributes
    ----------
    path : Path
    format : str
        "jpeg", "png", "webp", "gif", "tiff", "avif" or "bmp".
    width, height : int
        Size in pixels, upright.
    orientation : int
        How the stored rows lie, 1..8 (Exif 2.32, tag 0x112).
    frames : int
        Frames of an animation, or pages; the first one is decoded.
    dots_per_meter : (int, int) or None
        Horizontal and vertical resolution, upright; None where none is stated.
    has_alpha : bool
        Whether strips have four channels.
    decoder : str
        "opencv", or "libvips" for what OpenCV does not render right: transparency, 16 bits, other
        profiles than sRGB, CMYK, AVIF's orientation, and images too large to hold whole.
    """

    path: Path
    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    dots_per_meter: tuple[int, int] | None = None
    has_alpha: bool = False
    decoder: Literal["opencv", "libvips"] = "opencv"

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Rows and columns of all strips together."""
        turned = self.orientation >= 5
        return (self.width, self.height) if turned else (self.height, self.width)

    def strips(self, strip_pixels: int = STRIP_PIXELS) -> Iterator[NDArray[np.uint8]]:
        """Decode, and yield the stored rows in their order, which `upright` makes the displayed.

        Parameters
        ----------
        strip_pixels : int
            A strip is as many whole rows as fit into this many pixels, at least one.

        Yields
        ------
        strip : uint8 array of shape (rows, columns, 3 or 4)
            Levels in the order R, G, B, A; read-only.

        Raises
        ------
        UnsupportedImage
            If the file is damaged.
        """
        rows, columns = self.stored_shape
        bounds = [*range(0, rows, max(1, strip_pixels // columns)), rows]
        decoded = self._by_opencv if self.decoder == "opencv" else self._by_libvips
        return decoded(itertools.pairwise(bounds))

    def upright(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an array of shape (stored rows, stored columns, ...) to how it is displayed."""
        return np.asarray(_UPRIGHT[self.orientation](plane), dtype=np.uint8)

    def pixels(self) -> NDArray[np.uint8]:
        """Decode into one upright array, uint8 of shape (height, width, 3 or 4)."""
        return self.upright(np.concatenate(list(self.strips())))

    def _by_opencv(self, bounds: Iterator[tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
        # Not imread: of a JPEG file that is cut off it returns what there is, without a word.
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.fromfile(self.path, dtype=np.uint8), flags)
        if pixels is None:
            raise UnsupportedImage(f"the {self.format} file is damaged or cut off")
        for start, stop in bounds:
            yield np.asarray(pixels[start:stop], dtype=np.uint8)

    def _by_libvips(self, bounds: Iterator[tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
        try:
            image = to_srgb(_load(self.path, self.format), self.format)
            width, bands = image.width, image.bands
            region = pyvips.Region.new(image)

            def fetched(top: int, bottom: int) -> NDArray[np.uint8]:
                levels = np.frombuffer(region.fetch(0, top, width, bottom - top), dtype=np.uint8)
                return levels.reshape(bottom - top, width, bands)

            # libvips holds what it fetches once for each step of the conversion, some of them as
            # floating point: little at a time.
            rows = max(1, STRIP_PIXELS // width)
            for start, stop in bounds:
                if stop - start <= rows:
                    yield fetched(start, stop)
                    continue
                strip = np.empty((stop - start, width, bands), dtype=np.uint8)
                for top in range(start, stop, rows):
                    bottom = min(top + rows, stop)
                    strip[top - start : bottom - start] = fetched(top, bottom)
                yield strip
        except pyvips.Error as error:
            raise _damaged(self.format, error) from error


def open_image(path: Path, *, max_pixels: int) -> Image:
    """Read the header of an image file, told by its content and not by its name.

    Parameters
    ----------
    path : Path
        A JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP file.
    max_pixels : int
        The most pixels that may be decoded; of an AVIF half as many.

    Raises
    ------
    UnsupportedImage
        If it is none of these, or damaged.
    ImageTooLarge
        If it has more pixels. It is not decoded to find out.
    EmptyImage
        If there are no bytes at all.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    kind = image_format(head)
    if kind == "png":
        check_chunks(path)
    image = _read_bmp_header(path, head) if kind == "bmp" else _read_header(path, kind)
    limit = max_pixels // _PIXELS_COUNT.get(kind, 1)
    if image.width * image.height > limit:
        raise ImageTooLarge(
            f"{image.width} x {image.height} pixels are over the limit of {limit / 1e6:g} million "
            f"for {kind}; upload a smaller image"
        )
    return image


def _read_bmp_header(path: Path, head: bytes) -> Image:
    if len(head) < 54:
        raise UnsupportedImage("the bmp file is cut off in its header")
    (header_size,) = struct.unpack_from("<I", head, 14)
    if header_size == 12:  # OS/2's short header
        width, height = struct.unpack_from("<HH", head, 18)
        dots = (0, 0)
    else:
        width, height = struct.unpack_from("<ii", head, 18)
        dots = struct.unpack_from("<ii", head, 38)
    if width <= 0 or height == 0:
        raise UnsupportedImage(f"the bmp file is damaged: it claims {width} x {height} pixels")
    # A negative height means that the rows run from top to bottom.
    return Image(path, "bmp", width, abs(height), dots_per_meter=dots if min(dots) > 0 else None)


def _read_header(path: Path, kind: str) -> Image:
    try:
        stored = _load(path, kind)
        ordinary = kind in _BY_OPENCV and _is_ordinary(stored)
    except pyvips.Error as error:
        raise _damaged(kind, error) from error
    fields = stored.get_fields()
    orientation = stored.get("orientation") if "orientation" in fields else 1
    if orientation not in _UPRIGHT:
        orientation = 1
    width, height = stored.width, stored.height
    dots = (round(stored.xres * 1000), round(stored.yres * 1000))
    if orientation >= 5:
        width, height, dots = height, width, dots[::-1]
    return Image(
        path=path,
        format=kind,
        width=width,
        height=height,
        orientation=orientation,
        frames=stored.get("n-pages") if "n-pages" in fields else 1,
        dots_per_meter=None if set(dots) <= _UNSTATED else dots,
        has_alpha=bool(stored.hasalpha()),
        decoder="opencv" if ordinary and width * height <= OPENCV_PIXELS else "libvips",
    )


def _load(path: Path, kind: str) -> pyvips.Image:
    """Open a file with the loader of its kind; rows can be read once, from first to last."""
    load = getattr(pyvips.Image, _LOADERS[kind])
    return load(str(path), access="sequential", fail_on="error")


def _is_ordinary(image: pyvips.Image) -> bool:
    """Whether the levels are opaque 8-bit sRGB or gray as they are."""
    return (
        image.format == "uchar"
        and image.interpretation in ("srgb", "b-w")
        and not image.hasalpha()
        and not has_foreign_profile(image)
    )


def _damaged(kind: str, error: pyvips.Error) -> UnsupportedImage | MemoryError:
    cause = error.detail.strip().splitlines() or [error.message]
    if "out of memory" in error.detail:
        return MemoryError(cause[0])
    return UnsupportedImage(f"the {kind} file is damaged or cut off: {cause[0]}")
