"""Say in the result JSON what was made, of what, and why with this palette."""

from datetime import datetime
from itertools import pairwise

import cv2
import numpy as np
import pyvips

import quantization
from quantization.colour import to_hex
from quantization.images import Image
from quantization.messages import ImageFile, RenderRequest, Result, SourceFile, Swatch
from quantization.options import Rendering
from recolour import Recoloured

VERSIONS = {
    "quantization": quantization.__version__,
    "numpy": np.__version__,
    "opencv": cv2.__version__,
    "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
}


def describe(
    request: RenderRequest,
    image: Image,
    recoloured: Recoloured,
    rendering: Rendering,
    *,
    source_bytes: int,
    image_bytes: int,
    version_id: str,
) -> Result:
    """Describe a recoloured image, whose object got the version `version_id`."""
    swatches = zip(to_hex(recoloured.palette), recoloured.shares.tolist(), strict=True)
    return Result(
        source=request.source,
        source_file=SourceFile(format=image.format, bytes=source_bytes, frames=image.frames),
        image_file=ImageFile(
            format=rendering.format,
            version_id=version_id,
            bytes=image_bytes,
            ratio=image_bytes / source_bytes,
            space=rendering.space,
            dither=rendering.dither,
        ),
        window=request.window,
        criterion=request.criterion,
        error_budget=request.error_budget,
        picks=request.picks,
        silhouette_on_edge=request.silhouette_on_edge,
        k=request.k,
        palette=[Swatch(colour, share) for colour, share in swatches],
        scores=request.scores,
        sample_size=request.sample_size,
        execution=request.execution,
        versions=VERSIONS,
    )


def seconds_in_states(entered: dict[str, datetime], now: datetime) -> dict[str, float]:
    """Return how long each state took that was entered, the last one so far."""
    times = [*entered.values(), now]
    taken = [(after - before).total_seconds() for before, after in pairwise(times)]
    return dict(zip(entered, taken, strict=True))
