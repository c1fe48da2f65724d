"""The layers: pinned by the lock, for the right processor, reproducible, and trimmed harmlessly."""

import filecmp
import importlib.util
import json
import marshal
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from emulator.deploy import ARCHITECTURE
from emulator.engine import ROOT
from tests.support.built import ARCHITECTURES, files, functions
from tests.support.heic import heic
from tests.support.sandbox import Sandbox

LAYERS = {"common": "CommonLayer", "imaging": "ImagingLayer", "clustering": "ClusteringLayer"}

BUILD_LAYER = [sys.executable, ROOT / "layers/build/artifact.py", "layer"]

# ELF e_machine: EM_X86_64 and EM_AARCH64.
MACHINES = {"x86_64": 62, "arm64": 183}


@pytest.mark.parametrize("group", LAYERS)
def test_the_requirements_are_those_of_the_lock_file(group: str, tmp_path: Path) -> None:
    subprocess.run([ROOT / "layers/export-requirements", tmp_path], check=True)
    fresh, committed = (
        folder / group / "requirements.txt" for folder in (tmp_path, ROOT / "layers")
    )
    assert committed.read_text() == fresh.read_text(), "out of date: run `make lock`"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_compiled_module_is_for_the_architecture(
    build: Callable[[str], Path], architecture: str
) -> None:
    libraries = [path for path in files(build(architecture)) if ".so" in path.suffixes]
    assert len(libraries) > 100
    for library in libraries:
        with library.open("rb") as file:
            header = file.read(20)
        assert header[:4] == b"\x7fELF", library
        assert int.from_bytes(header[18:20], "little") == MACHINES[architecture], library


@pytest.mark.parametrize("group", LAYERS)
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
def test_heic_is_decoded_by_a_library_that_no_other_format_loads(
    name: str, sandbox: Callable[[str], Sandbox], tmp_path: Path
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    png, phone = tmp_path / "png", tmp_path / "heic"
    Pillow.fromarray(levels).save(png, "PNG")
    phone.write_bytes(heic(levels))

    printed = sandbox(name).python("-c", DECODE, str(png), str(phone), str(png)).splitlines()

    pixels = levels.tobytes().hex()
    assert printed == [f"False {pixels}", f"False {pixels}", f"True {pixels}"]


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
