"""Colors of any kind to 8-bit sRGB."""

import numpy as np
import pyvips

from quantization.errors import UnsupportedImage

# How far, in levels, a profile may be from sRGB and still be called it: rounding of its curves.
_SRGB_TOLERANCE = 2

# The color space that a profile names in its header (ICC.1:2022, 7.2.6), by channels.
_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}

_PROFILE, _WHITE = "icc-profile-data", "level-of-white"

_WHITEST = 65_535


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Convert the colors to 8-bit sRGB, and the alpha to 8 bits.

    Raises
    ------
    UnsupportedImage
        If the levels are neither 8 nor 16 bits.
    """
    if image.format not in ("uchar", "ushort") and image.interpretation != "lab":
        raise UnsupportedImage("levels that are not of 8 or 16 bits are not read; export with 8")
    has_alpha = image.hasalpha()
    color = image[: image.bands - 1] if has_alpha else image
    if color.interpretation == "cmyk":
        # CMYK without a profile that can be used gets libvips' own, a common press profile.
        usable = _change_by_profile(color) is not None
        color = _through_profile(color if usable else _without_profile(color))
    elif has_foreign_profile(color):
        color = _through_profile(color)
    elif color.format == "ushort":
        color = _to_8_bits(color)
    elif color.interpretation not in ("srgb", "b-w"):
        color = color.colourspace("srgb")
    if color.bands == 1:
        color = color.bandjoin([color, color])
    if color.bands != 3:
        raise UnsupportedImage(f"{color.bands} channels of color are not read; export as RGB")
    if not has_alpha:
        return color
    alpha = image[image.bands - 1]
    return color.bandjoin(_to_8_bits(alpha) if alpha.format == "ushort" else alpha.cast("uchar"))


def is_ordinary(image: pyvips.Image) -> bool:
    """Whether the levels are opaque 8-bit sRGB or gray as they are."""
    return (
        image.format == "uchar"
        and image.interpretation in ("srgb", "b-w")
        and not image.hasalpha()
        and not has_foreign_profile(image)
    )


def with_profile(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Return the image with another ICC profile, or with none."""
    if profile is None:
        return _without_profile(image)
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return image


def white_of(bits: int) -> int:
    """Return the level of white where the upper bits of 16 are used, and the lower are 0."""
    return ((1 << bits) - 1) << (16 - bits)


def with_white(image: pyvips.Image, level: int) -> pyvips.Image:
    """Return a 16-bit image whose white is this level."""
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, _WHITE, level)
    return image


def has_foreign_profile(color: pyvips.Image) -> bool:
    """Whether an ICC profile is embedded that changes levels, as sRGB's own does not."""
    change = _change_by_profile(color)
    return change is not None and change > _SRGB_TOLERANCE


def _change_by_profile(color: pyvips.Image) -> int | None:
    """Return by how many levels the embedded profile changes a color at most.

    None says that there is no profile, or none that fits the image and can be used.
    """
    if not color.get_typeof(_PROFILE):
        return None
    profile = color.get(_PROFILE)
    if profile[16:20] != _SPACES.get(color.bands):
        return None
    # Try the profile on levels all over its cube rather than trust the name it gives itself.
    axis = np.linspace(0, 255, 9).round().astype(np.uint8)
    levels = np.stack(np.meshgrid(*[axis] * color.bands), axis=-1).reshape(1, -1, color.bands)
    interpretation = {1: "b-w", 3: "srgb", 4: "cmyk"}[color.bands]
    probe = with_profile(
        pyvips.Image.new_from_array(levels).copy(interpretation=interpretation), profile
    )
    try:
        converted = _through_profile(probe).numpy().astype(np.int16)
    except pyvips.Error:  # It may open and yet not link to sRGB.
        return None
    if color.bands == 4:
        return 255
    return int(np.abs(converted - levels).max())


def _without_profile(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    image.remove(_PROFILE)
    return image


def _through_profile(image: pyvips.Image) -> pyvips.Image:
    if (white := _stated_white(image)) != _WHITEST:
        image = (image * (_WHITEST / white)).rint().cast("ushort")
    return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)


def _to_8_bits(image: pyvips.Image) -> pyvips.Image:
    """Scale 16-bit levels to 0..255, rounding to the nearest."""
    return (image * (255 / _stated_white(image))).rint().cast("uchar")


def _stated_white(image: pyvips.Image) -> int:
    """Return the level of white of a 16-bit image."""
    white: int = image.get(_WHITE) if image.get_typeof(_WHITE) else _WHITEST
    return white
