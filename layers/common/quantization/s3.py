"""The client of S3: how long it tries, and what it is called when that was not enough."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of which Python's is no part
    HTTPClientError,
    IncompleteReadError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 3
READ_SECONDS = 10
ATTEMPTS = 4
LONGEST_CALL_SECONDS = ATTEMPTS * READ_SECONDS + sum(2**n for n in range(ATTEMPTS - 1))
"""All attempts that go unanswered, and the waits between: shorter than any function's time.

With botocore's defaults the first attempt alone may take a minute.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

# Refused with a status of 400, and yet they pass.
_PASSING = {"RequestTimeout", "ThrottlingException"}


class StorageFault(Exception):  # noqa: N818 - named for the state machine, which retries it
    """S3 was busy or out of reach for all of the client's attempts."""


def make_client() -> "S3Client":
    """Make the client that a function keeps for all its invocations."""
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        ),
    )


@contextmanager
def storage_faults() -> Iterator[None]:
    """Raise as `StorageFault` what S3, or the way to it, is to blame for."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status < 500 and error.response["Error"]["Code"] not in _PASSING:
            raise
        raise StorageFault(str(error)) from error
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise StorageFault(str(error)) from error
