"""Colors of any kind to 8-bit sRGB."""

import numpy as np
import pyvips

# How far, in levels, a profile may be from sRGB and still be called it: rounding of its curves.
_SRGB_TOLERANCE = 2


def to_srgb(image: pyvips.Image, kind: str) -> pyvips.Image:
    """Convert the colors to 8-bit sRGB, and the alpha to 8 bits."""
    has_alpha = image.hasalpha()
    color = image[: image.bands - 1] if has_alpha else image
    if color.interpretation == "cmyk" or has_foreign_profile(color):
        # CMYK without a profile gets libvips' own, a common press profile.
        color = _through_profile(color)
    elif color.format == "ushort":
        color = _to_8_bits(color, kind)
    elif color.format != "uchar" or color.interpretation not in ("srgb", "b-w"):
        color = color.colourspace("srgb")
    if color.bands == 1:
        color = color.bandjoin([color, color])
    if not has_alpha:
        return color
    alpha = image[image.bands - 1]
    return color.bandjoin(_to_8_bits(alpha, kind) if alpha.format == "ushort" else alpha)


def has_foreign_profile(image: pyvips.Image) -> bool:
    """Whether an ICC profile is embedded that changes levels, as sRGB's own does not."""
    if "icc-profile-data" not in image.get_fields():
        return False
    # Try the profile on levels all over its cube rather than trust the name it gives itself.
    axis = np.linspace(0, 255, 9).round().astype(np.uint8)
    channels = 1 if image.bands < 3 else 3
    levels = np.stack(np.meshgrid(*[axis] * channels), axis=-1).reshape(1, -1, channels)
    probe = pyvips.Image.new_from_array(levels).copy(
        interpretation="srgb" if channels == 3 else "b-w"
    )
    probe.set_type(pyvips.GValue.blob_type, "icc-profile-data", image.get("icc-profile-data"))
    converted = _through_profile(probe).numpy().astype(np.int16)
    return bool(np.abs(converted - levels).max() > _SRGB_TOLERANCE)


def _through_profile(image: pyvips.Image) -> pyvips.Image:
    return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)


def _to_8_bits(image: pyvips.Image, kind: str) -> pyvips.Image:
    """Scale 16-bit levels to 0..255, rounding to the nearest."""
    # libvips puts AVIF's 10 or 12 bits into the upper bits and leaves the lower ones 0.
    bits = image.get("bits-per-sample") if kind == "avif" else 16
    white = ((1 << bits) - 1) << (16 - bits)
    return (image * (255 / white)).rint().cast("uchar")
