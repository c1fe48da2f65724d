"""What a run remembers in its output folder until it ends, so that the next can go on from there.

Each image has a small file of its own: runs that share the folder do not get in each other's way.
"""

from contextlib import suppress
from pathlib import Path

import msgspec

from quantization.replacing import replacing
from quantization_client.jobs import Job

FOLDER = ".unfinished"


class Entry(msgspec.Struct, frozen=True):
    """An image that was begun, and how far it got.

    Attributes
    ----------
    size, modified : int
        Of the file: bytes, and nanoseconds since 1970. A file that changed is uploaded again.
    bucket, metadata : str, dict
        Where it was uploaded to, empty where it was not, and with which options.
    version_id : str
        What S3 calls the upload.
    execution : str or None
        ARN of the execution that the upload started, once it was found.
    done : bool
        Whether its results are there.
    """

    size: int
    modified: int
    bucket: str
    metadata: dict[str, str]
    version_id: str = ""
    execution: str | None = None
    done: bool = False


class Journal:
    """The entries of an output folder."""

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER

    def of(self, job: Job, bucket: str, options: dict[str, str]) -> Entry | None:
        """Return what is remembered of an image, if it is of this very file, place and options."""
        entry = self.read(job.name)
        if entry is None:
            return None
        status = job.path.stat()
        now = (status.st_size, status.st_mtime_ns, bucket, options)
        return entry if now == (entry.size, entry.modified, entry.bucket, entry.metadata) else None

    def read(self, name: Path) -> Entry | None:
        """Return what is remembered of an image, by its name relative to its folder."""
        try:
            return msgspec.json.decode(self._file(name).read_bytes(), type=Entry)
        except (FileNotFoundError, msgspec.DecodeError):  # Half of one is left if the power fails.
            return None

    def write(self, name: Path, entry: Entry) -> None:
        """Remember an image, in place of what was remembered of it."""
        with replacing({"entry": self._file(name)}) as partial:
            partial["entry"].write_bytes(msgspec.json.encode(entry))

    def forget(self, name: Path) -> None:
        """Remember nothing of an image."""
        file = self._file(name)
        file.unlink(missing_ok=True)
        for folder in file.parents:
            with suppress(OSError):  # not empty, or gone
                folder.rmdir()
            if folder == self._folder:
                return

    def _file(self, name: Path) -> Path:
        return self._folder / name.with_name(name.name + ".json")
