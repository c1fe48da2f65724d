"""The client of S3: how it is made, how long it tries, and what it raises if that is too short."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of which Python's is no part
    HTTPClientError,
    IncompleteReadError,
)
from botocore.loaders import JSONFileLoader, Loader

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


class StorageRejected(Exception):  # noqa: N818 - named for the state machine, which does not retry it
    """S3 refused a call: mostly for a permission, or a key of KMS, that was taken away.

    Botocore's own errors are named differently from one of its versions to the next, and which one
    Lambda has depends on the day and the region.
    """


class _S3Alone(Loader):
    """Finds S3 without a look into the folders of all other services, hundreds of them."""

    def list_available_services(self, _type_name: str) -> list[str]:
        return ["s3"]


class _FileLoader(JSONFileLoader):
    """Reads botocore's models, over a megabyte of JSON, with msgspec."""

    def load_file(self, file_path: str) -> Any:
        for name, open_file in ((f"{file_path}.json", open), (f"{file_path}.json.gz", gzip.open)):
            if Path(name).is_file():
                with open_file(name, "rb") as file:
                    return msgspec.json.decode(file.read())
        return None


def make_client() -> "S3Client":
    """Make the client that a function keeps for all its invocations.

    It is botocore's, which is boto3's but for the transfers of files, and is made in a third of
    the time (`benchmarks.cold_start`).
    """
    session = botocore.session.get_session()
    session.register_component("data_loader", _S3Alone(file_loader=_FileLoader()))
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return cast("S3Client", session.create_client("s3", config=config))


@contextmanager
def storage_faults() -> Iterator[None]:
    """Raise `StorageFault` for what passes, and `StorageRejected` for what S3 will not do."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        passing = status >= 500 or error.response["Error"]["Code"] in _PASSING
        raise (StorageFault if passing else StorageRejected)(str(error)) from error
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise StorageFault(str(error)) from error
