"""Render: recolor the uploaded version and write all there is to it to the output bucket."""

from quantization.service.startup import quick_imports

with quick_imports():
    import os
    from datetime import UTC, datetime
    from typing import Any

    import msgspec
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from quantization.decoding import open_image
    from quantization.service.messages import RenderRequest
    from quantization.service.render import render
    from quantization.service.storage.results import publish_result
    from quantization.service.storage.s3 import make_client, storage_faults
    from quantization.service.storage.uploads import as_file, open_upload

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]
MAX_PIXELS = int(float(os.environ["MAX_MEGAPIXELS"]) * 10**6)
MAX_BYTES = int(float(os.environ["MAX_MEGABYTES"]) * 10**6)

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="execution")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `RenderRequest` into a `RenderedFiles`."""
    request = msgspec.convert(event, RenderRequest)
    upload = open_upload(s3, request.source, max_bytes=MAX_BYTES)
    with as_file(upload["Body"]) as path:
        image = open_image(path, max_pixels=MAX_PIXELS)
        rendering = render(image, upload["ContentLength"], request)
    rendered = publish_result(
        s3, OUTPUT_BUCKET, request.source, request.options, rendering.file, rendering.describe
    )

    metrics.add_metric("ImagesQuantized", MetricUnit.Count, 1)
    metrics.add_metric("ChosenK", MetricUnit.Count, request.k)
    taken = datetime.now(UTC) - min(request.state_entered_at.values())
    metrics.add_metric("ExecutionDuration", MetricUnit.Seconds, taken.total_seconds())
    metrics.flush_metrics()
    logger.info("rendered", k=request.k, image=rendered.image.key, superseded=rendered.superseded)
    return msgspec.to_builtins(rendered)
