"""Measure the cold start of each built function against what it cannot do without.

    uv run python -m benchmarks.cold_start [--runs N]

Each function is booted from the built artefact under AWS's runtime interface emulator and client,
by turns with handlers that only import; all have the layers' bytecode. Its cost is the CPU time of
its process from the start to the end of the first answer, to an empty event. (Other work on the
machine does not count as CPU time; on one vCPU the wall time is hardly more.) Ratios are medians
over the turns, each turn's figures divided by the baseline of the same turn.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.deploy import ARCHITECTURE, build
from tests.artefact.built import BuiltFunction, functions
from tests.artefact.sandbox import Sandbox

S3 = "import boto3; s3 = boto3.client('s3')"
CV2_AND_S3 = f"import cv2; {S3}"
KMEANS = "from sklearn.cluster import KMeans"

# By function: what it is measured against, and parts that show where the time goes.
BASELINES = {"SampleFunction": CV2_AND_S3, "RenderFunction": CV2_AND_S3, "ScoreKFunction": KMEANS}
PARTS = {
    "SampleFunction": ["pass", "import numpy", "import cv2", S3],
    "RenderFunction": ["pass"],
    "ScoreKFunction": [
        "pass",
        "import numpy",
        "from scipy import stats",
        f"{KMEANS}; from sklearn.metrics import silhouette_score",
        f"import gc; gc.disable(); {KMEANS}",
        f"{KMEANS}; {S3}",
    ],
}


def cpu_seconds(emulator: int) -> float:
    """Return the CPU time that the emulator's child, the function's process, has used."""
    for children in Path(f"/proc/{emulator}/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            # utime and stime, proc_pid_stat(5)
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise ProcessLookupError(f"the emulator {emulator} has no child")


def cold_start(function: BuiltFunction) -> float:
    """Boot the function, have it answer once, and return the CPU seconds that took."""
    with (
        tempfile.TemporaryDirectory() as root,
        Sandbox(function, Path(root), {}).booted() as booted,
    ):
        booted.invoke({})
        return cpu_seconds(booted.pid)


def importing(statement: str, function: BuiltFunction, folder: Path) -> BuiltFunction:
    """Make a function that imports and does nothing, with the layers of another."""
    task = Path(tempfile.mkdtemp(dir=folder))
    (task / "bare.py").write_text(f"{statement}\ndef handler(event, context): return None\n")
    return dataclasses.replace(function, handler="bare.handler", task=task)


def compare(
    contenders: Mapping[str, BuiltFunction], baseline: str, runs: int
) -> dict[str, tuple[float, float]]:
    """Measure by turns; return of each contender the median seconds and the median ratio."""
    turns = [
        {name: cold_start(function) for name, function in contenders.items()}
        for _ in range(runs + 1)
    ][1:]  # the first turn reads the files
    return {
        name: (
            statistics.median(turn[name] for turn in turns),
            statistics.median(turn[name] / turn[baseline] for turn in turns),
        )
        for name in contenders
    }


def main() -> None:
    """Print one table for each function."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="turns that count (default 5)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        for function in functions(build(ARCHITECTURE)):
            baseline = BASELINES[function.name]
            contenders = {function.name: function} | {
                statement: importing(statement, function, Path(folder))
                for statement in [baseline, *PARTS[function.name]]
            }
            print(f"\n{'cold start':60}{'CPU ms':>7}{'ratio':>7}")
            for name, (seconds, ratio) in compare(contenders, baseline, runs).items():
                print(f"{name:60}{seconds * 1e3:7.0f}{ratio:7.2f}")


if __name__ == "__main__":
    main()
