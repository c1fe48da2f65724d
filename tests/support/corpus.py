"""Files that an uploader might send by mistake or on purpose, made on the spot."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from tests.support import files
from tests.support.heic import heic, sequence

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
CUTS, FLIPS = 8, 20


def corpus(seed: int = 0, flips: int = FLIPS) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each file; the same for the same seed."""
    rng = random.Random(seed)
    for kind, body in intact():
        yield f"{kind}-intact", body
        for cut in range(CUTS):
            yield f"{kind}-cut-{cut}", body[: len(body) * cut // CUTS + rng.randrange(4)]
        for flip in range(flips):
            yield f"{kind}-flipped-{flip}", flipped(body, rng, 1 + flip % 8)
        yield f"{kind}-with-tail", body + rng.randbytes(100)
        yield f"{kind}-doubled", body + body
    yield from polyglots()
    yield from bombs()
    yield from odd_metadata()
    for size in (0, 1, 2, 3, 11, 12, 13, 54, 64, 4096):
        yield f"noise-{size}", rng.randbytes(size)
        yield f"zeros-{size}", bytes(size)


def intact() -> Iterator[tuple[str, bytes]]:
    """Yield a small image in each format and mode."""
    levels = np.random.default_rng(0).integers(0, 256, (24, 32, 4), np.uint8)
    rgb = Image.fromarray(levels[:, :, :3])
    for kind in FORMATS:
        yield kind, saved(rgb, kind)
    yield "PNG-alpha", saved(Image.fromarray(levels), "PNG")
    yield "PNG-16", saved(Image.fromarray(levels[:, :, 0].astype(np.uint16) * 257), "PNG")
    yield "PNG-palette", saved(rgb.quantize(8), "PNG")
    yield "JPEG-cmyk", saved(rgb.convert("CMYK"), "JPEG")
    yield "JPEG-gray", saved(rgb.convert("L"), "JPEG")
    yield (
        "AVIF-sequence",
        saved(rgb, "AVIF", save_all=True, append_images=[rgb.rotate(90)], duration=99).replace(
            b"meta", b"free", 1
        ),
    )
    premultiplied = saved(Image.fromarray(levels), "AVIF", alpha_premultiplied=True)
    at = premultiplied.index(b"nclx") + 4
    yield "AVIF-coded", premultiplied[:at] + struct.pack(">H", 12) + premultiplied[at + 2 :]
    yield "HEIC", heic(levels[:, :, :3])
    yield "HEIC-lossy", heic(levels[:, :, :3], quality=50, chroma=420, matrix_coefficients=6)
    yield "HEIC-alpha", heic(levels)
    yield "HEIC-premultiplied", heic(levels, mode="RGBa")
    yield "HEIC-gray", heic(levels[:, :, 0])
    yield "HEIC-10", heic(levels.astype(np.uint16) * 257)
    yield "HEIC-coded", heic(levels[:, :, :3], color_primaries=12)
    yield "HEIC-grid", heic(np.tile(levels[:, :, :3], (3, 4, 1)), tile_size=64)
    yield "HEIC-sequence", sequence(heic(levels[:, :, :3]), 3)
    yield "JPEG-progressive", saved(rgb, "JPEG", progressive=True)
    yield "WEBP-metadata", saved(rgb, "WEBP", exif=Image.Exif(), xmp=b"x" * 50)
    yield "PNG-animated", saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)])
    yield (
        "PNG-coded",
        files.before(saved(rgb, "PNG"), b"IDAT", files.chunk(b"cICP", bytes([12, 13, 0, 1]))),
    )
    yield (
        "PNG-gamma",
        files.before(
            saved(rgb.convert("L"), "PNG"), b"IDAT", files.chunk(b"gAMA", struct.pack(">I", 60_000))
        ),
    )
    small = levels[:8, :8]
    yield "TIFF-tiles", files.tiff(levels[:16, :16, :3], 2, tile=16)
    yield "TIFF-spot", files.tiff(np.dstack([small, small[:, :, 0]]), 2, extra=(2, 0))
    yield "TIFF-ycbcr", files.tiff(small[:, :, :3], 6, more=[(530, 3, [1, 1])])
    yield "TIFF-lab", files.tiff(small, 8, extra=(2,))
    yield "TIFF-pages", saved(rgb, "TIFF", save_all=True, append_images=[rgb])
    masks = (0xF00, 0xF0, 0xF, 0xF000)
    yield "BMP-masks", files.bmp(8, 8, 16, bytes(range(128)), compression=3, masks=masks, header=56)
    runs = b"\5\1\0\3\1\2\1\0\0\0" * 7 + b"\0\2\1\0\2\2\0\1"
    yield "BMP-runs", files.bmp(8, 8, 8, runs, compression=1, palette=bytes(range(256)) * 4)
    yield "BMP-nibbles", files.bmp(8, 8, 4, runs, compression=2, palette=bytes(range(64)))
    yield "GIF-off-screen", files.gif((3, 2), (1, 1, 1, 1), b"\x4c\1", bytes(6))
    yield "GIF-animated", saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90)])


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encode an image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flipped(body: bytes, rng: random.Random, bits: int) -> bytes:
    """Flip some bits, the more likely the nearer to the header."""
    changed = bytearray(body)
    for _ in range(bits):
        at = int(len(changed) * rng.random() ** 3)
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def polyglots() -> Iterator[tuple[str, bytes]]:
    """Yield what is no image but begins like one, or is another thing as well."""
    png = next(body for kind, body in intact() if kind == "PNG")
    yield "text", b"# A text, not an image\n"
    yield "html", b"<!doctype html><script>alert(1)</script>"
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    yield (
        "xxe",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg/>',
    )
    yield "pdf", b"%PDF-1.7\n" + png
    yield "zip", b"PK\x03\x04" + png
    yield "png-and-zip", png + b"PK\x05\x06" + bytes(18)
    yield "gif-and-script", b"GIF89a/*" + bytes(40) + b"*/=1;alert(1)"
    yield "jpeg-with-png-inside", b"\xff\xd8\xff\xe0" + png
    for magic in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"MM\0*"):
        yield f"only-{magic[:4]!r}", magic + bytes(100)
    yield "only-webp", b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(50)
    yield "only-avif", b"\0\0\0\x18ftypavif" + bytes(100)
    yield "only-heic", b"\0\0\0\x18ftypheic" + bytes(100)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield what is small and claims, or holds, very many pixels."""
    for width, height in ((100_000, 100_000), (2**31 - 1, 1), (1, 2**31 - 1), (65_535, 65_535)):
        name = f"{width}x{height}"
        yield f"bomb-png-{name}", png_of(width, height, zlib.compress(bytes(1000)))
        short = min(width, 65_535), min(height, 65_535)
        yield f"bomb-gif-{name}", b"GIF89a" + struct.pack("<HH", *short) + b"\x80\0\0" + bytes(60)
        yield (
            f"bomb-bmp-{name}",
            b"BM"
            + bytes(12)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0),
        )
        yield f"bomb-tiff-{name}", tiff_of(width, height)
        jpeg = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", short[1], short[0])
        yield f"bomb-jpeg-{name}", bytes(jpeg)
    webp = bytearray(saved(Image.new("RGB", (8, 8)), "WEBP"))
    at = webp.index(b"\x9d\x01\x2a") + 3
    webp[at : at + 4] = struct.pack("<HH", 16_383, 16_383)
    yield "bomb-webp", bytes(webp)
    for samples in (0, 65_535):
        levels = np.zeros((8, 8, 3), np.uint8)
        body = files.tiff(levels, 2).replace(
            struct.pack("<HHIHH", 277, 3, 1, 3, 0), struct.pack("<HHIHH", 277, 3, 1, samples, 0)
        )
        yield f"tiff-{samples}-samples", body
    coefficients = (529, 3, [0, 0])
    yield "tiff-coefficients", files.tiff(levels, 6, more=[(530, 3, [1, 1]), coefficients])
    huge = b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0)
    huge += struct.pack("<BHHHHBB", 0x2C, 0, 0, 65_535, 65_535, 0, 2)
    yield "bomb-gif-frame", huge + b"\2\x4c\1\0;"
    # Of HEIF the header is apart from what the pictures themselves say of their size.
    large = heic(np.zeros((1280, 1280), np.uint8))
    sides = struct.pack(">II", 1280, 1280)
    yield "bomb-heic", large.replace(sides, struct.pack(">II", 8, 8))
    yield "bomb-heic-real", large
    tiles = heic(np.zeros((128, 128), np.uint8), tile_size=64)
    yield "bomb-heic-grid", tiles.replace(struct.pack(">HH", 128, 128), b"\xff" * 4)
    # A decoder may allocate what a chunk claims to have.
    png = bytearray(saved(Image.new("RGB", (8, 8)), "PNG"))
    at = png.index(b"IDAT") - 4
    png[at : at + 4] = struct.pack(">I", 2**31 - 1)
    yield "bomb-png-chunk", bytes(png)
    # A real one: 25 million pixels of one color in few bytes.
    yield "bomb-real", png_of(5000, 5000, zlib.compress(bytes(5000 * (5000 * 3 + 1)), 9))


def png_of(width: int, height: int, pixels: bytes) -> bytes:
    """Return an RGB PNG whose header says so, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [files.chunk(b"IHDR", header), files.chunk(b"IDAT", pixels), files.chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff_of(width: int, height: int) -> bytes:
    """Return a TIFF of one strip that is not there."""
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    tags += [(278, height), (279, 2**31 - 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def odd_metadata() -> Iterator[tuple[str, bytes]]:
    """Yield images with broken or hostile EXIF and ICC."""
    image = Image.new("RGB", (16, 16), (200, 30, 20))
    for orientation in (0, 6, 9, 65_535):
        exif = Image.Exif()
        exif[0x112] = orientation
        yield f"exif-{orientation}", saved(image, "JPEG", exif=exif)
    yield "exif-broken", saved(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, icc in (("lab", profile), ("cut", srgb[:100]), ("noise", b"\xff" * 500)):
        for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
            yield f"icc-{name}-{kind}", saved(image, kind, icc_profile=icc)
