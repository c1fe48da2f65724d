"""Reduce images to their best few colors, in this process or on a stack in AWS."""

import argparse
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import msgspec
import shtab
from msgspec import Meta

import quantization
from quantization import interrupts
from quantization.contract import Result
from quantization.errors import InvalidOptions, UnreadablePalette
from quantization.options import FIELDS, Options, description_of, option_meant, values_of
from quantization.palette_files import palette_at_hand
from quantization_client.entry import INTERRUPTED, NO_READER, standard_output
from quantization_client.finding import (
    STANDARD,
    find_jobs,
    overwriting,
    prepare,
    same_names,
    sample_image,
)
from quantization_client.jobs import (
    Job,
    JobRunner,
    Outcome,
    ProgressCallback,
    Request,
    StackError,
    UsageError,
)
from quantization_client.journal import Journal
from quantization_client.live import Display
from quantization_client.show import Printer, failure, json_line, print_summary

ALL_DONE, SOME_FAILED, BAD_USAGE, NO_STACK = 0, 1, 2, 3

ONLY_FOR_FILES: tuple[str, ...] = ("--out", "--force", "--again", "--open")
ONLY_IN_BUCKET: tuple[str, ...] = ("--suffix", "--max-concurrency", "--tolerated-failures")

MakeRunner = Callable[[Request, ProgressCallback], JobRunner]
"""Makes what does as it is asked and tells how far each image is. Raises `StackError` or
`UsageError` if it cannot."""

EPILOG = f"""\
After Ctrl-C or a fault, run the same command again to continue: it skips the images that are done
and finds the executions that it started on a stack. (It records both in OUT/.unfinished until it
has finished.) While AWS is busy or out of reach, it waits for up to five minutes.

With --bucket-prefix, --bucket-list or --bucket-inventory, it quantizes the images that are in the
stack's input bucket already. Nothing is downloaded; the results are in the output bucket. An option
applies to those images whose own metadata does not set it. Ctrl-C ends the command, but not the
backfill. If you start another one, it skips the images that have a result.

With --json, standard output gets one line of JSON for each image, once it is done or has failed:
  image      path of the file
  status     "done" or "failed"
  execution  ARN of the execution, on a stack
  seconds    time it took
  k          number of colors
  criterion  the one that chose it, unless the palette was given
  frames     frames or pages in the file; the first one was quantized
  picks      number of colors that each criterion would choose
  silhouette_at  "peak" or "edge", as in the result
  palette    the colors, most used first, each with its share of the pixels
  source_bytes, bytes  sizes of the original file and of the new one
  files      paths that were written: "image", "report", "result", and palettes: "gpl", ...
  error      why it failed
Everything else goes to standard error. Images in the bucket share one line, printed at the end:
"status" and "cause" of the backfill, "outcomes" (how many images ended how), how many "failed", the
first "failures", and "manifest", where all rows are listed.

Results of an earlier run are overwritten, but no other files. The JSON file beside a result shows
that it is one.

exit codes:
  {ALL_DONE:<4} all images are done
  {SOME_FAILED:<4} some images failed, or standard output takes nothing
  {BAD_USAGE:<4} bad usage
  {NO_STACK:<4} the stack cannot be reached, or starts no execution
  {INTERRUPTED:<4} interrupted, by Ctrl-C, SIGTERM or SIGHUP
  {NO_READER:<4} the reader of standard output has gone
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = command()
    options = parse(parser, arguments)
    # Each way imports only what it needs, which takes most of the time of a small image.
    if options.stack is not None:
        from quantization_client import on_stack

        return on_stack.main(options)
    if in_bucket(options):
        parser.error("images in the bucket take a stack: give --stack, too")
    if options.again and not options.images:
        parser.error("without --stack, name the image, too: quantize IMAGE --again RESULT.json")
    from quantization_client.in_process import local_runner

    return quantize(options, local_runner)


def parse(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Read a command line: images and flags in any order.

    Raises
    ------
    SystemExit
        If it is wrong. That is printed, and the option that an unknown flag seems to mean.
    """
    options, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        flag = unknown[0].partition("=")[0]
        meant = option_meant(flag)
        parser.error(f"{flag}: no such option" + (f"; --{meant} is meant" if meant else ""))
    return options


def in_bucket(options: argparse.Namespace) -> bool:
    """Tell whether the images are to be those in the bucket."""
    named = (options.bucket_prefix, options.bucket_list, options.bucket_inventory)
    return any(source is not None for source in named)


def refuse_idle(options: argparse.Namespace) -> None:
    """Refuse options that do nothing for the images that are named.

    Raises
    ------
    UsageError
    """
    sources = "--bucket-prefix, --bucket-list or --bucket-inventory"
    if in_bucket(options):
        idle, advice = ONLY_FOR_FILES, f"only for image files; leave out this or {sources}"
    else:
        idle, advice = ONLY_IN_BUCKET, f"only for images in the bucket; name them with {sources}"
    for flag in idle:
        value = getattr(options, flag.removeprefix("--").replace("-", "_"))
        if value is not None and value is not False:
            raise UsageError(f"{flag}: {advice}")


def command() -> argparse.ArgumentParser:
    """Return the parser of the command `quantize`."""
    command = parser("quantize", __doc__)
    command.add_argument(
        "--stack", help="quantize on the stack of this name in AWS; default: in this process"
    )
    return command


def quantize(options: argparse.Namespace, runner: MakeRunner) -> int:
    """Quantize the image files that a command line names, and return its exit code.

    Parameters
    ----------
    options : argparse.Namespace
        What `parser` made of the command line.
    runner : MakeRunner
    """
    errors = Printer(stderr=True, highlight=False, soft_wrap=True)
    notes = Printer(stderr=True, highlight=False, soft_wrap=True, quiet=options.quiet)
    outcomes: list[Outcome] = []
    try:
        refuse_idle(options)
        with interrupts.sent_by_others(), tempfile.TemporaryDirectory() as scratch:
            find = _request_again if options.again else _request
            request = find(options, Path(scratch))
            for outcome in _outcomes(request, runner, notes):
                outcomes.append(outcome)
                if options.json:
                    with standard_output():
                        print(json_line(outcome), flush=True)
                if outcome.error and (options.json or options.quiet):
                    errors.print(failure(outcome))
            if options.out == STANDARD:
                outcomes = list(map(_to_standard_output, outcomes))
        code = SOME_FAILED if any(outcome.error for outcome in outcomes) else ALL_DONE
    except (UsageError, InvalidOptions, UnreadablePalette) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE
    except StackError as error:
        errors.print(f"error: {error}", style="red", markup=False)
        code = NO_STACK
    except KeyboardInterrupt:
        errors.print("interrupted; the same command goes on from here")
        code = INTERRUPTED
    if outcomes:
        _tell(options, request.in_order(outcomes), errors, notes)
    if code == SOME_FAILED:
        _raise_first_defect(outcomes)
    return code


def _raise_first_defect(outcomes: list[Outcome]) -> None:
    """Show where the code is wrong, now that all images had their turn."""
    if defect := next((outcome.defect for outcome in outcomes if outcome.defect), None):
        raise defect


def _request(options: argparse.Namespace, scratch: Path) -> Request:
    """Find the images that are named, and which of them must not be quantized to where."""
    given = given_options(options)
    jobs = find_jobs(options.images or [sample_image()], scratch)
    out = _folder(options, jobs, scratch, default=Path("out"))
    refused = same_names(jobs)
    if not options.force:
        # What an interrupted run has begun was looked at then.
        journal = Journal(out)
        new = [job for job in jobs if not journal.read(job.name)]
        sources = [job.path for job in jobs]
        refused |= overwriting(new, sources, out, Options().updated(given))
    return Request(jobs, refused, out, given)


def _request_again(options: argparse.Namespace, scratch: Path) -> Request:
    """Find the result that another palette is to be taken of, and its image if that is named."""
    given, path = given_options(options), options.again
    if given.keys() != {"k"}:
        raise UsageError("--again takes one option, --k: all else is as it was")
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not read as a result: {error}") from error
    if int(given["k"]) not in result.palettes():
        there = ", ".join(map(str, result.palettes()))
        raise UsageError(f"{path} has no palette of {given['k']} colors, only of {there}")
    images = find_jobs(options.images, scratch) if options.images else []
    if len(images) > 1:
        raise UsageError(f"--again takes one image, and these are {len(images)}")
    job = Job(images[0].path if images else path, Path(path.name), given=str(path))
    out = _folder(options, [job], scratch, default=path.parent)
    sources = [image.path for image in images]
    refused = {} if options.force else overwriting([job], sources, out, result.options)
    return Request([job], refused, out, given, again=result)


def _folder(options: argparse.Namespace, jobs: list[Job], scratch: Path, default: Path) -> Path:
    """Return the folder of the results, once it is there."""
    if options.out == STANDARD:
        _check_standard_output(options, jobs)
    out = scratch / "out" if options.out == STANDARD else options.out or default
    prepare(out)
    return out


def _outcomes(request: Request, make_runner: MakeRunner, notes: Printer) -> Iterator[Outcome]:
    display = Display(notes, request.jobs)
    runner = make_runner(request, display.update)
    jobs = [job for job in request.jobs if job not in request.refused]
    left = runner.still_to_do(jobs)
    if len(left) < len(jobs):
        done = len(jobs) - len(left)
        notes.print(f"done before the interruption: {done} of {len(jobs)} images")
    refused = (Outcome(job, error=error) for job, error in request.refused.items())
    with display.shown():
        for outcome in chain(refused, runner.outcomes(left)):
            display.end(outcome)
            yield outcome
    runner.forget(jobs)


def _check_standard_output(options: argparse.Namespace, jobs: list[Job]) -> None:
    if options.json or options.open:
        raise UsageError("--out - writes an image and nothing else; leave out --json and --open")
    if len(jobs) > 1:
        raise UsageError(f"--out - writes one image, and these are {len(jobs)}")
    if sys.stdout.isatty():
        raise UsageError(
            "--out - writes an image; send it to a file: quantize ... --out - >new.png"
        )


def _to_standard_output(outcome: Outcome) -> Outcome:
    """Write an image; return what is left of its outcome, for the other files are gone soon."""
    if outcome.result:
        image = outcome.files["image"].read_bytes()
        with standard_output():
            sys.stdout.buffer.write(image)
    return replace(outcome, files={})


def _tell(
    options: argparse.Namespace, outcomes: list[Outcome], errors: Printer, notes: Printer
) -> None:
    """Say what became of the images, as far as that is wanted."""
    if not (options.json or options.quiet):
        people = Printer(highlight=False, stderr=options.out == STANDARD)
        with standard_output():
            print_summary(people, errors, outcomes, verbose=options.verbose)
    if options.open:
        _open_report(outcomes, notes)


def _open_report(outcomes: list[Outcome], notes: Printer) -> None:
    """Show the first report in the browser."""
    for outcome in outcomes:
        if outcome.result:
            report = outcome.files["report"]
            if not webbrowser.open(report.resolve().as_uri()):
                notes.print(f"no browser was found; open {report} yourself", markup=False)
            return


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
        type=_named_path,
        metavar="IMAGE",
        help="a file, a folder of them, or - for standard input; default: a sample photo",
    ).complete = shtab.FILE  # type: ignore[attr-defined]
    _add_bucket_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the results, or - to write one image to standard output; default: out",
    ).complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    parser.add_argument(
        "--force",
        action="store_true",
        help="overwrite any file, even one that is no result of an earlier run, or an image itself",
    )
    parser.add_argument(
        "--again",
        type=Path,
        metavar="RESULT.json",
        help="recolor an image with another palette of this result, the one of --k colors; nothing"
        " is fitted again. The new files replace the old ones unless you give --out. Give IMAGE,"
        " too, unless you give --stack",
    ).complete = shtab.FILE  # type: ignore[attr-defined]
    with interrupts.held():  # Looking at a type, msgspec loses an interrupt.
        _add_options(parser)
    parser.add_argument("--open", action="store_true", help="show the first report in the browser")
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--json", action="store_true", help="print JSON, for scripts")
    said.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    said.add_argument(
        "--verbose",
        action="store_true",
        help="also print the AWS CLI command that shows each execution",
    )
    shtab.add_argument_to(
        parser, "--print-completion", help="print a completion script for a shell"
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {quantization.__version__}"
    )
    return parser


def _add_bucket_arguments(parser: argparse.ArgumentParser) -> None:
    bucket = parser.add_argument_group("images in the bucket")
    source = bucket.add_mutually_exclusive_group()
    source.add_argument("--bucket-prefix", metavar="PREFIX", help="the keys that begin with PREFIX")
    source.add_argument(
        "--bucket-list", type=Path, metavar="FILE", help="the keys in this file, one per line"
    )
    source.add_argument(
        "--bucket-inventory",
        metavar="s3://BUCKET/KEY",
        help="the keys in the S3 inventory (CSV) that has this manifest.json",
    )
    bucket.add_argument(
        "--suffix", metavar="SUFFIX", help="only keys that end with SUFFIX, such as .jpg"
    )
    bucket.add_argument(
        "--max-concurrency",
        type=_reader(Annotated[int, Meta(ge=1)], "a whole number from 1"),
        metavar="N",
        help="images at the same time; default: 30",
    )
    bucket.add_argument(
        "--tolerated-failures",
        type=_reader(Annotated[float, Meta(ge=0, le=100)], "a number from 0 to 100"),
        metavar="PERCENT",
        help="stop once more than PERCENT of the images have failed; default: 10",
    )


def _named_path(text: str) -> Path:
    """Read the name of an image: an empty one, as of an unset variable, would be this folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; this folder is named .")
    return Path(text)


def _reader(kind: Any, phrase: str) -> Callable[[str], Any]:
    """Return what reads a flag's value as a type of msgspec, which is described in a phrase."""

    def read(text: str) -> Any:
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {phrase}") from error

    return read


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option of an upload."""
    for name in FIELDS:
        values = values_of(name)
        single = values.choices and not values.several
        parser.add_argument(
            f"--{name}",
            choices=values.choices if single else None,
            metavar=None if single else "LIST" if values.several else "N",
            help=description_of(name) + ("" if single else f" ({values.phrase})"),
        )


def given_options(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that travel with the upload.

    Raises
    ------
    InvalidOptions
        If no stack would take them.
    UnreadablePalette
        If a file is named that has none.
    """
    asked = {name: getattr(options, field.name) for name, field in FIELDS.items()}
    metadata = {name: value for name, value in asked.items() if value is not None}
    if "palette" in metadata:
        metadata["palette"] = palette_at_hand(metadata["palette"])
    # A stack has defaults of its own, of which nothing is known here but that they may fit.
    Options().updated(metadata)
    return metadata


if __name__ == "__main__":
    sys.exit(main())
