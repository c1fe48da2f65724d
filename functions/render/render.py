"""Render: recolour the uploaded version; image, report and result JSON go to the output bucket."""

import os
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import boto3
import cv2
import msgspec
import numpy as np
import pyvips
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

import quantization
from png import encode_png
from previews import OriginalPreview, preview_of_result
from quantization.colour import from_hex, to_hex
from quantization.images import open_image
from quantization.messages import (
    ImageFile,
    RenderRequest,
    Result,
    SourceFile,
    Swatch,
)
from quantization.options import chosen_rendering
from quantization.results import publish
from quantization.storage import as_file, open_upload
from recolour import recolour
from report import report
from webp import encode_webp

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]
MAX_PIXELS = int(os.environ["MAX_MEGAPIXELS"]) * 10**6
MAX_BYTES = int(os.environ["MAX_MEGABYTES"]) * 10**6
VERSIONS = {
    "quantization": quantization.__version__,
    "numpy": np.__version__,
    "opencv": cv2.__version__,
    "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
}

logger = Logger()
metrics = Metrics()
s3 = boto3.client("s3")


@logger.inject_lambda_context(correlation_id_path="execution")
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `RenderRequest` into a `Rendered`."""
    request = msgspec.convert(event, RenderRequest)
    upload = open_upload(s3, request.source, max_bytes=MAX_BYTES)
    rendering = chosen_rendering(upload["Metadata"])
    with as_file(upload["Body"]) as path:
        image = open_image(path, max_pixels=MAX_PIXELS)
        original = OriginalPreview(image)
        recoloured = recolour(
            image, from_hex(request.palette), space=rendering.space, watch=original.add
        )
    if rendering.format == "webp":
        encoded = encode_webp(recoloured.indices, recoloured.entries)
    else:
        encoded = encode_png(
            recoloured.indices, recoloured.entries, dots_per_metre=image.dots_per_metre
        )
    swatches = zip(to_hex(recoloured.palette), recoloured.shares.tolist(), strict=True)
    palette = [Swatch(colour, share) for colour, share in swatches]

    def describe(version_id: str) -> tuple[Result, str]:
        result = Result(
            source=request.source,
            source_file=SourceFile(
                format=image.format, bytes=upload["ContentLength"], frames=image.frames
            ),
            image_file=ImageFile(
                format=rendering.format,
                version_id=version_id,
                bytes=len(encoded),
                ratio=len(encoded) / upload["ContentLength"],
                space=rendering.space,
            ),
            criterion=request.criterion,
            error_budget=request.error_budget,
            picks=request.picks,
            silhouette_on_edge=request.silhouette_on_edge,
            k=request.k,
            palette=palette,
            scores=request.scores,
            sample_size=request.sample_size,
            execution=request.execution,
            versions=VERSIONS,
        )
        html = report(result, original.encode(), preview_of_result(recoloured), _seconds(request))
        return result, html

    rendered = publish(s3, OUTPUT_BUCKET, request.source, rendering.format, encoded, describe)

    metrics.add_metric("ImagesQuantized", MetricUnit.Count, 1)
    metrics.add_metric("ChosenK", MetricUnit.Count, request.k)
    metrics.flush_metrics()
    logger.info("rendered", k=request.k, image=rendered.image.key, superseded=rendered.superseded)
    return msgspec.to_builtins(rendered)


def _seconds(request: RenderRequest) -> dict[str, float]:
    """Return how long each state took, this one so far."""
    times = [*request.entered.values(), datetime.now(UTC)]
    taken = [(after - before).total_seconds() for before, after in pairwise(times)]
    return dict(zip(request.entered, taken, strict=True))
