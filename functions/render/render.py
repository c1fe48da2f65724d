"""Render: recolour the uploaded version and write all there is to it to the output bucket."""

# Before all others: it is about how they are imported.
from quantization import startup

# isort: split

import os
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from description import describe, seconds_in_states
from png import encode_png
from previews import OriginalPreview, preview_of_result
from quantization.colour import from_hex
from quantization.images import open_image
from quantization.messages import RenderRequest, Result
from quantization.options import chosen_rendering
from quantization.results import publish
from quantization.s3 import make_client, storage_faults
from quantization.storage import as_file, open_upload
from recolour import Recoloured, recolour
from report import report
from webp import encode_webp

startup.finished()

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]
MAX_PIXELS = int(os.environ["MAX_MEGAPIXELS"]) * 10**6
MAX_BYTES = int(os.environ["MAX_MEGABYTES"]) * 10**6

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="execution")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `RenderRequest` into a `Rendered`."""
    request = msgspec.convert(event, RenderRequest)
    upload = open_upload(s3, request.source, max_bytes=MAX_BYTES)
    rendering = chosen_rendering(upload["Metadata"])
    with as_file(upload["Body"]) as path:
        image = open_image(path, max_pixels=MAX_PIXELS)
        original = OriginalPreview(image)
        recoloured = recolour(
            image,
            from_hex(request.palette),
            space=rendering.space,
            dither=rendering.dither,
            watch=original.add,
        )
    encoded = _encode(recoloured, rendering.format, image.dots_per_metre)

    def describe_version(version_id: str) -> tuple[Result, str]:
        result = describe(
            request,
            image,
            recoloured,
            rendering,
            source_bytes=upload["ContentLength"],
            image_bytes=len(encoded),
            version_id=version_id,
        )
        seconds = seconds_in_states(request.entered, datetime.now(UTC))
        return result, report(result, original.encode(), preview_of_result(recoloured), seconds)

    rendered = publish(s3, OUTPUT_BUCKET, request.source, rendering, encoded, describe_version)

    metrics.add_metric("ImagesQuantized", MetricUnit.Count, 1)
    metrics.add_metric("ChosenK", MetricUnit.Count, request.k)
    taken = datetime.now(UTC) - min(request.entered.values())
    metrics.add_metric("ExecutionDuration", MetricUnit.Seconds, taken.total_seconds())
    metrics.flush_metrics()
    logger.info("rendered", k=request.k, image=rendered.image.key, superseded=rendered.superseded)
    return msgspec.to_builtins(rendered)


def _encode(
    recoloured: Recoloured, image_format: str, dots_per_metre: tuple[int, int] | None
) -> bytes:
    if image_format == "webp":
        return encode_webp(recoloured.indices, recoloured.entries)
    return encode_png(recoloured.indices, recoloured.entries, dots_per_metre=dots_per_metre)
