"""Reduce images to their best few colors, in this process or on a stack in AWS."""

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from rich.console import Console

import quantization
from quantization.errors import InvalidOptions, NameTaken
from quantization.options import FIELDS, Options, description_of, values_of
from quantization_client.jobs import Job, JobRunner, Outcome, ProgressCallback, StackError
from quantization_client.show import Display, json_line, summary

ALL_DONE, SOME_FAILED, BAD_USAGE, NO_STACK, INTERRUPTED = 0, 1, 2, 3, 130

IMAGE_EXTENSIONS = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""What is taken from a folder; a file that is named is taken whatever its name."""

EPILOG = f"""\
Interrupted with Ctrl-C, or ended by a fault, the same command goes on where it was: it leaves out
the images that were done and finds the executions that it started on a stack. (It remembers them in
OUT/.unfinished until it ends.) It waits while AWS is busy or out of reach, for five minutes.

With --bucket-prefix, --bucket-list or --bucket-inventory, the images are those that lie in the
stack's input bucket already. Nothing is downloaded; the results are in the output bucket. The
options are for those images whose own metadata does not say otherwise. Interrupted with Ctrl-C, the
backfill goes on; a second one leaves out what has its result.

With --json, standard output has one line of JSON for each image, when it is done or has failed:
  image      path of the file
  status     "done" or "failed"
  execution  ARN of the execution, on a stack
  seconds    from its start to its end
  k          number of colors
  criterion  by which it was chosen
  frames     or pages in the file, of which the first was quantized
  files      paths of what was written: "image", "report", "result", and palettes: "gpl", ...
  error      why it failed
Everything else goes to standard error.

exit codes:
  {ALL_DONE:<4} all images are done
  {SOME_FAILED:<4} some images failed
  {BAD_USAGE:<4} bad usage
  {NO_STACK:<4} the stack cannot be reached, or does not begin
  {INTERRUPTED:<4} interrupted
"""


class UsageError(Exception):
    """The command line asks for something that cannot be done."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = command()
    options = parser.parse_args(arguments)
    # Each way imports only what it needs, which takes most of the time of a small image.
    if options.stack is not None:
        if not find_spec("boto3"):
            parser.error("--stack takes AWS's SDK: pip install 'color-quantization[aws]'")
        from quantization_client import on_stack

        return on_stack.main(options)
    if in_bucket(options):
        parser.error("images in the bucket take a stack: give --stack, too")
    from quantization_client.in_process import LocalRun

    return quantize(options, LocalRun)


def in_bucket(options: argparse.Namespace) -> bool:
    """Tell whether the images are to be those in the bucket."""
    named = (options.bucket_prefix, options.bucket_list, options.bucket_inventory)
    return any(source is not None for source in named)


def command() -> argparse.ArgumentParser:
    """Return the parser of the command `quantize`."""
    command = parser("quantize", __doc__)
    command.add_argument(
        "--stack", help="name of a stack in AWS that is to do it; default: this process does"
    )
    return command


def quantize(
    options: argparse.Namespace,
    runner: Callable[[Path, dict[str, str], ProgressCallback], JobRunner],
) -> int:
    """Quantize the image files that a command line names, and return its exit code.

    Parameters
    ----------
    options : argparse.Namespace
        What `parser` made of the command line.
    runner : callable
        Makes what quantizes them, of the folder of the results, the options, and whom to tell how
        far each image is. Raises `StackError` if it cannot.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outcomes: list[Outcome] = []
    try:
        metadata = given_options(options)
        jobs, left_out = find_jobs(options.images or [sample_image()], options.out)
        display = Display(console, len(jobs) + len(left_out))
        run = runner(options.out, metadata, display.update)
        left = run.still_to_do(jobs)
        if len(left) < len(jobs):
            console.print(f"{len(jobs) - len(left)} images were done before the interruption")
        with display.shown():
            for outcome in chain(left_out, run.outcomes(left)):
                display.end(outcome)
                outcomes.append(outcome)
                if options.json:
                    print(json_line(outcome), flush=True)
        run.forget(jobs)
        code = SOME_FAILED if any(outcome.error for outcome in outcomes) else ALL_DONE
    except (UsageError, InvalidOptions) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except StackError as error:
        console.print(f"error: {error}", style="red", markup=False)
        code = NO_STACK
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        code = INTERRUPTED
    if not options.json:
        _print_summary(outcomes)
    return code


def parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what all commands that quantize have in common."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="a file, or a folder of them; default: a sample photo",
    )
    bucket = parser.add_argument_group("images in the bucket")
    source = bucket.add_mutually_exclusive_group()
    source.add_argument("--bucket-prefix", metavar="PREFIX", help="keys that begin so")
    source.add_argument(
        "--bucket-list", type=Path, metavar="FILE", help="the keys in this file, one a line"
    )
    source.add_argument(
        "--bucket-inventory",
        metavar="s3://BUCKET/KEY",
        help="the keys in an S3 inventory in CSV, named by its manifest.json",
    )
    bucket.add_argument("--suffix", metavar="SUFFIX", help="only keys that end so: .jpg")
    bucket.add_argument(
        "--max-concurrency", type=int, metavar="N", help="so many images at once; default: 30"
    )
    bucket.add_argument(
        "--tolerated-failures",
        type=float,
        metavar="PERCENT",
        help="end once more than these have failed; default: 10",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder of the results; default: %(default)s"
    )
    for name in FIELDS:
        values = values_of(name)
        single = values.choices and not values.several
        parser.add_argument(
            f"--{name}",
            choices=values.choices if single else None,
            metavar=None if single else "LIST" if values.several else "N",
            help=description_of(name) + ("" if single else f": {values.phrase}"),
        )
    parser.add_argument("--json", action="store_true", help="report in JSON, for scripts")
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {quantization.__version__}"
    )
    return parser


def given_options(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that travel with the upload.

    Raises
    ------
    InvalidOptions
        If no stack would take them.
    """
    asked = {name: getattr(options, field.name) for name, field in FIELDS.items()}
    metadata = {name: value for name, value in asked.items() if value is not None}
    # A stack has defaults of its own, of which nothing is known here but that they may fit.
    Options().updated(metadata)
    return metadata


def sample_image() -> Path:
    """Return the photo that scikit-learn ships, without the second it takes to import."""
    return Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/images/china.jpg")))


def find_jobs(paths: list[Path], out: Path) -> tuple[list[Job], list[Outcome]]:
    """List the image files, each result under a name of its own.

    Folders are searched with all that is in them, except for the results' own folder `out`.

    Returns
    -------
    jobs : list of Job
    left_out : list of Outcome
        The images whose results would have the name of another one's.

    Raises
    ------
    UsageError
        If there is no image.
    """
    jobs = [job for path in paths for job in _jobs_of(path, out)]
    if not jobs:
        raise UsageError(f"no image in {', '.join(map(str, paths))}")
    taken: dict[str, Job] = {}
    left_out = {}
    for job in jobs:
        first = taken.setdefault(job.stem, job)
        if first.path != job.path:
            left_out[job.path] = Outcome(
                job,
                error=f"{NameTaken.__name__}: {first.path} and {job.path} would both become"
                f" {job.stem}.png; rename one of them",
            )
    return list(taken.values()), list(left_out.values())


def _jobs_of(path: Path, out: Path) -> Iterator[Job]:
    if path.is_dir():
        results = out.resolve()
        for file in sorted(path.rglob("*")):
            is_image = file.suffix.lower() in IMAGE_EXTENSIONS and file.is_file()
            # macOS leaves ._a.jpg beside a.jpg, which is no image.
            is_image = is_image and not file.name.startswith(".")
            if is_image and results not in file.resolve().parents:
                yield Job(file, file.relative_to(path))
    elif path.is_file():
        yield Job(path, Path(path.name))
    else:
        raise UsageError(f"{path}: no such file or folder")


def _print_summary(outcomes: list[Outcome]) -> None:
    if outcomes:
        # A script gets each row in one line.
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)
        console.print(summary(outcomes, colors=console.color_system is not None))


if __name__ == "__main__":
    sys.exit(main())
