"""The command `quantize` on a stack: its image files, or what lies in its input bucket."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from quantization.errors import InvalidOptions, UnreadablePalette
from quantization_client import main as command
from quantization_client.backfill import RUNNING, Backfill, upload_list
from quantization_client.entry import INTERRUPTED, standard_output
from quantization_client.follow import NotStartedError
from quantization_client.jobs import (
    Job,
    JobRunner,
    Outcome,
    ProgressCallback,
    Request,
    StackError,
    UsageError,
)
from quantization_client.live import BucketDisplay
from quantization_client.main import (
    ALL_DONE,
    BAD_USAGE,
    NO_STACK,
    SOME_FAILED,
    given_options,
    in_bucket,
    refuse_idle,
)
from quantization_client.patience import AWS_ERRORS, patiently
from quantization_client.recolor import Recoloring
from quantization_client.run import Run
from quantization_client.show import Printer, bucket_json_line, bucket_summary
from quantization_client.stack import Stack, find_stack


def main(options: argparse.Namespace) -> int:
    """Quantize on the stack that a command line names, and return the exit code."""
    return quantize(options, lambda: find_stack(options.stack))


def quantize(options: argparse.Namespace, connect: Callable[[], Stack]) -> int:
    """Quantize the images that a command line names, and return its exit code.

    Parameters
    ----------
    options : argparse.Namespace
        What `quantization_client.main.parser` made of the command line.
    connect : callable
        Finds the stack to quantize on. Raises `StackError` if there is none.
    """
    if in_bucket(options):
        return _backfill(options, connect, Printer(stderr=True, highlight=False, soft_wrap=True))

    def runner(request: Request, show: ProgressCallback) -> JobRunner:
        with _aws_errors():
            if request.again is None:
                return _Run(connect(), request.out, request.options, show)
            if options.images:
                raise UsageError("a stack has the image already; name the result only")
            k = int(request.options["k"])
            return _Recoloring(connect(), request.again, k, request.out, show)

    return command.quantize(options, runner)


class _Run(Run):
    """A run that is ended by AWS as the command ends: the same one goes on."""

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        with _aws_errors():
            yield from super().outcomes(jobs)


class _Recoloring(Recoloring):
    """The same of a result that another palette is taken of."""

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        with _aws_errors():
            yield from super().outcomes(jobs)


@contextmanager
def _aws_errors() -> Iterator[None]:
    try:
        yield
    except (NotStartedError, *AWS_ERRORS) as error:
        wrong = str(error).rstrip(".")
        raise StackError(f"{wrong}; once that is put right, the same command goes on") from error


def _backfill(options: argparse.Namespace, connect: Callable[[], Stack], console: Printer) -> int:
    """Quantize the images in the bucket that a command line names, and return its exit code."""
    notes = Printer(stderr=True, highlight=False, soft_wrap=True, quiet=options.quiet)
    backfill = None
    try:
        settings = _settings(options)
        stack = connect()
        backfill = Backfill.start(stack, _source(options, stack), settings)
        notes.print(f"execution {backfill.execution}", markup=False)
        with BucketDisplay(notes) as display:
            backfill.follow(display.update)
        summary = patiently(backfill.summary, stack.poll_seconds)
    except (UsageError, InvalidOptions, UnreadablePalette) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except (StackError, *AWS_ERRORS) as error:
        console.print(f"error: {error}", style="red", markup=False)
        code = NO_STACK
    except KeyboardInterrupt:
        code = INTERRUPTED
    else:
        with standard_output():
            if options.json:
                print(bucket_json_line(summary))
            elif not options.quiet:
                Printer(highlight=False, soft_wrap=True).print(bucket_summary(summary))
        return SOME_FAILED if summary.failed or summary.status != "SUCCEEDED" else ALL_DONE
    if backfill and backfill.status == RUNNING:
        console.print(
            "the backfill goes on; to stop it: aws stepfunctions stop-execution"
            f" --execution-arn {backfill.execution}",
            markup=False,
        )
    return code


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the backfill's input but for where its list is read."""
    refuse_idle(options)
    if options.images:
        raise UsageError("name files or images in the bucket, not both")
    settings = {
        "options": given_options(options),
        "suffix": options.suffix,
        "max_concurrency": options.max_concurrency,
        "tolerated_failure_percentage": options.tolerated_failures,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _source(options: argparse.Namespace, stack: Stack) -> dict[str, Any]:
    """Return where the backfill is to read its list, once it lies there."""
    if options.bucket_prefix is not None:
        return {"prefix": options.bucket_prefix}
    if options.bucket_list is not None:
        try:
            options.bucket_list.open("rb").close()
        except OSError as error:
            raise UsageError(f"{options.bucket_list}: {error.strerror}") from None
        return {"list": upload_list(stack, options.bucket_list)}
    bucket, _, key = options.bucket_inventory.removeprefix("s3://").partition("/")
    return {"inventory": {"bucket": bucket, "key": key}}
