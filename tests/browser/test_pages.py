"""The published pages as people see them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.support.pages import log_of, overflow, violations
from tools.exhibits import EXHIBITS
from tools.pages import write


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    houses = [exhibit for exhibit in EXHIBITS if exhibit.name == "houses"]
    return write(tmp_path_factory.mktemp("pages"), houses)


@pytest.mark.parametrize("width", [320, 1280])
def test_pictures_are_of_one_size_and_nothing_is_cut_off(
    browser: Chrome, emulate: Callable[[int, str], None], index: Path, width: int
) -> None:
    emulate(width, "light")
    log_of(browser, "browser")
    browser.get(index.as_uri())

    sizes = {tuple(i.size.values()) for i in browser.find_elements(By.TAG_NAME, "img")}
    assert len(sizes) == 1
    assert overflow(browser) == 0
    assert log_of(browser, "browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(
    browser: Chrome, emulate: Callable[[int, str], None], index: Path, scheme: str
) -> None:
    emulate(390, scheme)
    browser.get(index.as_uri())

    assert violations(browser) == []


def test_each_picture_leads_to_its_report(browser: Chrome, index: Path) -> None:
    browser.get(index.as_uri())
    links = {link.get_attribute("href") for link in browser.find_elements(By.TAG_NAME, "a")}

    assert len(links) == 2
    for link in links:
        browser.get(str(link))
        assert "houses.png in 12 colors" in browser.title
