"""The keys that S3 refuses whatever is asked of them; moto takes any."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


def refusing_keys(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a client's call as S3 answers it.

    A path that leads out of the bucket gets a status without a body, as botocore tells of it.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """

    def answer(**asked: Any) -> Any:
        if len(asked["Key"].encode()) > 1024:
            raise _refusal("KeyTooLongError", "Your key is too long")
        depth = 0
        for segment in asked["Key"].split("/"):
            depth += -1 if segment == ".." else 1
            if depth < 0:
                raise _refusal("400", "Bad Request")
        return call(**asked)

    return answer


def _refusal(code: str, message: str) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(response, "GetObject")
