"""A result as the tests need it."""

import re

import msgspec

from quantization.contract import (
    ImageFile,
    Result,
    Score,
    Source,
    SourceFile,
    Swatch,
)
from quantization.options import Options

PALETTE = ["#336699", "#cc0000", "#ffffff"]


def result_with(**changes: object) -> Result:
    """Return a result of three K, one of which failed, but for what is given."""
    result = Result(
        source=Source("input", "a dir/photo.jpg", "v1", "etag", "0A", width=400, height=300),
        source_file=SourceFile(format="jpeg", bytes=196653, frames=1),
        image_file=ImageFile(format="png", version_id="v2", bytes=98000, ratio=0.5),
        options=Options(criterion="guarded"),
        picks={"silhouette": 8, "guarded": 10},
        silhouette_at=None,
        k=10,
        palette=[Swatch("#336699", 0.7503), Swatch("#cc0000", 0.2495), Swatch("#ffffff", 0.0002)],
        scores=[
            Score(
                k=8,
                silhouette=0.5,
                inertia=1234.5,
                error=3.25,
                accent_error=0.0,
                palette=PALETTE[:2],
            ),
            Score(
                k=9,
                silhouette=None,
                inertia=None,
                error=None,
                accent_error=None,
                failure="MemoryError",
            ),
            Score(
                k=10, silhouette=0.25, inertia=900.0, error=1.75, accent_error=0.0, palette=PALETTE
            ),
        ],
        sample_size=100,
        execution="arn:aws:states:eu-west-1:123456789012:execution:quantize:first",
        versions={"quantization": "0.1.0"},
    )
    return msgspec.structs.replace(result, **changes)


PROVENANCE = {
    "source": ("bucket", "version_id", "etag", "sequencer"),
    "image_file": ("version_id",),
}
"""What a result made in one process leaves empty, besides the execution."""

_FACTS = re.compile(r"<dt>(source|version|execution|time)</dt><dd>.*?</dd>\n?")


def without_provenance(extension: str, content: bytes) -> object:
    """Return what there is to compare of a result's file with that of another run.

    That is all of images and palettes. Of the JSON it is all but the execution and `PROVENANCE`,
    of the report all but what that says of the same, and its times.
    """
    match extension:
        case ".json":
            result = msgspec.json.decode(content)
            assert result.pop("execution", None) is not None
            for part, names in PROVENANCE.items():
                for name in names:
                    del result[part][name]
            return result
        case ".html":
            return _FACTS.sub("", content.decode())
    return content
