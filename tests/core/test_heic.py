"""HEIC, without loss against the pixels that were coded, and with loss against pillow-heif.

Pictures are coded by x265; pillow-heif has a libheif of its own, of another version.
"""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from quantization.decoding import open_image, stored
from quantization.errors import ImageTooLarge, RefusedImage, UnsupportedImage
from tests.support.heic import heic, sequence

P3 = pyvips.Image.profile_load("p3")

type Decode = Callable[[bytes], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def rgb(photo: Path) -> NDArray[np.uint8]:
    """Return a photo's detail: edges, flat sky and saturated colors."""
    with Pillow.open(photo) as whole:
        return np.asarray(whole.crop((100, 60, 190, 130)))


@pytest.fixture(scope="module")
def rgba(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same with every opacity from 0 to 255."""
    height, width, _ = rgb.shape
    opacity = np.linspace(0, 255, width * height).round().astype(np.uint8)
    return np.dstack([rgb, opacity.reshape(height, width)])


@pytest.fixture
def decode(tmp_path: Path) -> Decode:
    def decode(body: bytes) -> NDArray[np.uint8]:
        path = tmp_path / "upload"
        path.write_bytes(body)
        image = open_image(path, max_pixels=10**6)
        pixels = image.pixels()
        assert image.format == "heic"
        assert pixels.shape == (image.height, image.width, 4 if image.has_alpha else 3)
        return pixels

    return decode


def furthest(actual: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    assert actual.shape == expected.shape
    return int(np.abs(actual.astype(int) - expected).max())


def test_levels_are_those_that_were_coded(
    decode: Decode, rgb: NDArray[np.uint8], rgba: NDArray[np.uint8]
) -> None:
    gray = rgb[:, :, 0]

    np.testing.assert_array_equal(decode(heic(rgb)), rgb)
    np.testing.assert_array_equal(decode(heic(rgba)), rgba)
    np.testing.assert_array_equal(decode(heic(gray)), np.dstack([gray] * 3))


@pytest.mark.parametrize("tile", [64, 256])
def test_grids_are_put_together(
    tile: int, decode: Decode, rgb: NDArray[np.uint8], rgba: NDArray[np.uint8]
) -> None:
    for levels in (rgb, rgba):
        np.testing.assert_array_equal(decode(heic(levels, tile_size=tile)), levels)


@pytest.mark.parametrize("chroma", [420, 422, 444])
def test_lossy_pictures_decode_as_elsewhere(
    chroma: int, decode: Decode, rgba: NDArray[np.uint8]
) -> None:
    for levels in (rgba[:, :, :3], rgba):
        body = heic(levels, quality=70, chroma=chroma, matrix_coefficients=6)
        elsewhere = np.asarray(pillow_heif.open_heif(io.BytesIO(body)))

        assert furthest(elsewhere, levels) > 5
        assert furthest(decode(body), elsewhere) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(
    orientation: int, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    """The file says it in HEIF's own way, which counts, and in Exif too."""
    stored = Pillow.fromarray(rgb)
    stored.getexif()[0x112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))

    body = heic(rgb, exif=stored.getexif().tobytes())

    np.testing.assert_array_equal(decode(body), upright)
    assert (b"irot" in body or b"imir" in body) == (orientation > 1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_ten_bits_are_rounded_to_the_nearest_of_8(channels: int, decode: Decode) -> None:
    ten = np.arange(1024 * 4).reshape(64, 64) % 1024
    levels = np.dstack([ten, ten.T, ten[::-1], ten[:, ::-1]])[:, :, :channels].squeeze()

    decoded = decode(heic((levels << 6).astype(np.uint16)))

    expected = np.rint(levels * (255 / 1023)).astype(np.uint8)
    assert furthest(decoded, np.dstack([expected] * 3) if channels == 1 else expected) == 0


@pytest.mark.parametrize("channels", [3, 4])
def test_profiles_are_converted_to_srgb(
    channels: int, decode: Decode, rgba: NDArray[np.uint8]
) -> None:
    levels = rgba[:, :, :channels]
    source = ImageCms.ImageCmsProfile(io.BytesIO(P3))
    expected = np.asarray(
        ImageCms.profileToProfile(
            Pillow.fromarray(rgba[:, :, :3]), source, ImageCms.createProfile("sRGB")
        )
    )

    decoded = decode(heic(levels, icc_profile=P3))

    assert furthest(expected, rgba[:, :, :3]) > 20
    assert furthest(decoded[:, :, :3], expected) <= 2
    np.testing.assert_array_equal(decoded[:, :, 3:], levels[:, :, 3:])


def test_profiles_go_with_ten_bits_as_with_16(
    tmp_path: Path, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    """A PNG of the same levels is held against LittleCMS in `test_decoding`."""
    ten = rgb.astype(np.uint16) * 257 >> 6
    deep = pyvips.Image.new_from_array(np.rint(ten * (65_535 / 1023)).astype(np.uint16))
    deep = deep.copy(interpretation="rgb16")
    deep.set_type(pyvips.GValue.blob_type, "icc-profile-data", P3)
    path = tmp_path / "png"
    path.write_bytes(deep.pngsave_buffer())

    expected = open_image(path, max_pixels=10**6).pixels()

    np.testing.assert_array_equal(decode(heic(ten << 6, icc_profile=P3)), expected)


def test_colors_given_by_numbers_are_those_of_the_profile(
    decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    numbers = decode(heic(rgb, color_primaries=12, transfer_characteristics=13))

    assert furthest(numbers, decode(heic(rgb, icc_profile=P3))) <= 2


@pytest.mark.parametrize("transfer", [1, 2, 6, 13])
def test_curves_of_video_are_taken_for_srgb(
    transfer: int, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    body = heic(rgb, color_primaries=1, transfer_characteristics=transfer)

    np.testing.assert_array_equal(decode(body), rgb)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused_by_name(
    transfer: int, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    with pytest.raises(UnsupportedImage, match="high dynamic range"):
        decode(heic(rgb, color_primaries=9, transfer_characteristics=transfer))


def test_premultiplied_colors_are_divided_by_their_opacity(
    decode: Decode, rgba: NDArray[np.uint8]
) -> None:
    colors, opacity = rgba[:, :, :3].astype(int), rgba[:, :, 3:].astype(int)
    levels = np.dstack([np.rint(colors * opacity / 255), opacity]).astype(np.uint8)

    decoded = decode(heic(levels, mode="RGBa")).astype(int)

    np.testing.assert_array_equal(decoded[:, :, 3:], opacity)
    assert (np.abs(decoded[:, :, :3] - colors) * opacity <= 255).all()


def test_first_of_several_images_is_shown(tmp_path: Path, rgb: NDArray[np.uint8]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(heic(rgb, rgb[::-1], rgb[:, ::-1]))
    image = open_image(path, max_pixels=10**6)

    assert image.frames == 3
    np.testing.assert_array_equal(image.pixels(), rgb)


def test_sequence_without_a_still_image_shows_its_first_frame(
    tmp_path: Path, rgb: NDArray[np.uint8]
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(sequence(heic(rgb), 5))
    image = open_image(path, max_pixels=10**6)

    assert (image.format, image.frames) == ("heic", 5)
    np.testing.assert_array_equal(image.pixels(), rgb)


@pytest.mark.parametrize("kind", [b"urn:mpeg:hevc:2015:auxid:2", b"urn:x:aux:hdrgainmap"])
def test_auxiliary_images_but_alpha_are_left_out(
    kind: bytes, tmp_path: Path, rgba: NDArray[np.uint8]
) -> None:
    """The first kind is depth; gain maps have names of their makers."""
    alpha = b"urn:mpeg:hevc:2015:auxid:1"
    body = heic(rgba)
    assert alpha in body
    path = tmp_path / "upload"
    path.write_bytes(body.replace(alpha, kind.ljust(len(alpha), b"\0")))
    image = open_image(path, max_pixels=10**6)

    assert (image.frames, image.has_alpha) == (1, False)
    np.testing.assert_array_equal(image.pixels(), rgba[:, :, :3])


def test_thumbnails_are_passed_over_even_if_cut_off(decode: Decode, rgb: NDArray[np.uint8]) -> None:
    body = heic(rgb, thumbnails=[32])

    np.testing.assert_array_equal(decode(body), rgb)
    np.testing.assert_array_equal(decode(body[:-20]), rgb)


@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("filled", [False, True])
def test_half_a_picture_is_refused(
    tile: int | None, kept: float, filled: bool, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    whole = heic(rgb, tile_size=tile) if tile else heic(rgb)
    length = int(len(whole) * kept)

    with pytest.raises(UnsupportedImage):
        decode(whole[:length] + bytes(len(whole) - length if filled else 0))


def test_size_limit_is_half_as_for_avif(tmp_path: Path, rgb: NDArray[np.uint8]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(heic(rgb))
    pixels = rgb.shape[0] * rgb.shape[1]

    open_image(path, max_pixels=2 * pixels)
    with pytest.raises(ImageTooLarge, match="for heic"):
        open_image(path, max_pixels=2 * pixels - 1)


def test_more_pixels_than_the_header_says_are_not_decoded(decode: Decode) -> None:
    body = heic(np.zeros((2048, 2048, 3), np.uint8))
    lying = body.replace(struct.pack(">II", 2048, 2048), struct.pack(">II", 8, 8))

    with pytest.raises(RefusedImage):
        decode(lying)


def test_heif_of_another_coding_is_refused_by_name(decode: Decode, rgb: NDArray[np.uint8]) -> None:
    uncompressed = heic(rgb).replace(b"hvc1", b"unci").replace(b"ftypheix", b"ftypmif1")
    av1 = io.BytesIO()
    Pillow.fromarray(rgb).save(av1, "AVIF")

    for body in (uncompressed, av1.getvalue().replace(b"avif", b"mif1")):
        with pytest.raises(UnsupportedImage, match="HEIF image of this kind is not read"):
            decode(body)


@pytest.mark.parametrize("strip_pixels", [1, 7 * 90, 10**6])
def test_strips_make_up_the_image(
    strip_pixels: int, tmp_path: Path, rgba: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(heic(rgba))
    monkeypatch.setattr(stored, "_FETCHED_PIXELS", strip_pixels)

    strips = list(open_image(path, max_pixels=10**6).strips(strip_pixels))

    np.testing.assert_array_equal(np.concatenate(strips), rgba)


def test_no_message_shows_a_path_or_the_name_of_a_library(
    tmp_path: Path, decode: Decode, rgb: NDArray[np.uint8]
) -> None:
    whole = heic(rgb)
    for length in (40, 200, len(whole) // 2):
        with pytest.raises(UnsupportedImage) as refused:
            decode(whole[:length])
        message = str(refused.value).lower()
        assert str(tmp_path) not in message
        assert not any(name in message for name in ("vips", "lib", "265"))
