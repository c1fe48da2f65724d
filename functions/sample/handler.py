"""Sample: decode the uploaded version and check a summary of its colors in."""

from quantization.service.startup import quick_imports

with quick_imports():
    import os
    from typing import Any

    import msgspec
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from quantization.decoding import open_image
    from quantization.service.find_upload import options_of
    from quantization.service.messages import ObjectKey, SampleRequest
    from quantization.service.sample import sample
    from quantization.service.stack_defaults import default_options
    from quantization.service.storage.keys import check_key, summary_key
    from quantization.service.storage.palettes import fetch_palette
    from quantization.service.storage.s3 import make_client, storage_faults
    from quantization.service.storage.summaries import save_summary
    from quantization.service.storage.uploads import as_file, open_upload

WORK_BUCKET = os.environ["WORK_BUCKET"]
SAMPLE_SIZE = int(os.environ["SAMPLE_SIZE"])
MAX_PIXELS = int(float(os.environ["MAX_MEGAPIXELS"]) * 10**6)
MAX_BYTES = int(float(os.environ["MAX_MEGABYTES"]) * 10**6)
WHOLE_IMAGE = os.environ["WHOLE_IMAGE"] == "true"
DEFAULTS = default_options(os.environ)

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="execution")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `SampleRequest` into a `Sampled`."""
    request = msgspec.convert(event, SampleRequest)
    check_key(request.upload.key)
    claim = ObjectKey(WORK_BUCKET, summary_key(request.upload, request.execution))
    upload = open_upload(s3, request.upload, max_bytes=MAX_BYTES)
    options = options_of(request.upload.backfill, upload["Metadata"], DEFAULTS)
    given = options.palette
    if isinstance(given, str):
        given = fetch_palette(s3, request.upload.bucket, given)
    with as_file(upload["Body"]) as path:
        image = open_image(path, max_pixels=MAX_PIXELS)
        summary, sampled = sample(
            image,
            request.upload,
            options,
            claim,
            given=given,
            sample_size=SAMPLE_SIZE,
            whole_image=WHOLE_IMAGE,
            metadata=upload["Metadata"],
        )
    save_summary(s3, claim, summary.to_arrays())

    width, height = image.width, image.height
    metrics.add_metric("PixelsDecoded", MetricUnit.Count, height * width)
    metrics.flush_metrics()
    logger.info("sampled", width=width, height=height, sample_size=sampled.sample_size)
    return msgspec.to_builtins(sampled)
