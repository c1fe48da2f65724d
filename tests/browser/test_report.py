"""The report as people see and use it."""

import json
import time

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from quantization.color import from_hex
from quantization.contract import Score, Source, Swatch
from quantization.decoding import open_image
from quantization.options import Options
from quantization.recolor import recolor
from quantization.report.page import report
from quantization.report.previews import OriginalPreview, preview_of_result
from tests.support.results import result_with

COLORS = ["#7f8c5a", "#c7d7e9", "#19160f", "#ce8f66", "#eaf1f9", "#453d2b"]


@pytest.fixture(scope="module")
def page(browser, photo, tmp_path_factory):
    """Open the report of the photo; return its address."""
    image = open_image(photo, max_pixels=10**6)
    original = OriginalPreview(image)
    recolored = recolor(image, from_hex(COLORS), watch=original.add)
    result = result_with(
        source=Source(
            *("input", "photos/späth & Söhne.jpg", "v1", "e", "0A"),
            width=image.width,
            height=image.height,
        ),
        options=Options(error_budget=2.5),
        picks={"silhouette": 8, "guarded": 14},
        silhouette_at="edge",
        k=14,
        palette=[Swatch(color, 1 / len(COLORS)) for color in COLORS],
        scores=[Score(k=k, silhouette=4 / k, inertia=1e6 / k, error=40 / k) for k in range(8, 33)],
        sample_size=2048,
    )
    html = report(result, original.encode(), preview_of_result(recolored), {"Sample": 0.3})
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(autouse=True)
def opened(browser, page):
    """Open the page anew for each test."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page)


def split(browser) -> str:
    return browser.execute_script(
        "return document.getElementById('compare').style.getPropertyValue('--split')"
    )


def overflow(browser) -> int:
    return browser.execute_script(
        "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    )


def test_it_needs_no_network_and_says_no_error(browser, page):
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {
        message["params"]["request"]["url"].partition(",")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert requested <= {page, "data:image/webp;base64", "data:image/png;base64"}
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight])"
    )
    assert sizes == [[True, 640, 427]] * 2


@pytest.mark.parametrize("width", [375, 1200])
def test_it_fits_the_screen(browser, emulate, width):
    emulate(width, "light")

    assert overflow(browser) <= 0
    first, second = (i.rect for i in browser.find_elements(By.TAG_NAME, "img"))
    assert first == second
    assert first["width"] / first["height"] == pytest.approx(640 / 427, rel=0.01)
    assert first["width"] == pytest.approx(min(640, width - 32), abs=1)


def test_arrow_keys_move_the_slider(browser):
    slider = browser.find_element(By.ID, "split")
    slider.send_keys(Keys.HOME)
    assert split(browser) == "0%"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert split(browser) == "1%"
    assert slider.get_attribute("aria-valuetext") == "1 % original"
    slider.send_keys(Keys.END)
    assert split(browser) == "100%"


def test_what_the_slider_uncovers_is_the_result(browser, emulate):
    emulate(1200, "light")
    compare = browser.find_element(By.ID, "compare")

    def colors_seen(position: str) -> int:
        browser.find_element(By.ID, "split").send_keys(position)
        png = np.frombuffer(compare.screenshot_as_png, np.uint8)
        pixels = cv2.imdecode(png, cv2.IMREAD_COLOR)[5:-5, 30:-30].reshape(-1, 3)
        return len(np.unique(pixels, axis=0))

    # The handle at the edge is out of the part that is looked at.
    assert colors_seen(Keys.HOME) <= len(COLORS)
    assert colors_seen(Keys.END) > 10000


def test_dragging_on_the_picture_moves_the_slider(browser, emulate):
    emulate(1200, "light")
    compare = browser.find_element(By.ID, "compare")
    quarter = -compare.rect["width"] // 4
    ActionChains(browser).move_to_element_with_offset(compare, quarter, 0).click().perform()

    assert float(split(browser).rstrip("%")) == pytest.approx(25, abs=2)


def test_click_copies_the_color(browser, page):
    for name in ("clipboardReadWrite", "clipboardSanitizedWrite"):
        browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": [name]})
    buttons = browser.find_elements(By.CSS_SELECTOR, ".palette button")
    assert [button.text.split()[0] for button in buttons] == COLORS

    buttons[3].click()

    deadline = time.monotonic() + 10
    while not (said := browser.find_element(By.ID, "copied").text) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said == f"{COLORS[3]} copied."
    field = browser.execute_script(
        "const field = document.body.appendChild(document.createElement('textarea'));"
        "field.focus(); return field"
    )
    field.send_keys(Keys.CONTROL, "v")
    assert field.get_property("value") == COLORS[3]


CONTRASTS = """
const luminance = (color) => {
  const [r, g, b] = color.match(/\\d+/g).map(Number).map((level) => {
    const x = level / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const page = luminance(getComputedStyle(document.body).backgroundColor);
const found = {};
const selector = "h1, h2, p, a, code, small, th, td, dt, dd, text";
for (const element of document.querySelectorAll(selector)) {
  const style = getComputedStyle(element);
  const text = luminance(element.tagName === "text" ? style.fill : style.color);
  found[element.tagName] = Math.min(
    found[element.tagName] ?? 21, (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05));
}
return [page, found];
"""


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_text_can_be_read(browser, emulate, scheme, dark):
    """Contrast is at least 4.5, as WCAG 2.2 wants it of text (success criterion 1.4.3)."""
    emulate(1200, scheme)

    page, contrasts = browser.execute_script(CONTRASTS)

    assert (page < 0.5) is dark
    assert {"H1", "P", "A", "SMALL", "text"} <= contrasts.keys()
    assert min(contrasts.values()) >= 4.5, contrasts


def test_screen_reader_is_told_everything(browser):
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    names = {}
    for node in nodes:
        if not node["ignored"] and "role" in node:
            name = node.get("name", {}).get("value", "")
            names.setdefault(node["role"]["value"], []).append(name)

    assert names["slider"] == ["Where the original ends and the result begins"]
    assert names["button"] == [f"{color} 16.7%" for color in COLORS]
    assert "späth & Söhne.jpg in 14 colors" in names["heading"]
    assert "status" in names
    pictures = names["image"]
    assert pictures[:2] == ["The original", "The result in 14 colors"]
    assert len(pictures) == 4
    assert all("silhouette picks 8, guarded picks 14" in name for name in pictures[2:])


def test_numbers_open_and_scroll_within_the_page(browser, emulate):
    emulate(375, "light")
    browser.find_element(By.TAG_NAME, "summary").click()

    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert len(rows) == 25
    assert rows[0].text.split() == ["8", "0.5000", "5.000", "125,000", "picked", "by", "silhouette"]
    assert overflow(browser) <= 0
