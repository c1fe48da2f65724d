"""Keys of the objects that belong to an upload, in the work and the output bucket."""

from quantization.contract import Upload
from quantization.errors import KeyTooLong

ERROR_ENDING = ".error.json"
LONGEST_KEY = 1024 - len(ERROR_ENDING)
"""In bytes of UTF-8; S3's own limit is 1024."""


def without_extension(key: str) -> str:
    """Return the key without its last extension: ``a.b/c.d.jpg`` gives ``a.b/c.d``."""
    folder, slash, name = key.rpartition("/")
    stem, _, _ = name.rpartition(".")
    return folder + slash + (stem or name)


def result_key(key: str) -> str:
    """Return the key of the result JSON for an upload's key."""
    return f"{without_extension(key)}.json"


def error_key(key: str) -> str:
    """Return the key of the failure for an upload's key, which is cut if it is too long."""
    return key.encode()[:LONGEST_KEY].decode(errors="ignore") + ERROR_ENDING


def check_key(key: str) -> None:
    """Make sure that results can lie beside each other under this key.

    Raises
    ------
    KeyTooLong
        If S3 would refuse one of their keys.
    """
    if (length := len(key.encode())) > LONGEST_KEY:
        raise KeyTooLong(
            f"the key has {length} bytes, but at most {LONGEST_KEY} leave room for the endings of "
            "the results' keys; upload the image under a shorter one"
        )


def summary_prefix(version_id: str) -> str:
    """Return what the keys of an upload's summaries begin with: one summary an execution."""
    return f"{version_id}/"


def summary_key(upload: Upload, execution: str) -> str:
    """Return the key of the summary that an execution, named by its ARN, makes of an upload.

    Those of a backfill lie apart: whoever looks for an upload's own execution shall not find them.
    """
    prefix = summary_prefix(upload.version_id) if upload.backfill is None else "backfill/"
    return f"{prefix}{execution.rpartition(':')[2]}/summary.npz"


def execution_name(summary_key: str) -> str:
    """Return the name of the execution that a summary is of."""
    return summary_key.split("/")[-2]
