"""What an uploader may ask for, as metadata of the object (``x-amz-meta-<name>``)."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from quantization.contract import Window
from quantization.errors import InvalidOptions
from quantization.palette_files import WRITERS

CRITERIA = ("silhouette", "guarded")
"""The rules that the state machine's ChooseK knows."""

ERROR_BUDGETS = (0.1, 20.0)
"""The least and the largest error budget."""

SIZES = (1, 255)
"""The least and the largest K: a PNG has 256 entries, and one may have to be transparent."""

MOST_SIZES = 64
"""The widest window. Each K is a function call, and so many palettes of the largest K still fit
into a state's 256 KiB."""


class Options(NamedTuple):
    """How the palette of an image is chosen.

    criterion : str
        One of `CRITERIA`.
    error_budget : float
        How far the criterion `guarded` lets colors drift: the mean OKLab distance x 100 between
        a pixel and its palette color, within `ERROR_BUDGETS`. 2 is what W3C's CSS Color
        Module Level 4 takes for one just noticeable difference.
    window : Window
        The K to try: within `SIZES`, and at most `MOST_SIZES` of them.
    """

    criterion: str
    error_budget: float
    window: Window


def chosen_options(metadata: Mapping[str, str], defaults: Options) -> Options:
    """Return the options that the object's metadata names, and the defaults for the rest.

    Raises
    ------
    InvalidOptions
        If it names a criterion that does not exist, or a budget or window that is out of range.
    """
    return Options(
        _one_of(CRITERIA, "criterion", metadata.get("criterion", defaults.criterion)),
        _number(
            float,
            ERROR_BUDGETS,
            "error-budget",
            metadata.get("error-budget", defaults.error_budget),
        ),
        _window(metadata, defaults.window),
    )


def _window(metadata: Mapping[str, str], default: Window) -> Window:
    k_min, k_max = (
        _number(int, SIZES, name, metadata[name]) if name in metadata else own
        for name, own in (("k-min", default.k_min), ("k-max", default.k_max))
    )
    window = f"the window k-min {k_min} to k-max {k_max}"
    if k_min > k_max:
        raise InvalidOptions(f"{window} is empty; the stack sets what the upload does not name")
    if (sizes := k_max - k_min + 1) > MOST_SIZES:
        raise InvalidOptions(f"{window} has {sizes} sizes; at most {MOST_SIZES} are tried")
    return Window(k_min, k_max)


def _number[N: (int, float)](
    kind: type[N], bounds: tuple[N, N], name: str, given: str | float
) -> N:
    least, largest = bounds
    described = "whole number" if kind is int else "number"
    refusal = f"{name} {given!r} is not a {described} from {least} to {largest}"
    try:
        number = kind(given)
    except ValueError as error:
        raise InvalidOptions(refusal) from error
    if not least <= number <= largest:
        raise InvalidOptions(refusal)
    return number


SPACES = ("rgb", "oklab")
"""Where Render can measure which palette color is nearest."""

FORMATS = ("png", "webp")
"""What Render can write; both keep every pixel."""


DITHERS = ("none", "ordered", "diffusion")
"""How Render can imitate the colors between those of the palette."""


class Rendering(NamedTuple):
    """How the image is rendered: one each of `SPACES`, `FORMATS` and `DITHERS`.

    palettes : tuple of str
        The formats, of `quantization.palette_files.WRITERS`, that the palette is written in, too.
    """

    space: str
    format: str
    dither: str
    palettes: tuple[str, ...]


def chosen_rendering(metadata: Mapping[str, str]) -> Rendering:
    """Return how the object's metadata wants it rendered.

    Where it says nothing, that is the first of each, and no palettes.

    Raises
    ------
    InvalidOptions
        If it names one that does not exist.
    """
    # Spaces do as well as commas, which some tools cannot send.
    palettes = metadata.get("palettes", "").replace(",", " ").split()
    return Rendering(
        space=_one_of(SPACES, "space", metadata.get("space", SPACES[0])),
        format=_one_of(FORMATS, "format", metadata.get("format", FORMATS[0])),
        dither=_one_of(DITHERS, "dither", metadata.get("dither", DITHERS[0])),
        palettes=tuple(_one_of(WRITERS, "palettes", name) for name in dict.fromkeys(palettes)),
    )


def _one_of(offered: Collection[str], name: str, given: str) -> str:
    if given not in offered:
        raise InvalidOptions(f"{name} {given!r} does not exist; choose from {', '.join(offered)}")
    return given


NAMES = ("criterion", "error-budget", "k-min", "k-max", "space", "format", "dither", "palettes")
"""Of all options."""

_OF_OTHERS = {"mtime", "atime", "ctime", "uid", "gid", "mode", "md5chksum", "s3cmd-attrs"}
"""Metadata that rclone, s3fs and s3cmd add to every upload of their own accord."""


def check_names(metadata: Mapping[str, str]) -> None:
    """Refuse metadata that is no option: more likely than not it is a misspelled one.

    Raises
    ------
    InvalidOptions

    """
    unknown = metadata.keys() - set(NAMES) - _OF_OTHERS
    if unknown:
        raise InvalidOptions(
            f"{', '.join(sorted(unknown))}: no such option; choose from {', '.join(NAMES)}"
        )
