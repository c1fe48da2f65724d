"""Palettes that lie in the input bucket, for uploads that name them."""

from typing import TYPE_CHECKING
from urllib.parse import unquote

from botocore.exceptions import ClientError

from quantization.errors import UnreadablePalette
from quantization.options import HexColor, PaletteKey
from quantization.palette_files import read_palette
from quantization.service.storage.uploads import refusal_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_BYTES = 10**6
"""A name of 4 kB for each color of the largest palette."""

# What S3 answers to a key that is too long, or a path that leads out of the bucket: to that without
# a word but the status.
_NO_KEY = {"KeyTooLongError", "400"}


def fetch_palette(s3: "S3Client", bucket: str, asked: PaletteKey) -> tuple[HexColor, ...]:
    """Read a palette from the current version of its object.

    Parameters
    ----------
    asked
        The object's key, URL-encoded as in S3's CopySource: metadata is ASCII, keys need not be.

    Raises
    ------
    UnreadablePalette
        If it is not there, S3 does not hand it out, or it is no palette.
    """
    key = unquote(asked)
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if refusal_of(error) or error.response["Error"]["Code"] in _NO_KEY:
            raise UnreadablePalette(f"s3://{bucket}/{key} cannot be read: {error}") from error
        raise
    with response["Body"] as body:
        if response["ContentLength"] > MAX_BYTES:
            raise UnreadablePalette(f"s3://{bucket}/{key} has more than {MAX_BYTES} bytes")
        return read_palette(key, body.read())
