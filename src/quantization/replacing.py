"""Files that take the place of others together, or not at all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def replacing(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield where to write each of some files; move them to their places once all are written.

    If that fails, what lies in their places stays, and nothing is left over. Folders are made if
    they are missing. Others may write the same files meanwhile.

    Raises
    ------
    OSError
        If one cannot be written. Where the system tells no name, it is that of a folder.
    """
    partial = {what: file.with_name(f".{token_hex(8)}.part") for what, file in files.items()}
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        for what, file in files.items():
            partial[what].replace(file)
    except OSError as error:
        # A full disk is met when a file is open already.
        if error.errno is not None and error.filename is None:
            error.filename = str(next(iter(files.values())).parent)
        raise
    finally:
        for file in partial.values():
            file.unlink(missing_ok=True)
