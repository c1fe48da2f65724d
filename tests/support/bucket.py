# ruff: noqa: N803 - the arguments are named as boto3 names them
"""A bucket that keeps versions, in memory, whose users take turns call by call."""

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal

from botocore.exceptions import ClientError

CALLS = {"get_object", "head_object", "put_object", "delete_object", "list_object_versions"}


@dataclass
class Bucket:
    """What S3 does with the calls of `storage.results` and `find_upload`, each of them atomic."""

    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def top(self, key: str) -> dict[str, Any] | None:
        stack = self.versions.get(key)
        return stack[-1] if stack else None

    def version(self, key: str, version_id: str) -> dict[str, Any] | None:
        return next((v for v in self.versions[key] if v["VersionId"] == version_id), None)

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if (top := self.top(Key)) is None:
            raise refusal("NoSuchKey")
        return top

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        top = self.head_object(Bucket=Bucket, Key=Key)
        return top | {"Body": BytesIO(top["Bytes"])}

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str,
        Metadata: dict[str, str] | None = None,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
    ) -> dict[str, Any]:
        top = self.top(Key)
        if IfMatch and top is None:
            raise refusal("NoSuchKey")
        if top and (IfNoneMatch or (IfMatch and IfMatch != top["ETag"])):
            raise refusal("PreconditionFailed")
        etag = hashlib.sha256(Body).hexdigest()
        version = {"VersionId": str(next(self._ids)), "ETag": etag, "Bytes": Body}
        self.versions.setdefault(Key, []).append(version | {"Metadata": Metadata or {}})
        return version

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:
        listed = [
            {"Key": key, "VersionId": version["VersionId"]}
            for key in sorted(self.versions)
            if key.startswith(Prefix)
            for version in reversed(self.versions[key])
        ]
        return {"Versions": listed, "IsTruncated": False}

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str) -> None:
        kept = [v for v in self.versions.get(Key, []) if v["VersionId"] != VersionId]
        self.versions[Key] = kept


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "call")


class Killed(BaseException):
    """The process ended, whatever it was about to do."""


type Turn = Literal["go", "die before", "die after"]


class Writer:
    """A function in a thread of its own, which waits before each of its calls to the bucket."""

    def __init__(self, bucket: Bucket, work: Callable[[Any], object]) -> None:
        self._bucket = bucket
        self._turn: Turn = "go"
        self._go, self._stopped = threading.Lock(), threading.Lock()
        for held in (self._go, self._stopped):
            held.acquire()
        self.ended = self.killed = False
        self.error: Exception | None = None
        self.answer: Any = None
        threading.Thread(target=self._run, args=[work], daemon=True).start()
        self._stopped.acquire()

    def step(self, turn: Turn = "go") -> None:
        """Let it make one call and go on to the next one."""
        self._turn = turn
        self._go.release()
        self._stopped.acquire()
        if self.error:
            raise self.error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in CALLS:
            raise AttributeError(name)

        def call(**arguments: Any) -> Any:
            self._stopped.release()
            self._go.acquire()
            if self._turn == "die before":
                raise Killed
            answer = getattr(self._bucket, name)(**arguments)
            if self._turn == "die after":
                raise Killed
            return answer

        return call

    def _run(self, work: Callable[[Any], object]) -> None:
        try:
            self.answer = work(self)
        except Killed:
            self.killed = True
        except Exception as error:
            self.error = error
        self.ended = True
        self._stopped.release()
