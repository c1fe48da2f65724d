"""Files that take the place of others together, or not at all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield where to write each of some files; move them to their places once all are written.

    If that fails, what lies in their places stays, and nothing is left over. Folders are made if
    they are missing.
    """
    partial = {what: file.with_name(file.name + ".part") for what, file in files.items()}
    try:
        for file in files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        for what, file in files.items():
            partial[what].replace(file)
    finally:
        for file in partial.values():
            file.unlink(missing_ok=True)
