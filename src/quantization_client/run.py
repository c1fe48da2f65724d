"""Take images from upload to downloaded result, some at a time, and survive being interrupted."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from botocore.exceptions import ClientError

from quantization.contract import Result
from quantization_client.follow import (
    Execution,
    Executions,
    NotStartedError,
    Progress,
    QuantizeError,
    fetch_result,
    is_uploaded,
    upload,
)
from quantization_client.journal import Entry, Journal
from quantization_client.stack import Stack

AT_ONCE = 16
"""Images followed at the same time."""

FIND_LIMIT_SECONDS = 60.0
"""S3 events reach EventBridge within seconds; an execution that is not there by then is lost."""


@dataclass(frozen=True)
class Job:
    """One image file, and its name relative to the folder it was found in."""

    path: Path
    name: Path

    @property
    def stem(self) -> str:
        """Return the name without its extension, as the result will be called."""
        return self.name.with_suffix("").as_posix()


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes
    ----------
    job : Job
    execution : str or None
        ARN; None if none was found, or none was needed.
    seconds : float or None
        From the start of the execution to its end.
    result : Result or None
    files : dict of str to Path
        What was written: "image", "result" and so on.
    error : str
        Why there is no result; empty where there is.
    """

    job: Job
    execution: str | None = None
    seconds: float | None = None
    result: Result | None = None
    files: dict[str, Path] = field(default_factory=dict)
    error: str = ""


ProgressCallback = Callable[[Job, Progress | None], None]
"""Called with a job and how far its execution is: None while it is being uploaded or looked for."""


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
        self._executions = Executions(stack)

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Leave out the images that an interrupted run finished, with the same options."""
        return [job for job in jobs if not self._is_done(job)]

    def forget(self, jobs: list[Job]) -> None:
        """Remember nothing of these images: the next run starts anew."""
        for job in jobs:
            self._journal.forget(job.name)

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Quantize images; yield each when it is done or has failed.

        What an interrupted run uploaded, with the same options, is not uploaded again.
        """
        waiting = deque(jobs)
        in_flight: list[InFlight] = []
        while waiting or in_flight:
            while waiting and len(in_flight) < AT_ONCE:
                job = waiting.popleft()
                self._show(job, None)
                try:
                    in_flight.append(self._begin(job))
                except (OSError, ClientError) as error:
                    yield Outcome(job, error=str(error))
            if any(item.execution is None for item in in_flight):
                self._executions.poll()
            for item in list(in_flight):
                if outcome := self._advance(item):
                    in_flight.remove(item)
                    yield outcome
            if in_flight:
                time.sleep(self._stack.poll_seconds)

    def _is_done(self, job: Job) -> bool:
        entry = self._remembered(job)
        document = self._out / f"{job.stem}.json"
        return entry is not None and entry.done and document.exists()

    def _remembered(self, job: Job) -> Entry | None:
        """Return the journal's entry of an image, if it is of this very file, stack and options."""
        entry = self._journal.read(job.name)
        if entry is None:
            return None
        status = job.path.stat()
        now = (status.st_size, status.st_mtime_ns, self._stack.input_bucket, self._metadata)
        return entry if now == (entry.size, entry.modified, entry.bucket, entry.metadata) else None

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
        in_flight = InFlight(job, entry, time.monotonic() + FIND_LIMIT_SECONDS)
        if entry.execution:
            in_flight.execution = Execution(self._stack, entry.execution)
        return in_flight

    def _advance(self, item: "InFlight") -> Outcome | None:
        """Look how far an image is; return its outcome if that is known now."""
        try:
            execution = item.execution = item.execution or self._find(item)
            if execution is None:
                return None
            progress = execution.poll()
            self._show(item.job, progress)
            if progress.ended is None:
                return None
            result, files = fetch_result(
                self._stack, progress.ended, item.entry.version_id, item.job.stem, self._out
            )
        except (QuantizeError, ClientError) as error:
            self._journal.forget(item.job.name)
            arn = item.execution.arn if item.execution else None
            return Outcome(item.job, arn, error=str(error))
        self._journal.write(item.job.name, msgspec.structs.replace(item.entry, done=True))
        return Outcome(item.job, execution.arn, progress.ended.seconds, result, files)

    def _find(self, item: "InFlight") -> Execution | None:
        arn = self._executions.started_by(item.entry.version_id)
        if arn is None:
            if time.monotonic() > item.deadline:
                raise NotStartedError("the upload started no execution; is the stack complete?")
            return None
        item.entry = msgspec.structs.replace(item.entry, execution=arn)
        self._journal.write(item.job.name, item.entry)
        return Execution(self._stack, arn)


@dataclass
class InFlight:
    """An image on its way."""

    job: Job
    entry: Entry
    deadline: float
    execution: Execution | None = None
