"""FindUpload: find the current version of an object that a backfill lists, unless it is done."""

from quantization.service.startup import quick_imports

with quick_imports():
    import os
    from typing import Any

    import msgspec
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from quantization.service.find_upload import find_upload
    from quantization.service.messages import FindRequest
    from quantization.service.stack_defaults import default_options
    from quantization.service.storage.s3 import make_client, storage_faults

OUTPUT_BUCKET = os.environ["OUTPUT_BUCKET"]
DEFAULTS = default_options(os.environ)

logger = Logger()
s3 = make_client()


@logger.inject_lambda_context
@storage_faults()
def handler(event: dict[str, Any], _context: LambdaContext) -> Any:
    """Turn a `FindRequest` into a `Found`."""
    request = msgspec.convert(event, FindRequest)
    found = find_upload(s3, OUTPUT_BUCKET, request, DEFAULTS)
    logger.info("found", key=request.key, outcome=found.outcome)
    return msgspec.to_builtins(found)
