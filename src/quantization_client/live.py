"""What the client shows while it waits: a line for each image, and how many are done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from quantization.report.reasons import amount
from quantization_client.jobs import Job, Outcome, Progress
from quantization_client.show import saved

if TYPE_CHECKING:
    from quantization_client.backfill import Counts

LEVELS = "▁▂▃▄▅▆▇█"
WAITING, WITHOUT = "·", "x"


class Display:
    """The images of a command in their order; where no one watches, a line when one has ended.

    Parameters
    ----------
    console : Console
    jobs : sequence of Job
        All images, in the order in which they are shown.
    """

    def __init__(self, console: Console, jobs: Sequence[Job]) -> None:
        self._console = console
        self._total = len(jobs)
        # Of a line, what is beside the name; a job that has not begun has none.
        self._lines: dict[Job, tuple[str, str] | None] = dict.fromkeys(jobs)
        self._ended: set[Job] = set()
        self._failed = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the lines while the block runs."""
        if self._console.is_terminal and not self._console.quiet:
            with Live(self, console=self._console, transient=True, refresh_per_second=10):
                yield
        else:
            yield

    def update(self, job: Job, progress: Progress | None) -> None:
        """Show how far an image is."""
        if progress is None:
            self._lines[job] = ("", "Upload")
        else:
            self._lines[job] = (silhouette_chart(progress), state_line(progress))

    def end(self, outcome: Outcome) -> None:
        """Show what became of an image."""
        self._ended.add(outcome.job)
        self._failed += bool(outcome.error)
        result = outcome.result
        state = f"{amount(result.k)} {saved(result)}" if result else "failed"
        self._lines[outcome.job] = ("", state)
        if self._total > 1 and not self._console.is_terminal:
            self._console.print(f"{self.count} {outcome.job.label}: {state}", markup=False)

    @property
    def count(self) -> str:
        """How many images have ended."""
        failed = f" ({self._failed} failed)" if self._failed else ""
        return f"{len(self._ended)} of {self._total}{failed}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the lines that the terminal has room for: those of the images on their way first."""
        height = console.height - 2
        begun = {job: line for job, line in self._lines.items() if line}
        if len(begun) > height:
            begun = {job: line for job, line in begun.items() if job not in self._ended}
        rows = [(str(job.name), *line) for job, line in list(begun.items())[:height]]
        for line in _aligned(rows, options.max_width):
            yield Text(line, no_wrap=True, overflow="ellipsis")
        if self._total > 1:
            yield Text(self.count, "bold")


def _aligned(rows: Sequence[tuple[str, str, str]], width: int) -> Iterator[str]:
    """Yield lines of a name, a chart and a state.

    A long name takes the chart's place; of one that is longer than the line, its end is shown.
    """
    names, charts, states = (
        max((cell_len(row[column]) for row in rows), default=0) for column in range(3)
    )
    beside_chart = min(names, width - charts - states - 4)
    alone = max(0, min(names, width - states - 2))
    for name, chart, state in rows:
        if cell_len(name) <= beside_chart:
            yield f"{set_cell_size(name, beside_chart)}  {chart:<{charts}}  {state}"
        else:
            yield f"{set_cell_size(_end_of(name, alone), alone)}  {state}"


def _end_of(name: str, width: int) -> str:
    """Return a name, or what of its end has room in so many cells."""
    if cell_len(name) <= width:
        return name
    while name and cell_len(name) > width - 1:
        name = name[1:]
    return f"…{name}"


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
    """Say the state or how many K are scored, and which of them has the best silhouette so far."""
    known = {k: s for k, s in progress.silhouettes.items() if s is not None}
    scored = f"{len(progress.silhouettes)}/{len(progress.ks)}"
    line = scored if progress.state in ("ScoreEachK", "ScoreK", "SkipK") else progress.state
    if known:
        best = min(known, key=lambda k: (-known[k], k))
        line += f" K={best} {known[best]:.2f}"
    return line
