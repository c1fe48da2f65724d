"""Which images a command line names, and which of them must not be quantized to where it says."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import NoReturn

from quantization.errors import NameTaken
from quantization.options import Options
from quantization_client.earlier_results import is_result
from quantization_client.jobs import Job, UsageError

STANDARD = Path("-")
"""Standard input as an image, and standard output as the place of its result."""

IMAGE_EXTENSIONS = {
    *(".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpeg", ".jpg", ".png"),
    *(".tif", ".tiff", ".webp"),
}
"""What is taken from a folder; a file that is named is taken whatever its name."""


def sample_image() -> Path:
    """Return the photo that scikit-learn ships, without the second it takes to import."""
    return Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/images/china.jpg")))


def find_jobs(paths: Sequence[Path], scratch: Path) -> list[Job]:
    """List the image files in these places, in their order and each once.

    Folders are searched with all that is in them, except for earlier results. What comes in on
    standard input is written to a file in the folder `scratch`.

    Raises
    ------
    UsageError
        If there is no image, or something cannot be read.
    """
    found = (job for path in dict.fromkeys(paths) for job in _jobs_of(path, scratch))
    jobs = {job.path: job for job in found}
    if not jobs:
        raise UsageError(f"no image in {', '.join(map(str, paths))}")
    return list(jobs.values())


def _jobs_of(path: Path, scratch: Path) -> Iterator[Job]:
    if path == STANDARD:
        yield _standard_input(scratch / "stdin")
    elif path.is_dir():
        for folder, folders, names in os.walk(path, onerror=_refuse_unreadable):
            folders.sort()
            for file in (Path(folder, name) for name in sorted(names)):
                # macOS leaves ._a.jpg beside a.jpg, which is no image.
                is_image = file.suffix.lower() in IMAGE_EXTENSIONS and not file.name.startswith(".")
                # A named pipe would be waited for. A link to nothing fails by its name.
                if is_image and (file.is_file() or not file.exists()) and not is_result(file):
                    yield Job(file, file.relative_to(path))
    elif path.is_file():
        yield Job(path, Path(path.name))
    elif path.exists():
        raise UsageError(f"{path} is neither a file nor a folder; read from a pipe with -")
    else:
        raise UsageError(f"{path}: no such file or folder")


def _standard_input(file: Path) -> Job:
    if sys.stdin.isatty():
        raise UsageError("- reads an image from standard input; give it one: quantize - <photo.jpg")
    try:
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        raise UsageError(
            f"standard input is not copied to {file.parent}: {error.strerror}"
        ) from error
    return Job(file, Path(file.name), given=str(STANDARD))


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}")


def prepare(out: Path) -> None:
    """Make the folder of the results.

    Raises
    ------
    UsageError
        If nothing can be written there.
    """
    if out.is_file():
        raise UsageError(f"{out} cannot be written to: it is a file; name a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(f"{out} cannot be written to: {error.strerror}") from error


def same_names(jobs: Sequence[Job]) -> dict[Job, str]:
    """Say for each image whose results would have the names of another one's that it is so."""
    taken: dict[str, Job] = {}
    refused = {}
    for job in jobs:
        first = taken.setdefault(job.stem, job)
        if first is not job:
            refused[job] = (
                f"{NameTaken.__name__}: {first.label} and {job.label} would both be named"
                f" {job.stem}; rename one of them"
            )
    return refused


def overwriting(
    jobs: Sequence[Job], sources: Iterable[Path], out: Path, options: Options
) -> dict[Job, str]:
    """Say for each image whose results would take the place of other files that it is so.

    Parameters
    ----------
    jobs : sequence of Job
    sources : iterable of Path
        The images themselves.
    out : Path
        Folder of the results.
    options : Options
        They say which files the results are.
    """
    originals = {source.resolve() for source in sources}
    refused: dict[Job, str] = {}
    for job in jobs:
        for ending in (options.format, "html", "json", *options.palettes):
            target = out / f"{job.stem}.{ending}"
            if target.resolve() in originals:
                problem = "is an image to quantize"
            elif os.path.lexists(target) and not is_result(target):
                problem = "is no result of an earlier run"
            else:
                continue
            refused.setdefault(
                job,
                f"{target} {problem} and would be overwritten; choose another folder with --out, or"
                " overwrite it with --force",
            )
    return refused
