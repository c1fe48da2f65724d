"""K that are fitted at the same time, in this process and in another one."""

import os
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import loky
import pytest

from quantization import processes as fitting
from quantization import quantize
from quantization.processes import Processes
from quantization.service.messages import FittedScore, ScoreRequest
from quantization.summary import Summary


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List the K that other processes are asked for."""
    asked: list[int] = []
    submit = loky.ProcessPoolExecutor.submit

    def note(executor: loky.ProcessPoolExecutor, work: object, *arguments: object) -> object:
        asked.extend(one.k for one in arguments if isinstance(one, ScoreRequest))
        return submit(executor, work, *arguments)

    monkeypatch.setattr(loky.ProcessPoolExecutor, "submit", note)
    return asked


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Future[object]]]:
    """List among how many processes something was to be done, and what comes of it."""
    done: list[tuple[int, Future[object]]] = []
    submit = fitting._submit

    def note(processes: int, *work: Any) -> Future[object]:
        future: Future[object] = submit(processes, *work)
        done.append((processes, future))
        return future

    monkeypatch.setattr(fitting, "_submit", note)
    return done


def test_other_processes_fit_the_same(photo: Path, elsewhere: list[int]) -> None:
    alone = quantize(photo, k_max=12, cores=1)
    assert elsewhere == []

    shared = quantize(photo, k_max=12, cores=2)

    assert elsewhere
    assert (shared.result, shared.file) == (alone.result, alone.file)


def test_process_starts_once(photo: Path, submitted: list[tuple[int, Future[object]]]) -> None:
    quantize(photo, cores=2, k_max=12)

    assert len(submitted) > 1
    assert [future.exception() for _, future in submitted] == [None] * len(submitted)


def test_one_palette_starts_no_process(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(loky.ProcessPoolExecutor, "submit")
    quantize(photo, cores=2, k=4)
    quantize(photo, cores=2, palette="#000000 #ffffff")


def test_no_more_processes_start_than_there_are_k(
    photo: Path, submitted: list[tuple[int, Future[object]]]
) -> None:
    quantize(photo, k_max=9, cores=64)

    assert {processes for processes, _ in submitted} == {1}


def test_processes_of_a_pool_fit_alone(photo: Path) -> None:
    """They may start none."""
    script = f"""
import multiprocessing
from quantization import quantize

def k(_: int) -> int:
    return quantize({str(photo)!r}, k_max=10, cores=2).k

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(k, [0, 1]) == [8, 8]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=100)


def test_process_that_ends_before_a_fit_costs_no_k(
    photo: Path, elsewhere: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = quantize(photo, k_max=12, cores=1).result

    class Killed(Processes):
        def take(self, summary: Summary) -> None:
            super().take(summary)
            with pytest.raises(BrokenProcessPool):
                fitting._executor(1).submit(os._exit, 9).result()

    monkeypatch.setattr("quantization.in_process.Processes", Killed)

    assert quantize(photo, k_max=12, cores=2).result == known
    assert elsewhere
    # And where none is there when the next image begins.
    monkeypatch.undo()
    with pytest.raises(BrokenProcessPool):
        fitting._executor(1).submit(os._exit, 9).result()
    assert quantize(photo, k_max=12, cores=2).result == known


def test_process_that_ends_in_a_fit_costs_no_k(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = quantize(photo, k_max=12, cores=1).result
    asked: list[int] = []
    submit = fitting._submit

    def end(*_: object) -> FittedScore:
        os._exit(9)

    def submit_the_end(processes: int, work: object, *arguments: object) -> Future[FittedScore]:
        asked.extend(one.k for one in arguments if isinstance(one, ScoreRequest))
        return submit(processes, end, *arguments)

    monkeypatch.setattr(fitting, "_submit", submit_the_end)

    assert quantize(photo, k_max=12, cores=2).result == known
    assert asked
