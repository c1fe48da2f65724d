"""Which of two uploads of one key is newer.

S3's event gives each upload a sequencer, and a key's sequencers sort by age. A backfill finds
versions by listing the bucket, and a list has none. What is certain all the same:

- A backfill reads the result first and looks up the key's current version then. So what it found
  is newer than the upload that the result was of.
- S3 lists a key's versions newest first. Two that are both in the list are in order.
- Of two runs over the same version, the one that began later was asked for later: a backfill, or
  one that takes another palette of the result. An upload's own run was asked for before any.

A version that was deleted for good is not in the list. Then neither may be known to be older, and
whoever asks must change nothing. An answer of "older" stays true whatever is deleted later.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/list-obj-version-enabled-bucket.html
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from quantization.contract import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Origin(NamedTuple):
    """The run that an object is of; all empty for an object that is none of ours."""

    version_id: str = ""
    sequencer: str = ""
    began: str = ""
    """When the run was asked for; empty for an upload's own."""
    replaces: str = ""
    """The version that the result was of when the backfill found this one."""

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Return the origin of what is made from an upload."""
        version, found = (upload.version_id, upload.sequencer), upload.backfill
        if found is None:
            return cls(*version, upload.again or "")
        return cls(*version, upload.again or found.started, found.replaces or "")

    @property
    def run(self) -> tuple[str, str]:
        """What all executions of the run have in common."""
        return self.version_id, self.began


class UploadOrder(NamedTuple):
    """The order of the uploads of one key."""

    s3: "S3Client"
    bucket: str
    """The input bucket."""
    key: str

    def is_older(self, one: Origin, other: Origin) -> bool:
        """Tell whether the first is certainly older than the second."""
        if one.version_id == other.version_id:
            return one.began < other.began
        if one.sequencer and other.sequencer:
            return sortable(one.sequencer) < sortable(other.sequencer)
        if not one.version_id or not other.version_id:
            return bool(other.version_id)
        if one.version_id == other.replaces:
            return True
        if other.version_id == one.replaces:
            return False
        # Both have to be there, so the newer one comes first.
        found = [v for v in self._versions() if v in (one.version_id, other.version_id)]
        return found == [other.version_id, one.version_id]

    def _versions(self) -> Iterator[str]:
        """Yield the key's versions, the newest first."""
        page = self.s3.list_object_versions(Bucket=self.bucket, Prefix=self.key)
        while True:
            # Longer keys that begin with this one come after it.
            yield from (v["VersionId"] for v in page.get("Versions", []) if v["Key"] == self.key)
            if not page["IsTruncated"] or page["NextKeyMarker"] != self.key:
                return
            page = self.s3.list_object_versions(
                Bucket=self.bucket,
                Prefix=self.key,
                KeyMarker=page["NextKeyMarker"],
                VersionIdMarker=page["NextVersionIdMarker"],
            )


def sortable(sequencer: str) -> str:
    """Return what sorts the sequencers of one key by age.

    Sequencers of different lengths are compared as if the shorter one ended in zeros:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return sequencer.upper().rstrip("0")
