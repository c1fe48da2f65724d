"""The report as people see and use it."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from quantization.clustering import fit
from quantization.color import to_hex
from quantization.contract import Score, Source, Swatch
from quantization.decoding import open_image
from quantization.nearest import nearest
from quantization.options import Options, Space
from quantization.recolor import recolor
from quantization.report.page import report
from quantization.report.previews import Preview
from quantization.sampling import summarize
from tests.support.pages import log_of, overflow, violations
from tests.support.results import result_with

KS = (8, 14, 20)
LIMIT_SECONDS = 10
VIEWS = [(width, scheme) for width in (375, 1200) for scheme in ("light", "dark")]


def report_of(path: Path, ks: tuple[int, ...] = KS, k: int = 14, space: Space = "oklab") -> str:
    """Write the report of an image with palettes of these K, of which `k` is chosen."""
    image = open_image(path, max_pixels=10**7)
    summary, possible = summarize(
        image.strips(),
        pixels=image.width * image.height,
        k_min=min(ks),
        k_max=max(ks),
        sample_size=200,
    )
    fits = {k: fit(summary, k, space) for k in ks if k in possible} or {
        possible[0]: fit(summary, possible[0], space)
    }
    k = k if k in fits else next(iter(fits))
    preview = Preview(image)
    recolored = recolor(image, fits[k].palette, space=space, watch=preview.add)
    palette = to_hex(recolored.palette)
    result = result_with(
        source=Source(
            *("input", f"photos/späth & {path.name}", "v1", "e", "0A"),
            width=image.width,
            height=image.height,
        ),
        options=Options(k_min=min(ks), k_max=max(ks), space=space),
        picks={"silhouette": min(fits), "guarded": k},
        silhouette_at="edge" if len(fits) > 1 else None,
        k=k,
        palette=[Swatch(c, s) for c, s in zip(palette, recolored.shares.tolist(), strict=True)],
        scores=[
            Score(
                k=n,
                silhouette=f.silhouette,
                inertia=f.inertia,
                error=f.error,
                accent_error=f.accent_error,
                palette=to_hex(f.palette),
            )
            for n, f in fits.items()
        ],
    )
    return report(result, preview, {"Sample": 0.3})


@pytest.fixture(scope="module")
def pages(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the addresses of the reports of varied images."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    flat = np.kron(rng.integers(0, 256, (6, 6, 3)), np.ones((40, 60, 1))).astype(np.uint8)
    soft = cv2.resize(rng.integers(0, 256, (8, 8, 4), dtype=np.uint8), (200, 150))
    picture = np.asarray(cv2.imread(str(photo)), np.uint8)
    drawn = {
        "flat": flat,
        "transparent": soft,
        "panorama": cv2.resize(picture, (4000, 700)),
        "tower": cv2.resize(picture, (60, 900)),
        "icon": cv2.resize(picture, (16, 16)),
        "one-color": np.full((40, 50, 3), 90, dtype=np.uint8),
    }
    files = {"photo": photo}
    for name, pixels in drawn.items():
        files[name] = folder / f"{name}.png"
        cv2.imwrite(str(files[name]), pixels)
    addresses = {}
    for name, path in files.items():
        page = folder / f"{name}.html"
        page.write_text(report_of(path), encoding="utf-8")
        addresses[name] = page.as_uri()
    page = folder / "photo-rgb.html"
    page.write_text(report_of(photo, space="rgb"), encoding="utf-8")
    addresses["photo-rgb"] = page.as_uri()
    return addresses


@pytest.fixture
def open_page(browser: Chrome, pages: dict[str, str]) -> Callable[..., None]:
    """Open the report of an image anew, and wait until its result is drawn."""

    def open_it(name: str = "photo") -> None:
        for log in ("browser", "performance"):
            log_of(browser, log)
        browser.get(pages[name])
        drawn = "return document.getElementById('reading').textContent"
        deadline = time.monotonic() + LIMIT_SECONDS
        while not browser.execute_script(drawn):
            assert time.monotonic() < deadline, log_of(browser, "browser")
            time.sleep(0.05)

    return open_it


def shown(browser: Chrome, which: str = "result") -> NDArray[np.uint8]:
    """Return the visible pixels of the result, or the original, as it is drawn: R, G, B."""
    address = browser.execute_script(
        "const drawn = document.getElementById(arguments[0]);"
        "const canvas = document.createElement('canvas');"
        "[canvas.width, canvas.height] = ['width', 'height'].map((a) => drawn.getAttribute(a));"
        "canvas.getContext('2d').drawImage(drawn, 0, 0);"
        "return canvas.toDataURL()",
        which,
    )
    png = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    pixels = np.asarray(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), np.uint8)
    return pixels[pixels[..., 3] > 0][:, 2::-1]


def colors_shown(browser: Chrome) -> set[str]:
    return set(to_hex(np.unique(shown(browser), axis=0)))


def colors_listed(browser: Chrome) -> list[str]:
    return [code.text for code in browser.find_elements(By.CSS_SELECTOR, "#palette code")]


def dial(browser: Chrome) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, ".dial input.k")


def test_it_needs_no_network_and_says_no_error(
    browser: Chrome, open_page: Callable[..., None], pages: dict[str, str]
) -> None:
    open_page()

    assert log_of(browser, "browser") == []
    assert Path(unquote(urlsplit(pages["photo"]).path)).stat().st_size <= 300_000
    messages = [json.loads(entry["message"])["message"] for entry in log_of(browser, "performance")]
    requested = {
        message["params"]["request"]["url"].partition(",")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert requested <= {pages["photo"], "data:image/jpeg;base64"}


@pytest.mark.parametrize(
    "name", ["photo", "flat", "transparent", "panorama", "tower", "icon", "one-color"]
)
def test_it_fits_every_screen_and_paper_and_axe_finds_no_violation(
    browser: Chrome,
    open_page: Callable[..., None],
    emulate: Callable[..., None],
    name: str,
) -> None:
    open_page(name)
    for width, scheme in VIEWS:
        emulate(width, scheme)
        assert violations(browser) == [], (width, scheme)
        assert overflow(browser) <= 0, (width, scheme)
        original = browser.find_element(By.ID, "original").rect
        assert original == browser.find_element(By.ID, "result").rect, (width, scheme)

    emulate(1200, "dark", contrast="active")
    assert violations(browser) == []
    swatch = browser.find_element(By.CSS_SELECTOR, "#palette svg")
    assert swatch.value_of_css_property("forced-color-adjust") == "none"
    pressed = browser.find_element(By.CSS_SELECTOR, '[aria-pressed="true"]')
    assert pressed.value_of_css_property("forced-color-adjust") == "none"

    emulate(700, "light", media="print")
    original, result = (browser.find_element(By.ID, i).rect for i in ("original", "result"))
    assert (original["width"], original["height"]) == (result["width"], result["height"])
    assert (original["x"], original["y"]) != (result["x"], result["y"])
    assert overflow(browser) <= 0
    assert browser.find_element(By.ID, "palette").is_displayed()
    assert not browser.find_element(By.ID, "download").is_displayed()


def test_paper_has_the_numbers_that_are_folded_up_on_the_screen(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()
    table = browser.find_element(By.TAG_NAME, "table")
    assert not table.is_displayed()
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert table.is_displayed()
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not table.is_displayed()


def test_result_is_drawn_in_the_palette_of_each_k(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()
    dial(browser).send_keys(Keys.HOME)
    fewest = colors_shown(browser)
    dial(browser).send_keys(Keys.END)
    most = colors_shown(browser)

    assert (len(fewest), len(most)) == (min(KS), max(KS))
    assert set(colors_listed(browser)) == most


@pytest.mark.parametrize(("name", "space"), [("photo", "oklab"), ("photo-rgb", "rgb")])
def test_pixels_have_their_nearest_color_as_in_the_file(
    browser: Chrome, open_page: Callable[..., None], name: str, space: Space
) -> None:
    open_page(name)
    original = shown(browser, "original")

    data = browser.find_element(By.ID, "data").get_attribute("textContent")
    for colors in json.loads(str(data))["palettes"].values():
        dial(browser).send_keys(Keys.HOME if len(colors) == min(KS) else Keys.ARROW_RIGHT)
        palette = np.array([list(bytes.fromhex(color[1:])) for color in colors], dtype=np.uint8)
        expected = palette[nearest(original, palette, space)]
        np.testing.assert_array_equal(shown(browser), expected)


def test_k_that_was_not_fitted_is_passed_over(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()
    dial(browser).send_keys(Keys.ARROW_LEFT)

    assert dial(browser).get_property("value") == "8"
    assert "8 colors" in str(dial(browser).get_attribute("aria-valuetext"))


def test_curves_and_picks_choose_k_too(browser: Chrome, open_page: Callable[..., None]) -> None:
    open_page()
    sliders = browser.find_elements(By.CSS_SELECTOR, ".plot input.k")
    assert len(sliders) == 2
    sliders[1].send_keys(Keys.END)
    assert dial(browser).get_property("value") == "20"

    browser.find_element(By.CSS_SELECTOR, 'button[data-k="8"]').click()

    assert {slider.get_property("value") for slider in sliders} == {"8"}
    assert len(colors_listed(browser)) == 8

    slider = browser.find_elements(By.CSS_SELECTOR, ".plot input.k")[0]
    right = slider.size["width"] // 2 - 2
    ActionChains(browser).move_to_element_with_offset(slider, right, 0).click().perform()
    assert dial(browser).get_property("value") == "20"
    ActionChains(browser).click_and_hold().move_by_offset(-2 * right, 0).release().perform()
    assert dial(browser).get_property("value") == "8"


def test_zoom_goes_to_single_pixels_and_the_stage_fills_the_screen(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()
    result = browser.find_element(By.ID, "result")
    for zoom in (1, 4):
        browser.find_element(By.CSS_SELECTOR, f'button[data-zoom="{zoom}"]').click()
        assert result.size["width"] == zoom * int(str(result.get_property("width")))
    browser.find_element(By.ID, "full").click()
    stage = "return document.fullscreenElement?.id"
    deadline = time.monotonic() + LIMIT_SECONDS
    while not browser.execute_script(stage) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert browser.execute_script(stage) == "stage"
    browser.execute_script("return document.exitFullscreen()")


def test_preview_and_adobe_palette_are_saved(
    browser: Chrome, open_page: Callable[..., None], tmp_path: Path
) -> None:
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    open_page()
    dial(browser).send_keys(Keys.HOME)
    deadline = time.monotonic() + LIMIT_SECONDS
    for format_ in ("png", "ase"):
        browser.find_element(By.CSS_SELECTOR, f'#format option[value="{format_}"]').click()
        browser.find_element(By.ID, "download").click()
        while not [*tmp_path.glob(f"*-8.{format_}")] and time.monotonic() < deadline:
            time.sleep(0.05)
    (png,), (ase,) = tmp_path.glob("*.png"), tmp_path.glob("*.ase")
    picture = cv2.cvtColor(np.asarray(cv2.imread(str(png)), np.uint8), cv2.COLOR_BGR2RGB)
    assert set(to_hex(np.unique(picture.reshape(-1, 3), axis=0))) == set(colors_listed(browser))
    assert ase.read_bytes()[:4] == b"ASEF"


def test_split_uncovers_the_result(browser: Chrome, open_page: Callable[..., None]) -> None:
    open_page()
    split = browser.find_element(By.ID, "split")
    split.send_keys(Keys.HOME)
    style = "return document.getElementById('compare').style.getPropertyValue('--split')"
    assert browser.execute_script(style) == "0%"
    split.send_keys(Keys.ARROW_RIGHT)
    assert split.get_attribute("aria-valuetext") == "1 % original"


def test_palette_sorts_and_lights_up_its_pixels(
    browser: Chrome, open_page: Callable[..., None]
) -> None:
    open_page()
    by_use = colors_listed(browser)
    browser.execute_script(
        "const o = document.getElementById('order'); o.value = 'lightness';"
        "o.dispatchEvent(new Event('change'))"
    )
    by_lightness = colors_listed(browser)
    assert sorted(by_use) == sorted(by_lightness)
    assert by_use != by_lightness
    hue = browser.find_element(By.CSS_SELECTOR, '#order option[value="hue"]')
    hue.click()
    assert sorted(colors_listed(browser)) == sorted(by_use)
    assert colors_listed(browser) not in (by_use, by_lightness)

    browser.execute_script("document.querySelector('#palette button').focus()")

    assert "lit" in str(browser.find_element(By.ID, "compare").get_attribute("class"))


def test_click_copies_the_color(browser: Chrome, open_page: Callable[..., None]) -> None:
    for name in ("clipboardReadWrite", "clipboardSanitizedWrite"):
        browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": [name]})
    open_page()
    color = colors_listed(browser)[3]
    swatch = browser.find_elements(By.CSS_SELECTOR, "#palette button")[3]
    swatch.click()
    swatch.click()  # again before the first one is forgotten

    deadline = time.monotonic() + LIMIT_SECONDS
    while not (said := browser.find_element(By.ID, "copied").text) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said == f"{color} copied."
    while browser.find_elements(By.CSS_SELECTOR, ".copied") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert colors_listed(browser)[3] == color


@pytest.mark.parametrize(
    ("format_", "start"),
    [
        ("txt", "#"),
        ("css", "/* "),
        ("json", "{"),
        ("gpl", "GIMP Palette"),
        ("tailwind.css", "/* "),
    ],
)
def test_palette_is_exported_as_text(
    browser: Chrome, open_page: Callable[..., None], format_: str, start: str
) -> None:
    open_page()
    text = browser.execute_script(
        "const f = document.getElementById('format'); f.value = arguments[0];"
        "f.dispatchEvent(new Event('change'));"
        "return document.getElementById('text').value",
        format_,
    )

    assert text.startswith(start)


def test_numbers_open_and_scroll_within_the_page(
    browser: Chrome, open_page: Callable[..., None], emulate: Callable[[int, str], None]
) -> None:
    emulate(375, "light")
    open_page()
    browser.find_element(By.TAG_NAME, "summary").click()

    assert len(browser.find_elements(By.CSS_SELECTOR, "tbody tr")) == len(KS)
    assert overflow(browser) <= 0
