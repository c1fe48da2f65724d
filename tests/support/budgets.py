"""Print the sizes of the built functions and what importing each handler takes.

python -m tests.support.budgets
"""

import io
import runpy
import statistics
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from emulator.deploy import ARCHITECTURE, build
from emulator.engine import ROOT
from tests.support.built import ARCHITECTURES, BuiltFunction, files, functions, size
from tests.support.sandbox import Sandbox

BUILDER = runpy.run_path(str(ROOT / "layers/build/artifact.py"))
"""The names in the program that builds and weighs the layers."""
LIMIT, LARGEST_SHARE = BUILDER["FUNCTION_LIMIT"], BUILDER["LARGEST_SHARE"]

# The process clock: other work on the machine does not count.
TIMED_IMPORT = """
import importlib, sys, time
begin = time.process_time()
importlib.import_module(sys.argv[1])
print(time.process_time() - begin)
"""


@dataclass(frozen=True)
class Size:
    """Bytes of one function: its own, and each layer's."""

    function: str
    code: int
    layers: dict[str, int]

    @property
    def total(self) -> int:
        """What Lambda holds against its limit."""
        return self.code + sum(self.layers.values())


def sizes(build: Path) -> list[Size]:
    """Measure the functions of a build, unzipped."""
    return [
        Size(
            function.name,
            size(function.task),
            {name: size(layer) for name, layer in function.layers.items()},
        )
        for function in functions(build)
    ]


def zipped(folder: Path) -> int:
    """Return the bytes of the folder's zip, deflated as sam does."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files(folder):
            file.write(path, path.relative_to(folder))
    return archive.tell()


def has_numpy(function: BuiltFunction) -> bool:
    """Tell whether numpy is there to be compared with."""
    return any((layer / "python" / "numpy").is_dir() for layer in function.layers.values())


def import_ratio(function: BuiltFunction, runs: int = 3) -> float:
    """Measure how many times as long as numpy the function's handler takes to import.

    The two are imported by turns, each in a new interpreter with the layers' bytecode; the median
    of the pairs' ratios counts.
    """
    module = function.handler.partition(".")[0]
    with tempfile.TemporaryDirectory() as root:
        place = Sandbox(function, Path(root), {})

        def seconds(name: str) -> float:
            return float(place.python("-c", TIMED_IMPORT, name).split()[0])

        seconds(module)  # the files are in the page cache now
        return statistics.median(seconds(module) / seconds("numpy") for _ in range(runs))


def main() -> None:
    """Print the tables."""
    write(f"{'MB, unzipped':24}{'code':>8}{'layers':>9}{'total':>9}{'of limit':>10}")
    for architecture in ARCHITECTURES:
        for row in sizes(build(architecture)):
            unzipped = sum(row.layers.values())
            write(
                f"{row.function + ' ' + architecture:24}{row.code / 1e6:8.3f}{unzipped / 1e6:9.1f}"
                f"{row.total / 1e6:9.1f}{row.total / LIMIT:10.0%}"
            )
    write(f"\n{'MB':24}{'unzipped':>9}{'zipped':>9}")
    for architecture in ARCHITECTURES:
        layers = {
            name: path
            for function in functions(build(architecture))
            for name, path in function.layers.items()
        }
        for name, path in layers.items():
            write(f"{name + ' ' + architecture:24}{size(path) / 1e6:9.1f}{zipped(path) / 1e6:9.1f}")
    write(f"\n{'import':24}{'x numpy':>9}")
    for function in filter(has_numpy, functions(build(ARCHITECTURE))):
        write(f"{function.name:24}{import_ratio(function):9.1f}")


def write(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
