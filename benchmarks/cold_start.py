"""Measure the cold start of each built function against what it cannot do without.

    python -m benchmarks.cold_start [--runs N] [--profile]

Each function is booted from the built artifact under AWS's runtime interface emulator and client,
by turns with handlers that only import; all have the layers' bytecode. Its cost is the CPU time of
its process from the start to the end of the first answer, to an empty event. (Other work on the
machine does not count as CPU time; on one vCPU the wall time is hardly more.) Ratios are medians
over the turns, each turn's figures divided by the baseline of the same turn.

`--profile` also prints what importing each handler takes, package by package.
"""

import argparse
import dataclasses
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from emulator import engine
from emulator.deploy import ARCHITECTURE, build
from quantization.service import lazy_imports
from quantization.service.storage.s3 import make_client
from tests.support.built import BuiltFunction, functions
from tests.support.sandbox import Sandbox

S3 = "import boto3; s3 = boto3.client('s3')"
OUR_S3 = f"from {make_client.__module__} import make_client; s3 = make_client()"
CV2_AND_S3 = f"import cv2; {S3}"
KMEANS = "from sklearn.cluster import KMeans"
LAZY = f"import {lazy_imports.__name__}"

# By function: what it is measured against, and parts that show where the time goes.
BASELINES = {
    "SampleFunction": CV2_AND_S3,
    "RenderFunction": CV2_AND_S3,
    "ScoreKFunction": KMEANS,
    "FindUploadFunction": S3,
    "RecordFailureFunction": S3,
}
PARTS = {
    "SampleFunction": ["pass", "import numpy", "import cv2", S3, OUR_S3],
    "RenderFunction": ["pass"],
    "ScoreKFunction": [
        "pass",
        "import numpy",
        "from scipy import stats",
        f"{KMEANS}; {S3}",
        f"import gc; gc.disable(); {KMEANS}",
        f"{LAZY}; {KMEANS}",
        f"{LAZY}; {KMEANS}; {OUR_S3}",
    ],
    "FindUploadFunction": ["pass"],
    "RecordFailureFunction": ["pass"],
}

# What `python -X importtime` says of a module: microseconds of its own, and its name.
IMPORT_TIME = re.compile(r"import time: +(\d+) \| +\d+ \| +(\w+)")


def child_of(emulator: int) -> int:
    """Return the process id of the emulator's child, the function's process."""
    for children in Path(f"/proc/{emulator}/task").glob("*/children"):
        for child in children.read_text().split():
            return int(child)
    raise ProcessLookupError(f"the emulator {emulator} has no child")


def cpu_seconds(emulator: int) -> float:
    """Return the CPU time that the function's process has used."""
    return time.clock_gettime(~child_of(emulator) << 3 | 2)  # clock_getcpuclockid(3)


def cold_start(function: BuiltFunction) -> float:
    """Boot the function, have it answer once, and return the CPU seconds that took."""
    with (
        tempfile.TemporaryDirectory() as root,
        Sandbox(function, Path(root), {}).booted() as booted,
    ):
        booted.invoke({})
        return cpu_seconds(booted.pid)


def importing(statement: str, function: BuiltFunction, folder: Path) -> BuiltFunction:
    """Make a function that imports and does nothing, with the modules and layers of another."""
    task = shutil.copytree(function.task, Path(tempfile.mkdtemp(dir=folder)), dirs_exist_ok=True)
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


def profile(function: BuiltFunction, runs: int) -> dict[str, float]:
    """Return the milliseconds that importing the handler takes, by package: the least of all runs.

    Python's own clock is the wall's, so other work on the machine counts.
    """
    module = function.handler.partition(".")[0]
    program = f"import os; os.dup2(1, 2); import {module}"
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as root:
        place = Sandbox(function, Path(root), {})
        for _ in range(runs):
            taken: dict[str, float] = {}
            for own, package in IMPORT_TIME.findall(
                place.python("-X", "importtime", "-c", program)
            ):
                name = "standard library" if package in sys.stdlib_module_names else package
                taken[name] = taken.get(name, 0) + int(own) / 1e3
            least = {n: min(ms, least.get(n, ms)) for n, ms in taken.items()}
    return least


def main() -> None:
    """Print one table for each function, or two."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="turns that count (default 5)")
    parser.add_argument("--profile", action="store_true", help="also each package's import")
    arguments = parser.parse_args()
    engine.sync(engine.RUNTIME_ENVIRONMENT, "runtime")
    with tempfile.TemporaryDirectory() as folder:
        for function in functions(build(ARCHITECTURE)):
            baseline = BASELINES[function.name]
            contenders = {function.name: function} | {
                statement: importing(statement, function, Path(folder))
                for statement in [baseline, *PARTS[function.name]]
            }
            print(f"\n{'cold start':78}{'CPU ms':>7}{'ratio':>7}")
            for name, (seconds, ratio) in compare(contenders, baseline, arguments.runs).items():
                print(f"{name:78}{seconds * 1e3:7.0f}{ratio:7.2f}")
            if arguments.profile:
                imports = profile(function, arguments.runs)
                print(f"\n{'import of the handler, by package':78}{'ms':>7}{'share':>7}")
                total = sum(imports.values())
                for package in sorted(imports, key=imports.__getitem__, reverse=True)[:12]:
                    milliseconds, share = imports[package], imports[package] / total
                    print(f"{package:78}{milliseconds:7.0f}{share:7.0%}")


if __name__ == "__main__":
    main()
