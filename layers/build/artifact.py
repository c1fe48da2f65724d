"""Build one Lambda layer or function: what goes into its zip, trimmed, compiled, reproducible.

A layer has locked wheels and our own packages, a function its modules. The same source folder,
Python version and architecture give the same bytes wherever and whenever they are built. No wheel
is executed, so one machine builds for any architecture.
"""

import argparse
import hashlib
import importlib.util
import marshal
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Amazon Linux 2023, under Lambda's python3.13, has glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}

# Where Lambda unpacks layers and functions: the file names that tracebacks show.
LAYER_ROOT, FUNCTION_ROOT = Path("/opt/python"), Path("/var/task")

FUNCTION_LIMIT = 262_144_000
"""Bytes of a function and its layers, unzipped.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

LARGEST_SHARE = 0.95
"""How much of that a function may take here; the rest stays free. Of x86_64 OpenCV has 159 MB, of
which no part may be left out: its module is linked to all its libraries."""

# Bytes of that for the layer that all functions have, and for the function itself. The other layer,
# of which each function has one, may take the rest.
COMMON_LAYER, CODE = 7_900_000, 1_000_000
LIMITS = {"CommonLayer": COMMON_LAYER}
OTHER_LAYER = int(LARGEST_SHARE * FUNCTION_LIMIT) - COMMON_LAYER - CODE

# All that is left out of the wheels, and why no function misses it.
TRIMMED = {
    "bin": "command line scripts; their first line names the build machine's interpreter",
    "**/tests": "test suites and their data",
    "joblib/test": "a test suite",
    "scipy/special/_precompute": "scripts that computed tables when scipy was written",
    "**/*.pyi": "type stubs, read by type checkers only",
    "**/*.pyx": "Cython source of a compiled module",
    "**/*.pyx.tp": "template of Cython source",
    "**/*.pxd": "Cython declarations, read by the Cython compiler only",
    "**/*.pxd.tp": "template of Cython declarations",
    "**/*.pxi": "Cython includes",
    "**/*.pxi.in": "template of Cython includes",
    "**/*.c": "C source of a compiled module",
    "**/*.cpp": "C++ source of a compiled module",
    "**/*.h": "C headers",
    "**/*.hpp": "C++ headers",
    "**/*.a": "static libraries, for linking extensions",
    "**/meson.build": "build recipes",
    "cffi": "declares C functions while running; pyvips-binary has them compiled",
    "pycparser": "reads the declarations for cffi",
    "pi_heif": "libheif's plugin for Pillow; quantization.decoding.libheif calls libheif itself",
    "PIL": "what that is a plugin of",
    "pillow.libs": "libraries of PIL",
    "cv2/data/*.xml": "Haar cascades for face detection",
    "sklearn/datasets/data": "toy data sets",
    "sklearn/datasets/descr": "descriptions of the toy data sets",
    "sklearn/datasets/images": "sample photographs",
    "*.dist-info/INSTALLER": "who installed it: read by installers",
    "*.dist-info/RECORD": "hashes of files before trimming",
    "*.dist-info/REQUESTED": "read by installers",
    "*.dist-info/WHEEL": "read by installers",
    "*.dist-info/uv_cache.json": "read by uv",
    "*.dist-info/sboms": "lists of vendored components, for auditors of the wheel",
    "*.dist-info/entry_points.txt": "registers the command line scripts",
    "*.dist-info/top_level.txt": "read by installers",
}


def build_layer(source: Path, target: Path, architecture: str) -> None:
    """Fill ``target``, the folder that becomes /opt/python, from ``source``."""
    install(source / "requirements.txt", target, PLATFORMS[architecture])
    for package in sorted(source.glob("*/__init__.py")):
        name = package.parent.name
        shutil.copytree(package.parent, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    trim(target)
    compile_bytecode(target, LAYER_ROOT)
    set_modes(target)


def build_function(source: Path, target: Path) -> None:
    """Fill ``target``, the folder that becomes /var/task, with the modules in ``source``."""
    target.mkdir(parents=True, exist_ok=True)
    for module in source.glob("*.py"):
        shutil.copy(module, target)
    compile_bytecode(target, FUNCTION_ROOT)
    set_modes(target)


def install(requirements: Path, target: Path, platform: str) -> None:
    """Unpack the wheels that ``requirements`` pins by hash, built for ``platform``."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("uv is not on PATH; the layers are installed with it: pip install uv")
    options = ["--quiet", "--python", sys.executable, "--python-platform", platform]
    options += ["--only-binary", ":all:", "--require-hashes", "--no-deps"]
    # pyvips is published as source only, all of it Python; pyvips-binary brings what is compiled,
    # and where the build machine has libvips too, pyvips must not find it.
    options += ["--no-binary", "pyvips"]
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": os.devnull}
    # uv's cache and other environments share these files, which take up the disk only once. So they
    # may be removed or replaced, but never changed.
    options += ["--link-mode", "hardlink", "--target", str(target)]
    command = [uv, "pip", "install", *options, "--requirements", str(requirements)]
    subprocess.run(command, check=True, env=environment)  # noqa: S603


def trim(target: Path) -> None:
    """Remove what ``TRIMMED`` lists, and what uv leaves behind in a target folder."""
    (target / ".lock").unlink(missing_ok=True)
    for pattern in TRIMMED:
        for path in sorted(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def compile_bytecode(target: Path, root: Path) -> None:
    """Compile every module, so that importing it on Lambda's read-only disk does not.

    Python trusts unchecked-hash bytecode as it is. The usual kind is tied to the time stamp of its
    source, and `sam package` sets every time stamp in a zip to 1980.
    """
    modules = sorted(target.rglob("*.py"))
    names = [str(root / module.relative_to(target)) for module in modules]
    with ProcessPoolExecutor() as pool:
        list(pool.map(compile_module, modules, names, chunksize=16))


def compile_module(module: Path, name: str) -> None:
    """Write the bytecode of ``module`` (PEP 552), which will know itself by ``name``."""
    source = module.read_bytes()
    # The compiler shares constants depending on which strings the process has interned before.
    # After a first compilation it has interned all of them: the second is always the same.
    _interns_strings = compile(source, name, "exec", dont_inherit=True, optimize=0)
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    unchecked_hash = (0b01).to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source)
    bytecode = Path(importlib.util.cache_from_source(str(module), optimization=""))
    bytecode.parent.mkdir(exist_ok=True)
    bytecode.write_bytes(header + marshal.dumps(code))


def set_modes(target: Path) -> None:
    """Set the modes that Lambda needs, whatever the umask of the build machine.

    A file that is executable, as libraries are in many wheels, stays executable. A file that others
    link to is replaced by a copy.
    """
    for path in [target, *target.rglob("*")]:
        about = path.stat()
        mode = 0o755 if about.st_mode & stat.S_IXUSR else 0o644
        if stat.S_IMODE(about.st_mode) == mode:
            continue
        if path.is_file() and about.st_nlink > 1:
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        path.chmod(mode)


def files(target: Path) -> Iterator[Path]:
    """Yield every file below ``target``, sorted by name."""
    yield from sorted(path for path in target.rglob("*") if path.is_file())


def size(target: Path) -> int:
    """Return the bytes of all files below ``target``."""
    return sum(path.stat().st_size for path in files(target))


def tree_hash(target: Path) -> str:
    """Return the SHA-256 of names, modes and contents below ``target``."""
    digest = hashlib.sha256()
    for path in files(target):
        name = path.relative_to(target).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.stat().st_mode:o} {content} {name}\n".encode())
    return digest.hexdigest()


def largest(target: Path, count: int = 5) -> str:
    """Name the largest top-level entries of ``target`` with their sizes in MB."""
    entries = sorted(((size(path), path.name) for path in target.iterdir()), reverse=True)
    return ", ".join(f"{name} {size / 1e6:.1f}" for size, name in entries[:count])


def main() -> None:
    """Build what the command line names, or exit with the cause."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    layer = kinds.add_parser("layer")
    layer.add_argument("source", type=Path, help="folder of requirements.txt and packages")
    layer.add_argument("target", type=Path, help="folder that becomes /opt/python")
    layer.add_argument("--architecture", choices=PLATFORMS, required=True)
    layer.add_argument("--layer", help="logical id, which says what share of the limit it has")
    layer.add_argument("--limit", type=int, help="bytes the layer may take, instead of its share")
    function = kinds.add_parser("function")
    function.add_argument("source", type=Path, help="folder of modules")
    function.add_argument("target", type=Path, help="folder that becomes /var/task")
    arguments = parser.parse_args()
    target = arguments.target.resolve()
    if arguments.kind == "function":
        build_function(arguments.source, target)
        return
    limit = arguments.limit or LIMITS.get(arguments.layer, OTHER_LAYER)
    build_layer(arguments.source, target, arguments.architecture)
    total = size(target)
    if total > limit:
        sys.exit(
            f"The layer takes {total:,} bytes unzipped and may take {limit:,}. "
            f"Largest, in MB: {largest(target)}."
        )
    print(f"{arguments.architecture}: {total:,} bytes, tree {tree_hash(target)}")  # noqa: T201


if __name__ == "__main__":
    main()
