"""Time what a newcomer waits for: from `git clone` to the first picture, and the disk that takes.

python -m benchmarks.first_picture [--ways uvx pip service] [--runs 3] [--warm] [--port 4598]

Each way begins in an empty folder, with empty caches, and with no Python and no uv but the
system's. The disk is that of all it leaves, the clone and the caches included. With --warm the
caches of this machine are used and not counted. The time that this saves is that of waiting for the
network and of unpacking.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import ROOT, table

QUANTIZE = "quantize --out out"
"""Without an image, the command takes a photo that comes with it."""

WAYS = {
    "uvx": (f"uvx --quiet --from . {QUANTIZE}", None),
    "pip": (f"python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/{QUANTIZE}", None),
    "service": ("make run OUT=out", "make stop"),
}
"""What there is to type in the clone, and afterwards."""

CACHES = {
    "UV_CACHE_DIR": "cache/uv",
    "UV_PYTHON_INSTALL_DIR": "cache/python",
    "PIP_CACHE_DIR": "cache/pip",
}


def try_out(way: str, folder: Path, port: int, *, warm: bool) -> tuple[float, int]:
    """Return the seconds to the first picture, and the MB of disk then."""
    own = {} if warm else {name: str(folder / path) for name, path in CACHES.items()}
    environment = os.environ | own | {"ENGINE_PORT": str(port)}
    # Make would set up what the environment that runs this has already, or take its arguments.
    for name in ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS"):
        environment.pop(name, None)
    if way != "uvx":
        places = environment["PATH"].split(os.pathsep)
        environment["PATH"] = os.pathsep.join(p for p in places if ROOT not in Path(p).parents)
    command, after = WAYS[way]
    clone = folder / "clone"
    start = time.perf_counter()
    # By its URI the clone is what a server sends, not all that happens to be in this one's .git.
    subprocess.run(["git", "clone", "--quiet", ROOT.as_uri(), clone], check=True)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    megabytes = int(subprocess.check_output(["du", "-sm", folder], text=True).split()[0])
    if after:
        subprocess.run(["bash", "-c", after], cwd=clone, env=environment, check=True)
    if done.returncode or not (clone / "out/china.png").exists():
        sys.exit(f"{command} failed:\n{done.stdout}")
    return seconds, megabytes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--runs", type=int, default=1, help="of which the mean is printed")
    parser.add_argument("--warm", action="store_true", help="use this machine's caches")
    parser.add_argument("--port", type=int, default=4598, help="of the engine of `make run`")
    arguments = parser.parse_args()
    load = f"{os.cpu_count()} processors, {os.getloadavg()[0]:.0f} processes at work before"
    lines = []
    for way in arguments.ways:
        if way == "uvx" and not shutil.which("uvx"):
            print("uvx is not installed: left out", file=sys.stderr)
            continue
        tries = []
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory() as folder:
                tries.append(try_out(way, Path(folder), arguments.port, warm=arguments.warm))
        seconds, megabytes = (statistics.mean(values) for values in zip(*tries, strict=True))
        lines.append([f"`{WAYS[way][0]}`", f"{seconds:.0f}", f"{megabytes:.0f}"])
    print(f"{load}\n\n{table(['after `git clone`', 's', 'MB'], lines)}")


if __name__ == "__main__":
    main()
