"""Reduce images to their best few colours, on the local engine or on a stack in AWS."""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from local import engine
from local.deploy import DeployError, deploy
from local.follow import Executions, QuantizeError, fetch_result, follow, upload
from local.stack import LOCAL_NAME, NoSuchStackError, Stack, engine_environment, find_stack
from quantization.messages import Result
from quantization.options import CRITERIA

ALL_DONE, SOME_FAILED, BAD_USAGE, NO_STACK, INTERRUPTED = 0, 1, 2, 3, 130

IMAGE_EXTENSIONS = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""What is taken from a folder; a file that is named is taken whatever its name."""

AT_ONCE = 16
"""Images followed at the same time."""


@dataclass(frozen=True)
class Job:
    """One image file, and its name relative to the folder it was found in."""

    path: Path
    name: Path

    @property
    def stem(self) -> str:
        """Return the name without its extension, as the result will be called."""
        return self.name.with_suffix("").as_posix()


class UsageError(Exception):
    """The command line asks for something that cannot be done."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        jobs = _jobs(options.images or [_sample_image()])
        environment = {} if options.stack else deploy(options.port)
        stack = find_stack(options.stack or LOCAL_NAME, environment)
        failed = _run(stack, jobs, options, console)
    except UsageError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except (DeployError, engine.EngineError, NoSuchStackError, BotoCoreError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return NO_STACK
    except KeyboardInterrupt:
        console.print("interrupted; what was uploaded is still being quantized")
        _say_what_runs(console, options)
        return INTERRUPTED
    _say_what_runs(console, options)
    return SOME_FAILED if failed else ALL_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.quantize",
        description=__doc__,
        epilog=f"exit codes: {ALL_DONE} all done, {SOME_FAILED} some images failed, {BAD_USAGE} bad"
        f" usage, {NO_STACK} no engine or stack, {INTERRUPTED} interrupted",
    )
    parser.add_argument(
        "images", nargs="*", type=Path, help="files, or folders of them; default: a sample photo"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="default: %(default)s")
    parser.add_argument("--criterion", choices=CRITERIA, help="default: the stack's own")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", help="a stack in AWS; default: the local engine")
    where.add_argument("--port", type=int, default=engine.default_port(), help="of the engine")
    return parser


def _sample_image() -> Path:
    """Return the photo that scikit-learn ships."""
    return Path(str(files("sklearn.datasets.images").joinpath("china.jpg")))


def _jobs(paths: list[Path]) -> list[Job]:
    """List the image files, each result under a name of its own."""
    jobs = [job for path in paths for job in _jobs_of(path)]
    if not jobs:
        raise UsageError(f"no image in {', '.join(map(str, paths))}")
    taken: dict[str, Path] = {}
    for job in jobs:
        other = taken.setdefault(job.stem, job.path)
        if other != job.path:
            raise UsageError(f"{other} and {job.path} would both become {job.stem}.png")
    return jobs


def _jobs_of(path: Path) -> Iterator[Job]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in IMAGE_EXTENSIONS:
                yield Job(file, file.relative_to(path))
    elif path.is_file():
        yield Job(path, Path(path.name))
    else:
        raise UsageError(f"{path}: no such file or folder")


def _run(stack: Stack, jobs: list[Job], options: argparse.Namespace, console: Console) -> int:
    """Quantize all images; return how many failed."""
    metadata = {"criterion": options.criterion} if options.criterion else {}
    executions = Executions(stack)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=25),
        TextColumn("{task.fields[state]}", markup=False),
    )

    def quantize(job: Job, task: TaskID) -> None:
        version = upload(stack, job.path, job.name.as_posix(), metadata)
        execution = executions.started_by(version)
        for progress in follow(stack, execution):
            k_done = f" {progress.scored}/{progress.to_score} K" if progress.to_score else ""
            bars.update(
                task,
                completed=progress.scored,
                total=progress.to_score or None,
                state=progress.state + k_done,
            )
        image, document = fetch_result(stack, execution, job.stem, options.out)
        result = msgspec.json.decode(document.read_bytes(), type=Result)
        bars.update(task, state=f"{result.k} colours: {image}")

    failed = 0
    with Progress(*columns, console=console) as bars, ThreadPoolExecutor(AT_ONCE) as pool:
        started = {}
        for job in jobs:
            task = bars.add_task(str(job.name), total=None, state="Upload")
            started[pool.submit(quantize, job, task)] = job, task
        for future, (job, task) in started.items():
            try:
                future.result()
            except (QuantizeError, ClientError) as error:
                failed += 1
                bars.update(task, state="failed")
                console.print(f"{job.path}: {error}", style="red", markup=False, soft_wrap=True)
    return failed


def _say_what_runs(console: Console, options: argparse.Namespace) -> None:
    if options.stack or not engine.is_running(options.port):
        return
    endpoint = engine.endpoint(options.port)
    variables = " ".join(f"{k}={v}" for k, v in engine_environment(endpoint).items())
    console.print(
        f"\nThe local engine keeps running at {endpoint} until `make stop`. To look at the "
        f"executions:\n  {variables} aws stepfunctions list-executions --state-machine-arn …",
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
