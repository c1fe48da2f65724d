"""RecordFailure: say beside the missing result why an upload has none."""

from quantization.service.startup import quick_imports

with quick_imports():
    import os
    from typing import Any

    import msgspec
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from quantization.errors import REFUSALS
    from quantization.service.explain_failure import explain_failure
    from quantization.service.messages import ExecutionStatusChange
    from quantization.service.storage.results import publish_failure
    from quantization.service.storage.s3 import make_client, storage_faults

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]

logger = Logger()
metrics = Metrics()
s3 = make_client()


@logger.inject_lambda_context(correlation_id_path="detail.executionArn")
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Record an `ExecutionStatusChange`; return its error and cause for the machine's end.

    The machine calls it before it refuses an upload, and EventBridge after any execution that
    ended without a result, the refused ones again.
    """
    failure = explain_failure(msgspec.convert(event["detail"], ExecutionStatusChange))
    if failure is None:
        logger.warning("no upload started this execution")
        return None
    kind = "Refusals" if failure.error in REFUSALS else "Crashes"
    recorded = publish_failure(s3, OUTPUT_BUCKET, failure)
    # Of a crash EventBridge alone tells, so it is news even where nothing can be written down.
    if recorded or (recorded is None and kind == "Crashes"):
        metrics.add_metric(kind, MetricUnit.Count, 1)
        # Counted once for the alarm, by service, and once by error.
        metrics.add_dimensions(error=failure.error)
        metrics.flush_metrics()
        logger.info("recorded", error=failure.error)
    source = failure.source
    return {
        "error": failure.error,
        "cause": f"s3://{source.bucket}/{source.key}: {failure.message}",
    }
