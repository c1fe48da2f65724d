"""Take images from upload to downloaded result, some at a time, and survive being interrupted."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from quantization_client.follow import (
    Execution,
    ImageError,
    NotStartedError,
    OverwrittenError,
    fetch_result,
    find_execution,
    is_uploaded,
    upload,
)
from quantization_client.jobs import Ended, Job, Outcome, ProgressCallback
from quantization_client.journal import FOLDER, Entry, Journal
from quantization_client.patience import patiently, pause
from quantization_client.stack import Stack

AT_ONCE = 16
"""Images followed at the same time."""

POLLS_A_SECOND = 8
"""Of all images together: an account may read 20 histories a second, and others read them too."""

START_LIMIT_SECONDS = 900.0
"""How long an upload may wait for its execution while no other image is worked on.

Mostly it takes a second. Behind a burst of 100,000 uploads it takes six minutes, for an account may
start 300 executions a second.
"""

MOST_UPLOADS = 5
"""How often an image is uploaded when another run keeps replacing its result under the same name.

Each time, the newest upload of all is done. So of two runs at least one has its result.
"""


class Run:
    """The images of one command.

    Parameters
    ----------
    stack : Stack
    out : Path
        Folder of the results.
    metadata : dict
        The uploads' options.
    show : callable
        Told how far each image is.
    """

    def __init__(
        self, stack: Stack, out: Path, metadata: dict[str, str], show: ProgressCallback
    ) -> None:
        self._stack = stack
        self._out = out
        self._metadata = metadata
        self._show = show
        self._journal = Journal(out)

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Leave out the images that an interrupted run finished, with the same options."""
        return [job for job in jobs if not self._is_done(job)]

    def forget(self, jobs: list[Job]) -> None:
        """Remember nothing of these images: the next run starts anew."""
        for job in jobs:
            self._journal.forget(job.name)

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Quantize images; yield each when it is done or has failed.

        What an interrupted run uploaded, with the same options, is not uploaded again. Throttling
        and a lost connection are waited out. Whatever ends the run leaves the journal as it is, so
        that the next run goes on.

        Raises
        ------
        NotStartedError
            If no image is being worked on and the uploads start no executions.
        ClientError, BotoCoreError, Boto3Error
            If AWS refuses the run, or is busy or out of reach for long.
        """
        waiting = deque(jobs)
        in_flight: list[InFlight] = []
        while waiting or in_flight:
            if waiting and len(in_flight) < AT_ONCE:
                step = partial(self._begin_next, waiting, in_flight)
            else:
                step = partial(self._advance_next, in_flight)
            if outcome := patiently(step, self._stack.poll_seconds):
                yield outcome

    def _is_done(self, job: Job) -> bool:
        entry = self._remembered(job)
        document = self._out / f"{job.stem}.json"
        return entry is not None and entry.done and document.exists()

    def _remembered(self, job: Job) -> Entry | None:
        return self._journal.of(job, self._stack.input_bucket, self._metadata)

    def _begin_next(self, waiting: deque[Job], in_flight: list["InFlight"]) -> Outcome | None:
        """Upload the next image, which keeps its place in the queue if AWS does not answer."""
        job = waiting[0]
        self._show(job, None)
        try:
            in_flight.append(self._begin(job))
            outcome = None
        except (OSError, ImageError) as error:
            outcome = Outcome(job, error=str(error))
        waiting.popleft()
        return outcome

    def _begin(self, job: Job) -> "InFlight":
        """Upload an image, unless an interrupted run did."""
        entry = self._remembered(job)
        if entry is None or not is_uploaded(self._stack, job.name.as_posix(), entry.version_id):
            status = job.path.stat()
            version_id = upload(self._stack, job.path, job.name.as_posix(), self._metadata)
            entry = Entry(
                size=status.st_size,
                modified=status.st_mtime_ns,
                bucket=self._stack.input_bucket,
                metadata=self._metadata,
                version_id=version_id,
            )
            self._journal.write(job.name, entry)
        execution = Execution(self._stack, entry.execution) if entry.execution else None
        now = time.monotonic()
        return InFlight(job, entry, uploaded=now, due=now, execution=execution)

    def _advance_next(self, in_flight: list["InFlight"]) -> Outcome | None:
        """Look how far that image is whose turn it is; return its outcome if that is known now."""
        item = min(in_flight, key=lambda item: item.due)
        time.sleep(max(0.0, item.due - time.monotonic()))
        if all(other.is_overdue() for other in in_flight):
            names = ", ".join(str(other.job.path) for other in in_flight)
            raise NotStartedError(
                f"{names}: uploaded {START_LIMIT_SECONDS / 60:g} minutes ago and not begun; look at"
                " the stack's alarms and its queue DeadLetters. If the stack was new then, S3 may"
                f" have sent no event: remove {self._out / FOLDER}, and run the command again"
            )
        seconds = self._stack.poll_seconds
        if item.execution is None:
            seconds = pause(seconds, time.monotonic() - item.uploaded)
        item.due = time.monotonic() + max(seconds, len(in_flight) / POLLS_A_SECOND)
        try:
            outcome = self._advance(item)
        except OverwrittenError as error:
            self._journal.forget(item.job.name)
            if item.uploads < MOST_UPLOADS:
                again = self._begin(item.job)
                in_flight[in_flight.index(item)] = replace(again, uploads=item.uploads + 1)
                return None
            outcome = _failure(item, f"{error}, {item.uploads} times; give it another name")
        except (OSError, ImageError) as error:
            self._journal.forget(item.job.name)
            outcome = _failure(item, str(error))
        if outcome:
            in_flight.remove(item)
        return outcome

    def _advance(self, item: "InFlight") -> Outcome | None:
        execution = item.execution = item.execution or self._find(item)
        if execution is None:
            return None
        progress = execution.poll()
        self._show(item.job, progress)
        if progress.ended is None:
            return None
        ended = self._in_local_words(progress.ended, item.job)
        result, files = fetch_result(
            self._stack, ended, item.entry.version_id, item.job.stem, self._out
        )
        self._journal.write(item.job.name, msgspec.structs.replace(item.entry, done=True))
        return Outcome(item.job, execution.arn, ended.seconds, result, files)

    def _in_local_words(self, ended: Ended, job: Job) -> Ended:
        """Name the file in an execution's cause, not the object, which nobody has seen."""
        uploaded = f"s3://{self._stack.input_bucket}/{job.name.as_posix()}"
        cause = ended.cause.removeprefix(f"{uploaded}: ").replace(uploaded, job.label)
        return replace(ended, cause=cause)

    def _find(self, item: "InFlight") -> Execution | None:
        arn = find_execution(self._stack, item.job.name.as_posix(), item.entry.version_id)
        if arn is None:
            return None
        item.entry = msgspec.structs.replace(item.entry, execution=arn)
        self._journal.write(item.job.name, item.entry)
        return Execution(self._stack, arn)


@dataclass
class InFlight:
    """An image on its way: `uploaded` and `due` for the next look by the monotonic clock.

    `uploads` counts how often it was uploaded by now.
    """

    job: Job
    entry: Entry
    uploaded: float
    due: float
    execution: Execution | None = None
    uploads: int = 1

    def is_overdue(self) -> bool:
        """Tell whether it ought to have begun long ago."""
        return self.execution is None and time.monotonic() > self.uploaded + START_LIMIT_SECONDS


def _failure(item: InFlight, error: str) -> Outcome:
    return Outcome(item.job, item.execution.arn if item.execution else None, error=error)
