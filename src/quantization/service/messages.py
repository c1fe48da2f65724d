"""The messages that cross a state boundary: one type each, used by both sides.

``msgspec.convert(event, Type)`` reads one and ``msgspec.to_builtins(message)`` writes one. The
largest, `RenderRequest`, has every palette: below 16 KiB for K of 8..32, and below Step Functions'
256 KiB for the widest window of the largest K. Other bulk data travels by claim check through the
work bucket, never in the state.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct, field

from quantization.contract import Backfill, Result, Score, SilhouetteAt, Source, Upload
from quantization.errors import InvalidOptions
from quantization.options import Criterion, HexColor, Options, PaletteFormat, PaletteSize, Space


class ObjectKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an object lies: a claim check in the work bucket, or a result in the output bucket."""

    bucket: str
    key: str


class _Bucket(Struct, frozen=True):
    name: str


class _Object(Struct, frozen=True):
    key: str
    etag: str
    sequencer: str = ""
    version_id: str = field(name="version-id", default="")


class _Detail(Struct, frozen=True, omit_defaults=True):
    bucket: _Bucket
    object: _Object
    backfill: Backfill | None = None


class ObjectCreated(Struct, frozen=True):
    """Into the machine: S3's event as far as it names the upload, or its like from a backfill."""

    detail: _Detail

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Return what has the machine quantize an upload."""
        made = _Object(upload.key, upload.etag, upload.sequencer, upload.version_id)
        return cls(_Detail(_Bucket(upload.bucket), made, upload.backfill))

    @property
    def upload(self) -> Upload:
        """The upload that the event tells of."""
        detail, made = self.detail, self.detail.object
        return Upload(
            bucket=detail.bucket.name,
            key=made.key,
            version_id=made.version_id,
            etag=made.etag,
            sequencer=made.sequencer,
            backfill=detail.backfill,
        )


class RecolorRequest(Struct, frozen=True):
    """Into the machine as well: the result of an upload, and which of its palettes to take now."""

    again: Result
    k: PaletteSize

    def upload(self, started: int) -> Upload:
        """Return the upload as the machine has it, which began so many milliseconds after 1970."""
        source = {field: getattr(self.again.source, field) for field in Upload.__struct_fields__}
        moment = datetime.fromtimestamp(started / 1000, UTC).isoformat(timespec="milliseconds")
        return Upload(**source | {"again": moment.replace("+00:00", "Z")})


class FindRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into FindUpload: an object that the bucket's list names, and the backfill that read it."""

    bucket: str
    key: str
    backfill: Backfill


class Found(Struct, frozen=True):
    """Out of FindUpload: what there is to do for the object.

    Attributes
    ----------
    outcome : {"due", "up to date", "left out", "gone"}
        "up to date" if its current version has a result with these options already, "left out" if
        it is a palette by its key.
    event : ObjectCreated or None
        What has the machine quantize it, if that is due.
    k : int or None
        Of the result, if it is up to date.
    """

    outcome: Literal["due", "up to date", "left out", "gone"]
    event: ObjectCreated | None = None
    k: PaletteSize | None = None


class SampleRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into Sample: the upload, and the ARN of the execution that handles it."""

    upload: Upload
    execution: str


class Sampled(Struct, frozen=True, forbid_unknown_fields=True):
    """Out of Sample: the claim to the summary, which K make sense, and the upload's options.

    `given` is the palette that the upload names, as it is for this image; then there is no K to
    score.
    """

    source: Source
    summary: ObjectKey
    sample_size: int
    ks: list[PaletteSize]
    options: Options
    given: Score | None = None


class ScoreRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into ScoreK: one K and the summary of the colors to fit it to, in this space.

    `keep` are colors that have to be in the palette. `beyond` is the next size outside the window,
    for a K on its edge.
    """

    k: PaletteSize
    beyond: int | None
    summary: ObjectKey
    space: Space
    keep: tuple[HexColor, ...]
    execution: str


class FittedScore(Score, frozen=True, kw_only=True):
    """Out of ScoreK: the score, and what only the reduction compares.

    `silhouette_beyond` is that of the size that the request calls so, null where the image has not
    so many colors.
    """

    silhouette_beyond: float | None


class RenderRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Into Render: the chosen K, and every K's score and palette; or the one that is given."""

    source: Source
    options: Options
    sample_size: int
    picks: dict[Criterion, PaletteSize]
    silhouette_at: SilhouetteAt | None
    k: PaletteSize
    scores: list[Score]
    execution: str
    state_entered_at: dict[str, datetime]
    """When each state was entered, in their order; the report alone says so."""

    def chosen_palette(self) -> list[HexColor]:
        """Return the palette of `k`.

        Raises
        ------
        InvalidOptions
            If there is none: somebody has asked for this K.
        """
        fitted = {score.k: score.palette for score in self.scores if score.palette}
        if self.k not in fitted:
            there = ", ".join(map(str, fitted))
            raise InvalidOptions(f"there is no palette of {self.k} colors, only of {there}")
        return fitted[self.k]


class RenderedFiles(Struct, frozen=True):
    """Out of Render: where the recolored image, its report, result JSON and palettes lie.

    `palettes` has the key of each format that the upload asked for.
    `superseded` says that they are not of this upload, for a newer one was quantized before.
    """

    image: ObjectKey
    report: ObjectKey
    result: ObjectKey
    palettes: dict[PaletteFormat, ObjectKey] = {}
    superseded: bool = False


class ExecutionStatusChange(Struct, frozen=True, rename="camel"):
    """An execution that ended without a result, in Step Functions' words.

    It is the detail of the event "Step Functions Execution Status Change".
    """

    execution_arn: str
    status: Literal["FAILED", "TIMED_OUT", "ABORTED"]
    input: Annotated[str, Meta(description="S3's event or a `RecolorRequest`, as JSON")]
    start_date: Annotated[int, Meta(description="milliseconds since 1970")]
    error: str | None = None
    cause: str | None = None
