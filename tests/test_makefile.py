"""Slips on make's command line are refused, and what it builds may lie in any folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import engine
from emulator.engine import ROOT
from emulator.invoke import EVENTS, invoke
from tests.support.cloud import free_port


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The tests are run by make too, of which this one is to know nothing.
    own = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in own},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("slip", "advice"),
    [
        ("README.md", 'make run IMAGE="README.md"'),
        ("none.jpg", 'make run IMAGE="none.jpg"'),
        ("IMAGES=photos", "choose from IMAGE OUT"),
        ("image=photo.jpg", "choose from IMAGE OUT"),
    ],
)
def test_slip_is_refused_in_one_line_before_anything_is_done(slip: str, advice: str) -> None:
    done = make("--dry-run", "run", slip)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert advice in line


@pytest.mark.parametrize(
    "arguments",
    [["run", "IMAGE=a b.jpg", "OUT=c d", "AWS_PROFILE=e"], ["stop", "run"], ["benchmark-render"]],
)
def test_what_there_is_is_taken(arguments: list[str]) -> None:
    assert make("--dry-run", *arguments).returncode == 0


def test_value_with_a_dollar_is_taken_as_it_is() -> None:
    tag = "v$b $(shell echo 9) $$"

    assert f"the tag is {tag}, but" in make("release", f"TAG={tag}").stderr


@pytest.mark.parametrize(
    ("module", "port"),
    [
        ("quantize", "abc"),
        ("quantize", "0"),
        ("quantize", "99999"),
        ("engine", "abc"),
        ("console", "abc"),
        ("deploy", "abc"),
    ],
)
def test_port_that_is_none_is_bad_usage(module: str, port: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"emulator.{module}", *["status"] * (module == "engine")],
        cwd=ROOT,
        env=os.environ | {"ENGINE_PORT": port},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"'{port}' is not a port from 1024 to 65535" in done.stderr.splitlines()[-1]


def test_function_is_not_invoked_where_no_engine_runs(tmp_path: Path) -> None:
    variables = tmp_path / "env.json"
    endpoint = engine.endpoint(free_port())
    variables.write_text(json.dumps({"Parameters": {"AWS_ENDPOINT_URL_S3": endpoint}}))

    with pytest.raises(engine.EngineError, match="no engine runs on port"):
        invoke("SampleFunction", EVENTS["SampleFunction"], variables, [])


@pytest.mark.parametrize("what", ["arm64", "x86_64", "function"])
def test_builds_where_the_folder_has_spaces(what: str, tmp_path: Path) -> None:
    checkout = tmp_path / "a  checkout with spaces"
    shutil.copytree(ROOT / "layers/build", checkout / "layers/build")
    python = tmp_path / "bin/python3.13"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    target = checkout / "artifacts"

    done = subprocess.run(
        ["make", "--makefile", checkout / f"layers/build/{what}/Makefile", "--silent", "build-One"],
        cwd=tmp_path,
        env=os.environ
        | {"ARTIFACTS_DIR": str(target), "PATH": f"{python.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    script, *_, artifacts = done.stdout.splitlines()
    assert Path(script).resolve() == checkout / "layers/build/artifact.py"
    assert Path(artifacts).is_relative_to(target)
