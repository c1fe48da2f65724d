"""Render: recolour the uploaded version; image and result JSON go to the output bucket."""

import os
from typing import Any

import boto3
import cv2
import msgspec
import numpy as np
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

import quantization
from quantization.colour import from_hex, to_hex
from quantization.images import decode
from quantization.messages import Rendered, RenderRequest, Result, Swatch
from quantization.storage import read_upload, write_result
from recolour import encode_png, recolour

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]
VERSIONS = {
    "quantization": quantization.__version__,
    "numpy": np.__version__,
    "opencv": cv2.__version__,
}

logger = Logger()
metrics = Metrics()
s3 = boto3.client("s3")


@logger.inject_lambda_context(correlation_id_path="execution")
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `RenderRequest` into a `Rendered`."""
    request = msgspec.convert(event, RenderRequest)
    recoloured = recolour(decode(read_upload(s3, request.source)), from_hex(request.palette))
    swatches = zip(to_hex(recoloured.palette), recoloured.shares.tolist(), strict=True)
    result = Result(
        source=request.source,
        criterion=request.criterion,
        k=request.k,
        palette=[Swatch(colour, share) for colour, share in swatches],
        scores=request.scores,
        sample_size=request.sample_size,
        execution=request.execution,
        versions=VERSIONS,
    )
    image, document = write_result(s3, OUTPUT_BUCKET, encode_png(recoloured), result)

    metrics.add_metric("ImagesQuantized", MetricUnit.Count, 1)
    metrics.add_metric("ChosenK", MetricUnit.Count, request.k)
    metrics.flush_metrics()
    logger.info("rendered", k=request.k, image=image.key)
    return msgspec.to_builtins(Rendered(image=image, result=document))
