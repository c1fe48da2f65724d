"""The layers: pinned by the lock, for the right processor, reproducible, and trimmed harmlessly."""

import filecmp
import importlib.util
import json
import marshal
import os
import pkgutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from PIL import Image as Pillow

from emulator.deploy import ARCHITECTURE
from emulator.engine import ROOT
from tests.support.budgets import BUILDER
from tests.support.built import ARCHITECTURES, files, functions
from tests.support.heic import heic
from tests.support.sandbox import Sandbox

LAYERS = {"common": "CommonLayer", "imaging": "ImagingLayer", "clustering": "ClusteringLayer"}

MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}

# Of Amazon Linux 2023, under Lambda's python3.13: glibc 2.34, and libstdc++ of GCC 11.
NEWEST = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)}

# What wheels may expect of any system (PEP 600's policies); all else has to be in the layers.
SYSTEM = {
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
}
LOADER = {"x86_64": {"ld-linux-x86-64.so.2"}, "arm64": {"ld-linux-aarch64.so.1"}}


@pytest.mark.parametrize("group", LAYERS)
def test_the_requirements_are_those_of_the_lock_file(group: str, tmp_path: Path) -> None:
    subprocess.run([ROOT / "layers/export-requirements", tmp_path], check=True)
    fresh, committed = (
        folder / group / "requirements.txt" for folder in (tmp_path, ROOT / "layers")
    )
    assert committed.read_text() == fresh.read_text(), "out of date: run `make lock`"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_library_is_for_the_architecture_and_lambdas_system(
    build: Callable[[str], Path], architecture: str
) -> None:
    paths = [path for path in files(build(architecture)) if ".so" in path.suffixes]
    assert len(paths) > 100
    needed: set[str] = set()
    for path in paths:
        with path.open("rb") as file:
            library = ELFFile(file)
            assert library["e_machine"] == MACHINES[architecture], path
            needed |= {tag.needed for tag in _section(library, ".dynamic").iter_tags("DT_NEEDED")}
            for kind, version in _versions(library):
                assert version <= NEWEST[kind], path
    assert needed - {path.name for path in paths} <= SYSTEM | LOADER[architecture]


def _section(library: ELFFile, name: str) -> Any:
    return library.get_section_by_name(name)


def _versions(library: ELFFile) -> Iterator[tuple[str, tuple[int, ...]]]:
    """List what a library asks of the system: a symbol's kind and the version that it is of."""
    asked = _section(library, ".gnu.version_r")
    for _, symbols in asked.iter_versions() if asked else ():
        for symbol in symbols:
            kind, _, version = symbol.name.partition("_")
            if kind in NEWEST:
                yield kind, tuple(map(int, version.split(".")))


@pytest.mark.parametrize("group", ["common", "clustering"])  # the third is built as they are
def test_the_same_lock_gives_the_same_bytes(
    build: Callable[[str], Path], group: str, tmp_path: Path
) -> None:
    """Another path, another umask and another hash seed, with nothing cached but the wheels."""
    command: list[str | Path] = [
        sys.executable,
        ROOT / "layers/build/artifact.py",
        "layer",
        ROOT / "layers" / group,
        tmp_path,
    ]
    subprocess.run(
        [*command, "--architecture", ARCHITECTURE, "--limit", str(10**9)],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        umask=0o077,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    first = build(ARCHITECTURE) / LAYERS[group] / "python"
    names = [[path.relative_to(tree) for path in files(tree)] for tree in (first, tmp_path)]
    assert names[0] == names[1]
    same, different, unread = filecmp.cmpfiles(first, tmp_path, names[0], shallow=False)
    assert not different
    assert not unread
    assert len(same) > 50
    for name in same:
        assert (first / name).stat().st_mode == (tmp_path / name).stat().st_mode


def test_a_layer_over_its_limit_is_not_built(tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        ROOT / "layers/build/artifact.py",
        "layer",
        ROOT / "layers/common",
        tmp_path,
    ]
    done = subprocess.run(
        [*command, "--architecture", ARCHITECTURE, "--limit", "1000000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "may take 1,000,000" in done.stderr
    assert "aws_lambda_powertools" in done.stderr


def test_file_that_others_link_to_is_not_changed(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    for name, mode in [("plain", 0o600), ("library", 0o700), ("as it should be", 0o644)]:
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
        os.link(tmp_path / name, layer / name)

    BUILDER["set_modes"](layer)

    about = {path.name: path.stat() for path in layer.iterdir()}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in about.items()} == {
        "plain": 0o644,
        "library": 0o755,
        "as it should be": 0o644,
    }
    assert about["as it should be"].st_nlink == 2
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "library").stat().st_mode) == 0o700
    assert (layer / "plain").read_text() == "plain"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_takes_the_disk_once(build: Callable[[str], Path], architecture: str) -> None:
    """sam's cache has the same files as the build."""
    cached = {path.stat().st_ino for path in files(build(architecture).with_name("cache"))}
    for layer in LAYERS.values():
        for path in files(build(architecture) / layer):
            assert path.stat().st_ino in cached, path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_function_is_compiled_as_the_runtime_will_see_it(
    build: Callable[[str], Path], architecture: str
) -> None:
    for function in functions(build(architecture)):
        (compiled,) = function.task.rglob("*.pyc")
        header, code = compiled.read_bytes()[:16], marshal.loads(compiled.read_bytes()[16:])
        assert header[:4] == importlib.util.MAGIC_NUMBER
        assert header[4:8] == b"\1\0\0\0", "checked against a time stamp that zips change"
        assert code.co_filename == "/var/task/handler.py"


DECODE = """
import sys
from pathlib import Path
import handler
from quantization.decoding import open_image
for name in sys.argv[1:]:
    loaded = "libheif" in Path("/proc/self/maps").read_text()
    print(loaded, open_image(Path(name), max_pixels=10**6).pixels().tobytes().hex())
"""


@pytest.mark.parametrize("name", ["SampleFunction", "RenderFunction"])
def test_heic_is_decoded_by_a_library_that_is_loaded_for_it(
    name: str, sandbox: Callable[[str], Sandbox], tmp_path: Path
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    png, phone = tmp_path / "png", tmp_path / "heic"
    Pillow.fromarray(levels).save(png, "PNG")
    phone.write_bytes(heic(levels))

    printed = sandbox(name).python("-c", DECODE, str(png), str(phone), str(png)).splitlines()

    pixels = levels.tobytes().hex()
    assert printed == [f"False {pixels}", f"False {pixels}", f"True {pixels}"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_are_compiled_so_that_no_start_has_to(
    build: Callable[[str], Path], architecture: str
) -> None:
    for layer in LAYERS.values():
        for module in (build(architecture) / layer).rglob("*.py"):
            compiled = Path(importlib.util.cache_from_source(str(module)))
            assert compiled.read_bytes()[4:8] == b"\1\0\0\0", module


# Given the names of packages, import every module in them.
IMPORT_ALL = """
import importlib, json, pkgutil, sys, warnings
warnings.simplefilter("ignore")
imported, failed = [], {}
for name in sys.argv[1:]:
    path = getattr(importlib.import_module(name), "__path__", [])
    for module in pkgutil.walk_packages(path, name + ".", onerror=lambda name: None):
        if module.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(module.name)
            imported.append(module.name)
        except ModuleNotFoundError as error:
            if error.name.partition(".")[0] in sys.argv:
                failed[module.name] = repr(error)
        except Exception as error:
            failed[module.name] = repr(error)
print()
print(json.dumps([imported, failed]))
"""


@pytest.mark.parametrize("name", ["SampleFunction", "ScoreKFunction"])
def test_no_module_misses_what_was_trimmed(sandbox: Callable[[str], Sandbox], name: str) -> None:
    """All that is left imports, but for what does not import from the whole wheels either.

    A module may also miss an optional package that no wheel of the layers brings.
    """
    place = sandbox(name)
    packages = [module.name for module in pkgutil.iter_modules([str(place.opt / "python")])]
    imported, failed = json.loads(place.python("-c", IMPORT_ALL, *packages).splitlines()[-1])
    assert {module: error for module, error in failed.items() if _imports_whole(module)} == {}
    assert len(imported) > 300


def _imports_whole(module: str) -> bool:
    """Whether a module can be imported here, where nothing is trimmed."""
    program = "import importlib, sys; importlib.import_module(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, module], capture_output=True, check=False)
    return done.returncode == 0
