"""The local engine's stack is built and deployed once, whoever asks for it at the same time."""

import errno
import os
import shutil
import threading
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from samcli.cli.types import CfnParameterOverridesType

from emulator import deploy as module
from emulator import engine, layers
from emulator.deploy import DeployError, as_sam_takes_them, deploy
from tests.support.cloud import free_port


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Say which commands of sam were called; each takes a moment, and two at once fail."""
    called: list[str] = []
    busy = threading.Lock()

    def sam(command: str, *_arguments: str, environment: object = None) -> None:
        assert busy.acquire(blocking=False), "two at once"
        called.append(command)
        time.sleep(0.2)
        busy.release()

    monkeypatch.setattr(module, "_sam", sam)
    monkeypatch.setattr(module, "_finish", lambda *_: None)
    monkeypatch.setattr(layers, "hand_over", lambda *_: None)
    monkeypatch.setattr(module, "BUILDS", tmp_path / "builds")
    monkeypatch.setattr(engine, "start", engine.endpoint)
    monkeypatch.setattr(engine, "clients", lambda _port: MagicMock())
    monkeypatch.setattr(engine, "check_port_is_free", lambda *_: None)
    monkeypatch.setattr(engine, "state_directory", lambda _port: tmp_path)
    return called


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the one file that builds are made of; it says "one"."""
    file = tmp_path / "source"
    file.write_text("one")
    monkeypatch.setattr(module, "_source_files", lambda: [file])
    monkeypatch.setattr(engine, "ROOT", tmp_path)
    return file


def test_sam_reads_parameters_as_they_are() -> None:
    parameters = {"KmsKeyArn": "", "FormerKmsKeyArns": "arn:a,arn:b", "KMax": "16"}
    read = CfnParameterOverridesType().convert(as_sam_takes_them(parameters), None, None)
    assert read == parameters


def test_two_at_once_deploy_once(calls: list[str]) -> None:
    threads = [threading.Thread(target=deploy, args=[4566]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == ["build", "deploy"]


def test_engine_starts_while_the_stack_is_built(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_port: int) -> str:
        deadline = time.monotonic() + 60
        while "build" not in calls:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise engine.StartError("it did not")

    monkeypatch.setattr(engine, "start", start)

    with pytest.raises(engine.StartError):
        deploy(4566)

    assert calls == ["build"]


def test_port_of_another_program_is_told_before_anything_is_built(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(port: int, variable: str) -> None:
        raise engine.PortTakenError(f"{variable} {port}")

    monkeypatch.setattr(engine, "check_port_is_free", check)

    with pytest.raises(engine.PortTakenError):
        deploy(4566)

    assert calls == []


def test_other_parameters_do_not_build_anew_but_other_sources_do(
    calls: list[str], source: Path
) -> None:
    deploy(4566)
    deploy(4566, {"KMax": "16"})
    assert calls == ["build", "deploy", "deploy"]

    source.write_text("two")
    deploy(4566, {"KMax": "16"})
    assert calls == ["build", "deploy", "deploy", "build", "deploy"]


def test_deployment_that_failed_is_not_taken_for_the_one_before(
    calls: list[str], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(4566)

    def fail(*_: object) -> None:
        raise DeployError

    with monkeypatch.context() as failing:
        failing.setattr(layers, "hand_over", fail)
        source.write_text("two")
        with pytest.raises(DeployError):
            deploy(4566)
    source.write_text("one")
    deploy(4566)

    assert calls == ["build", "deploy", "build", "build", "deploy"]


def test_what_prepares_a_build_is_of_its_sources() -> None:
    assert {Path(module.__file__), Path(layers.__file__)} <= {*module._source_files()}


def test_folder_that_takes_no_files_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(engine, "HOME", tmp_path / "file" / "engine")
    monkeypatch.setattr(module, "BUILDS", tmp_path / "file" / "builds")

    with pytest.raises(engine.StartError, match=r"^\[Errno 20\] Not a directory: .*/engine'$"):
        engine.start(free_port())
    with pytest.raises(DeployError, match=r"^\[Errno 20\] Not a directory: .*/builds'$"):
        module.build("arm64")


@pytest.mark.usefixtures("calls")
def test_disk_that_is_full_of_layers_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    for name in ("one.so", "two.so"):
        (layer / name).touch()

    def copy(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    def hand_over(*_: object) -> None:
        shutil.copytree(layer, tmp_path / "unpacked", copy_function=copy)

    monkeypatch.setattr(layers, "hand_over", hand_over)

    with pytest.raises(DeployError, match=r"^\[Errno 28\] No space left on device: '.*\.so'$"):
        deploy(4566)


def test_failure_of_sam_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sam = tmp_path / "sam"
    sam.write_text(
        "#!/bin/sh\necho Building\necho Error: no room\necho\necho '. Try it on sale!'\nexit 1\n"
    )
    sam.chmod(0o755)
    monkeypatch.setattr(module, "SAM", sam)
    monkeypatch.setattr(module, "BUILDS", tmp_path)

    with pytest.raises(DeployError) as caught:
        module.build("arm64")

    assert str(caught.value) == (
        f"sam build failed: Error: no room; all it said: {tmp_path / 'build.log'}"
    )


def test_sam_is_the_projects_own_without_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert module.SAM.is_file()
    monkeypatch.setattr(module, "BUILDS", tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    module._sam("--version")
