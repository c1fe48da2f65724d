"""What tests ask of any page in the browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tools.screenshots import chromium

AXE = Path(
    str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js"))
)


@contextmanager
def open_browser() -> Iterator[Chrome | None]:
    """Start a headless Chromium, as Debian packages it; yield None where there is none."""
    program, driver = chromium(), shutil.which("chromedriver")
    if not (program and driver):
        yield None
        return
    options = ChromeOptions()
    options.binary_location = program
    # Chromium has no sandbox for root, nor in most containers.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options, Service(driver)) as chrome:
        yield chrome


def log_of(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """Return, and forget, what was logged since the last look."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call] # Selenium's
    return entries


def overflow(browser: Chrome) -> int:
    """Return by how many pixels the page is wider than the window."""
    width: int = browser.execute_script(
        "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    )
    return width


def violations(browser: Chrome) -> list[tuple[str, list[str]]]:
    """Return what axe finds, with every section of the page open."""
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "axe.run(document).then((found) => arguments[0](found.violations))"
    )
    return [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]
