"""The local console as people see and use it, with executions of scripted functions."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from emulator import engine
from emulator.console import EXPRESS_LOGS, Console, server
from quantization_client.stack import Stack
from tests.support.cloud import until
from tests.support.fixtures import Aws
from tests.support.pages import log_of, overflow, violations
from tests.support.scripted import ScriptedMachine

SCORES = {"8": 0.3, "9": 0.7, "10": 0.6, "11": 0.5}
SCRIPTS: dict[str, dict[str, Any]] = {
    "done": {"silhouettes": SCORES, "score": {"10": "MemoryError"}},
    "refused": {"sample": "UnsupportedImage"},
    "crashed": {"score": {"9": "StorageRejected"}},
    "tried again": {"render": "StorageFault", "once": True},
    "running": {"held": True, "ks": [8]},
    "stopped": {"held": True, "ks": [8]},
}


@pytest.fixture(scope="module")
def executions(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run what may become of an upload on one machine; return the executions' ARNs."""
    run = ScriptedMachine(aws, tmp_path_factory.mktemp("calls"))
    # What runs is to run on while it is looked at.
    machine = run.create(TimeoutSeconds=900)
    arns = {name: run.start(machine, script) for name, script in SCRIPTS.items()}

    def is_scoring(name: str) -> bool:
        events = run.history({"executionArn": arns[name]})
        return any(event["type"] == "MapIterationStarted" for event in events)

    aws("logs").create_log_group(logGroupName=EXPRESS_LOGS)
    nested = run.create(run.create_express(EXPRESS_LOGS))
    arns["nested"] = run.start(nested, SCRIPTS["done"])
    until(lambda: is_scoring("stopped") and is_scoring("running"))
    run.states.stop_execution(executionArn=arns["stopped"])
    for name, arn in arns.items():
        if name != "running":
            run.ended(arn)
    yield {"machine": machine, **arns}
    run.let_go()


@pytest.fixture(scope="module")
def console(aws: Aws, executions: dict[str, str]) -> Iterator[str]:
    """Serve the console; return its address."""
    stack = SimpleNamespace(
        states=aws("stepfunctions"), state_machine=executions["machine"], backfills={}
    )
    with server(0, Console(lambda: cast(Stack, stack), aws("logs"), "http://127.0.0.1:9")) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://{engine.HOST}:{web.server_address[1]}"
        web.shutdown()


@pytest.fixture
def open_page(browser: Chrome, console: str, executions: dict[str, str]) -> Callable[..., None]:
    """Open the page of one of the executions, or their list."""

    def open_it(name: str = "", query: str = "") -> None:
        log_of(browser, "browser")
        path = f"/executions/{quote(executions[name])}" if name else "/"
        browser.get(console + path + query)

    return open_it


def rows(browser: Chrome) -> list[list[str]]:
    """Return the texts of the table."""
    table: list[list[str]] = browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')].map("
        "(row) => [...row.cells].map((cell) => cell.innerText.trim().replaceAll('\\xa0', ' ')))"
    )
    return table


def graph(browser: Chrome) -> dict[str, str]:
    """Return what the graph says became of each state."""
    texts = browser.execute_script(
        "return [...document.querySelectorAll('svg g')].map("
        "(box) => [...box.querySelectorAll('text')].map((text) => text.textContent))"
    )
    return dict(texts)


def shown(browser: Chrome, title: str) -> Any:
    """Return the JSON under a title."""
    details = browser.find_element(By.XPATH, f"//details[summary[normalize-space()='{title}']]")
    return json.loads(str(details.find_element(By.TAG_NAME, "pre").get_property("textContent")))


def test_list_names_the_image_its_k_and_what_became_of_it(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()

    listed = {row[0]: row[1:3] for row in rows(browser)}
    assert listed.keys() == {json.dumps(script) for script in SCRIPTS.values()}
    of = {name: listed[json.dumps(script)] for name, script in SCRIPTS.items()}
    assert of["done"] == ["9", "Succeeded"]
    assert of["refused"] == ["", "Failed UnsupportedImage"]
    assert of["crashed"] == ["", "Failed StorageRejected"]
    browser.find_element(By.LINK_TEXT, json.dumps(SCRIPTS["done"])).click()
    assert browser.find_element(By.TAG_NAME, "h1").text == json.dumps(SCRIPTS["done"])


def test_list_may_be_of_one_status(browser: Chrome, open_page: Callable[..., None]) -> None:
    open_page()
    browser.find_element(By.LINK_TEXT, "failed").click()

    assert {row[2].split()[0] for row in rows(browser)} == {"Failed"}
    assert len(rows(browser)) == 2


def test_every_k_has_its_own_row_with_its_own_input_output_and_score(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page("done")

    of_k = {row[0].removesuffix(" ★"): row for row in rows(browser)}
    for k, silhouette in SCORES.items():
        row = of_k[f"ScoreK {k}"]
        if k == "10":
            assert row[1:3] == ["Caught error MemoryError", ""]
            assert of_k["SkipK 10"][1] == "Succeeded"
        else:
            assert row[1:4] == ["Succeeded", f"{silhouette:.4f}", f"{1 / int(k):.4f}"]
            assert float(row[4]) >= 0
    assert [row[0] for row in rows(browser) if "★" in row[0]] == ["ScoreK 9 ★"]
    for k in ("8", "9", "11"):
        open_page("done")
        browser.find_element(By.LINK_TEXT, f"ScoreK {k}").click()
        assert shown(browser, "Input")["k"] == int(k)
        assert shown(browser, "Output")["silhouette"] == SCORES[k]


def test_every_k_that_an_express_workflow_scored_has_its_own_row(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page("nested")
    assert graph(browser)["ScoreInExpress"] == "Succeeded"
    browser.find_element(By.LINK_TEXT, "ScoreInExpress").click()
    browser.find_element(By.LINK_TEXT, "The Express execution").click()

    of_k = {row[0]: row for row in rows(browser)}
    assert browser.find_element(By.TAG_NAME, "h1").text == json.dumps(SCRIPTS["done"])
    drawn = graph(browser)
    assert {name: drawn[name] for name, status in drawn.items() if status != "Not started"} == {
        "CheckInput": "Succeeded",
        "TakeSample": "Succeeded",
        "CheckScores": "Succeeded",
        "ReturnScores": "Succeeded",
        "ScoreEachK": "Succeeded",
        "ScoreK": "Caught error (4)",
        "SkipK": "Succeeded",
    }
    for k in ("8", "9", "11"):
        assert of_k[f"ScoreK {k}"][1:3] == ["Succeeded", f"{SCORES[k]:.4f}"]
    browser.find_element(By.LINK_TEXT, "ScoreK 11").click()
    assert (shown(browser, "Input")["k"], shown(browser, "Output")["silhouette"]) == (11, 0.5)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        (
            "done",
            {
                "Sample": "Succeeded",
                "ScoreEachK": "Succeeded",
                "ScoreK": "Caught error (4)",
                "SkipK": "Succeeded",
                "Render": "Succeeded",
                "RecordFailure": "Not started",
                "RefuseImage": "Not started",
            },
        ),
        (
            "refused",
            {
                "Sample": "Caught error",
                "ScoreEachK": "Not started",
                "ScoreK": "Not started",
                "RecordFailure": "Succeeded",
                "RefuseImage": "Failed",
            },
        ),
        (
            "crashed",
            {"ScoreEachK": "Failed", "ScoreK": "Failed (4)", "CheckScores": "Not started"},
        ),
        ("tried again", {"Render": "Succeeded", "RefuseImage": "Not started"}),
        ("running", {"ScoreEachK": "In progress", "ScoreK": "In progress"}),
        ("stopped", {"ScoreEachK": "Canceled", "ScoreK": "Canceled", "Sample": "Succeeded"}),
    ],
)
def test_states_are_told_and_colored_by_what_became_of_them(
    browser: Chrome, open_page: Callable[..., None], name: str, statuses: dict[str, str]
) -> None:
    open_page(name)

    assert graph(browser).items() >= statuses.items()
    strokes: dict[str, set[str]] = {}
    for box in browser.find_elements(By.CSS_SELECTOR, "svg g"):
        name, status = (text.text for text in box.find_elements(By.TAG_NAME, "text"))
        stroke = box.find_element(By.TAG_NAME, "rect").value_of_css_property("stroke")
        strokes.setdefault(status.partition(" (")[0], set()).add(stroke)
    assert all(len(colors) == 1 for colors in strokes.values())
    assert len(set.union(*strokes.values())) == len(strokes)


def test_state_is_chosen_by_click_and_by_key_and_has_an_address(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page("refused")
    state = browser.find_element(By.XPATH, "//*[local-name()='text'][.='Sample']")
    state.click()
    assert browser.current_url.endswith("?state=Sample")
    assert shown(browser, "Error")["error"] == "UnsupportedImage"
    assert shown(browser, "Definition")["TimeoutSeconds"] == 150
    assert browser.find_element(By.CSS_SELECTOR, "svg .current + text").text == "Sample"

    link = browser.find_element(By.CSS_SELECTOR, "svg a[href='?state=Render']")
    browser.execute_script("arguments[0].focus()", link)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: browser.current_url.endswith("?state=Render"))
    assert "Not entered." in browser.find_element(By.TAG_NAME, "main").text

    address = browser.current_url
    open_page()
    browser.get(address)
    assert browser.find_element(By.CSS_SELECTOR, "svg .current + text").text == "Render"


def test_attempts_are_counted(browser: Chrome, open_page: Callable[..., None]) -> None:
    open_page("tried again")

    (render,) = [row for row in rows(browser) if row[0] == "Render"]
    assert render[1] == "Succeeded 2 attempts StorageFault"


def test_page_follows_a_running_execution_and_keeps_its_place(
    browser: Chrome, aws: Aws, executions: dict[str, str], console: str
) -> None:
    states = aws("stepfunctions")
    given = states.describe_execution(executionArn=executions["running"])["input"]
    arn = states.start_execution(stateMachineArn=executions["machine"], input=given)["executionArn"]
    browser.get(f"{console}/executions/{quote(arn)}?state=ScoreEachK")
    until(lambda: graph(browser)["ScoreK"] == "In progress")
    until(lambda: browser.find_elements(By.LINK_TEXT, "ScoreK 8"))
    link = browser.find_element(By.CSS_SELECTOR, "svg a[href='?state=Render']")
    browser.execute_script("arguments[0].focus()", link)

    states.stop_execution(executionArn=arn)

    until(lambda: graph(browser)["ScoreK"] == "Canceled")
    assert browser.switch_to.active_element.get_dom_attribute("href") == "?state=Render"
    assert log_of(browser, "browser") == []


@pytest.mark.parametrize("name", ["", "done", "refused", "crashed", "running", "stopped", "nested"])
def test_it_fits_and_axe_finds_no_violation(
    browser: Chrome,
    open_page: Callable[..., None],
    emulate: Callable[[int, str], None],
    name: str,
) -> None:
    open_page(name, "?state=Sample" if name else "")
    for width, scheme in ((375, "light"), (375, "dark"), (1200, "light"), (1200, "dark")):
        emulate(width, scheme)
        assert violations(browser) == [], (width, scheme)
        assert overflow(browser) <= 0, (width, scheme)
    assert log_of(browser, "browser") == []


def test_history_is_whole(console: str, executions: dict[str, str]) -> None:
    address = f"{console}/executions/{quote(executions['done'])}/history.json"
    with urllib.request.urlopen(address) as answer:
        events = json.load(answer)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "ExecutionSucceeded"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/executions/arn:aws:states:us-east-1:0:execution:no:no", {}),
        ("/no", {}),
        ("/?machine=no", {}),
        ("/", {"Host": "example.com"}),
    ],
)
def test_address_of_nothing_and_another_sites_name_are_refused(
    console: str, path: str, headers: dict[str, str]
) -> None:
    request = urllib.request.Request(console + path, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 404
    assert "access-control-allow-origin" not in refused.value.headers
    refused.value.close()


def test_step_that_is_none_shows_the_execution(console: str, executions: dict[str, str]) -> None:
    for step in ("x", "-1", "²", "1" * 5000):
        address = f"{console}/executions/{quote(executions['done'])}?step={quote(step)}"
        with urllib.request.urlopen(address) as answer:
            assert "Choose a state" in answer.read().decode()


def test_nothing_can_be_changed(console: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(console, data=b"")
    assert refused.value.code == 501
    refused.value.close()
