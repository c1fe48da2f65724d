"""Time, memory and ratios of commands that are run in turns."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

# One thread each: their number would otherwise decide, and that of the other work on the machine.
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "VIPS_CONCURRENCY": "1",
}
# Imports are of bytecode, as in the layers and wherever a program is installed.
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


class Run(NamedTuple):
    """What one run of a command took."""

    cpu: float
    """Seconds, user and system."""
    wall: float
    """Seconds."""
    peak: float
    """Largest resident set, MB."""


Command = list[str | Path]


def run(command: Sequence[str | Path]) -> Run:
    """Run a command by itself, from the start of its process to the end."""
    spawn = [sys.executable, "-IS", ROOT / "benchmarks" / "spawn.py", *command]
    done = subprocess.run(spawn, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed with status {done.returncode}")
    return Run(*map(float, done.stdout.splitlines()[-1].split()))


def output_of(command: Sequence[str | Path]) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def in_turns(commands: Mapping[str, Sequence[str | Path]], runs: int) -> dict[str, list[Run]]:
    """Run all commands once, then all once again, `runs` times, after one round to warm up."""
    for command in commands.values():
        run(command)
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            taken[name].append(run(command))
    return taken


def median(runs: Sequence[Run], what: str) -> float:
    """Return the median of one measure."""
    return float(statistics.median(getattr(run, what) for run in runs))


def ratio(runs: Sequence[Run], to: Sequence[Run], what: str = "cpu") -> float:
    """Return the median of the ratios of runs that were made in the same turn."""
    pairs = zip(runs, to, strict=True)
    return float(statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
