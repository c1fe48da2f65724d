"""ScoreK: fit one K to the image's colours and score it."""

# Before all others: these are about how they are imported.
import deferral  # noqa: F401
from quantization import startup

# isort: split

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from clustering import fit
from quantization.colour import to_hex
from quantization.messages import FittedScore, ScoreRequest
from quantization.s3 import make_client, storage_faults
from quantization.storage import check_out
from quantization.summary import Summary

startup.finished()

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="execution")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `ScoreRequest` into a `FittedScore`."""
    request = msgspec.convert(event, ScoreRequest)
    best = fit(Summary.from_arrays(check_out(s3, request.summary)), request.k)

    metrics.add_metric("KScored", MetricUnit.Count, 1)
    metrics.flush_metrics()
    logger.info("scored", k=request.k, silhouette=best.silhouette)
    return msgspec.to_builtins(
        FittedScore(
            k=request.k,
            silhouette=best.silhouette,
            inertia=best.inertia,
            error=best.error,
            palette=to_hex(best.palette),
        )
    )
