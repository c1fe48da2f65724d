"""ScoreK: fit one K to the image's colors and score it."""

from quantization.service import lazy_imports  # noqa: F401 - before all others
from quantization.service.startup import quick_imports

with quick_imports():
    from typing import Any

    import msgspec
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from quantization.service.messages import ScoreRequest
    from quantization.service.score import score
    from quantization.service.storage.s3 import make_client, storage_faults
    from quantization.service.storage.summaries import load_summary
    from quantization.summary import Summary

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="execution")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `ScoreRequest` into a `FittedScore`."""
    request = msgspec.convert(event, ScoreRequest)
    summary = Summary.from_arrays(load_summary(s3, request.summary))
    scored = score(summary, request)

    metrics.add_metric("KScored", MetricUnit.Count, 1)
    metrics.flush_metrics()
    logger.info("scored", k=request.k, silhouette=scored.silhouette)
    return msgspec.to_builtins(scored)
