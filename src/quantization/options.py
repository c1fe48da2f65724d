"""What an uploader may ask for, each option declared once.

The fields of `Options` say an option's name, type, limits, default and meaning to all that use it:
the metadata of an upload (``x-amz-meta-<name>``), the variables of the stack, the flags of the
command, the JSON Schema of the result, and the table in README.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, inspect

from quantization.errors import ImageTooLarge, InvalidOptions

Criterion = Literal["silhouette", "guarded"]
"""The rules that the state machine's ChooseK knows."""

Space = Literal["oklab", "rgb"]
"""Where the palette is fitted and each pixel finds its nearest color of it."""

ImageFormat = Literal["png", "webp"]
"""What the recolored image can be written as; both keep every pixel."""

LONGEST_SIDES: dict[ImageFormat, int] = {"webp": 16_383}
"""Pixels a side that a format has room for, where it has a limit."""

Dither = Literal["none", "ordered", "diffusion"]
"""How the colors between those of the palette can be imitated."""

PaletteFormat = Literal["gpl", "ase", "css"]
"""What palettes can be written as, by file extensions."""

PaletteSource = Literal["gpl", "hex", "pal", "json"]
"""What a palette can be read from, by file extensions."""

PALETTE_ENDINGS = tuple(f".{source}" for source in get_args(PaletteSource))
"""Of keys of palettes, which are no uploads to quantize."""

LARGEST_K = 256
"""A PNG has so many entries."""

LARGEST_K_BESIDE_TRANSPARENCY = LARGEST_K - 1
"""One entry is of what is transparent."""

PaletteSize = Annotated[int, Meta(ge=1, le=LARGEST_K)]
"""Number of colors."""

MOST_GIVEN = LARGEST_K_BESIDE_TRANSPARENCY
"""Colors of a palette that is given before it is known which image it is for."""

HexColor = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$", description="an sRGB color")]

HexColors = Annotated[tuple[HexColor, ...], Meta(extra_json_schema={"maxItems": MOST_GIVEN})]

# Its ending is no pattern of the type: in a union with an array msgspec 0.22 crashes of one.
PaletteKey = str
"""Of an object beside the uploads that is a palette, by its extension a `PaletteSource`."""

MAX_SIZES = 64
"""The widest window. Each K is a function call, and so many palettes of the largest K still fit
into a state's 256 KiB."""


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an image is quantized.

    Raises
    ------
    InvalidOptions
        If the window of K is empty or has more than `MAX_SIZES` sizes, the colors to keep have no
        room in all of its palettes, or a palette is given besides, or one of too many colors.
    """

    criterion: Annotated[
        Criterion, Meta(description="the rule that chooses the number of colors K")
    ] = "silhouette"
    error_budget: Annotated[
        float,
        Meta(
            ge=0.1,
            le=20,
            description="how far the criterion guarded lets colors drift on average,"
            " in OKLab x 100; 2 is about one just noticeable difference",
        ),
    ] = 2.0
    k_min: Annotated[PaletteSize, Meta(description="smallest number of colors to try")] = 8
    k_max: Annotated[
        PaletteSize,
        Meta(description=f"largest number of colors to try, less than k-min + {MAX_SIZES}"),
    ] = 32
    k: Annotated[
        PaletteSize | None,
        Meta(description="use exactly this many colors, instead of trying k-min to k-max"),
    ] = None
    keep: Annotated[
        HexColors,
        Meta(description="colors that the palette must contain; the others are fitted around them"),
    ] = ()
    palette: Annotated[
        HexColors | PaletteKey,
        Meta(description="the whole palette: no colors are fitted, and no K is chosen"),
    ] = ()
    space: Annotated[
        Space,
        Meta(
            description="the color space to fit the palette in: oklab suits the eye,"
            " rgb gives the least squared error in RGB levels"
        ),
    ] = "oklab"
    format: Annotated[
        ImageFormat,
        Meta(
            description="the image's format: png is indexed and keeps the source's resolution,"
            " webp is lossless too, smaller, and slower to make"
        ),
    ] = "png"
    dither: Annotated[
        Dither,
        Meta(description="how to mix palette colors to imitate the colors between them"),
    ] = "none"
    palettes: Annotated[
        tuple[PaletteFormat, ...],
        Meta(
            description="also write the palette for GIMP (gpl), Adobe's programs (ase), or as CSS"
            " custom properties (css); separate several with commas or spaces"
        ),
    ] = ()

    def __post_init__(self) -> None:
        sizes = self.k_max - self.k_min + 1
        if sizes < 1:
            raise InvalidOptions(f"k-min {self.k_min} is above k-max {self.k_max}")
        if sizes > MAX_SIZES:
            raise InvalidOptions(
                f"k-min {self.k_min} to k-max {self.k_max} are {sizes} sizes;"
                f" at most {MAX_SIZES} are tried"
            )
        for name, given in (("keep", self.keep), ("palette", self.palette)):
            if not isinstance(given, str) and len(given) > MOST_GIVEN:
                raise InvalidOptions(f"{name} has {len(given)} colors; at most {MOST_GIVEN} fit")
        if self.keep and self.palette:
            raise InvalidOptions("keep adds to a fitted palette, palette is one; leave one out")
        if len(self.keep) > self.k_min:
            raise InvalidOptions(
                f"keep has {len(self.keep)} colors; palettes of {self.k_min} have no room for them"
            )

    def updated(self, given: Mapping[str, str]) -> Self:
        """Return these options with those changed that are given, as text, by their names.

        What is not given gives way. An end of the window moves with the other one where it has to:
        the window keeps its width, and begins with palettes that have room for the colors to keep.
        `keep` replaces a `palette`, and a `palette` what was to be kept. Names of no option are
        ignored; see `ignored_metadata`.

        Raises
        ------
        InvalidOptions
            If a value is not one that its option takes, or the window is impossible.
        """
        values = {
            field.name: _parse(name, given[name]) for name, field in FIELDS.items() if name in given
        }
        return msgspec.structs.replace(self, **self._giving_way(values) | values)

    def _giving_way(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that are not given and give way to those that are."""
        of_fits = [n for n, f in FIELDS.items() if f.name in _OF_FITS and f.name in values]
        if "palette" in values:
            if of_fits:
                raise InvalidOptions(
                    f"palette stands in place of a fitted one; leave out {', '.join(of_fits)}"
                )
            return {"keep": ()}
        return {"palette": (), **self._window(values)} if of_fits else {}

    def _window(self, values: Mapping[str, Any]) -> dict[str, int | None]:
        """Return the window of K, and `k` if it is still of one size."""
        if "k" in values:
            if "k_min" in values or "k_max" in values:
                raise InvalidOptions("k stands in place of k-min and k-max; leave these out")
            return {"k_min": values["k"], "k_max": values["k"]}
        width, kept = self.k_max - self.k_min, len(values.get("keep", self.keep))
        k_min = values.get("k_min", max(self.k_min, kept))
        k_max = values.get("k_max", self.k_max)
        if k_min > k_max and "k_max" not in values:
            k_max = min(k_min + width, LARGEST_K)
        elif k_min > k_max and "k_min" not in values:
            k_min = max(k_max - width, min(kept, k_max), 1)
        return {"k_min": k_min, "k_max": k_max, "k": self.k if k_min == k_max == self.k else None}


_OF_FITS = {"k_min", "k_max", "k", "keep"}
"""Fields that are of no use where the palette is given."""

FIELDS = {field.name.replace("_", "-"): field for field in msgspec.structs.fields(Options)}
"""The fields of `Options` by the names of the options."""


def refuse_sides(image_format: ImageFormat, width: int, height: int) -> None:
    """Refuse an image that the format it is to be written in has no room for.

    Raises
    ------
    ImageTooLarge
    """
    longest = LONGEST_SIDES.get(image_format)
    if longest and max(width, height) > longest:
        raise ImageTooLarge(
            f"{width} x {height} pixels do not fit into a file in the format {image_format}, which"
            f" has at most {longest} a side; ask for the format png"
        )


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse names that are no options.

    Raises
    ------
    InvalidOptions
    """
    if unknown := set(names) - FIELDS.keys():
        raise InvalidOptions(
            f"{', '.join(sorted(unknown))}: no such option; choose from {', '.join(FIELDS)}"
        )


def ignored_metadata(names: Iterable[str]) -> list[str]:
    """Return the names of metadata that are no options: others keep notes there, too.

    Raises
    ------
    InvalidOptions
        If one looks as if an option was meant: spelled otherwise, or by another word for it.
    """
    ignored = sorted(set(names) - FIELDS.keys())
    for name in ignored:
        if meant := option_meant(name):
            raise InvalidOptions(f"{name}: no such option; {meant} is meant, or rename it")
    return ignored


OTHER_WORDS = {"color": "k", "colors": "k", "colour": "k", "colours": "k", "numcolors": "k"}
"""What people call an option, without hyphens."""


def option_meant(name: str) -> str | None:
    """Return the option that a name seems to mean: spelled otherwise, or another word for it."""
    plain = "".join(filter(str.isalnum, name.lower()))
    spelled = {"".join(filter(str.isalnum, option)): option for option in FIELDS}
    if option := (spelled | OTHER_WORDS).get(plain):
        return option
    long = [option for option in spelled if len(option) > 4]  # Few letters are alike by chance.
    for option in difflib.get_close_matches(plain, long, cutoff=0.75):
        # A name that ends in an option's, such as file-format, is one of its own.
        if plain[0] == option[0] and abs(len(plain) - len(option)) <= 3:
            return spelled[option]
    return None


class Values(NamedTuple):
    """What an option takes.

    choices : tuple of str
        The values there are; empty for a number.
    several : bool
        Whether more than one of the choices may be given.
    phrase : str
        In words: "a whole number from 1 to 256", "one of rgb, oklab".
    """

    choices: tuple[str, ...]
    several: bool
    phrase: str


def values_of(name: str) -> Values:
    """Return what the option of this name takes."""
    declared = FIELDS[name].type
    choices = _choices(declared)
    listed = ", ".join(choices)
    colors = "a list of hex colors, such as #ffcc00"
    match _plain(declared):
        case inspect.LiteralType():
            return Values(choices, False, f"one of {listed}")
        case inspect.VarTupleType(item_type=inspect.LiteralType()):
            return Values(choices, True, f"some of {listed}")
        case inspect.VarTupleType():
            return Values((), True, colors)
        case inspect.UnionType():
            return Values((), True, f"{colors}, or a palette file: {', '.join(PALETTE_ENDINGS)}")
        case inspect.IntType(ge=least, le=largest):
            return Values((), False, f"a whole number from {least} to {largest}")
        case inspect.FloatType(ge=least, le=largest):
            return Values((), False, f"a number from {least:g} to {largest:g}")
        case other:
            raise TypeError(f"{name} is declared as {other}, which has no form as text")


def _choices(declared: object) -> tuple[str, ...]:
    """Return the values of the Literal in a type, in the order of their declaration."""
    if get_origin(declared) is Literal:
        return get_args(declared)
    return next(filter(None, map(_choices, get_args(declared))), ())


def description_of(name: str) -> str:
    """Return what the option of this name is about."""
    match inspect.type_info(FIELDS[name].type):
        case inspect.Metadata(extra_json_schema={"description": str(description)}):
            return description
        case _:
            raise TypeError(f"{name} is declared without a description")


def _plain(declared: object) -> inspect.Type:
    """Return a type without its description, and without the None of one that may be left out."""
    kind = inspect.type_info(declared)
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        return parts[0] if len(parts) == 1 else kind
    return kind


def _parse(name: str, given: str) -> Any:
    declared = FIELDS[name].type
    try:
        return msgspec.convert(_read(_plain(declared), given), declared)
    except ValueError as error:  # msgspec's ValidationError is one.
        raise InvalidOptions(f"{name} {given!r} is not {values_of(name).phrase}") from error


def _read(kind: inspect.Type, given: str) -> object:
    """Read a text as a value of this kind, which need not be valid."""
    match kind:
        case inspect.IntType():
            return int(given)
        case inspect.FloatType():
            return float(given)
        case inspect.VarTupleType(item_type=inspect.LiteralType()):
            return _several(given)
        case inspect.UnionType() if given.endswith(PALETTE_ENDINGS):
            return given
        case inspect.VarTupleType() | inspect.UnionType():
            return list(dict.fromkeys(map(hex_color, _several(given))))
    return given


def _several(given: str) -> list[str]:
    """Split at spaces as well as at commas: some tools cannot send commas."""
    return list(dict.fromkeys(given.replace(",", " ").split()))


def hex_color(given: str) -> HexColor:
    """Return a color as ``#rrggbb``, whatever its case, without the # or with a digit a channel."""
    digits = given.removeprefix("#").lower()
    return "#" + (digits if len(digits) != 3 else "".join(2 * digit for digit in digits))
