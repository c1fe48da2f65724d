"""What the client says of results: to people in a few lines an image, to scripts in JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.style import Style
from rich.text import Text

from quantization.contract import Result, SilhouetteAt, Swatch
from quantization.options import Criterion
from quantization.report.reasons import amount, change, why
from quantization_client.jobs import Outcome
from quantization_client.terminal_colors import block, shows_palettes

if TYPE_CHECKING:
    from quantization_client.backfill import Summary

INDENT = "  "
MOST_COLUMNS = 100
"""Of sentences and hex codes, however wide the terminal is."""

MOST_SWATCHES = 32
"""Beside the figures of an image."""


class Printer(Console):
    """A console that does not end the command as one that failed if its reader has gone."""

    def on_broken_pipe(self) -> None:
        """Raise the `BrokenPipeError` that rich handles here."""
        raise


def print_summary(
    console: Console, errors: Console, outcomes: Sequence[Outcome], *, verbose: bool
) -> None:
    """Print what became of each image: no name is broken, and only sentences are wrapped.

    Parameters
    ----------
    console, errors : Console
        For images that are done, and for those that have failed.
    outcomes : sequence of Outcome
        In the order of the images.
    verbose : bool
        Whether to tell how the AWS CLI shows each execution.
    """
    for outcome in outcomes:
        where = console if outcome.result else errors
        for line in _lines(where, outcome, alone=len(outcomes) == 1, verbose=verbose):
            where.print(line, soft_wrap=True)
    if len(outcomes) > 1:
        console.print(_total(outcomes), soft_wrap=True, style="bold")


def _lines(console: Console, outcome: Outcome, *, alone: bool, verbose: bool) -> Iterator[Text]:
    result = outcome.result
    if result is None and console.is_terminal:
        yield Text(outcome.job.label, "red")
        yield from _wrapped(console, outcome.error, "red")
    elif result is None:
        yield failure(outcome)
    else:
        yield _name(outcome)
        yield _figures(console, outcome, result, palette=not alone)
        if alone:
            yield from _swatches(console, result)
        for sentence in _remarks(result):
            yield from _wrapped(console, sentence)
    if verbose and outcome.execution:
        arn = outcome.execution
        yield Text(f"{INDENT}aws stepfunctions get-execution-history --execution-arn {arn}")


def _name(outcome: Outcome) -> Text:
    """Name an image and its report, which is not there if only the image was wanted."""
    name, report = Text(str(outcome.job.name)), outcome.files.get("report")
    if report is None:
        return name
    return name.append(" → ").append(str(report), Style(link=report.resolve().as_uri()))


def _wrapped(console: Console, sentence: str, style: str = "") -> Iterator[Text]:
    for line in Text(sentence).wrap(console, _columns(console) - len(INDENT)):
        yield Text(INDENT + line.plain.rstrip(), style)


def failure(outcome: Outcome) -> Text:
    """Say why an image has no result, in one line that a script finds."""
    return Text(f"{outcome.job.label}: {outcome.error}", "red")


def _figures(console: Console, outcome: Outcome, result: Result, *, palette: bool) -> Text:
    before, after = result.source_file.bytes, result.image_file.bytes
    line = Text(f"{INDENT}{amount(result.k):>10}  ")
    if palette and shows_palettes(console):
        for swatch in result.palette[:MOST_SWATCHES]:
            line.append_text(block(console, swatch.color, 1))
        line.append("…  " if result.k > MOST_SWATCHES else "  ")
    line.append(f"{decimal(before)} → {decimal(after)} ({saved(result)})")
    if outcome.seconds is not None:
        line.append(f"  {outcome.seconds:.1f} s")
    return line


def _swatches(console: Console, result: Result) -> Iterator[Text]:
    """Yield lines of hex codes, with the colors themselves where they can be shown."""
    shown = shows_palettes(console)
    cell = len("██ #000000  " if shown else "#000000  ")
    a_row = max(1, (_columns(console) - len(INDENT)) // cell)
    for start in range(0, len(result.palette), a_row):
        line = Text(INDENT)
        for swatch in result.palette[start : start + a_row]:
            if shown:
                line.append_text(block(console, swatch.color, 2)).append(" ")
            line.append(f"{swatch.color}  ")
        yield line


def _columns(console: Console) -> int:
    return min(console.width, MOST_COLUMNS)


def _remarks(result: Result) -> Iterator[str]:
    """Yield why there are so many colors, what else could be had, and what was left out."""
    yield why(result)
    for criterion, k in result.picks.items():
        chosen = criterion == result.options.criterion and not result.source.again
        if k != result.k and not chosen:
            yield f"--criterion {criterion} would take {k}."
    if (frames := result.source_file.frames) > 1:
        yield f"The first of {frames} frames or pages was quantized; the others are left out."
    if names := result.source.ignored_metadata:
        yield f"Metadata that are no options were left out: {', '.join(names)}."


def _total(outcomes: Sequence[Outcome]) -> Text:
    done = [outcome.result for outcome in outcomes if outcome.result]
    line = f"{len(done)} of {len(outcomes)} images done"
    if done:
        before = sum(result.source_file.bytes for result in done)
        after = sum(result.image_file.bytes for result in done)
        line += f", {decimal(before)} → {decimal(after)} ({change(before, after)})"
    return Text(line)


def saved(result: Result) -> str:
    """Say by which part the file became smaller."""
    return change(result.source_file.bytes, result.image_file.bytes)


def bucket_summary(summary: "Summary") -> Text:
    """Say how many images ended how, which failed first, and where the whole list is."""
    lines = [f"{count:>10,} {outcome}" for outcome, count in summary.outcomes.most_common()]
    lines += [": ".join(filter(None, told)) for told in summary.failures]
    if summary.status != "SUCCEEDED":
        cause = f": {summary.cause}" if summary.cause else ""
        lines.append(f"the backfill ended as {summary.status}{cause}")
    elif not lines:
        lines.append("no such object is in the bucket")
    if summary.outcomes:
        lines.append(f"all results: {summary.manifest}")
    return Text("\n".join(lines))


def bucket_json_line(summary: "Summary") -> str:
    """Return the summary as one line of JSON for scripts."""
    return _in_ascii(summary)


def _in_ascii(line: "Line | Summary") -> str:
    """Return it as JSON that any standard output takes, and file names of any bytes fit into."""
    return json.dumps(msgspec.to_builtins(line), separators=(",", ":"))


class Line(msgspec.Struct, omit_defaults=True):
    """What ``--json`` says of one image."""

    image: str
    status: str
    execution: str | None = None
    seconds: float | None = None
    k: int | None = None
    criterion: str | None = None
    frames: int | None = None
    picks: dict[Criterion, int] | None = None
    silhouette_at: SilhouetteAt | None = None
    palette: list[Swatch] | None = None
    source_bytes: int | None = None
    bytes: int | None = None
    files: dict[str, str] | None = None
    error: str | None = None


def json_line(outcome: Outcome) -> str:
    """Return one line of JSON for scripts."""
    line = Line(
        image=outcome.job.label,
        status="done" if outcome.result else "failed",
        execution=outcome.execution,
        seconds=outcome.seconds,
        files={what: str(path) for what, path in outcome.files.items()} or None,
        error=outcome.error or None,
    )
    if result := outcome.result:
        line.k = result.k
        line.criterion = result.options.criterion if result.picks else None
        line.frames = result.source_file.frames
        line.picks = dict(result.picks)
        line.silhouette_at = result.silhouette_at
        line.palette = result.palette
        line.source_bytes = result.source_file.bytes
        line.bytes = result.image_file.bytes
    return _in_ascii(line)
