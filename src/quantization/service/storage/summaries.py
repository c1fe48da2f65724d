"""Claim checks: the summaries that Sample leaves for ScoreK in the work bucket."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantization.service.messages import ObjectKey

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def save_summary(s3: "S3Client", claim: ObjectKey, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Store named arrays in the work bucket, for whoever holds the claim."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    s3.put_object(Bucket=claim.bucket, Key=claim.key, Body=buffer.getvalue())


def load_summary(s3: "S3Client", claim: ObjectKey) -> dict[str, NDArray[Any]]:
    """Fetch the named arrays that a claim stands for."""
    body = s3.get_object(Bucket=claim.bucket, Key=claim.key)["Body"].read()
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        return dict(stored)
