"""What tests ask of any page in the browser."""

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

AXE = Path(
    str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js"))
)


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
