"""What a file is, told by its first bytes and not by its name."""

from quantization.errors import EmptyImage, UnsupportedImage

HEAD = 64
"""Bytes that tell."""

_SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"BM": "bmp",
}


def image_format(head: bytes) -> str:
    """Name the format of a file that begins so.

    Raises
    ------
    EmptyImage
        If there are no bytes at all.
    UnsupportedImage
        If it is none of the formats that are read.
    """
    if not head:
        raise EmptyImage("the object has no bytes; upload an image file")
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    # ISO/IEC 23008-12: the brands in the "ftyp" box say what a HEIF file holds.
    brands = {head[i : i + 4] for i in range(8, 64, 4)} if head[4:8] == b"ftyp" else set()
    if brands & {b"avif", b"avis"}:
        return "avif"
    if brands & {b"heic", b"heix", b"hevc", b"mif1"}:
        raise UnsupportedImage("HEIC is not supported; save the image as JPEG or AVIF")
    raise UnsupportedImage(
        f"a file that starts with {head[:12]!r} is none of jpeg, png, webp, gif, tiff, avif, bmp"
    )
