"""Reduce images to their best few colors, on the local engine or on a stack in AWS."""

import argparse
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from emulator import engine
from emulator.deploy import DeployError, deploy
from quantization.contract import Window
from quantization.errors import InvalidOptions
from quantization.options import (
    CRITERIA,
    DITHERS,
    ERROR_BUDGETS,
    FORMATS,
    NAMES,
    SIZES,
    SPACES,
    Options,
    chosen_options,
    chosen_rendering,
)
from quantization.palette_files import WRITERS
from quantization_client.run import Job, Outcome, Run
from quantization_client.show import Display, json_line, summary
from quantization_client.stack import LOCAL_NAME, NoSuchStackError, engine_environment, find_stack

ALL_DONE, SOME_FAILED, BAD_USAGE, NO_STACK, INTERRUPTED = 0, 1, 2, 3, 130

IMAGE_EXTENSIONS = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""What is taken from a folder; a file that is named is taken whatever its name."""

EPILOG = f"""\
Interrupted with Ctrl-C, or ended by a fault, the same command goes on where it was: it finds the
executions that it started and leaves out the images that were done. (It remembers them in
OUT/.unfinished until it ends.)

With --json, standard output has one line of JSON for each image, when it is done or has failed:
  image      path of the file
  status     "done" or "failed"
  execution  ARN of the execution
  seconds    from its start to its end
  k          number of colors
  criterion  by which it was chosen
  files      paths of what was written: "image", "report", "result", and palettes: "gpl", ...
  error      why it failed
Everything else goes to standard error.

exit codes:
  {ALL_DONE:<4} all images are done
  {SOME_FAILED:<4} some images failed
  {BAD_USAGE:<4} bad usage
  {NO_STACK:<4} the engine, or the stack, cannot be reached
  {INTERRUPTED:<4} interrupted
"""


class UsageError(Exception):
    """The command line asks for something that cannot be done."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outcomes: list[Outcome] = []
    try:
        metadata = _metadata(options)
        jobs = find_jobs(options.images or [sample_image()], options.out)
        environment = {} if options.stack else deploy(options.port)
        stack = find_stack(options.stack or LOCAL_NAME, environment)
        display = Display(console, len(jobs))
        run = Run(stack, options.out, metadata, display.update)
        left = run.still_to_do(jobs)
        if len(left) < len(jobs):
            console.print(f"{len(jobs) - len(left)} images were done before the interruption")
        with display.shown():
            for outcome in run.outcomes(left):
                display.end(outcome)
                outcomes.append(outcome)
                if options.json:
                    print(json_line(outcome), flush=True)
        run.forget(jobs)
        code = SOME_FAILED if any(outcome.error for outcome in outcomes) else ALL_DONE
    except (UsageError, InvalidOptions) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except (DeployError, engine.EngineError, NoSuchStackError, BotoCoreError, ClientError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        code = NO_STACK
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        code = INTERRUPTED
    if not options.json:
        _print_summary(outcomes)
    if not options.stack and engine.is_running(options.port):
        executions = [outcome.execution for outcome in outcomes if outcome.execution]
        _say_what_runs(console, options.port, executions)
    return code


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="quantize",
        description=__doc__,
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
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder of the results; default: %(default)s"
    )
    parser.add_argument(
        "--criterion",
        choices=CRITERIA,
        help="how the number of colors is chosen; default: the stack's own",
    )
    parser.add_argument(
        "--error-budget",
        type=float,
        metavar="DRIFT",
        help="how far the criterion guarded lets colors drift, 2 being just visible; default: the"
        " stack's own",
    )
    parser.add_argument(
        "--k-min",
        type=int,
        metavar="K",
        help="smallest number of colors to try; default: the stack's own",
    )
    parser.add_argument(
        "--k-max",
        type=int,
        metavar="K",
        help="largest number of colors to try; the same as --k-min for exactly so many; default:"
        " the stack's own",
    )
    parser.add_argument(
        "--space",
        choices=SPACES,
        help=f"where the nearest palette color is sought; default: {SPACES[0]}",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help=f"of the recolored image; default: {FORMATS[0]}"
    )
    parser.add_argument(
        "--dither",
        choices=DITHERS,
        help="how colors between those of the palette are imitated; default: not at all",
    )
    parser.add_argument(
        "--palettes",
        metavar="LIST",
        help=f"formats to write the palette in, too: {','.join(WRITERS)} or some of them",
    )
    parser.add_argument("--json", action="store_true", help="report in JSON, for scripts")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", help="name of a stack in AWS; default: the local engine")
    where.add_argument(
        "--port",
        type=int,
        default=engine.default_port(),
        help=f"of the local engine; default: the variable {engine.PORT_VARIABLE},"
        f" or {engine.DEFAULT_PORT}",
    )
    return parser


def _metadata(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that travel with the upload.

    Raises
    ------
    InvalidOptions
        If no stack would take them.
    """
    asked = {name: getattr(options, name.replace("-", "_")) for name in NAMES}
    metadata = {name: str(value) for name, value in asked.items() if value is not None}
    chosen_rendering(metadata)
    # A stack has defaults of its own, of which nothing is known here but that they may fit.
    ends = [k for k in (options.k_min, options.k_max) if k is not None] or SIZES[:1]
    chosen_options(metadata, Options(CRITERIA[0], ERROR_BUDGETS[0], Window(ends[0], ends[-1])))
    return metadata


def sample_image() -> Path:
    """Return the photo that scikit-learn ships, without the second it takes to import."""
    return Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/images/china.jpg")))


def find_jobs(paths: list[Path], out: Path) -> list[Job]:
    """List the image files, each result under a name of its own.

    Folders are searched with all that is in them, except for the results' own folder `out`.

    Raises
    ------
    UsageError
        If there is no image, or two would have the same result.
    """
    jobs = [job for path in paths for job in _jobs_of(path, out)]
    if not jobs:
        raise UsageError(f"no image in {', '.join(map(str, paths))}")
    taken: dict[str, Job] = {}
    for job in jobs:
        other = taken.setdefault(job.stem, job)
        if other.path != job.path:
            raise UsageError(f"{other.path} and {job.path} would both become {job.stem}.png")
    return list(taken.values())


def _jobs_of(path: Path, out: Path) -> Iterator[Job]:
    if path.is_dir():
        results = out.resolve()
        for file in sorted(path.rglob("*")):
            is_image = file.suffix.lower() in IMAGE_EXTENSIONS and file.is_file()
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


def _say_what_runs(console: Console, port: int, executions: list[str]) -> None:
    """Say that the engine goes on, and how to look at the last execution on it."""
    endpoint = engine.endpoint(port)
    console.print(f"\nThe local engine keeps running at {endpoint}; `make stop` ends it.")
    if executions:
        variables = " ".join(f"{k}={v}" for k, v in engine_environment(endpoint).items())
        console.print(
            f"To look at the execution:\n  {variables} \\\n  aws stepfunctions"
            f" get-execution-history --execution-arn {executions[-1]}"
        )


if __name__ == "__main__":
    sys.exit(main())
