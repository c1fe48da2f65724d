"""The web view of the local engine's executions, on a real one."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as ec
from selenium.webdriver.support.wait import WebDriverWait

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
    command = [
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


@pytest.fixture(scope="module")
def execution(quantize: Command, tmp_path_factory: pytest.TempPathFactory) -> str:
    done = quantize("--json", "--out", tmp_path_factory.mktemp("console"))
    arn: str = json.loads(done.stdout)["execution"]
    return arn


def test_execution_is_shown_whole(
    browser: Chrome, emulate: Callable[[int, str], None], page: str, execution: str
) -> None:
    emulate(1200, "light")
    wait = WebDriverWait(browser, LIMIT_SECONDS)

    def press(text: str) -> None:
        wait.until(ec.element_to_be_clickable((By.XPATH, f"//*[text()='{text}']"))).click()

    def shown() -> str:
        dialogs = browser.find_elements(By.CSS_SELECTOR, "[role=dialog]")
        return " ".join(str(dialog.get_property("textContent")) for dialog in dialogs)

    browser.get(page)
    press(execution.rpartition(":")[2])
    wait.until(lambda _: "Execution path" in shown())
    for name in ("Sample", "ScoreEachK", "ScoreK", "SkipK", "ChooseK", "Render"):
        assert name in shown()

    press("Timeline")
    wait.until(lambda _: "ScoreEachKMap" in shown())
    assert "RenderTask" in shown()
    assert "progress" not in shown().lower()

    press("Raw")
    wait.until(lambda _: "MapIterationSucceeded" in shown())
    for index in range(25):
        assert f'"index": {index}\n' in shown()
    assert '"ExecutionSucceeded"' in shown()


def test_no_other_site_may_ask(page: str) -> None:
    address = page.partition("/resources")[0] + "/api/stepfunctions/state-machines"
    request = urllib.request.Request(address, headers={"Origin": "https://example.com"})
    with urllib.request.urlopen(request) as answer:
        assert len(json.load(answer)["stateMachines"]) >= 1
        assert "access-control-allow-origin" not in answer.headers
    assert page.startswith(f"http://{HOST}:")


def test_without_engine_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulator.console", "--engine=9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "no engine runs on port 9; `make run` starts one" in done.stderr
