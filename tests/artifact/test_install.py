"""`pip install .` in an empty environment gives working commands, on each Python and system."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import quantization
from emulator import engine
from emulator.engine import ROOT
from quantization import quantize
from tests.support.results import without_provenance

type Install = Callable[..., Path]
"""Install the project for a version of Python; return the folder of its commands."""

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
OLDEST, DEVELOPED_ON = PYTHONS[0], "3.13"


def interpreter(version: str) -> Path | None:
    """Find an interpreter on this machine: uv's or the system's, or one of pyenv."""
    find = ["uv", "python", "find", "--no-python-downloads", version]
    found = subprocess.run(find, cwd="/", capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return Path(found.stdout.strip())
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next(pyenv.glob(f"versions/{version}.*/bin/python"), None)


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Install the project into an environment of its own; return its folder of commands."""
    environments: dict[str, Path] = {}

    def install(version: str) -> Path:
        if version not in environments:
            python = interpreter(version)
            if python is None:
                pytest.skip(f"no CPython {version} on this machine")
            environment = tmp_path_factory.mktemp("installed")
            subprocess.run(["uv", "venv", "--quiet", "--python", python, environment], check=True)
            into: list[str | Path] = ["--python", environment / "bin/python", ROOT]
            subprocess.run(["uv", "pip", "install", "--quiet", *into], check=True)
            environments[version] = environment / "bin"
        return environments[version]

    return install


@pytest.fixture(scope="session")
def small(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shrink the photo, as these tests are not of what becomes of the pixels."""
    path = tmp_path_factory.mktemp("small") / "small.png"
    with Image.open(photo) as whole:
        whole.resize((64, 43)).save(path)
    return path


def run(*command: object, folder: str | Path = "/") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | engine.aws_environment("http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", PYTHONS)
def test_commands_work(install: Install, version: str, small: Path, tmp_path: Path) -> None:
    commands = install(version)
    assert run(commands / "quantize", "--help").stdout.startswith("usage: quantize ")
    assert run(commands / "quantize-palettes", "--help").returncode == 0
    said = run(commands / "quantize", "--version").stdout
    assert said == f"quantize {quantization.__version__}\n"

    done = run(commands / "quantize", small, "--json", "--k", "4", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["status"] == "done"
    assert {Path(path).name for path in line["files"].values()} == {
        "small.png",
        "small.html",
        "small.json",
    }
    assert run(commands / "quantize-palettes", tmp_path / "out/small.json").returncode == 0


def test_versions_of_the_lock_file_give_the_same_files(
    install: Install, small: Path, tmp_path: Path
) -> None:
    """What is installed has the latest versions: the lock file's are given here."""
    commands = install(DEVELOPED_ON)
    locked = subprocess.run(
        ["uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (tmp_path / "requirements.txt").write_text(locked)
    into: list[str | Path] = ["--python", commands / "python", "-r", tmp_path / "requirements.txt"]
    subprocess.run(["uv", "pip", "install", "--quiet", *into], check=True)

    done = run(commands / "quantize", small, "--out", tmp_path / "out", "--k-max", "10")

    assert done.returncode == 0, done.stderr
    for path in quantize(small, k_max=10).write(tmp_path / "here/small").values():
        there = tmp_path / "out" / path.name
        assert without_provenance(path.suffix, there.read_bytes()) == without_provenance(
            path.suffix, path.read_bytes()
        )


def test_image_that_is_refused_ends_with_1_in_one_line(install: Install, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")

    done = run(install(DEVELOPED_ON) / "quantize", bad, "--json", "--out", tmp_path / "out")

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith("UnsupportedImage: this is a text")
    assert "Traceback" not in done.stderr


def test_stack_that_cannot_be_reached_is_said_so(
    install: Install, small: Path, tmp_path: Path
) -> None:
    quantize = install(OLDEST) / "quantize"
    done = run(quantize, small, "--stack", "any", "--out", tmp_path)

    assert done.returncode == 3, done.stderr
    assert "Could not connect" in done.stderr


def test_nothing_of_the_repository_is_installed_besides(install: Install) -> None:
    (site,) = install(DEVELOPED_ON).parent.glob("lib/*/site-packages")
    ours = {
        line.partition("/")[0]
        for record in site.glob("color_quantization-*.dist-info/RECORD")
        for line in record.read_text().splitlines()
        if not line.startswith("..")
    }

    assert {name for name in ours if not name.endswith(".dist-info")} == {
        "quantization",
        "quantization_client",
    }


def test_command_is_run_without_being_installed(small: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [
        "uvx",
        "--quiet",
        "--python",
        DEVELOPED_ON,
        "--from",
        ROOT,
        "quantize",
    ]
    done = subprocess.run(
        [*command, small, "--k", "2", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small.png").stat().st_size


SYSTEMS: dict[str, dict[str, str]] = {
    "x86_64-manylinux_2_28": {},
    "aarch64-manylinux_2_28": {},
    # Those of OpenCV's wheels.
    "x86_64-apple-darwin": {"MACOSX_DEPLOYMENT_TARGET": "14.0"},
    "aarch64-apple-darwin": {"MACOSX_DEPLOYMENT_TARGET": "13.0"},
    "x86_64-pc-windows-msvc": {},
}


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_file_has_wheels(system: str, version: str, tmp_path: Path) -> None:
    """As uv judges it, which knows their tags; of pyvips there is only the source, in Python."""
    locked = ["uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
    requirements = subprocess.run(
        locked, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "requirements.txt").write_text(requirements)
    target: list[str | Path] = [
        "--python-platform",
        system,
        "--python-version",
        version,
        "--target",
        tmp_path / "t",
    ]
    wheels = ["--only-binary", ":all:", "--no-binary", "pyvips", "--require-hashes"]
    done = subprocess.run(
        [
            "uv",
            "pip",
            "install",
            "--dry-run",
            *target,
            *wheels,
            "-r",
            tmp_path / "requirements.txt",
        ],
        cwd=ROOT,
        env=os.environ | SYSTEMS[system],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Would install \d\d packages", done.stderr)
