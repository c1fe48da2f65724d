"""The S3 client, made in a third of the time that boto3 takes (`benchmarks.cold_start`)."""

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import msgspec
from botocore.loaders import JSONFileLoader, Loader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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


def s3_client() -> "S3Client":
    """Return botocore's client of S3, which is boto3's but for the transfers of files."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _S3Alone(file_loader=_FileLoader()))
    return cast("S3Client", session.create_client("s3"))
