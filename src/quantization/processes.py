"""Fits of several K at the same time: in processes, for threads would wait for each other.

A fit is many short steps, between which Python lets one thread run at a time: on two processors two
threads take as long as one. One fit at a time is done in this process, and the others elsewhere.
"""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import cache, lru_cache
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self, TypeVar

import numpy as np
from loky import ProcessPoolExecutor

from quantization import interrupts
from quantization.service.messages import FittedScore, ScoreRequest
from quantization.summary import Summary

T = TypeVar("T")

SCORE = "quantization.service.score"
"""Imported late: scikit-learn takes its time, and a palette that is given needs none."""

_WORK = "quantization.work"
"""What another process imports before its first fit."""

_IDLE_SECONDS = 60
"""After which a process ends that has nothing to do."""

_MOST_KEPT = 4
"""Summaries that it keeps, with what it found of them: several images may be fitted in turn."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

_here = threading.Lock()


class Processes:
    """What fits the K of one image: this process, and others that images share.

    Parameters
    ----------
    others : int
        Processes besides this one. They begin to start when the context is entered.
    """

    _summary: Summary

    def __init__(self, others: int) -> None:
        self._others = others
        self._folder = ExitStack()

    def __enter__(self) -> Self:
        if self._others:
            _submit(self._others, _get_ready)  # Any work has them start.
            folder = self._folder.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
            self._file = Path(folder, "summary.npz")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def take(self, summary: Summary) -> None:
        """Take what is to be fitted."""
        self._summary = summary
        if self._others:
            np.savez(self._file, allow_pickle=False, **summary.to_arrays())

    def score(self, request: ScoreRequest) -> FittedScore:
        """Do what `quantization.service.score.score` does.

        Raises
        ------
        FloatingPointError
            See `quantization.clustering.fit`.
        """
        if not self._others:
            return _score(self._summary, request)
        if not _here.acquire(blocking=False):
            try:
                return _submit(self._others, _score_stored, self._file, request).result()
            except BrokenProcessPool:  # The system ended one, for want of memory.
                _here.acquire()
        try:
            return _score(self._summary, request)
        finally:
            _here.release()


def _submit(processes: int, work: Callable[..., T], *arguments: object) -> Future[T]:
    """Have another process do something, of new ones if the system has ended one.

    Those that start do not hear Ctrl-C, not even before their first import: this one answers it,
    and ends them. On Windows `quantization.work` has them ignore it.
    """
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # Until Python 3.14 its start unblocks the signal.
    with interrupts.held():
        try:
            future: Future[T] = _executor(processes).submit(work, *arguments)
        except BrokenProcessPool:
            _executor.cache_clear()
            future = _executor(processes).submit(work, *arguments)
    return future


@cache
def _executor(processes: int) -> ProcessPoolExecutor:
    """Return what starts so many processes once, and again those that have ended."""
    return ProcessPoolExecutor(
        processes,
        timeout=_IDLE_SECONDS,
        initializer=import_module,
        initargs=(_WORK,),
        env=_ONE_THREAD,
    )


def _get_ready() -> None:
    """Do nothing: the process has started by then."""


def _score(summary: Summary, request: ScoreRequest) -> FittedScore:
    scored: FittedScore = import_module(SCORE).score(summary, request)
    return scored


def _score_stored(file: Path, request: ScoreRequest) -> FittedScore:
    """Score in another process."""
    return _score(_stored(file), request)


@lru_cache(maxsize=_MOST_KEPT)
def _stored(file: Path) -> Summary:
    with np.load(file) as arrays:
        return Summary.from_arrays(dict(arrays))
