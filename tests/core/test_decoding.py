"""Decoding, against Pillow and LittleCMS."""

import io
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from quantization.decoding import Image, open_image, stored
from quantization.errors import EmptyImage, ImageTooLarge, UnsupportedImage
from tests.support.fixtures import PngMaker

ORIENTATION = 0x112
WIDTH, HEIGHT = 90, 70


@pytest.fixture(scope="module")
def picture(photo: Path) -> Pillow.Image:
    """Return a photo's detail: edges, flat sky and saturated colors."""
    with Pillow.open(photo) as whole:
        return whole.crop((100, 60, 100 + WIDTH, 60 + HEIGHT))


@pytest.fixture(scope="module")
def translucent(picture: Pillow.Image) -> Pillow.Image:
    """Return the same with every opacity from 0 to 255."""
    opacity = np.linspace(0, 255, WIDTH * HEIGHT).round().astype(np.uint8).reshape(HEIGHT, WIDTH)
    picture = picture.copy()
    picture.putalpha(Pillow.fromarray(opacity))
    return picture


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Save a Pillow image; return its path, whose name says nothing of the format."""

    def save(image: Pillow.Image, kind: str, **options: Any) -> Path:
        path = tmp_path / "upload"
        image.save(path, kind, **options)
        return path

    return save


def decode(path: Path, max_pixels: int = 10**6) -> tuple[Image, NDArray[np.uint8]]:
    image = open_image(path, max_pixels=max_pixels)
    pixels = image.pixels()
    assert pixels.shape == (image.height, image.width, 4 if image.has_alpha else 3)
    return image, pixels


def independently(path: Path, mode: str = "RGB") -> NDArray[np.uint8]:
    with Pillow.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def furthest(actual: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    """Return the largest difference of any level."""
    assert actual.shape == expected.shape
    return int(np.abs(actual.astype(int) - expected).max())


OPAQUE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg-progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg-444": ("JPEG", "RGB", {"subsampling": 0}),
    "jpeg-gray": ("JPEG", "L", {}),
    "jpeg-two-pictures": ("MPO", "RGB", {"save_all": True}),
    "png": ("PNG", "RGB", {}),
    "png-gray": ("PNG", "L", {}),
    "png-palette": ("PNG", "P", {}),
    "png-bilevel": ("PNG", "1", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp-lossless": ("WEBP", "RGB", {"lossless": True}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff-lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff-jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff-gray": ("TIFF", "L", {}),
    "tiff-palette": ("TIFF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "bmp-palette": ("BMP", "P", {}),
}
TRANSPARENT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png-alpha": ("PNG", "RGBA", {}),
    "png-gray-alpha": ("PNG", "LA", {}),
    "webp-alpha": ("WEBP", "RGBA", {"lossless": True, "exact": True}),
    "tiff-alpha": ("TIFF", "RGBA", {}),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_opaque_formats_decode_as_elsewhere(
    name: str, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    kind, mode, options = OPAQUE[name]
    path = save(picture.convert(mode), kind, **options)

    image, pixels = decode(path)

    assert (image.format, image.frames) == (name.split("-")[0], 1)
    assert furthest(pixels, independently(path)) <= 1


@pytest.mark.parametrize(
    ("save", "options"),
    [
        ("pngsave", {"interlace": True}),
        ("tiffsave", {"tile": True, "tile_width": 32, "tile_height": 16}),
        ("tiffsave", {"bigtiff": True}),
        ("tiffsave", {"compression": "deflate", "predictor": "horizontal"}),
    ],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_layouts_that_pillow_does_not_write(
    save: str, options: dict[str, Any], alpha: bool, translucent: Pillow.Image, tmp_path: Path
) -> None:
    mode = "RGBA" if alpha else "RGB"
    path = tmp_path / "upload"
    levels = np.asarray(translucent.convert(mode))
    written = pyvips.Image.new_from_array(levels).copy(interpretation="srgb")
    path.write_bytes(getattr(written, f"{save}_buffer")(**options))

    _, pixels = decode(path)

    assert furthest(pixels, independently(path, mode)) == 0
    assert furthest(pixels, levels) == 0


@pytest.mark.parametrize("name", TRANSPARENT)
def test_alpha_is_kept(name: str, translucent: Pillow.Image, save: Callable[..., Path]) -> None:
    kind, mode, options = TRANSPARENT[name]
    path = save(translucent.convert(mode), kind, **options)

    image, pixels = decode(path)

    assert image.format == name.split("-")[0]
    assert furthest(pixels, independently(path, "RGBA")) == 0


def test_gif_has_a_transparent_color(picture: Pillow.Image, save: Callable[..., Path]) -> None:
    path = save(picture.quantize(64), "GIF", transparency=7)

    _, pixels = decode(path)

    expected = independently(path, "RGBA")
    visible = expected[:, :, 3] == 255
    assert 0 < visible.sum() < visible.size
    np.testing.assert_array_equal(pixels[:, :, 3], expected[:, :, 3])
    np.testing.assert_array_equal(pixels[visible], expected[visible])


def test_a_color_declared_transparent_is(picture: Pillow.Image, save: Callable[..., Path]) -> None:
    color = picture.getpixel((3, 4))
    path = save(picture, "PNG", transparency=color)

    _, pixels = decode(path)

    np.testing.assert_array_equal(pixels[:, :, 3] == 0, (np.asarray(picture) == color).all(axis=2))


@pytest.mark.parametrize(("subsampling", "tolerance"), [("4:4:4", 1), ("4:2:0", 60)])
def test_avif_decodes_as_elsewhere(
    subsampling: str, tolerance: int, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    """The decoders differ in how they interpolate color that is stored at half the resolution."""
    path = save(picture, "AVIF", quality=90, subsampling=subsampling)

    image, pixels = decode(path)

    expected = independently(path)
    assert image.format == "avif"
    assert furthest(pixels, expected) <= tolerance
    assert np.abs(pixels.astype(int) - expected).mean() < 1.5


def test_avif_alpha_is_kept(translucent: Pillow.Image, save: Callable[..., Path]) -> None:
    path = save(translucent, "AVIF", quality=100)

    _, pixels = decode(path)

    assert furthest(pixels[:, :, 3], independently(path, "RGBA")[:, :, 3]) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied(
    kind: str, orientation: int, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    exact: dict[str, dict[str, Any]] = {
        "AVIF": {"subsampling": "4:4:4"},
        "WEBP": {"lossless": True},
    }
    path = save(picture, kind, exif=exif, **exact.get(kind, {}))

    image, pixels = decode(path)

    turned = orientation >= 5
    assert (image.width, image.height) == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    assert furthest(pixels, independently(path)) <= 1


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_16_bits_are_rounded_to_the_nearest_of_8(kind: str, bands: int, tmp_path: Path) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    levels = np.stack([levels, levels.T, levels[::-1], levels[:, ::-1]], axis=2)[:, :, :bands]
    deep = pyvips.Image.new_from_array(levels)
    deep = deep.copy(interpretation="rgb16" if bands > 1 else "grey16")
    path = tmp_path / "upload"
    path.write_bytes(getattr(deep, f"{kind}save_buffer")())

    _, pixels = decode(path)

    expected = np.rint(levels / 257).astype(np.uint8)
    assert furthest(pixels, np.broadcast_to(expected, (256, 256, max(bands, 3)))) == 0


def test_deep_avif_uses_the_whole_range(tmp_path: Path) -> None:
    levels = np.tile(np.linspace(0, 65535, 64).astype(np.uint16)[:, None], (64, 1, 3))
    deep = pyvips.Image.new_from_array(levels).copy(interpretation="rgb16")
    path = tmp_path / "upload"
    path.write_bytes(deep.heifsave_buffer(compression="av1", bitdepth=10, lossless=True))

    _, pixels = decode(path)

    assert furthest(pixels, np.rint(levels / 257).astype(np.uint8)) <= 1
    assert pixels.max() == 255


def through_littlecms(image: Pillow.Image, profile: bytes) -> NDArray[np.uint8]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return np.asarray(
        ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_profiles_are_converted_to_srgb(
    kind: str, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    profile = pyvips.Image.profile_load("p3")
    path = save(picture, kind, icc_profile=profile)

    _, pixels = decode(path)

    with Pillow.open(path) as stored:
        expected = through_littlecms(stored.convert("RGB"), profile)
    assert furthest(expected, np.asarray(picture)) > 20
    assert furthest(pixels, expected) <= 2


def test_profile_and_alpha_go_together(
    translucent: Pillow.Image, save: Callable[..., Path]
) -> None:
    profile = pyvips.Image.profile_load("p3")
    path = save(translucent, "PNG", icc_profile=profile)

    _, pixels = decode(path)

    assert furthest(pixels[:, :, :3], through_littlecms(translucent.convert("RGB"), profile)) <= 2
    assert furthest(pixels[:, :, 3], np.asarray(translucent)[:, :, 3]) == 0


def test_srgb_profile_changes_nothing(picture: Pillow.Image, save: Callable[..., Path]) -> None:
    path = save(picture, "PNG", icc_profile=pyvips.Image.profile_load("srgb"))

    assert furthest(decode(path)[1], np.asarray(picture)) == 0


@pytest.mark.parametrize("profile", [b"not a profile" * 20, pyvips.Image.profile_load("cmyk")])
def test_useless_profile_is_ignored(
    profile: bytes, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    path = save(picture, "PNG", icc_profile=profile)

    assert furthest(decode(path)[1], np.asarray(picture)) == 0


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("embedded", [True, False])
def test_cmyk_is_converted(
    kind: str, embedded: bool, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    """By the profile that is embedded or else by libvips' own, which is the one used here."""
    profile = pyvips.Image.profile_load("cmyk")
    options = {"icc_profile": profile} if embedded else {}
    path = save(picture.convert("CMYK"), kind, **options)

    _, pixels = decode(path)

    with Pillow.open(path) as stored:
        expected = through_littlecms(stored, profile)
    assert furthest(pixels, expected) <= 3


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
)
def test_first_frame_of_several(
    kind: str, options: dict[str, Any], picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    first = picture.quantize(64).convert("RGB")
    others = [first.rotate(90, expand=False), first.rotate(180)]
    path = save(first, kind, save_all=True, append_images=others, **options)

    image, pixels = decode(path)

    assert image.frames == 3
    assert furthest(pixels[:, :, :3], np.asarray(first)) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_read(kind: str, picture: Pillow.Image, save: Callable[..., Path]) -> None:
    dots = open_image(save(picture, kind, dpi=(300, 150)), max_pixels=10**6).dots_per_meter

    assert dots == pytest.approx((11811, 5906), abs=1)


def test_resolution_turns_with_the_image(picture: Pillow.Image, save: Callable[..., Path]) -> None:
    exif = Pillow.Exif()
    exif[ORIENTATION] = 6
    path = save(picture, "JPEG", dpi=(300, 150), exif=exif)

    assert open_image(path, max_pixels=10**6).dots_per_meter == pytest.approx((5906, 11811), abs=1)


@pytest.mark.parametrize("dots", [0, 2**32 - 1])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_resolution_that_no_png_can_state_is_none(
    kind: str, dots: int, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    exif = Pillow.Exif()
    exif[0x11A], exif[0x11B], exif[0x128] = dots, dots, 3  # a centimeter

    assert open_image(save(picture, kind, exif=exif), max_pixels=10**6).dots_per_meter is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_no_resolution_is_made_up(
    kind: str, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    assert open_image(save(picture, kind), max_pixels=10**6).dots_per_meter is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_size_limit_counts_pixels(
    kind: str, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    path = save(picture, kind)

    open_image(path, max_pixels=WIDTH * HEIGHT)
    with pytest.raises(ImageTooLarge, match=f"{WIDTH} x {HEIGHT}"):
        open_image(path, max_pixels=WIDTH * HEIGHT - 1)


def test_avif_may_have_half_the_pixels_for_its_decoder_holds_more_of_each(
    picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    path = save(picture, "AVIF")
    open_image(path, max_pixels=2 * WIDTH * HEIGHT)
    with pytest.raises(ImageTooLarge, match="for avif"):
        open_image(path, max_pixels=2 * WIDTH * HEIGHT - 1)


def test_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """A header is all there is."""
    path = tmp_path / "upload"
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 40_000, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    chunks += struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)

    with pytest.raises(ImageTooLarge, match="50000 x 40000"):
        open_image(path, max_pixels=10**8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "BMP"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_file_cut_off_is_refused(
    kind: str, kept: float, picture: Pillow.Image, save: Callable[..., Path]
) -> None:
    path = save(picture, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(UnsupportedImage):
        decode(path)


@pytest.mark.parametrize(
    "content",
    [
        b"# A text, not an image",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\nbroken",
        b"\xff\xd8\xff\xe0 broken",
        b"BM" + b"\0" * 60,
        b"P6 1 1 255 abc",
    ],
)
def test_what_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)

    with pytest.raises(UnsupportedImage):
        decode(path)


def test_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.touch()

    with pytest.raises(EmptyImage):
        open_image(path, max_pixels=10**6)


def test_path_may_get_another_file(
    picture: Pillow.Image, translucent: Pillow.Image, save: Callable[..., Path]
) -> None:
    decode(save(picture, "TIFF"))
    path = save(picture.rotate(180), "TIFF")

    assert furthest(decode(path)[1], np.asarray(picture.rotate(180))) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "BMP"])
@pytest.mark.parametrize("strip_pixels", [1, 7 * WIDTH, 10**6])
def test_strips_make_up_the_image(
    kind: str,
    strip_pixels: int,
    picture: Pillow.Image,
    save: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = open_image(save(picture, kind), max_pixels=10**6)
    whole = image.pixels()
    monkeypatch.setattr(stored, "_FETCHED_PIXELS", strip_pixels)

    strips = list(image.strips())

    assert all(len(a) == len(b) for a, b in pairwise(strips[:-1]))
    np.testing.assert_array_equal(np.concatenate(strips), whole)


def test_want_of_memory_is_not_blamed_on_the_image(
    tmp_path: Path, make_png: PngMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        error = pyvips.Error("unable to call pngload")
        error.detail = "vips_tracked: out of memory -- size == 34MB\n"
        raise error

    monkeypatch.setattr("quantization.decoding.png.load", fail)
    path = tmp_path / "any.png"
    path.write_bytes(make_png(np.zeros((2, 2, 3))))
    with pytest.raises(MemoryError):
        open_image(path, max_pixels=9)
