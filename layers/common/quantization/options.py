"""What an uploader may ask for, as metadata of the object (``x-amz-meta-<name>``)."""

from collections.abc import Mapping
from typing import NamedTuple

from quantization.errors import InvalidOptions

CRITERIA = ("silhouette", "guarded")
"""The rules that the state machine's ChooseK knows."""

ERROR_BUDGETS = (0.1, 20.0)
"""The least and the largest error budget."""


class Options(NamedTuple):
    """How the palette of an image is chosen.

    criterion : str
        One of `CRITERIA`.
    error_budget : float
        How far the criterion `guarded` lets colours drift: the mean OKLab distance x 100 between
        a pixel and its palette colour, within `ERROR_BUDGETS`. 2 is what W3C's CSS Color
        Module Level 4 takes for one just noticeable difference.
    """

    criterion: str
    error_budget: float


def chosen_options(metadata: Mapping[str, str], defaults: Options) -> Options:
    """Return the options that the object's metadata names, and the defaults for the rest.

    Raises
    ------
    InvalidOptions
        If it names a criterion that does not exist, or a budget that is no number or out of range.
    """
    criterion = metadata.get("criterion", defaults.criterion)
    if criterion not in CRITERIA:
        raise InvalidOptions(
            f"criterion {criterion!r} does not exist; choose one of {', '.join(CRITERIA)}"
        )
    return Options(criterion, _error_budget(metadata.get("error-budget", defaults.error_budget)))


def _error_budget(given: str | float) -> float:
    least, largest = ERROR_BUDGETS
    refusal = f"error-budget {given!r} is not a number from {least} to {largest}"
    try:
        budget = float(given)
    except ValueError as error:
        raise InvalidOptions(refusal) from error
    if not least <= budget <= largest:
        raise InvalidOptions(refusal)
    return budget


SPACES = ("rgb", "oklab")
"""Where Render can measure which palette colour is nearest."""

FORMATS = ("png", "webp")
"""What Render can write; both keep every pixel."""


DITHERS = ("none", "ordered", "diffusion")
"""How Render can imitate the colours between those of the palette."""


class Rendering(NamedTuple):
    """How the image is rendered: one each of `SPACES`, `FORMATS` and `DITHERS`."""

    space: str
    format: str
    dither: str


def chosen_rendering(metadata: Mapping[str, str]) -> Rendering:
    """Return how the object's metadata wants it rendered, the first of each where it says nothing.

    Raises
    ------
    InvalidOptions
        If it names one that does not exist.

    """
    chosen = []
    for name, offered in (("space", SPACES), ("format", FORMATS), ("dither", DITHERS)):
        value = metadata.get(name, offered[0])
        if value not in offered:
            raise InvalidOptions(
                f"{name} {value!r} does not exist; choose one of {', '.join(offered)}"
            )
        chosen.append(value)
    return Rendering(*chosen)


NAMES = ("criterion", "error-budget", "space", "format", "dither")
"""Of all options."""

_OF_OTHERS = {"mtime", "atime", "ctime", "uid", "gid", "mode", "md5chksum", "s3cmd-attrs"}
"""Metadata that rclone, s3fs and s3cmd add to every upload of their own accord."""


def check_names(metadata: Mapping[str, str]) -> None:
    """Refuse metadata that is no option: more likely than not it is a misspelt one.

    Raises
    ------
    InvalidOptions

    """
    unknown = metadata.keys() - set(NAMES) - _OF_OTHERS
    if unknown:
        raise InvalidOptions(
            f"{', '.join(sorted(unknown))}: no such option; choose from {', '.join(NAMES)}"
        )
