"""Wait while AWS is busy or out of reach: longer each time, but not for ever."""

import time
from collections.abc import Callable
from typing import TypeVar

from boto3.exceptions import Boto3Error, RetriesExceededError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of which Python's is no part
    HTTPClientError,
    IncompleteReadError,
)

T = TypeVar("T")

AWS_ERRORS = (ClientError, BotoCoreError, Boto3Error)
"""What boto3 raises if AWS refuses a call or does not answer."""

LONGEST_PAUSE_SECONDS = 15.0
PATIENCE_SECONDS = 300.0
"""How long a call is tried again."""

_BUSY = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"}
_BUSY |= {"RequestLimitExceeded", "RequestTimeout"}


def patiently(call: Callable[[], T], poll_seconds: float) -> T:
    """Return what a call of AWS returns, once AWS is neither busy nor out of reach.

    Parameters
    ----------
    call : callable
        May be called any number of times.
    poll_seconds : float
        The shortest pause between two tries.

    Raises
    ------
    ClientError, BotoCoreError, Boto3Error
        If AWS refuses the call, or does not answer for `PATIENCE_SECONDS` after its first failure.
    """
    first_failure = None
    while True:
        try:
            return call()
        except AWS_ERRORS as error:
            now = time.monotonic()
            first_failure = now if first_failure is None else first_failure
            waited = now - first_failure
            if not _passes(error) or waited > PATIENCE_SECONDS:
                raise
        time.sleep(pause(poll_seconds, waited))


def pause(poll_seconds: float, waited: float) -> float:
    """Return how many seconds to wait for something that was waited for so long already."""
    return min(max(poll_seconds, waited / 10), LONGEST_PAUSE_SECONDS)


def _passes(error: Exception) -> bool:
    """Tell whether an error is AWS's being busy or out of reach, and no refusal."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500 or error.response["Error"]["Code"] in _BUSY
    return isinstance(
        error, ConnectionError | HTTPClientError | IncompleteReadError | RetriesExceededError
    )
