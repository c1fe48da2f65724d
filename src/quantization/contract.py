"""The public contract: what the result and failure JSON in the output bucket say."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from quantization.options import Criterion, HexColor, ImageFormat, Options, PaletteSize


class Backfill(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The run over the bucket's list that found a version."""

    started: Annotated[str, Meta(description="when the backfill began, in UTC as ISO 8601")]
    options: Annotated[
        dict[str, str], Meta(description="what it asked for where the upload does not say")
    ] = {}
    replaces: Annotated[
        str | None, Meta(description="version that the result was of when this one was found")
    ] = None


class Upload(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One version of one object in the input bucket."""

    bucket: str
    key: str
    version_id: str
    etag: str
    sequencer: Annotated[
        str,
        Meta(
            description="hexadecimal number that S3 gave the upload; a key's uploads increase it."
            " Empty where a backfill found the version"
        ),
    ]
    backfill: Annotated[
        Backfill | None,
        Meta(description="the backfill that found the version, where no event of S3 did"),
    ] = None
    again: Annotated[
        str | None,
        Meta(
            description="when another palette of its result was asked for, in UTC as ISO 8601; left"
            " out where the palettes were fitted for this result"
        ),
    ] = None


class Source(Upload, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The upload, decoded: its size in pixels, as displayed."""

    width: int
    height: int
    colors: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="how many colors the visible pixels have; left out where they are too many"
            " to count one by one, or where not all pixels were counted",
        ),
    ] = None
    ignored_metadata: Annotated[
        list[str], Meta(description="names of the object's metadata that are no options")
    ] = []


class Score(Struct, frozen=True, kw_only=True):
    """How well one K fits: the row that the reduction compares and the result lists."""

    k: PaletteSize
    silhouette: Annotated[
        float | None,
        Meta(description="mean silhouette coefficient, -1..1; null where it was not measured"),
    ]
    inertia: Annotated[
        float | None,
        Meta(description="sum of squared RGB distances (levels 0..255) to the palette color"),
    ]
    error: Annotated[
        float | None,
        Meta(description="mean OKLab distance x 100 of a pixel from its palette color"),
    ]
    accent_error: Annotated[
        float | None,
        Meta(description="error of the vivid color that suffers most, 0 if all keep their hue"),
    ]
    palette: Annotated[
        list[HexColor],
        Meta(description="most used first; empty where this K could not be fitted"),
    ] = []
    failure: Annotated[
        str | None, Meta(description="name of the error, where this K could not be fitted")
    ] = None


SilhouetteAt = Annotated[
    Literal["peak", "edge"],
    Meta(
        description="where the best silhouette lies: on a peak, for the image is made of so many "
        "clusters; or on the edge of the window, where the next size may be better still. Null "
        "for neither"
    ),
]


class Swatch(Struct, frozen=True):
    """One palette color of a result."""

    color: HexColor
    share: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="share of the visible pixels; null where the image was not recolored"),
    ]


class SourceFile(Struct, frozen=True, kw_only=True):
    """The file that was uploaded."""

    format: Annotated[str, Meta(description="format told by the content, not by the name")]
    bytes: Annotated[int, Meta(ge=0)]
    frames: Annotated[
        int, Meta(ge=1, description="number of frames or pages; the first was quantized")
    ]


class ImageFile(Struct, frozen=True, kw_only=True):
    """The recolored image's file."""

    format: ImageFormat
    version_id: Annotated[
        str, Meta(description="version of its object, which may have another by now")
    ]
    bytes: Annotated[int, Meta(ge=0)]
    ratio: Annotated[
        float, Meta(ge=0, description="its bytes divided by those of the uploaded file")
    ]


class Result(Struct, frozen=True, kw_only=True):
    """The public contract: what ``<name>.json`` beside the recolored image says."""

    version: Annotated[Literal[1], Meta(description="version of this contract")] = 1
    source: Source
    source_file: SourceFile
    image_file: ImageFile
    options: Annotated[Options, Meta(description="what the upload and the stack asked for")]
    picks: Annotated[
        dict[Criterion, PaletteSize],
        Meta(
            description="what each criterion would choose",
            extra_json_schema={"propertyNames": {"enum": list(get_args(Criterion))}},
        ),
    ]
    silhouette_at: SilhouetteAt | None
    k: PaletteSize
    palette: Annotated[list[Swatch], Meta(description="most used first")]
    scores: Annotated[list[Score], Meta(description="one for each K tried")]
    sample_size: Annotated[int, Meta(description="pixels that silhouettes were measured on")]
    execution: Annotated[
        str,
        Meta(
            description="ARN of the execution; empty where a single process quantized, as are then"
            " the source's bucket, version_id, etag and sequencer and the image_file's version_id"
        ),
    ]
    versions: Annotated[dict[str, str], Meta(description="versions of the software that made it")]

    def palettes(self) -> dict[int, list[Swatch]]:
        """Return the palette of each K that could be fitted; shares are known of `k` alone."""
        fitted = {score.k: score.palette for score in self.scores if score.palette}
        return {
            k: self.palette if k == self.k else [Swatch(color, None) for color in colors]
            for k, colors in fitted.items()
        }


class Failure(Struct, frozen=True, kw_only=True):
    """The public contract of failures: what ``<key>.error.json`` in the output bucket says."""

    version: Annotated[Literal[1], Meta(description="version of this contract")] = 1
    source: Upload
    error: Annotated[str, Meta(description="the error's name, as the execution has it")]
    message: Annotated[str, Meta(description="what was wrong")]
    advice: Annotated[str, Meta(description="what to do about it")]
    execution: Annotated[str, Meta(description="ARN of the execution")]
