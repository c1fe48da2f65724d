"""The console as `make console` starts it, with a real execution."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from emulator.engine import HOST, ROOT
from quantization_client.stack import Stack
from tests.support.fixtures import Command

LIMIT_SECONDS = 60


@pytest.fixture(scope="module")
def page(stack: Stack, engine_port: int) -> Iterator[str]:
    """Run `make console`; return the address that it prints."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    # A job in the background of a shell ignores SIGINT, and so would all that it starts.
    command = [
        *("env", "--default-signal=INT"),
        sys.executable,
        "-m",
        "emulator.console",
        f"--port={port}",
        f"--engine={engine_port}",
    ]
    console = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert console.stdout is not None
    try:
        yield console.stdout.readline().strip()
    finally:
        console.send_signal(signal.SIGINT)
        assert console.wait(LIMIT_SECONDS) == 0
        console.stdout.close()


def test_real_execution_is_shown_with_each_k_and_its_true_score(
    browser: Chrome,
    emulate: Callable[[int, str], None],
    page: str,
    quantize: Command,
    tmp_path: Path,
) -> None:
    done = quantize("--json", "--out", tmp_path)
    line = json.loads(done.stdout)
    result = json.loads(Path(line["files"]["result"]).read_text())
    emulate(1200, "light")

    browser.get(f"{page}executions/{line['execution']}")

    rows = browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')].map("
        "(row) => [...row.cells].map((cell) => cell.innerText))"
    )
    found = {
        int(state.removesuffix(" ★").split()[1]): (status, silhouette, error)
        for state, status, silhouette, error, *_ in rows
        if state.startswith("ScoreK")
    }
    assert found == {
        score["k"]: ("Succeeded", f"{score['silhouette']:.4f}", f"{score['error']:.4f}")
        for score in result["scores"]
    }
    assert len(found) == 25
    assert float(next(row for row in rows if row[0] == "Render")[4]) > 0
    report = browser.find_element("link text", "report").get_attribute("href")
    assert report is not None
    with urllib.request.urlopen(report) as answer:
        assert b"<!doctype html>" in answer.read(100).lower()


def test_without_engine_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulator.console", "--engine=1999"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "no engine runs on port 1999; `make run` starts one" in done.stderr
