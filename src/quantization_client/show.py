"""What the client shows: the images on their way, and a table of what became of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from quantization_client.jobs import Job, Outcome, Progress

if TYPE_CHECKING:
    from quantization_client.backfill import Counts, Summary

LEVELS = "▁▂▃▄▅▆▇█"
WAITING, WITHOUT = "·", "x"


class Display:
    """A line for each image on its way; nothing at all where no one watches."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[chart]}", markup=False),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[Job, TaskID] = {}
        self._total, self._ended = total, 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the lines while the block runs."""
        with self._bars:
            yield

    def update(self, job: Job, progress: Progress | None) -> None:
        """Show how far an image is."""
        if job not in self._tasks:
            self._tasks[job] = self._bars.add_task(str(job.name), total=None, chart="", state="")
        if progress is None:
            self._bars.update(self._tasks[job], state="Upload")
        else:
            chart = silhouette_chart(progress)
            self._bars.update(self._tasks[job], chart=chart, state=state_line(progress))

    def end(self, outcome: Outcome) -> None:
        """Take an image's line away, and say so if it failed."""
        if task := self._tasks.pop(outcome.job, None):
            self._bars.remove_task(task)
        self._ended += 1
        if outcome.error:
            line = f"{outcome.job.path}: {outcome.error}"
            self._console.print(line, style="red", markup=False)
        elif self._total > 1 and not self._console.is_terminal:
            self._console.print(f"{self._ended}/{self._total} {outcome.job.path}", markup=False)


class BucketDisplay:
    """One bar for all images of a backfill; nothing at all where no one watches."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[running]} running, {task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=None, running=0, failed=0)

    def __enter__(self) -> "BucketDisplay":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, counts: "Counts") -> None:
        """Show how far the backfill is."""
        self._bars.update(
            self._task,
            total=counts.total or None,
            completed=counts.ended,
            running=counts.running,
            failed=counts.failed,
        )


def bucket_summary(summary: "Summary") -> Text:
    """Say how many images ended how, which failed first, and where the whole list is."""
    lines = [f"{count:>10,} {outcome}" for outcome, count in summary.outcomes.most_common()]
    lines += [f"{key}: {error}: {cause}" for key, error, cause in summary.failures]
    if summary.status != "SUCCEEDED":
        lines.append(f"the backfill ended as {summary.status} {summary.cause}".rstrip())
    lines.append(f"all results: {summary.manifest}")
    return Text("\n".join(lines))


def bucket_json_line(summary: "Summary") -> str:
    """Return the summary as one line of JSON for scripts."""
    return msgspec.json.encode(summary).decode()


def silhouette_chart(progress: Progress) -> str:
    """Draw the silhouettes so far, one character for each K: the worst low, the best high.

    A K that is not scored yet is a dot; one without silhouette is a cross.
    """
    known = [s for s in progress.silhouettes.values() if s is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def level(k: int) -> str:
        if k not in progress.silhouettes:
            return WAITING
        silhouette = progress.silhouettes[k]
        if silhouette is None:
            return WITHOUT
        share = (silhouette - low) / (high - low) if high > low else 1.0
        return LEVELS[round(share * (len(LEVELS) - 1))]

    return "".join(level(k) for k in progress.ks)


def state_line(progress: Progress) -> str:
    """Say the state, how many K are scored, and which of them is the best so far."""
    known = {k: s for k, s in progress.silhouettes.items() if s is not None}
    line = progress.state
    if progress.ks:
        line += f" {len(progress.silhouettes)}/{len(progress.ks)} K"
    if known:
        best = min(known, key=lambda k: (-known[k], k))
        line += f", best silhouette {known[best]:.3f} at K = {best}"
    return line


def summary(outcomes: list[Outcome], *, colors: bool) -> Table:
    """Return a table of what became of the images.

    Parameters
    ----------
    outcomes : list of Outcome
    colors : bool
        Whether to show the palettes, as a terminal with colors can.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("image", overflow="fold")
    for heading in ("colors", "silhouette", "seconds"):
        table.add_column(heading, justify="right")
    if colors:
        table.add_column("palette", no_wrap=True)
    table.add_column("result", overflow="fold")
    for outcome in outcomes:
        table.add_row(*_row(outcome, colors=colors))
    return table


def _row(outcome: Outcome, *, colors: bool) -> list[Text]:
    name, result = Text(str(outcome.job.name)), outcome.result
    if result is None:
        blank = [Text("")] * (4 if colors else 3)
        return [name, *blank, Text(outcome.error.partition(":")[0], "red")]
    (silhouette,) = (score.silhouette for score in result.scores if score.k == result.k)
    if (frames := result.source_file.frames) > 1:
        name.append(f" (the first of {frames} frames or pages)", "dim")
    cells = [
        Text(str(result.k)),
        Text("" if silhouette is None else f"{silhouette:.3f}"),
        Text(f"{outcome.seconds:.1f}"),
    ]
    if colors:
        cells.append(Text.assemble(*(("█", swatch.color) for swatch in result.palette)))
    return [name, *cells, Text(str(outcome.files["image"]))]


class Line(msgspec.Struct, omit_defaults=True):
    """What ``--json`` says of one image."""

    image: str
    status: str
    execution: str | None = None
    seconds: float | None = None
    k: int | None = None
    criterion: str | None = None
    frames: int | None = None
    files: dict[str, str] | None = None
    error: str | None = None


def json_line(outcome: Outcome) -> str:
    """Return one line of JSON for scripts."""
    result = outcome.result
    line = Line(
        image=str(outcome.job.path),
        status="done" if result else "failed",
        execution=outcome.execution,
        seconds=outcome.seconds,
        k=result.k if result else None,
        criterion=result.options.criterion if result else None,
        frames=result.source_file.frames if result else None,
        files={what: str(path) for what, path in outcome.files.items()} or None,
        error=outcome.error or None,
    )
    return msgspec.json.encode(line).decode()
