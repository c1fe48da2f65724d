"""Print what an image asks of S3 and writes to the logs: count_requests.py IMAGE.

The functions' own handlers run on S3 in memory, with the template's variables. The last line is
JSON: for each function the number of requests by their price, and the bytes that it logged.
"""

import contextlib
import io
import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from samcli.yamlhelper import yaml_parse

from benchmarks.measure import ROOT

TEMPLATE = yaml_parse((ROOT / "template.yml").read_text())
FUNCTIONS = {
    "sample": "SampleFunction",
    "score_k": "ScoreKFunction",
    "render": "RenderFunction",
}
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:quantize:first"


def variables(function: str) -> dict[str, str]:
    """Return a function's environment, its references replaced by defaults or by lower case."""
    parameters = TEMPLATE["Parameters"]
    declared = TEMPLATE["Resources"][function]["Properties"]["Environment"]["Variables"]
    values = {}
    for name, value in declared.items():
        reference = value["Ref"] if isinstance(value, dict) else None
        default = parameters.get(reference, {}).get("Default", str(reference).lower())
        values[name] = str(default if reference else value)
    return values


def price_of(operation: str) -> str:
    """Return which of S3's prices a request has: https://aws.amazon.com/s3/pricing."""
    if operation.startswith("Delete"):
        return "free"
    return "put" if operation.startswith(("Put", "Copy", "Post", "List")) else "get"


class Context:
    """The part of Lambda's context that Powertools reads."""

    function_name = "benchmark"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def call(name: str, event: dict[str, Any]) -> tuple[Any, dict[str, int]]:
    """Run a function; return its answer, and what it asked and logged."""
    logged = io.StringIO()
    with contextlib.redirect_stdout(logged):
        module = import_module(f"functions.{name}.handler")
        asked: Counter[str] = Counter()
        module.s3.meta.events.register(
            "before-call.s3.*", lambda model, **_: asked.update([price_of(model.name)])
        )
        answer = module.handler(event, Context())
    return answer, {**asked, "logged": len(logged.getvalue().encode())}


def main() -> None:
    """Quantize the image with one K."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
        AWS_DEFAULT_REGION="us-east-1",
        POWERTOOLS_METRICS_NAMESPACE="Benchmark",
    )
    for function in FUNCTIONS.values():
        os.environ |= variables(function)
    counted = {}
    with mock_aws():
        s3 = boto3.client("s3")
        for bucket in ("inputbucket", "workbucket", "outputbucket"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        put = s3.put_object(
            Bucket="inputbucket", Key="image.jpg", Body=Path(sys.argv[1]).read_bytes()
        )
        upload = {
            "bucket": "inputbucket",
            "key": "image.jpg",
            "version_id": put["VersionId"],
            "etag": put["ETag"].strip('"'),
            "sequencer": "1",
        }
        sampled, counted["sample"] = call("sample", {"upload": upload, "execution": EXECUTION})
        k = sampled["ks"][0]
        request = {"k": k, "beyond": k - 1, "summary": sampled["summary"], "space": "oklab"}
        request |= {"keep": [], "execution": EXECUTION}
        fitted, counted["score_k"] = call("score_k", request)
        del fitted["silhouette_beyond"]
        chosen = {
            "source": sampled["source"],
            "sample_size": sampled["sample_size"],
            "options": sampled["options"],
            "picks": {"silhouette": k, "guarded": k},
            "silhouette_at": "edge",
            "k": k,
            "scores": [fitted],
            "execution": EXECUTION,
            "state_entered_at": {"Sample": datetime.now(UTC).isoformat()},
        }
        _, counted["render"] = call("render", chosen)
    print(json.dumps(counted))


if __name__ == "__main__":
    main()
