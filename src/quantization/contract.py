"""The public contract: what the result and failure JSON in the output bucket say."""

from typing import Annotated

from msgspec import Meta, Struct

HexColor = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$", description="an sRGB color")]
PaletteSize = Annotated[int, Meta(ge=1, le=256)]


class Upload(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of one object in the input bucket."""

    bucket: str
    key: str
    version_id: str
    etag: str
    sequencer: Annotated[
        str,
        Meta(description="hexadecimal number that S3 gave the upload; a key's uploads increase it"),
    ]


class Source(Upload, frozen=True, forbid_unknown_fields=True):
    """The upload, decoded: its size in pixels, as displayed."""

    width: int
    height: int


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """The palette sizes that may be tried, both ends included."""

    k_min: PaletteSize
    k_max: PaletteSize


class Score(Struct, frozen=True, kw_only=True):
    """How well one K fits: the row that the reduction compares and the result lists."""

    k: PaletteSize
    silhouette: Annotated[
        float | None,
        Meta(description="mean silhouette coefficient, -1..1; null where it was not measured"),
    ]
    inertia: Annotated[
        float | None,
        Meta(description="sum of squared RGB distances (levels 0..255) to the nearest centroid"),
    ]
    error: Annotated[
        float | None,
        Meta(description="mean OKLab distance x 100 of a pixel from its palette color"),
    ]
    failure: Annotated[
        str | None, Meta(description="name of the error, where this K could not be fitted")
    ] = None


class Picks(Struct, frozen=True, forbid_unknown_fields=True):
    """The K that each criterion picks from the same scores."""

    silhouette: PaletteSize
    guarded: PaletteSize


class Swatch(Struct, frozen=True):
    """One palette color of a result."""

    color: HexColor
    share: Annotated[float, Meta(ge=0, le=1, description="share of the visible pixels")]


class SourceFile(Struct, frozen=True, kw_only=True):
    """The file that was uploaded."""

    format: Annotated[str, Meta(description="by content, whatever its name")]
    bytes: Annotated[int, Meta(ge=0)]
    frames: Annotated[int, Meta(ge=1, description="or pages; the first was quantized")]


class ImageFile(Struct, frozen=True, kw_only=True):
    """The recolored image's file."""

    format: str
    version_id: Annotated[str, Meta(description="of its object, which may have another one by now")]
    bytes: Annotated[int, Meta(ge=0)]
    ratio: Annotated[float, Meta(ge=0, description="of its bytes to the uploaded file's")]
    space: Annotated[str, Meta(description="in which each pixel has its nearest palette color")]
    dither: Annotated[str, Meta(description="none, ordered or diffusion")]


class Result(Struct, frozen=True, kw_only=True):
    """The public contract: what ``<name>.json`` beside the recolored image says."""

    source: Source
    source_file: SourceFile
    image_file: ImageFile
    window: Annotated[
        Window, Meta(description="of the K allowed; an image of fewer colors is tried with less")
    ]
    criterion: Annotated[str, Meta(description="that chose k")]
    error_budget: Annotated[float, Meta(description="of the criterion guarded, as `error` is")]
    picks: Annotated[Picks, Meta(description="what each criterion would choose")]
    silhouette_on_edge: Annotated[
        bool, Meta(description="whether the silhouette's pick is the window's smallest or largest")
    ]
    k: PaletteSize
    palette: Annotated[list[Swatch], Meta(description="most used first")]
    scores: Annotated[list[Score], Meta(description="one for each K tried")]
    sample_size: Annotated[int, Meta(description="pixels that silhouettes were measured on")]
    execution: Annotated[str, Meta(description="ARN of the execution")]
    versions: Annotated[dict[str, str], Meta(description="of the software that made it")]


class Failure(Struct, frozen=True, kw_only=True):
    """The public contract of failures: what ``<key>.error.json`` in the output bucket says."""

    source: Upload
    error: Annotated[str, Meta(description="the error's name, as the execution has it")]
    message: Annotated[str, Meta(description="what was wrong")]
    advice: Annotated[str, Meta(description="what to do about it")]
    execution: Annotated[str, Meta(description="ARN of the execution")]
