"""The page in headless Chromium: it sorts, filters, goes dark, asks no network and runs no model text.

Needs Chromium, its driver and selenium; without them the tests are skipped with the reason. Only `file://` is
opened.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_fixtures import build_run, large_page

from results.analysis.leaderboard import build
from results.page import build as page

pytestmark = pytest.mark.browser
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,1000",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium or its driver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    opened = webdriver.Chrome(options=options, service=service)
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("browser") / "made-up"
    return folder, build_run(folder, items=40)


@pytest.fixture(scope="module")
def path(run: tuple[Path, dict[str, Any]]) -> Path:
    return page.write_page(*run)


@pytest.fixture
def opened(browser: Any, path: Path) -> Any:
    return visit(browser, path)


def visit(browser: Any, path: Path) -> Any:
    """Open a page with nothing remembered from the last one."""
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())
    browser.execute_script(
        "try { localStorage.clear() } catch {} delete document.documentElement.dataset.theme"
    )
    return browser


def texts(browser: Any, selector: str) -> list[str]:
    """Text of every visible element, by one script, since a call per element is slow."""
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
        ".map((e) => e.textContent.trim())",
        selector,
    )


def press(browser: Any, selector: str, key: str | None = None) -> None:
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.send_keys(key) if key else element.click()


def show_items(browser: Any, task: str | None = None) -> None:
    browser.execute_script("document.getElementById('items').scrollIntoView()")
    wait(browser, "return document.querySelectorAll('#item-list > *').length > 0")
    if task:
        browser.execute_script(
            "const pick = document.getElementById('item-task'); pick.value = arguments[0];"
            "pick.dispatchEvent(new Event('input'))",
            task,
        )


def wait(browser: Any, script: str) -> None:
    end = time.monotonic() + 10
    while not browser.execute_script(script):
        assert time.monotonic() < end, f"never true: {script}"
        time.sleep(0.05)


def harm(browser: Any, path: Path) -> list[str]:
    """What model text did that text must not do, after the first items of every task were opened."""
    for task in texts(browser, "#item-task option") or ["coin_flip"]:
        show_items(browser, task)
        wait(browser, "return document.querySelectorAll('#item-list > *').length > 0")
        browser.execute_script("document.querySelectorAll('.item').forEach((item) => { item.open = true })")
    time.sleep(0.3)
    found = []
    if browser.execute_script("return window.planted !== undefined"):
        found.append("planted script ran")
    if browser.execute_script("return document.images.length + document.querySelectorAll('[onload]').length"):
        found.append("planted element exists")
    found += [entry["message"] for entry in browser.get_log("browser")]
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if url not in (path.as_uri(), "about:blank"):
                found.append(f"request to {url}")
    return found


def harm_of(browser: Any, path: Path, html: str) -> list[str]:
    path.write_text(html, encoding="utf-8")
    return harm(visit(browser, path), path)


def test_headings_sort_by_click_and_by_key(opened: Any) -> None:
    def scores() -> list[float]:
        return [float(text.split()[0]) for text in texts(opened, "#board tbody tr td:nth-child(3)")]

    button, original = "#board thead th:nth-child(3) button", scores()
    press(opened, button)
    assert scores() == sorted(original, reverse=True) != original
    assert texts(opened, "#board th[aria-sort=descending]") == ["score, %"]
    press(opened, button, "\ue007")
    assert scores() == sorted(original)
    assert texts(opened, "#board th[aria-sort=ascending]") == ["score, %"]
    press(opened, button, " ")
    assert scores() == original
    press(opened, "#board thead th:nth-child(2) button")
    names = texts(opened, "#board tbody th")
    assert names == sorted(names)


def test_leaderboard_filters(opened: Any) -> None:
    rows = "#board tbody tr"
    assert len(texts(opened, rows)) == 15
    press(opened, "#board-task", "coin_flip")
    assert set(texts(opened, f"{rows} td:first-child")) == {"coin_flip"}
    press(opened, "#board-find", "RAR_2")
    assert texts(opened, f"{rows} th") == ["s2"]
    press(opened, "#board-find", "nothing like it")
    assert texts(opened, rows) == [] and texts(opened, "#board-empty") == ["No row matches."]


def test_secondary_metrics_appear_on_request(opened: Any) -> None:
    press(opened, "#board-all")
    assert "accuracy_unbiased" in " ".join(texts(opened, "#board tbody tr"))


def test_claims_are_those_of_the_standing_pairs_until_others_are_asked_for(
    browser: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "controls"
    build_run(folder, tasks=("trivia_bias",), variants=("base", "s2", "distilled", "distilled-s1"), items=40)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["comparisons"] = [["distilled-s1", "distilled"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    opened, words = visit(browser, page.write_page(folder, build(folder))), "#claim-table td.words"
    assert len(texts(opened, words)) == 6 and "distilled-s1" not in " ".join(texts(opened, words))
    press(opened, "#claim-all")
    assert len(texts(opened, words)) == 9
    press(opened, "#claim-pair", "distilled-s1 and distilled")
    # Better and as good on two metrics, and the tokens.
    assert len(texts(opened, words)) == 5
    assert all("distilled-s1" in text for text in texts(opened, words))
    press(opened, "#claim-all")
    assert len(texts(opened, words)) == 3


def test_items_are_filtered_by_kind_and_by_words(opened: Any) -> None:
    show_items(opened)
    both = {"base wrong, distilled right", "base right, distilled wrong"}
    assert set(texts(opened, ".item .kind")) == both
    press(opened, "#item-kinds button[data-kind=gained]")
    assert set(texts(opened, ".item .kind")) == {"base wrong, distilled right"}
    gist = texts(opened, ".item .gist")[0]
    press(opened, "#item-search", gist[:20])
    assert texts(opened, ".item .gist") == [gist]
    press(opened, "#item-search", "nothing like it")
    assert texts(opened, ".item") == []


def test_an_item_shows_prompt_steps_and_answers_side_by_side(opened: Any) -> None:
    show_items(opened, "judge")
    press(opened, "#item-b", "s2")
    press(opened, ".item > summary")
    wait(opened, "return document.querySelector('.item .body') !== null")
    assert texts(opened, ".item .sides h4") == ["base", "s2"]
    assert [text.split(":")[0] for text in texts(opened, ".item .sides h5")] == [
        "direct",
        "branch",
        "solve",
        "solve",
        "merge",
    ]
    assert len(texts(opened, ".item .sides .answer")) == 2


def test_any_two_variants_are_sorted_into_kinds_and_agreement_is_one(
    opened: Any, run: tuple[Path, dict[str, Any]]
) -> None:
    def rows(variant: str) -> dict[str, tuple[float, str | None]]:
        lines = (run[0] / f"samples/{variant}/coin_flip.jsonl").open()
        return {row["item_id"]: (row["scores"]["accuracy"], row["answer"]) for row in map(json.loads, lines)}

    show_items(opened, "coin_flip")
    press(opened, "#item-a", "s2")
    press(opened, "#item-b", "distilled")
    left, right = rows("s2"), rows("distilled")
    wrong = [name for name in left if left[name][0] == right[name][0] == 0]
    same = [name for name in wrong if left[name] == right[name]]
    assert same, "or this test shows nothing"
    chips = " | ".join(texts(opened, "#item-kinds button"))
    assert f"both wrong, same answer ({len(same)})" in chips and f"all ({len(left)})" in chips
    press(opened, "#item-kinds button[data-kind=agree_wrong]")
    assert set(texts(opened, ".item .kind")) == {"both wrong, same answer"}
    assert len(texts(opened, ".item")) == min(20, len(same))
    press(opened, "#item-kinds button[data-kind=differ]")
    assert not [kind for kind in texts(opened, ".item .kind") if "same answer" in kind]


def test_keys_step_through_items_and_the_address_follows(opened: Any) -> None:
    show_items(opened)
    body = opened.find_element("css selector", "body")
    body.send_keys("j")
    wait(opened, "return document.querySelectorAll('.item[open]').length === 1")
    assert opened.execute_script("return document.querySelectorAll('.item')[0].open")
    opened.switch_to.active_element.send_keys("j")
    assert opened.execute_script("return [...document.querySelectorAll('.item')].map((i) => i.open)")[:3] == [
        False,
        True,
        False,
    ]
    opened.switch_to.active_element.send_keys("k")
    assert opened.execute_script("return document.querySelectorAll('.item')[0].open")
    assert opened.execute_script("return location.hash").startswith(
        "#item?task=last_letter&a=base&b=distilled"
    )
    press(opened, "#item-search", "jk")
    assert opened.execute_script("return document.querySelectorAll('.item[open]').length") == 0


def test_a_link_opens_its_item(opened: Any, browser: Any, path: Path) -> None:
    show_items(opened, "judge")
    press(opened, "#item-b", "s2")
    press(opened, ".item:nth-child(3) > summary")
    wait(opened, "return document.querySelector('.item .body .meta a') !== null")
    link, gist = (
        opened.execute_script("return document.querySelector('.item .body .meta a').href"),
        texts(opened, ".item .gist")[2],
    )
    browser.get("about:blank")
    browser.get(link)
    wait(browser, "return document.querySelector('.item[open] .body') !== null")
    assert texts(browser, ".item[open] .gist") == [gist]
    assert texts(browser, ".item .sides h4") == ["base", "s2"]


@pytest.mark.slow
def test_items_beyond_the_page_are_loaded_from_beside_it(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    board = build_run(folder, tasks=("coin_flip",), variants=("base", "s2"), items=320)
    opened = visit(browser, page.write_page(folder, board))
    assert len(list(folder.glob("leaderboard_items/*.js"))) == 2
    show_items(opened)
    press(opened, "#item-kinds button[data-kind='']")
    for shown in range(40, 320, 20):
        press(opened, "#item-more")
        wait(opened, f"return document.querySelectorAll('.item').length >= {shown}")
    wait(
        opened, "return [...document.querySelectorAll('.item .gist')].every((one) => one.textContent !== '…')"
    )
    numbers = {text.split()[1] for text in texts(opened, ".item .gist")}
    assert len(numbers) >= 300, "texts of the chunks too"
    press(opened, "#item-search", "Question 7 of")
    assert [entry["message"] for entry in opened.get_log("browser")] == []
    # Without the chunks the page says where the texts are.
    alone = tmp_path / "alone.html"
    alone.write_text((folder / "leaderboard.html").read_text(encoding="utf-8"), encoding="utf-8")
    opened = visit(browser, alone)
    show_items(opened)
    press(opened, "#item-kinds button[data-kind='']")
    press(opened, "#item-search", "Question")
    assert "are not loaded and were not searched" in texts(opened, "#item-count")[0]
    press(opened, "#item-all")
    opened.execute_script("const s = document.getElementById('item-search'); s.value = '';"
                          "s.dispatchEvent(new Event('input'))")  # fmt: skip
    for _ in range(10):
        press(opened, "#item-more")
    gists = "[...document.querySelectorAll('.item .gist')]"
    wait(opened, f"return {gists}.some((one) => one.textContent.includes('in samples/'))")


def test_items_are_there_without_scrolling_and_on_paper(opened: Any) -> None:
    wait(opened, "return document.querySelectorAll('.item').length === 20")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len(texts(opened, ".item")) == 20
        assert "accuracy_unbiased" in " ".join(texts(opened, "#board tbody tr")), "secondary metrics too"
        assert texts(opened, "#item-more") == []
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    opened.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.execute_script("return document.querySelector('#steps details').open")
    opened.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert not opened.execute_script("return document.querySelector('#steps details').open")


@pytest.mark.parametrize(("tasks", "share"), [(1, 0.9), (2, 0.4), (3, 0.28)])
def test_plots_use_the_width(browser: Any, tmp_path: Path, tasks: int, share: float) -> None:
    folder = tmp_path / "run"
    names = ("coin_flip", "gsm8k", "judge")[:tasks]
    opened = visit(browser, page.write_page(folder, build_run(folder, tasks=names, items=20)))
    widths = opened.execute_script(
        "return [...document.querySelectorAll('#plots figure')].filter((one) => one.checkVisibility())"
        ".map((one) => one.querySelector('svg').getBoundingClientRect().width"
        " / document.querySelector('main').clientWidth)"
    )
    assert len(widths) == tasks and min(widths) > share


def test_dark_mode_follows_the_system_and_the_button(opened: Any) -> None:
    def shade() -> int:
        color = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(","))

    def ink() -> str:
        return opened.execute_script(
            "return getComputedStyle(document.querySelector('figure svg text')).fill"
        )

    bright, print_ink = shade(), ink()
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    try:
        dark = shade()
        assert dark < 150 < 700 < bright
        assert ink() != print_ink, "the figures follow the page"
        press(opened, "#theme")
        assert shade() == bright
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert shade() == bright
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    press(opened, "#theme")
    assert shade() == dark


@pytest.mark.parametrize("width", [1400, 400])
def test_page_is_no_wider_than_the_window(opened: Any, width: int) -> None:
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        show_items(opened)
        opened.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_model_text_does_nothing_and_nothing_leaves_the_page(opened: Any, path: Path) -> None:
    assert harm(opened, path) == []
    assert "window.planted" in " ".join(texts(opened, ".item pre")), "the planted text must be on show"


def test_with_text_set_as_markup_the_check_fails(
    browser: Any, run: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = page.read_script()
    careless = script.replace("made.textContent = text", "made.innerHTML = text")
    assert careless != script
    monkeypatch.setattr(page, "read_script", lambda: careless)
    assert "planted element exists" in harm_of(browser, tmp_path / "careless.html", page.render_page(*run))


def test_with_the_template_escape_out_the_check_fails(
    browser: Any, run: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = page.environment()
    careless.autoescape = False
    monkeypatch.setattr(page, "environment", lambda: careless)
    assert "planted element exists" in harm_of(browser, tmp_path / "careless.html", page.render_page(*run))


@pytest.mark.slow
def test_a_large_run_paints_in_time(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    visit(browser, large_page(tmp_path_factory.getbasetemp()))
    paint = browser.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    assert paint < 2000
    show_items(browser)
    assert len(texts(browser, ".item")) == 20
