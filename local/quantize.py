"""Reduce images to their best few colours, on the local engine or on a stack in AWS."""

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from local import engine
from local.deploy import DeployError, deploy
from local.follow import (
    Executions,
    QuantizeError,
    StartedUpload,
    fetch_result,
    progress_of,
    upload,
)
from local.stack import LOCAL_NAME, NoSuchStackError, Stack, engine_environment, find_stack
from quantization.messages import Result
from quantization.options import CRITERIA

ALL_DONE, SOME_FAILED, BAD_USAGE, NO_STACK, INTERRUPTED = 0, 1, 2, 3, 130

IMAGE_EXTENSIONS = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""What is taken from a folder; a file that is named is taken whatever its name."""

AT_ONCE = 16
"""Images followed at the same time."""

POLL_SECONDS = 0.2

COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(bar_width=25),
    TextColumn("{task.fields[state]}", markup=False),
)


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
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    last_execution = None
    try:
        jobs = _jobs(options.images or [_sample_image()])
        environment = {} if options.stack else deploy(options.port)
        stack = find_stack(options.stack or LOCAL_NAME, environment)
        with Progress(*COLUMNS, console=console) as bars:
            run = _Run(stack, options, bars)
            run.all(jobs)
        last_execution = run.last_execution
        code = SOME_FAILED if run.failed else ALL_DONE
    except UsageError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except (DeployError, engine.EngineError, NoSuchStackError, BotoCoreError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        code = NO_STACK
    except KeyboardInterrupt:
        console.print("interrupted; what was uploaded is still being quantized")
        code = INTERRUPTED
    if not options.stack and engine.is_running(options.port):
        _say_what_runs(console, options.port, last_execution)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantize",
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


class _Run:
    """The images of one command, from upload to download, some at a time."""

    def __init__(self, stack: Stack, options: argparse.Namespace, bars: Progress) -> None:
        self._stack = stack
        self._out: Path = options.out
        self._metadata = {"criterion": options.criterion} if options.criterion else {}
        self._bars = bars
        self._executions = Executions(stack)
        self.last_execution: str | None = None
        self.failed = 0

    def all(self, jobs: list[Job]) -> None:
        """Quantize all images."""
        waiting = deque((job, self._bars.add_task(str(job.name), state="")) for job in jobs)
        going: dict[Job, tuple[TaskID, StartedUpload]] = {}
        while waiting or going:
            while waiting and len(going) < AT_ONCE:
                job, bar = waiting.popleft()
                self._bars.update(bar, state="Upload", total=None)
                key = job.name.as_posix()
                going[job] = bar, upload(self._stack, job.path, key, self._metadata)
            self._executions.look()
            for job, (bar, started) in list(going.items()):
                try:
                    if self._has_ended(job, bar, started):
                        del going[job]
                except (QuantizeError, ClientError) as error:
                    del going[job]
                    self.failed += 1
                    self._bars.update(bar, state="failed", total=1)
                    self._bars.console.print(f"{job.path}: {error}", style="red", markup=False)
            time.sleep(POLL_SECONDS)

    def _has_ended(self, job: Job, bar: TaskID, started: StartedUpload) -> bool:
        """Show how far one image is; when its execution has ended, fetch the result."""
        execution = self._executions.started_by(started)
        if execution is None:
            return False
        self.last_execution = execution
        progress = progress_of(self._stack, execution)
        scored, to_score = progress.scored, progress.to_score
        state = progress.state + (f" {scored}/{to_score} K" if to_score else "")
        self._bars.update(bar, completed=scored, total=to_score or None, state=state)
        if progress.running:
            return False
        image, document = fetch_result(self._stack, execution, job.stem, self._out)
        result = msgspec.json.decode(document.read_bytes(), type=Result)
        self._bars.update(bar, state=f"{result.k} colours: {image}")
        return True


def _say_what_runs(console: Console, port: int, execution: str | None) -> None:
    """Say that the engine goes on, and how to look at the execution on it."""
    endpoint = engine.endpoint(port)
    console.print(f"\nThe local engine keeps running at {endpoint}; `make stop` ends it.")
    if execution:
        variables = " ".join(f"{k}={v}" for k, v in engine_environment(endpoint).items())
        console.print(
            f"To look at the execution:\n  {variables} \\\n  aws stepfunctions"
            f" get-execution-history --execution-arn {execution}"
        )


if __name__ == "__main__":
    sys.exit(main())
