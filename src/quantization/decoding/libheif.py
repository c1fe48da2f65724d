"""libheif by its C interface, for pictures coded as HEVC, which libvips' build of it cannot decode.

The package pi-heif brings libheif and libde265. Its own Python is not used: it needs Pillow, and
has libheif show what is left of a damaged picture.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from weakref import finalize

from quantization.decoding.stored import damaged
from quantization.errors import ImageTooLarge, UnsupportedImage

# Numbers of libheif's headers.
_UNSUPPORTED_FILE, _UNSUPPORTED_FEATURE, _NO_MEMORY, _NO_PLUGIN = 3, 4, 6, 11
_UNSPECIFIED, _LIMIT_EXCEEDED = 0, 1000
_MONOCHROME, _RGB = 2, 1
_INTERLEAVED = 10
_CHROMA = {(8, False): 10, (8, True): 11, (16, False): 14, (16, True): 15}
"""By bits of a level and whether there is alpha; the lower byte comes first."""


class HeifError(Exception):
    """What libheif says."""


class _Error(ctypes.Structure):
    _fields_ = (("code", c_int), ("subcode", c_int), ("message", c_char_p))


class _Options(ctypes.Structure):
    """The first fields of `heif_decoding_options`."""

    _fields_ = (
        ("version", c_uint8),
        ("ignore_transformations", c_uint8),
        ("progress", c_void_p * 4),
        ("convert_hdr_to_8bit", c_uint8),
        ("strict_decoding", c_uint8),
    )


class _Nclx(ctypes.Structure):
    """The first fields of `heif_color_profile_nclx`."""

    _fields_ = (("version", c_uint8), ("primaries", c_int), ("transfer", c_int))


_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "heif_context_alloc": (c_void_p,),
    "heif_context_free": (None, c_void_p),
    "heif_context_set_max_decoding_threads": (None, c_void_p, c_int),
    "heif_context_read_from_file": (_Error, c_void_p, c_char_p, c_void_p),
    "heif_context_read_from_memory": (_Error, c_void_p, c_char_p, c_size_t, c_void_p),
    "heif_context_get_number_of_items": (c_int, c_void_p),
    "heif_context_get_list_of_item_IDs": (c_int, c_void_p, c_void_p, c_int),
    "heif_item_get_item_type": (c_uint32, c_void_p, c_uint32),
    "heif_item_get_item_data": (_Error, c_void_p, c_uint32, c_void_p, c_void_p, c_void_p),
    "heif_release_item_data": (None, c_void_p, c_void_p),
    "heif_context_get_number_of_top_level_images": (c_int, c_void_p),
    "heif_context_get_primary_image_handle": (_Error, c_void_p, c_void_p),
    "heif_image_handle_release": (None, c_void_p),
    "heif_image_handle_get_width": (c_int, c_void_p),
    "heif_image_handle_get_height": (c_int, c_void_p),
    "heif_image_handle_get_luma_bits_per_pixel": (c_int, c_void_p),
    "heif_image_handle_has_alpha_channel": (c_int, c_void_p),
    "heif_image_handle_is_premultiplied_alpha": (c_int, c_void_p),
    "heif_image_handle_get_preferred_decoding_colorspace": (_Error, c_void_p, c_void_p, c_void_p),
    "heif_image_handle_get_raw_color_profile_size": (c_size_t, c_void_p),
    "heif_image_handle_get_raw_color_profile": (_Error, c_void_p, c_void_p),
    "heif_image_handle_get_nclx_color_profile": (_Error, c_void_p, c_void_p),
    "heif_nclx_color_profile_free": (None, c_void_p),
    "heif_decoding_options_alloc": (POINTER(_Options),),
    "heif_decoding_options_free": (None, c_void_p),
    "heif_decode_image": (_Error, c_void_p, c_void_p, c_int, c_int, c_void_p),
    "heif_image_release": (None, c_void_p),
    "heif_image_get_width": (c_int, c_void_p, c_int),
    "heif_image_get_height": (c_int, c_void_p, c_int),
    "heif_image_get_bits_per_pixel_range": (c_int, c_void_p, c_int),
    "heif_image_get_plane_readonly2": (c_void_p, c_void_p, c_int, c_void_p),
}
"""Those that are called: what they return, and what they take."""


class Picture(NamedTuple):
    """What a file says of its primary image.

    Attributes
    ----------
    width, height : int
        Size in pixels as displayed: libheif crops and turns.
    bits : int
        Of a level.
    is_gray, has_alpha, is_premultiplied : bool
    profile : bytes
        ICC profile; empty where there is none.
    codes : (int, int) or None
        Primaries and transfer by ITU-T H.273, where they are stated.
    images : int
        How many there are beside each other, thumbnails and the like not counted.
    """

    width: int
    height: int
    bits: int
    is_gray: bool
    has_alpha: bool
    is_premultiplied: bool
    profile: bytes
    codes: tuple[int, int] | None
    images: int


class Levels(NamedTuple):
    """Decoded pixels: interleaved RGB or RGBA levels, whose rows are `stride` bytes apart."""

    buffer: "ctypes.Array[c_uint8]"
    stride: int


def describe(source: Path | bytes) -> Picture:
    """Read the header of a file, or of the bytes of one.

    Raises
    ------
    UnsupportedImage
        If it is damaged or of a variety that libheif does not know.
    ImageTooLarge
        If it claims to be larger than libheif decodes.
    """
    lib = _library()
    with _context(source) as context, _primary(context) as image:
        _refuse_blanks(context)
        space = c_int()
        lib.heif_image_handle_get_preferred_decoding_colorspace(image, byref(space), byref(c_int()))
        return Picture(
            width=lib.heif_image_handle_get_width(image),
            height=lib.heif_image_handle_get_height(image),
            bits=lib.heif_image_handle_get_luma_bits_per_pixel(image),
            is_gray=space.value == _MONOCHROME,
            has_alpha=bool(lib.heif_image_handle_has_alpha_channel(image)),
            is_premultiplied=bool(lib.heif_image_handle_is_premultiplied_alpha(image)),
            profile=_profile(image),
            codes=_codes(image),
            images=lib.heif_context_get_number_of_top_level_images(context),
        )


def decode(source: Path | bytes, picture: Picture) -> Levels:
    """Decode the primary image to levels of 8 or, where it has more bits, 16 bits.

    Raises
    ------
    UnsupportedImage
        If any of its pixels are missing, or cannot be decoded.
    """
    lib = _library()
    chroma = _CHROMA[8 if picture.bits <= 8 else 16, picture.has_alpha]
    pixels, stride = c_void_p(), c_size_t()
    options = lib.heif_decoding_options_alloc()
    options.contents.strict_decoding = 1
    try:
        with _context(source) as context, _primary(context) as image:
            lib.heif_decode_image(image, byref(pixels), _RGB, chroma, options)
    finally:
        lib.heif_decoding_options_free(options)
    plane = lib.heif_image_get_plane_readonly2(pixels, _INTERLEAVED, byref(stride))
    width = lib.heif_image_get_width(pixels, _INTERLEAVED)
    height = lib.heif_image_get_height(pixels, _INTERLEAVED)
    bits = lib.heif_image_get_bits_per_pixel_range(pixels, _INTERLEAVED)
    buffer = (c_uint8 * (stride.value * height)).from_address(plane)
    finalize(buffer, lib.heif_image_release, pixels)
    if (width, height, bits) != (picture.width, picture.height, picture.bits):
        raise damaged("its pixels are not what its header says")
    return Levels(buffer, stride.value)


@cache
def _library() -> ctypes.CDLL:
    """Load libheif, by way of pi-heif's extension module, which is linked to it."""
    found = find_spec("_pi_heif")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the package pi-heif is not installed")
    extension = Path(found.origin)
    # On Windows a library gives nothing that is not its own; there libheif lies beside it.
    library = ctypes.CDLL(str(next(extension.parent.glob("libheif-*.dll"), extension)))
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
        if result is _Error:
            function.errcheck = _check
    return library


def _check(error: _Error, *_: object) -> None:
    if not error.code:
        return
    said = HeifError(error.message.decode(errors="replace"))
    if error.code == _NO_MEMORY and error.subcode == _LIMIT_EXCEEDED:
        raise ImageTooLarge(
            "it has more pixels than its header says, or than such a file may have; "
            "upload a smaller image"
        ) from said
    if error.code == _NO_MEMORY and error.subcode == _UNSPECIFIED:
        raise MemoryError(str(said))
    if error.code in (_UNSUPPORTED_FILE, _UNSUPPORTED_FEATURE, _NO_PLUGIN):
        raise UnsupportedImage(
            "a HEIF image of this kind is not read; save it as JPEG or AVIF"
        ) from said
    raise damaged("its pixels cannot be decoded") from said


@contextmanager
def _context(source: Path | bytes) -> Iterator[c_void_p]:
    lib = _library()
    context = c_void_p(lib.heif_context_alloc())
    try:
        lib.heif_context_set_max_decoding_threads(context, 0)
        if isinstance(source, Path):
            lib.heif_context_read_from_file(context, os.fsencode(source), None)
        else:
            lib.heif_context_read_from_memory(context, source, len(source), None)
        yield context
    finally:
        lib.heif_context_free(context)


@contextmanager
def _primary(context: c_void_p) -> Iterator[c_void_p]:
    lib, image = _library(), c_void_p()
    lib.heif_context_get_primary_image_handle(context, byref(image))
    try:
        yield image
    finally:
        lib.heif_image_handle_release(image)


def _refuse_blanks(context: c_void_p) -> None:
    """Refuse pictures that end in zeros, as an interrupted copy may: those of HEVC never do.

    ITU-T H.265, 7.4.2: "The last byte of the NAL unit shall not be equal to 0x00." libde265 takes
    them for pixels of its own making.
    """
    lib = _library()
    count = lib.heif_context_get_number_of_items(context)
    items = (c_uint32 * count)()
    lib.heif_context_get_list_of_item_IDs(context, items, count)
    coded = int.from_bytes(b"hvc1")
    for item in items:
        if lib.heif_item_get_item_type(context, item) != coded:
            continue
        data, size = POINTER(c_uint8)(), c_size_t()
        try:
            lib.heif_item_get_item_data(context, item, byref(c_int()), byref(data), byref(size))
        except UnsupportedImage:  # Beyond the file's end: decoding finds out if it is needed.
            continue
        blank = size.value == 0 or data[size.value - 1] == 0
        lib.heif_release_item_data(context, byref(data))
        if blank:
            raise damaged("pixels are missing")


def _profile(image: c_void_p) -> bytes:
    lib = _library()
    size = lib.heif_image_handle_get_raw_color_profile_size(image)
    profile = ctypes.create_string_buffer(size)
    if size:
        lib.heif_image_handle_get_raw_color_profile(image, profile)
    return profile.raw


def _codes(image: c_void_p) -> tuple[int, int] | None:
    lib, stated = _library(), POINTER(_Nclx)()
    try:
        lib.heif_image_handle_get_nclx_color_profile(image, byref(stated))
    except UnsupportedImage:  # None is stated.
        return None
    codes = stated.contents.primaries, stated.contents.transfer
    lib.heif_nclx_color_profile_free(stated)
    return codes
