"""A result as the tests need it."""

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
