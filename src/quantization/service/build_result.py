"""Say in the result JSON what was made, of what, and why with this palette."""

from datetime import datetime
from itertools import pairwise

import cv2
import numpy as np
import pyvips

import quantization
from quantization.color import to_hex
from quantization.contract import ImageFile, Result, SourceFile, Swatch
from quantization.decoding import Image
from quantization.recolor import Recolored
from quantization.service.messages import RenderRequest

VERSIONS = {
    "quantization": quantization.__version__,
    "numpy": np.__version__,
    "opencv": cv2.__version__,
    "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
}


def build_result(
    request: RenderRequest,
    image: Image,
    recolored: Recolored,
    *,
    source_bytes: int,
    image_bytes: int,
    version_id: str,
) -> Result:
    """Describe a recolored image, whose object got the version `version_id`."""
    swatches = zip(to_hex(recolored.palette), recolored.shares.tolist(), strict=True)
    return Result(
        source=request.source,
        source_file=SourceFile(format=image.format, bytes=source_bytes, frames=image.frames),
        image_file=ImageFile(
            format=request.options.format,
            version_id=version_id,
            bytes=image_bytes,
            ratio=image_bytes / source_bytes,
        ),
        options=request.options,
        picks=request.picks,
        silhouette_at=request.silhouette_at,
        k=request.k,
        palette=[Swatch(color, share) for color, share in swatches],
        scores=request.scores,
        sample_size=request.sample_size,
        execution=request.execution,
        versions=VERSIONS,
    )


def seconds_in_states(state_entered_at: dict[str, datetime], now: datetime) -> dict[str, float]:
    """Return how many seconds each state took; the last one has lasted until `now`."""
    times = [*state_entered_at.values(), now]
    taken = [(after - before).total_seconds() for before, after in pairwise(times)]
    return dict(zip(state_entered_at, taken, strict=True))
