"""Quantize the images of a command in this process, a few at a time."""

# As the functions do, before all others.
from quantization.service import lazy_imports  # noqa: F401 - before all others
from quantization.service.startup import quick_imports

with quick_imports():
    import threading
    import time
    from collections.abc import Iterator
    from concurrent.futures import ThreadPoolExecutor, as_completed
    from dataclasses import replace
    from pathlib import Path

    import loky

    from quantization import interrupts
    from quantization.contract import Result
    from quantization.errors import RefusedImage
    from quantization.in_process import Message, given_palette, quantize_with, recolor_again
    from quantization.options import Options
    from quantization.service.messages import FittedScore, Sampled
    from quantization_client.jobs import (
        Job,
        JobRunner,
        Outcome,
        Progress,
        ProgressCallback,
        Request,
    )
    from quantization_client.journal import Entry, Journal

_NO_BUCKET = ""

MOST_AT_ONCE = 4
"""Images held in memory at the same time, of as many processors or more."""


class LocalRun:
    """The images of one command.

    Parameters
    ----------
    out : Path
        Folder of the results.
    options : dict
        As those of an upload.
    show : callable
        Told how far each image is.

    Raises
    ------
    UnreadablePalette
        If the palette is a file that is not there.
    """

    def __init__(self, out: Path, options: dict[str, str], show: ProgressCallback) -> None:
        self._out = out
        self._given = options
        self._options = Options().updated(options)
        given_palette(self._options)  # Else every image would be refused for it.
        self._show = show
        self._journal = Journal(out)
        self._stopped = threading.Event()

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Leave out the images that an interrupted run finished, with the same options."""
        return [
            job
            for job in jobs
            if not self._journal.of(job, _NO_BUCKET, self._given)
            or not (self._out / f"{job.stem}.json").exists()
        ]

    def forget(self, jobs: list[Job]) -> None:
        """Remember nothing of these images: the next run starts anew."""
        for job in jobs:
            self._journal.forget(job.name)

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Quantize images; yield each when it is done or has failed."""
        processors = loky.cpu_count()
        at_once = min(processors, MOST_AT_ONCE, max(1, len(jobs)))
        with ThreadPoolExecutor(at_once) as pool:
            try:
                # A thread that is interrupted as it starts is one that the pool does not wait for.
                with interrupts.held():
                    futures = {pool.submit(self._outcome, job, processors): job for job in jobs}
                for future in as_completed(futures):
                    if defect := future.exception():
                        yield _broken(futures[future], defect)
                    else:
                        yield future.result()
            finally:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, job: Job, cores: int) -> Outcome:
        progress = Progress(state="Sample")
        telling = threading.Lock()

        def tell(message: Message) -> None:
            if self._stopped.is_set():
                raise _StoppedError
            # Several K tell of themselves at once: none may be added while the others are read.
            with telling:
                match message:
                    case Sampled():
                        progress.state, progress.ks = "ScoreEachK", message.ks
                    case FittedScore():
                        progress.silhouettes[message.k] = message.silhouette
                    case _:
                        progress.state = "Render"
                self._show(job, progress)

        self._show(job, progress)
        start = time.monotonic()
        try:
            quantized = quantize_with(
                job.path, self._options, name=job.name.as_posix(), cores=cores, tell=tell
            )
            files = quantized.write(self._out / job.stem)
            status = job.path.stat()
            entry = Entry(status.st_size, status.st_mtime_ns, _NO_BUCKET, self._given, done=True)
            self._journal.write(job.name, entry)
        except (RefusedImage, OSError, MemoryError) as error:
            return _failed(job, error)
        return Outcome(job, seconds=time.monotonic() - start, result=quantized.result, files=files)


class LocalRecoloring:
    """The image of one command, in another palette of its result."""

    def __init__(self, result: Result, k: int, out: Path, show: ProgressCallback) -> None:
        self._result = result
        self._k = k
        self._out = out
        self._show = show

    def still_to_do(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs: nothing is remembered of any."""
        return jobs

    def forget(self, jobs: list[Job]) -> None:
        """Do nothing: no image is remembered."""

    def outcomes(self, jobs: list[Job]) -> Iterator[Outcome]:
        """Recolor images; yield each when it is done or has failed."""
        for job in jobs:
            self._show(job, Progress(state="Render"))
            start = time.monotonic()
            try:
                recolored = recolor_again(job.path, self._result, self._k)
                files = recolored.write(self._out / job.stem)
            except (RefusedImage, OSError, MemoryError) as error:
                yield _failed(job, error)
            else:
                seconds = time.monotonic() - start
                yield Outcome(job, seconds=seconds, result=recolored.result, files=files)


def _failed(job: Job, error: BaseException) -> Outcome:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename not in {None, job.label} else ""
        return Outcome(job, error=f"{where}{error.strerror}")
    return Outcome(job, error=f"{type(error).__name__}: {error}")


def _broken(job: Job, defect: BaseException) -> Outcome:
    """Return the outcome of an image that ran into an error that nobody foresaw."""
    defect.add_note(f"while {job.label} was quantized")
    return replace(_failed(job, defect), defect=defect)


def local_runner(request: Request, show: ProgressCallback) -> JobRunner:
    """Return what does as it is asked, in this process."""
    if request.again:
        return LocalRecoloring(request.again, int(request.options["k"]), request.out, show)
    return LocalRun(request.out, request.options, show)


class _StoppedError(Exception):
    """Nobody waits for the image any more."""
