"""What a file is, told by its first bytes and not by its name."""

import re

from quantization.errors import EmptyImage, UnsupportedImage

HEAD = 512
"""Bytes that tell."""

FORMATS = ("jpeg", "png", "webp", "gif", "tiff", "avif", "heic", "bmp")
"""What is read."""

_PICTURE = "save it as PNG or JPEG"
_PHOTO = "save it as JPEG or AVIF"
_RAW = "export it as JPEG or TIFF"
_FRAME = "save one of its frames as PNG or JPEG"
_UNPACK = "unpack it and upload the images"
_NO_IMAGE = "upload an image file"

# What a file starts with: (pattern, format) for what is read, (pattern, name, advice) for what is
# not. The first that matches tells. ISO/IEC 14496-12 says what an "ftyp" box is, and its brands
# what the file holds: with several of them, the pictures come before the videos.
_BRAND = rb"....ftyp(?:.{4})*?"
_MARKUP = rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?"
_UTF_8 = (
    rb"(?:[\t\n\r -~]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
    rb"(?:[\xc2-\xf4][\x80-\xbf]{0,2})?"
)
_TARGA = rb".[\0\1][\x01-\x03\x09-\x0b].{13}[\x08\x0f\x10\x18\x20]"
"""Its header: whether it has a palette, the kind of image, and the bits of a pixel."""
_READ: list[tuple[bytes, str]] = [
    (rb"\xff\xd8\xff", "jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"RIFF....WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
    (rb"II\*\0(?!....CR)|MM\0\*|II\+\0|MM\0\+", "tiff"),
    (_BRAND + rb"avi[fs]", "avif"),
    (_BRAND + rb"(?:hei[cxms]|hev[cx]|mif1|msf1)", "heic"),
    (rb"BM", "bmp"),
]
_NOT_READ: list[tuple[bytes, str, str]] = [
    (_BRAND + rb"(?:avci|avcs|jpeg|jpgs|j2ki|unci|vvic)", "a HEIF image", _PHOTO),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _PICTURE),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image", _PICTURE),
    (rb"II\xbc\x01", "a JPEG XR image", _PICTURE),
    (rb"8BPS", "a Photoshop document (PSD)", "export it as PNG or TIFF"),
    (rb"gimp xcf", "a GIMP image (XCF)", "export it as PNG or TIFF"),
    (_MARKUP + rb"(?:<\?xml.*)?<(?:!DOCTYPE )?svg", "an SVG drawing", "export it as PNG"),
    (rb"%PDF", "a PDF document", "export its page as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing (EPS)", "export it as PNG"),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile", "export it as PNG"),
    (rb"AT&TFORM", "a DjVu document", "export its page as PNG"),
    (rb"\0\0[\x01\x02]\0[^\0]", "an icon (ICO)", "save it as PNG"),
    (rb"icns", "an icon (ICNS)", "save it as PNG"),
    (rb"II\*\0....CR", "a camera raw file (CR2)", _RAW),
    (rb"....ftypcrx ", "a camera raw file (CR3)", _RAW),
    (rb"FUJIFILMCCD-RAW", "a camera raw file (RAF)", _RAW),
    (rb"IIR[OS]|MMOR", "a camera raw file (ORF)", _RAW),
    (rb"IIU\0", "a camera raw file (RW2)", _RAW),
    (rb"FOVb", "a camera raw file (X3F)", _RAW),
    (rb"v/1\x01", "an OpenEXR image", _PICTURE),
    (rb"#\?R(?:ADIANCE|GBE)", "a Radiance HDR image", _PICTURE),
    (rb"DDS ", "a DirectDraw surface (DDS)", _PICTURE),
    (rb"qoif", "a QOI image", _PICTURE),
    (rb"P[1-7fF]\s", "a PNM image", _PICTURE),
    (rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]", "a PCX image", _PICTURE),
    (rb"\x8aMNG|\x8bJNG", "an MNG or JNG image", _PICTURE),
    (rb"SIMPLE  =", "a FITS image", _PICTURE),
    (rb".{128}DICM", "a DICOM image", _PICTURE),
    (rb"BPG\xfb", "a BPG image", _PICTURE),
    (_TARGA, "a Targa image (TGA)", _PICTURE),
    (rb"....ftyp|....(?:moov|mdat|wide|free)", "a video (MP4 or MOV)", _FRAME),
    (rb"\x1aE\xdf\xa3", "a video (WebM or MKV)", _FRAME),
    (rb"RIFF....AVI ", "a video (AVI)", _FRAME),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (WMV)", _FRAME),
    (rb"FLV\x01", "a video (FLV)", _FRAME),
    (rb"\0\0\x01[\xba\xb3]|G.{187}G.{187}G|....G.{191}G.{191}G", "a video (MPEG)", _FRAME),
    (rb"RIFF....WAVE|ID3|OggS|fLaC", "a sound", _NO_IMAGE),
    (rb"PK[\x03\x05]", "a ZIP archive or an Office document", _UNPACK),
    (rb"7z\xbc\xaf|Rar!|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar", "an archive", _UNPACK),
    (rb"\xd0\xcf\x11\xe0", "an Office document or a Thumbs.db", _NO_IMAGE),
    (
        rb"\0\x05\x16\x07",
        "metadata of macOS (its name starts with ._)",
        "upload the file without ._",
    ),
    (rb"\0\0\0\x01Bud1", "settings of a folder on macOS (.DS_Store)", _NO_IMAGE),
    (_MARKUP + rb"(?i:<(?:!doctype|html))", "a web page (HTML)", "download the image itself"),
    (_MARKUP + rb"<\?xml", "an XML document", _NO_IMAGE),
    (rb"\x7fELF|MZ", "a program", _NO_IMAGE),
    (_UTF_8 + rb"\Z|\xff\xfe|\xfe\xff|\xef\xbb\xbf", "a text", _NO_IMAGE),
    (rb"\0*\Z", "a file that begins with nothing but zeros", "upload an intact copy"),
]


def image_format(head: bytes) -> str:
    """Name the format of a file that begins so: one of `FORMATS`.

    Raises
    ------
    EmptyImage
        If there are no bytes at all.
    UnsupportedImage
        If it is none of the formats that are read.
    """
    if not head:
        raise EmptyImage("the object has no bytes; upload an image file")
    for pattern, kind in _READ:
        if _matches(pattern, head):
            return kind
    for pattern, name, advice in _NOT_READ:
        if _matches(pattern, head):
            raise UnsupportedImage(f"this is {name}, which is not read; {advice}")
    raise UnsupportedImage(
        f"a file that starts with {head[:12]!r} is none of {', '.join(FORMATS)}; {_PICTURE}"
    )


def _matches(pattern: bytes, head: bytes) -> bool:
    return re.match(pattern, head, re.DOTALL) is not None
