"""Sample: decode the uploaded version and check a sample of its pixels in."""

import os
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from quantization.images import open_image
from quantization.messages import ObjectKey, Sampled, SampleRequest, Source
from quantization.options import chosen_criterion
from quantization.storage import as_file, check_in, open_upload
from sampling import draw_sample, worthwhile_ks

WORK_BUCKET = os.environ["WORK_BUCKET"]
SAMPLE_SIZE = int(os.environ["SAMPLE_SIZE"])
MAX_PIXELS = int(os.environ["MAX_MEGAPIXELS"]) * 10**6
K_MIN, K_MAX = int(os.environ["K_MIN"]), int(os.environ["K_MAX"])
CRITERION = os.environ["CRITERION"]

logger = Logger()
metrics = Metrics()
s3 = boto3.client("s3")


@logger.inject_lambda_context(correlation_id_path="execution")
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `SampleRequest` into a `Sampled`."""
    request = msgspec.convert(event, SampleRequest)
    upload = open_upload(s3, request.upload)
    criterion = chosen_criterion(upload["Metadata"], default=CRITERION)
    with as_file(upload["Body"]) as path:
        image = open_image(path, max_pixels=MAX_PIXELS)
        sample = draw_sample(image, SAMPLE_SIZE)

    claim = ObjectKey(WORK_BUCKET, f"{request.execution.rpartition(':')[2]}/sample.npy")
    check_in(s3, claim, sample)

    width, height = image.width, image.height
    metrics.add_metric("PixelsDecoded", MetricUnit.Count, height * width)
    metrics.flush_metrics()
    logger.info("sampled", width=width, height=height, sample_size=len(sample))
    return msgspec.to_builtins(
        Sampled(
            source=Source(**msgspec.structs.asdict(request.upload), width=width, height=height),
            sample=claim,
            sample_size=len(sample),
            ks=worthwhile_ks(sample, K_MIN, K_MAX),
            criterion=criterion,
        )
    )
