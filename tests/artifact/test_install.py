"""`pip install .` in an empty environment gives working commands."""

import os
import subprocess
from pathlib import Path

import pytest

import quantization
from emulator import engine
from emulator.engine import ROOT


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the project into an environment of its own; return its folder of commands."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run(["uv", "venv", "--quiet", "--python=3.13", environment], check=True)
    python = environment / "bin/python"
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, ROOT], check=True)
    return environment / "bin"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        cwd="/",
        env={"PATH": os.environ["PATH"]} | engine.aws_environment("http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_say_their_help_and_version(installed: Path) -> None:
    assert run(installed / "quantize", "--help").stdout.startswith("usage: quantize ")
    assert run(installed / "quantize-palettes", "--help").returncode == 0
    version = run(installed / "quantize", "--version").stdout
    assert version == f"quantize {quantization.__version__}\n"


def test_stack_that_cannot_be_reached_is_said_so(
    installed: Path, photo: Path, tmp_path: Path
) -> None:
    done = run(installed / "quantize", photo, "--stack", "any", "--out", tmp_path)

    assert done.returncode == 3, done.stderr
    assert "Could not connect" in done.stderr


def test_nothing_of_the_repository_is_installed_besides(installed: Path) -> None:
    (site,) = installed.parent.glob("lib/*/site-packages")
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
