"""The messages that cross a state boundary: one type each, used by both sides.

``msgspec.convert(event, Type)`` reads one and ``msgspec.to_builtins(message)`` writes one. The
largest, `RenderRequest`, stays below 16 KiB for 25 K: bulk data travels by claim check through
the work bucket, never in the state.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

HexColour = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$", description="an sRGB colour")]
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


class ObjectKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an object lies: a claim check in the work bucket, or a result in the output bucket."""

    bucket: str
    key: str


class SampleRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into Sample: the upload, and the ARN of the execution that handles it."""

    upload: Upload
    execution: str


class Source(Upload, frozen=True, forbid_unknown_fields=True):
    """The upload, decoded: its size in pixels, as displayed."""

    width: int
    height: int


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """The palette sizes that may be tried, both ends included."""

    k_min: PaletteSize
    k_max: PaletteSize


class Sampled(Struct, frozen=True, forbid_unknown_fields=True):
    """Out of Sample: the claim to the summary, which K make sense, and the upload's options."""

    source: Source
    summary: ObjectKey
    sample_size: int
    ks: list[PaletteSize]
    window: Window
    criterion: str
    error_budget: float


class ScoreRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into ScoreK: one K and the summary of the colours to fit it to."""

    k: PaletteSize
    summary: ObjectKey
    execution: str


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
        Meta(description="mean OKLab distance x 100 of a pixel from its palette colour"),
    ]
    failure: Annotated[
        str | None, Meta(description="name of the error, where this K could not be fitted")
    ] = None


class FittedScore(Score, frozen=True, kw_only=True):
    """Out of ScoreK: the score, and the palette that earned it."""

    palette: list[HexColour]


class Picks(Struct, frozen=True, forbid_unknown_fields=True):
    """The K that each criterion picks from the same scores."""

    silhouette: PaletteSize
    guarded: PaletteSize


class RenderRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into Render: the chosen palette, and what the result will say about the choice."""

    source: Source
    sample_size: int
    window: Window
    criterion: str
    error_budget: float
    picks: Picks
    silhouette_on_edge: bool
    k: PaletteSize
    palette: list[HexColour]
    scores: list[Score]
    execution: str
    entered: dict[str, datetime]
    """When each state was entered, in their order; the report alone says so."""


class Rendered(Struct, frozen=True):
    """Out of Render: where the recoloured image, its report, result JSON and palettes lie.

    `palettes` has the key of each format that the upload asked for.
    `superseded` says that they are not of this upload, for a newer one was quantized before.
    """

    image: ObjectKey
    report: ObjectKey
    result: ObjectKey
    palettes: dict[str, ObjectKey] = {}
    superseded: bool = False


class Swatch(Struct, frozen=True):
    """One palette colour of a result."""

    colour: HexColour
    share: Annotated[float, Meta(ge=0, le=1, description="share of the visible pixels")]


class SourceFile(Struct, frozen=True, kw_only=True):
    """The file that was uploaded."""

    format: Annotated[str, Meta(description="by content, whatever its name")]
    bytes: Annotated[int, Meta(ge=0)]
    frames: Annotated[int, Meta(ge=1, description="or pages; the first was quantized")]


class ImageFile(Struct, frozen=True, kw_only=True):
    """The recoloured image's file."""

    format: str
    version_id: Annotated[str, Meta(description="of its object, which may have another one by now")]
    bytes: Annotated[int, Meta(ge=0)]
    ratio: Annotated[float, Meta(ge=0, description="of its bytes to the uploaded file's")]
    space: Annotated[str, Meta(description="in which each pixel has its nearest palette colour")]
    dither: Annotated[str, Meta(description="none, ordered or diffusion")]


class Result(Struct, frozen=True, kw_only=True):
    """The public contract: what ``<name>.json`` beside the recoloured image says."""

    source: Source
    source_file: SourceFile
    image_file: ImageFile
    window: Annotated[
        Window, Meta(description="of the K allowed; an image of fewer colours is tried with less")
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


class EndedExecution(Struct, frozen=True, rename="camel"):
    """An execution that ended without a result, in Step Functions' words.

    It is the detail of the event "Step Functions Execution Status Change".
    """

    execution_arn: str
    status: Literal["FAILED", "TIMED_OUT", "ABORTED"]
    input: Annotated[str, Meta(description="S3's event, as JSON")]
    error: str | None = None
    cause: str | None = None


class Failure(Struct, frozen=True, kw_only=True):
    """The public contract of failures: what ``<key>.error.json`` in the output bucket says."""

    source: Upload
    error: Annotated[str, Meta(description="the error's name, as the execution has it")]
    message: Annotated[str, Meta(description="what was wrong")]
    advice: Annotated[str, Meta(description="what to do about it")]
    execution: Annotated[str, Meta(description="ARN of the execution")]
