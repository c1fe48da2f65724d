"""One small file of each kind that decoders get wrong, against Pillow, LittleCMS and libvips."""

import io
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image as Pillow

from quantization.decoding import open_image
from quantization.errors import EmptyImage, UnsupportedImage
from tests.support.files import before, bmp, chunk, flat, gif, tiff

P3 = pyvips.Image.profile_load("p3")


@pytest.fixture(scope="module")
def picture(photo: Path) -> Pillow.Image:
    """Return a photo's detail, without a profile."""
    with Pillow.open(photo) as whole:
        return Pillow.fromarray(np.asarray(whole.crop((100, 60, 164, 108))))


@pytest.fixture
def decode(tmp_path: Path) -> Callable[[bytes], NDArray[np.uint8]]:
    def decode(body: bytes) -> NDArray[np.uint8]:
        path = tmp_path / "upload"
        path.write_bytes(body)
        return open_image(path, max_pixels=10**6).pixels()

    return decode


@pytest.fixture
def refusal(decode: Callable[[bytes], NDArray[np.uint8]]) -> Callable[[bytes], str]:
    def refusal(body: bytes) -> str:
        with pytest.raises(UnsupportedImage) as refused:
            decode(body)
        return str(refused.value)

    return refusal


def saved(image: Pillow.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def by_pillow(body: bytes, mode: str = "RGB") -> NDArray[np.uint8]:
    with Pillow.open(io.BytesIO(body)) as image:
        return np.asarray(image.convert(mode))


def furthest(actual: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    assert actual.shape == expected.shape
    return int(np.abs(actual.astype(int) - expected).max())


# Half pictures


def test_jpeg_without_its_end_is_whole(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    whole = saved(picture, "JPEG")

    np.testing.assert_array_equal(decode(whole[:-2]), decode(whole))
    np.testing.assert_array_equal(decode(whole[:-2] + bytes(500)), decode(whole))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("end", [b"\xff\xd9", b"", bytes(20_000)])
def test_jpeg_that_lacks_pixels_is_refused(
    progressive: bool, end: bytes, refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    whole = saved(picture, "JPEG", quality=95, progressive=progressive)

    assert "cut off" in refusal(whole[: len(whole) * 2 // 3] + end)


def test_jpeg_with_bytes_between_its_segments_is_whole(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    whole = saved(picture, "JPEG")

    np.testing.assert_array_equal(decode(whole[:20] + b"junk" + whole[20:]), decode(whole))
    np.testing.assert_array_equal(decode(whole[:-2] + b"junk" + whole[-2:]), decode(whole))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_png_without_its_end_is_whole(
    mode: str, decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    picture = picture.convert(mode)
    whole = saved(picture, "PNG")
    with_text = before(whole, b"IEND", chunk(b"tEXt", b"Comment\0" + b"x" * 50))

    np.testing.assert_array_equal(decode(whole[:-12]), np.asarray(picture))
    np.testing.assert_array_equal(decode(with_text[:-40]), np.asarray(picture))


def test_png_that_lacks_pixels_is_refused(
    refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    whole = saved(picture, "PNG")

    assert "cut off" in refusal(whole[:-40])
    assert "cut off" in refusal(whole[: len(whole) // 2] + whole[-12:])


def test_webp_whose_metadata_are_cut_is_whole(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    whole = saved(picture, "WEBP", lossless=True, xmp=b"x" * 200)

    np.testing.assert_array_equal(decode(whole[:-50]), np.asarray(picture))


def test_tiff_whose_tiles_are_missing_is_refused(
    refusal: Callable[[bytes], str], decode: Callable[[bytes], NDArray[np.uint8]]
) -> None:
    whole = tiff(np.full((64, 64, 3), 200, np.uint8), 2, tile=32)

    assert np.unique(decode(whole)).tolist() == [200]
    assert "tiles are missing" in refusal(whole[:-1])


def test_tiff_with_a_damaged_tile_is_refused(
    refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    levels = pyvips.Image.new_from_array(np.asarray(picture))
    options = {"tile": True, "tile_width": 16, "tile_height": 16, "compression": "deflate"}
    whole = bytearray(levels.copy(interpretation="srgb").tiffsave_buffer(**options))
    whole[300:340] = bytes(40)

    assert "damaged" in refusal(bytes(whole))


# TIFF


@pytest.mark.parametrize(
    ("body", "variety"),
    [
        (tiff(flat(0.5, "<f4"), 1, sample_format=3), "32-bit float"),
        (tiff(flat(1, "<f2"), 1, sample_format=3), "16-bit float"),
        (tiff(flat(0.5, "<f4", 3), 2, sample_format=3), "32-bit float"),
        (tiff(flat(0.5, "<f8"), 1, sample_format=3), "64-bit float"),
        (tiff(flat(2**31, "<u4"), 1), "32-bit levels"),
        (tiff(flat(2**31, "<u4", 3), 2), "32-bit levels"),
        (tiff(flat(10_000, "<i2", 3), 2, sample_format=2), "16-bit signed"),
        (tiff(flat(200, "u1", 5), 2, extra=(0, 0)), "multispectral TIFF of 5 channels"),
        (tiff(flat(200, "u1", 3), 2, more=[(50706, 1, [1, 4, 0, 0])]), "camera raw file (DNG)"),
        (tiff(flat(9, "u1", 3), 2, more=[(254, 4, [1]), (330, 4, [8])]), "camera raw file"),
        (tiff(flat(9, "u1"), 32803), "camera raw file"),
        (tiff(flat(9, "u1", 3), 6, more=[(530, 3, [2, 2])]), "subsampled YCbCr"),
        (tiff(flat(9, "u1", 3), 2, compression=50000), "compressed with Zstandard"),
        (tiff(flat(9, "u1", 3), 2, compression=6), "JPEG of the old style"),
    ],
)
def test_tiff_that_would_be_wrong_is_refused_by_name(
    body: bytes, variety: str, refusal: Callable[[bytes], str]
) -> None:
    message = refusal(body)

    assert variety in message
    assert "damaged" not in message


def test_tiff_in_ycbcr_is_converted(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    ycbcr = np.asarray(Pillow.fromarray(rgb).convert("YCbCr"))
    body = tiff(ycbcr, 6, more=[(530, 3, [1, 1])])

    assert furthest(decode(body), by_pillow(body)) <= 1
    assert furthest(decode(body), rgb) <= 2


def test_tiff_in_lab_is_converted(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    levels = pyvips.Image.new_from_array(np.asarray(picture)).copy(interpretation="srgb")
    deep = levels.colourspace("lab").numpy()
    eight = np.rint(deep * [255 / 100, 1, 1]).astype(np.int16).astype(np.uint8)
    sixteen = np.rint(deep * [65535 / 100, 256, 256]).astype(np.int32).astype(np.uint16)

    assert furthest(decode(tiff(eight, 8)), np.asarray(picture)) <= 6
    assert furthest(decode(tiff(sixteen, 8)), np.asarray(picture)) <= 1


def test_spot_channels_of_a_tiff_are_left_out(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    levels = np.arange(8 * 8 * 5, dtype=np.uint16).reshape(8, 8, 5).astype(np.uint8)

    np.testing.assert_array_equal(decode(tiff(levels, 2, extra=(2, 0))), levels[:, :, :4])


def test_later_pages_of_a_tiff_may_be_faulty(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    body = bytearray(saved(picture, "TIFF", save_all=True, append_images=[picture]))
    (first,) = struct.unpack_from("<I", body, 4)
    (entries,) = struct.unpack_from("<H", body, first)
    struct.pack_into("<I", body, first + 2 + 12 * entries, len(body) + 9)

    np.testing.assert_array_equal(decode(bytes(body)), np.asarray(picture))


# BMP

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
def test_bmp_masks_of_16_bits(header: int, decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    masks = (0xF800, 0x7E0, 0x1F, *([0] if header > 52 else []))
    body = bmp(2, 1, 16, b"\xff\xff\x00\xf8", compression=3, masks=masks, header=header)

    np.testing.assert_array_equal(decode(body), [[WHITE, RED]])


def test_bmp_without_masks_uses_the_whole_range(
    decode: Callable[[bytes], NDArray[np.uint8]],
) -> None:
    body = bmp(2, 1, 16, b"\xff\x7f\x10\x42")

    assert furthest(decode(body), by_pillow(body)) <= 1
    assert decode(body).max() == 255


def test_bmp_masks_of_bits_that_it_has_not(
    decode: Callable[[bytes], NDArray[np.uint8]],
) -> None:
    """Those of 32 bits say of 16 bits that there is no red."""
    body = bmp(2, 1, 16, b"\x34\x12\xff\xff", compression=3, masks=(0xFF0000, 0xFF00, 0xFF))

    np.testing.assert_array_equal(decode(body), [[(0, 0x12, 0x34), (0, 255, 255)]])


@pytest.mark.parametrize("masks", [(0xFF, 0xFF00, 0xFF0000), (0xFF000000, 0xFF0000, 0xFF00)])
def test_bmp_masks_in_any_order(
    masks: tuple[int, ...], decode: Callable[[bytes], NDArray[np.uint8]]
) -> None:
    data = b"".join(struct.pack("<I", mask) for mask in (*masks, sum(masks)))
    body = bmp(4, 1, 32, data, compression=3, masks=masks)

    np.testing.assert_array_equal(decode(body), [[RED, GREEN, BLUE, WHITE]])


def test_bmp_alpha_is_kept(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    data = levels[::-1, :, [2, 1, 0, 3]].tobytes()
    body = bmp(5, 4, 32, data, compression=3, masks=masks, header=124)

    np.testing.assert_array_equal(decode(body), levels)
    np.testing.assert_array_equal(decode(body), by_pillow(body, "RGBA"))


PALETTE = bytes([0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0]) + bytes(4 * 253)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b"\6\1\0\0" * 3, [[1] * 6] * 3),
        (b"\6\1\2\0\0\0" * 3, [[1] * 6] * 3),
        (b"\3\1\0\3\1\2\1\0\0\0" * 3, [[1, 1, 1, 1, 2, 1]] * 3),
        (b"\3\1\0\2\2\1\1\2\0\0\6\2", [[2] * 6, [0] * 5 + [2], [1] * 3 + [0] * 3]),
    ],
)
def test_bmp_run_lengths(
    rows: bytes, expected: list[list[int]], decode: Callable[[bytes], NDArray[np.uint8]]
) -> None:
    """Rows are whole, run on, hold literal pixels, or skip some; the last of them is on top."""
    body = bmp(6, 3, 8, rows + b"\0\1", compression=1, palette=PALETTE)

    colors = np.array([(0, 0, 0), WHITE, RED])
    np.testing.assert_array_equal(decode(body), colors[expected])


def test_bmp_run_lengths_of_nibbles(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    rows = b"\5\x12\0\5\x21\x02\x10\0\0\0"
    body = bmp(10, 2, 4, rows * 2 + b"\0\1", compression=2, palette=PALETTE[:64])

    np.testing.assert_array_equal(decode(body), by_pillow(body))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_bmp_of_few_bits(bits: int, decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 4), np.uint8)
    stored = np.random.default_rng(0).integers(0, 256, (3, 4), np.uint8)
    digits = np.unpackbits(stored, axis=1).reshape(3, -1, bits)
    indices = digits @ (1 << np.arange(bits)[::-1])

    body = bmp(indices.shape[1] - 1, 3, bits, stored.tobytes(), palette=palette.tobytes())

    np.testing.assert_array_equal(decode(body), palette[indices[::-1, :-1]][:, :, 2::-1])


def test_bmp_rows_may_run_down(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    body = bmp(1, -2, 24, bytes([0, 0, 255, 0, 255, 0, 0, 0]))

    np.testing.assert_array_equal(decode(body), [[RED], [BLUE]])


@pytest.mark.parametrize("claimed", [40, 2**30])
def test_bmp_is_not_in_memory_once_its_header_is_read(claimed: int, tmp_path: Path) -> None:
    body = bytearray(bmp(4096, 4096, 32, b"", compression=3, masks=(0xFF, 0xFF00, 0xFF0000)))
    struct.pack_into("<I", body, 14, claimed)
    path = tmp_path / "upload"
    path.write_bytes(body)
    with path.open("ab") as file:
        file.truncate(len(body) + 4096 * 4096 * 4)
    tracemalloc.start()
    try:
        open_image(path, max_pixels=4096 * 4096)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_bmp_for_printers_is_refused_by_name(refusal: Callable[[bytes], str]) -> None:
    assert "compression 4" in refusal(bmp(8, 8, 24, bytes(192), compression=4))


# GIF


def codes(*numbers: int) -> bytes:
    """Pack codes of 3 bits."""
    packed = sum(number << 3 * i for i, number in enumerate(numbers))
    return packed.to_bytes(-(-3 * len(numbers) // 8), "little")


CLEAR, END = 4, 5


def test_gif_leaves_what_the_frame_does_not_fill_transparent(
    decode: Callable[[bytes], NDArray[np.uint8]],
) -> None:
    body = gif((3, 2), (1, 1, 1, 1), codes(CLEAR, 1, END), bytes(RED) + bytes(GREEN))

    expected = np.zeros((2, 3, 4), np.uint8)
    expected[1, 1] = (*GREEN, 255)
    np.testing.assert_array_equal(decode(body), expected)


def test_gif_keeps_the_size_of_its_screen(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    body = gif((1, 1), (0, 0, 2, 1), codes(CLEAR, 1, 0, END), bytes(RED) + bytes(GREEN))

    np.testing.assert_array_equal(decode(body), [[GREEN]])


def test_gif_without_an_end_code_keeps_its_last_pixel(
    decode: Callable[[bytes], NDArray[np.uint8]],
) -> None:
    body = gif((2, 1), (0, 0, 2, 1), codes(CLEAR, 1, 1), bytes(RED) + bytes(GREEN))

    np.testing.assert_array_equal(decode(body), [[GREEN, GREEN]])


def test_gif_that_lacks_pixels_is_refused(refusal: Callable[[bytes], str]) -> None:
    body = gif((9, 9), (0, 0, 9, 9), codes(CLEAR, 1, 0, END), bytes(RED) + bytes(GREEN))

    assert "pixels of its first frame are missing" in refusal(body)


def test_gif_that_shows_nothing_is_empty(decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    body = gif((1, 1), (1, 1, 1, 1), codes(CLEAR, 1, END), bytes(RED) + bytes(GREEN))

    with pytest.raises(EmptyImage):
        decode(body)


# PNG


def test_png_keywords_may_be_in_latin_1(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    body = before(saved(picture, "PNG"), b"IDAT", chunk(b"tEXt", "Größe\0x".encode("latin-1")))

    np.testing.assert_array_equal(decode(body), np.asarray(picture))


DISPLAY_P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
CICP_P3 = chunk(b"cICP", bytes([12, 13, 0, 1]))
CHRM_P3 = chunk(b"cHRM", struct.pack(">8I", *(round(x * 100_000) for x in DISPLAY_P3)))


@pytest.mark.parametrize("chunks", [CICP_P3, CHRM_P3])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_png_colors_given_by_numbers_are_those_of_the_profile(
    chunks: bytes, mode: str, decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    picture = picture.convert(mode)
    numbers = before(saved(picture, "PNG"), b"IDAT", chunks)

    assert furthest(decode(numbers), decode(saved(picture, "PNG", icc_profile=P3))) <= 2


def test_png_colors_follow_the_standards_order(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    plain = saved(picture, "PNG")
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    srgb = chunk(b"sRGB", b"\0")
    profile = saved(picture, "PNG", icc_profile=P3)

    np.testing.assert_array_equal(decode(before(plain, b"IDAT", srgb, gamma)), decode(plain))
    np.testing.assert_array_equal(decode(before(profile, b"iCCP", gamma)), decode(profile))
    coded = chunk(b"cICP", bytes([1, 13, 0, 1]))
    np.testing.assert_array_equal(decode(before(profile, b"iCCP", coded)), decode(plain))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_gamma_is_applied(mode: str, decode: Callable[[bytes], NDArray[np.uint8]]) -> None:
    """A linear ramp reads as sRGB's curve, IEC 61966-2-1."""
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (4, 256))
    body = saved(Pillow.fromarray(ramp).convert(mode), "PNG")
    decoded = decode(before(body, b"IDAT", chunk(b"gAMA", struct.pack(">I", 100_000))))

    published = {0: 0, 1: 13, 55: 128, 128: 188, 188: 223, 255: 255}
    for level, expected in published.items():
        assert np.abs(decoded[:, level].astype(int) - expected).max() <= 1


def test_png_in_high_dynamic_range_is_refused_by_name(
    refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    body = before(saved(picture, "PNG"), b"IDAT", chunk(b"cICP", bytes([9, 16, 0, 1])))

    assert "high dynamic range" in refusal(body)


def test_png_may_say_behind_its_pixels_how_it_is_turned(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    exif = Pillow.Exif()
    exif[0x112] = 6
    body = before(saved(picture, "PNG"), b"IEND", chunk(b"eXIf", exif.tobytes()[6:]))

    np.testing.assert_array_equal(decode(body), np.rot90(np.asarray(picture), -1))


def test_png_that_is_turned_in_no_way_is_upright(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    exif = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 4, 1, 2**32 - 1, 0)
    body = before(saved(picture, "PNG"), b"IDAT", chunk(b"eXIf", exif))

    np.testing.assert_array_equal(decode(body), np.asarray(picture))


@pytest.mark.parametrize(("hidden", "frames"), [(False, 3), (True, 4)])
def test_png_animation_shows_its_still_image_and_counts_the_frames(
    hidden: bool, frames: int, tmp_path: Path, picture: Pillow.Image
) -> None:
    """The still image may be one of the animation's frames or be apart from them."""
    others = [picture.rotate(90 * n) for n in range(1, 4 if hidden else 3)]
    path = tmp_path / "upload"
    path.write_bytes(
        saved(picture, "PNG", save_all=True, append_images=others, default_image=hidden)
    )

    image = open_image(path, max_pixels=10**6)

    assert image.frames == frames
    np.testing.assert_array_equal(image.pixels(), np.asarray(picture))


# Profiles


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_profile_that_does_not_link_is_passed_over(
    kind: str, decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    broken = bytearray(pyvips.Image.profile_load("srgb"))
    at = bytes(broken).index(b"rTRC")
    (offset,) = struct.unpack_from(">I", broken, at + 4)
    broken[offset : offset + 4] = b"XXXX"

    with_profile = decode(saved(picture, kind, icc_profile=bytes(broken)))

    np.testing.assert_array_equal(with_profile, decode(saved(picture, kind)))


# AVIF


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_avif_sequence_without_a_still_image_shows_its_first_frame(
    mode: str, decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    picture = picture.convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel("R"))
    others = [Pillow.new(mode, picture.size)]
    body = saved(picture, "AVIF", save_all=True, append_images=others, duration=99)

    sequence = body.replace(b"meta", b"free", 1)

    np.testing.assert_array_equal(decode(sequence), decode(body))


def test_avif_with_premultiplied_colors_is_divided_by_its_opacity(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    picture = picture.copy()
    picture.putalpha(picture.getchannel("R"))
    options: dict[str, Any] = {"quality": 100, "subsampling": "4:4:4"}
    body = saved(picture, "AVIF", alpha_premultiplied=True, **options)

    given = np.asarray(picture).astype(int)
    error = np.abs(decode(body)[:, :, :3].astype(int) - given[:, :, :3]) * given[:, :, 3:]
    assert error.mean() < 255


def with_codes(avif: bytes, primaries: int, transfer: int) -> bytes:
    at = avif.index(b"nclx") + 4
    return avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4 :]


def test_avif_colors_given_by_numbers_are_those_of_the_profile(
    decode: Callable[[bytes], NDArray[np.uint8]], picture: Pillow.Image
) -> None:
    options: dict[str, Any] = {"quality": 100, "subsampling": "4:4:4"}
    plain = saved(picture, "AVIF", **options)
    expected = decode(saved(Pillow.fromarray(decode(plain)), "PNG", icc_profile=P3))

    assert furthest(decode(with_codes(plain, 12, 13)), expected) <= 2
    np.testing.assert_array_equal(decode(with_codes(plain, 1, 1)), decode(plain))


def test_avif_in_high_dynamic_range_is_refused_by_name(
    refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    assert "high dynamic range" in refusal(with_codes(saved(picture, "AVIF"), 9, 16))


# What is not read


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "PSD"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe", "EPS"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?>\n<svg/>", "SVG"),
        (b"<!-- Generator: a program for drawing -->\n<svg version='1.1'/>", "SVG"),
        (b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'", "SVG"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
        (b"\0\0\0\x18ftypcrx ", "CR3"),
        (b"FUJIFILMCCD-RAW ", "RAF"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "video"),
        (b"\x1aE\xdf\xa3", "video"),
        (b"PK\3\4", "ZIP"),
        (b"\xd0\xcf\x11\xe0", "Thumbs.db"),
        (b"\0\5\x16\7\0\2\0\0", "._"),
        (b"\0\0\0\1Bud1", "DS_Store"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\xef\xbb\xbf<!-- saved from a site -->\n<html>", "web page"),
        (b"DDS ", "DDS"),
        (b"v/1\1", "OpenEXR"),
        (b"\0\0\x0a" + bytes(9) + b"\x40\0\x40\0\x18\0", "TGA"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video (WMV)"),
        ((b"G".ljust(188, b"\xff") * 3), "video (MPEG)"),
        (b"# A text, not an image", "a text"),
        ("# Ein Text, kein Bild: Größe".encode(), "a text"),
        ("# Ein Text".encode("utf-16"), "a text"),
    ],
)
def test_refusal_names_what_the_file_is(
    head: bytes, name: str, refusal: Callable[[bytes], str]
) -> None:
    assert name in refusal(head + b"\xff" * 8 if head[0] != ord("#") else head)


@pytest.mark.parametrize(
    ("marker", "bits", "name"), [(0xC3, 8, "lossless"), (0xC1, 12, "12 bits"), (0xC5, 8, "hierar")]
)
def test_jpeg_that_is_not_read_is_refused_by_name(
    marker: int, bits: int, name: str, refusal: Callable[[bytes], str], picture: Pillow.Image
) -> None:
    body = bytearray(saved(picture, "JPEG"))
    at = body.index(b"\xff\xc0")
    body[at + 1], body[at + 4] = marker, bits

    assert name in refusal(bytes(body))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"])
def test_no_message_shows_a_path_or_the_name_of_a_library(
    kind: str, refusal: Callable[[bytes], str], tmp_path: Path, picture: Pillow.Image
) -> None:
    whole = saved(picture, kind)
    for length in (20, 60, len(whole) // 2):
        message = refusal(whole[:length]).lower()
        assert str(tmp_path) not in message
        assert not any(name in message for name in ("vips", "opencv", "lib", "2vips"))


def test_warnings_of_libvips_are_not_handled_in_python(
    decode: Callable[[bytes], NDArray[np.uint8]], caplog: pytest.LogCaptureFixture
) -> None:
    """GLib ends the process where handling a warning leads to another, by way of the garbage."""
    body = tiff(flat(200, "u1", 4), 2)  # What the fourth channel is remains unsaid.

    assert decode(body).shape == (8, 8, 4)
    assert [record for record in caplog.records if record.name.startswith("pyvips")] == []


def test_nothing_but_the_refusal_tells_of_a_damaged_file(
    tmp_path: Path, picture: Pillow.Image
) -> None:
    """libvips would warn on standard error; it is asked not to before it is loaded."""
    whole = saved(picture.resize((256, 256)), "JPEG", quality=95)
    path = tmp_path / "upload"
    path.write_bytes(whole[: len(whole) // 2] + whole[-2:])
    decode = f"from quantization import quantize; quantize({str(path)!r})"

    done = subprocess.run(
        [sys.executable, "-c", decode], check=False, capture_output=True, text=True
    )

    last = done.stderr.splitlines()[-1]
    assert last.startswith("quantization.errors.UnsupportedImage: the file is damaged")
    assert "VIPS" not in done.stderr
