"""The engine starts and stops as told, and keeps to itself."""

import os
import socket
from collections.abc import Iterator

import pytest

from emulator import engine
from tests.support.cloud import Cloud, free_port, until


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    yield port
    engine.stop(port)


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_stop_leaves_nothing(port: int) -> None:
    cloud = Cloud(engine.start(port))
    code = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += "def handler(event, context): return [os.getpid(), os.getppid()]"
    processes = cloud.call(cloud.function(code))
    assert engine.stop(port)
    until(lambda: all(map(gone, processes)))
    assert not engine.state_directory(port).exists()
    assert not engine.is_running(port)
    assert not engine.stop(port)


def test_second_start_finds_the_first(patched: Cloud, engine_port: int) -> None:
    bucket = patched.bucket()
    again = Cloud(engine.start(engine_port))
    assert bucket in [b["Name"] for b in again.buckets.list_buckets()["Buckets"]]


def test_engines_on_two_ports_are_independent(patched: Cloud, port: int) -> None:
    bucket = patched.bucket()
    other = Cloud(engine.start(port, {"MINISTACK_ACCOUNT_ID": "000000000000"}))
    assert bucket not in [b["Name"] for b in other.buckets.list_buckets()["Buckets"]]
    engine.stop(port)
    patched.buckets.head_bucket(Bucket=bucket)


def test_port_that_is_taken_is_named_with_the_way_out(port: int) -> None:
    other = socket.create_server(("127.0.0.1", port))
    with other, pytest.raises(engine.PortTakenError) as refused:
        engine.start(port)
    assert str(port) in str(refused.value)
    assert f"ENGINE_PORT={port + 1}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_only_this_machine_is_served(engine_port: int) -> None:
    with socket.socket() as elsewhere:
        assert elsewhere.connect_ex(("127.0.0.2", engine_port)) != 0


def test_engine_that_cannot_start_says_why(port: int) -> None:
    with pytest.raises(engine.StartError, match="invalid literal for int"):
        engine.start(port, {"GATEWAY_PORT": "none"})
    assert not engine.is_running(port)


def test_interrupted_start_leaves_nothing(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        assert engine.is_running(port)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "_wait_until_healthy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.start(port)
    assert not engine.is_running(port)
    assert not engine.state_directory(port).exists()


def test_leftover_of_a_killed_engine_is_not_taken_for_one(port: int) -> None:
    engine.state_directory(port).mkdir(parents=True)
    (engine.state_directory(port) / "process-group").write_text(str(os.getpgrp()))
    assert not engine.is_running(port)
    assert not engine.stop(port)
