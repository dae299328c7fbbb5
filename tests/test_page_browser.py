"""The page in a browser: keys, search, sorting, passages, folding and scrolling in step; no message and no request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import here, ids, press, requests, texts, wait
from conftest import prose, write_tree

import dedup
from dedup.report.page import PageOptions, write_page

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three pairs of 900 words; in each a word is added, one changed, and in the second a passage moved."""
    files = {}
    for number in range(3):
        parts = [prose(f"{number}p{part}", 150 + number) for part in range(6)]
        other = list(parts)
        other[1] = other[1].replace("x77 ", "x77 added ")
        other[3] = other[3].replace("x50 ", "changed ")
        files[f"{number}a.txt"] = "\n\n".join([*parts, "end"])
        files[f"{number}b.txt"] = "\n\n".join(other[4:] + other[:4] if number == 1 else other)
    folder = tmp_path_factory.mktemp("page")
    write_tree(folder / "in", files)
    write_page(dedup.scan(folder / "in"), folder / "r.html")
    return (folder / "r.html").as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Iterator[Any]:
    driver.get_log("performance")
    driver.get(address)
    yield driver
    assert driver.get_log("browser") == []
    assert requests(driver) == {address}


def test_j_and_k_go_from_cluster_to_cluster(page: Any) -> None:
    places = []
    for key in "jjkjjj":
        press(page, key)
        places.append(here(page))
    order = ids(page, ".cluster")
    assert places == [order[at] for at in (0, 1, 0, 1, 2, 2)]


def test_n_and_p_go_from_difference_to_difference_on_both_sides(page: Any) -> None:
    first = ids(page, ".cluster").index("c0")
    press(page, "j" * (first + 1))
    seen = []
    for key in "nnnp":
        press(page, key)
        seen.append([text.strip() for text in texts(page, ".now")])
    number = texts(page, "#c0 > h3")[0].rsplit("/", 1)[-1][0]
    assert number != "1", "the pair with a move is another"
    changed = [f"s{number}p3x50", f"s{number}p3changed"]
    assert seen == [["added"], changed, ["end"], changed]
    assert len(ids(page, ".pair[open]")) == 1


def test_the_search_shows_what_it_finds_and_takes_keys_as_letters(page: Any) -> None:
    press(page, "/")
    press(page, "1b.txt")

    assert texts(page, "#matching") == ["1 of 3 clusters"]
    assert len(ids(page, ".cluster:not([hidden])")) == 1 and not ids(page, ".here")


def test_the_table_sorts_and_the_clusters_follow(page: Any) -> None:
    button = page.find_elements("css selector", "#table th button")[1]
    for way in (1, -1):
        button.click()
        names = texts(page, "#table tbody td.id")
        assert names == sorted(names)[::way]
        assert [text.split(": ", 1)[1] for text in texts(page, ".cluster > h3")] == names


def test_a_passage_leads_to_the_other_side(page: Any) -> None:
    page.find_element("id", "view-passages").click()
    page.execute_script("document.querySelector('.pair').open = true")
    wait(page, "document.querySelector('.pair[open] .text .p')")
    page.execute_script("document.querySelector('.text .p').click()")
    [kept, dropped] = page.find_elements("css selector", ".flash")
    links = [side.find_element("css selector", ".n") for side in (kept, dropped)]
    assert links[0].get_attribute("href").endswith("#" + links[1].get_attribute("id"))


def test_long_stretches_fold_on_both_sides(page: Any) -> None:
    page.execute_script("document.querySelector('.pair').open = true")
    wait(page, "document.querySelectorAll('.pair[open] .unfold').length > 2")
    whole = texts(page, ".pair[open] .text")
    shut = len(page.find_elements("css selector", ".pair[open] .fold.shut"))
    page.find_elements("css selector", ".pair[open] .unfold")[0].click()
    assert len(page.find_elements("css selector", ".pair[open] .fold.shut")) == shut - 2
    assert [b.get_attribute("aria-expanded") for b in page.find_elements("css selector", ".unfold")].count("true") == 2
    assert texts(page, ".pair[open] .text") == whole


def test_the_two_texts_scroll_in_step(page: Any) -> None:
    page.set_window_size(700, 500)
    page.execute_script("document.querySelector('.pair').open = true")
    wait(page, "document.querySelectorAll('.pair[open] .unfold').length > 2")
    page.execute_script("document.querySelectorAll('.pair[open] .fold.shut').forEach(f => f.classList.remove('shut'))")
    page.execute_script("document.querySelector('.cluster').scrollIntoView()")
    page.execute_script("document.querySelectorAll('.pair[open] .text')[0].scrollTop = 900")
    wait(page, "Math.abs(document.querySelectorAll('.pair[open] .text')[1].scrollTop - 900) < 120")


@pytest.mark.parametrize("width", [360, 1024, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(page: Any, width: int, scheme: str, tmp_path: Path) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        colour = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (colour == "rgb(255, 255, 255)") == (scheme == "light")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_would_be_lost_leads_to_the_two_texts(page: Any) -> None:
    link = page.find_element("css selector", ".losses a")
    pair = link.get_attribute("href").split("#")[1]
    link.click()
    wait(page, "document.querySelector('.pair[open] .text')")
    assert ids(page, ".pair[open]") == [pair]
    press(page, "n")
    assert texts(page, f"#{pair} .now") == texts(page, ".now") != []


# --- many clusters ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 clusters: an overview, and two pages with 400 and 200 of them."""
    sides = {"kept": "kept because longer", "gone": "gone"}
    texts = {f"{side}{at:03}": f"{prose(at, 30)} {end}" for at in range(600) for side, end in sides.items()}
    path = tmp_path_factory.mktemp("many") / "r.html"
    write_page(dedup.find_duplicates(texts), path, PageOptions(page_clusters=500, sheet_clusters=400))
    return path


def test_many_rows_are_drawn_when_they_are_asked_for(driver: Any, many: Path) -> None:
    driver.get(many.as_uri())
    drawn = "#table tbody tr"

    def shown() -> int:
        return sum(row.is_displayed() for row in driver.find_elements("css selector", drawn)[498:502])

    assert shown() == 2
    press(driver, "/")
    press(driver, "gone599")
    assert texts(driver, "#matching") == ["1 of 600 clusters"]
    assert texts(driver, "#table tbody tr:not([hidden]) td.id") == ["kept599"]
    press(driver, "\ue003" * 7)  # backspace
    press(driver, "kept")
    assert shown() == 2 and texts(driver, "#matching") == ["600 of 600 clusters"]
    driver.find_elements("css selector", "#table th button")[1].click()
    driver.find_elements("css selector", "#table th button")[1].click()
    assert texts(driver, "#table tbody tr:not([hidden]) td.id") == [f"kept{at:03}" for at in range(599, 99, -1)]
    driver.find_element("id", "all-rows").click()
    assert shown() == 4 and not driver.find_element("id", "all-rows").is_displayed()
    assert driver.get_log("browser") == []


def test_a_row_leads_to_its_cluster_in_another_page_and_that_page_back(driver: Any, many: Path) -> None:
    driver.get_log("performance")
    driver.get(many.as_uri())
    press(driver, "/")
    press(driver, "gone599")
    driver.find_element("css selector", "#table tbody tr:not([hidden]) a").click()
    wait(driver, "document.querySelector('.cluster')")
    wanted = driver.execute_script("return document.querySelector(location.hash).querySelector('.id').textContent")
    assert wanted == "kept599"
    press(driver, "jn")
    assert texts(driver, ".now")[-1].startswith("gone")
    driver.find_element("css selector", "a[rel=prev]").click()
    wait(driver, "document.querySelectorAll('.cluster').length === 400")
    driver.find_element("link text", "overview and all clusters").click()
    wait(driver, "document.querySelector('#table')")
    assert driver.get_log("browser") == []
    files = [many, *sorted((many.parent / "r_files").iterdir())]
    assert requests(driver) == {path.as_uri() for path in files}


def test_texts_can_be_read_without_scripts(driver: Any, address: str) -> None:
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(address)
        pair = driver.find_element("css selector", ".pair")
        pair.find_element("css selector", "summary").click()
        sides = pair.find_elements("css selector", ".text")
        assert [side.is_displayed() for side in sides] == [True, True]
        assert "x149" in sides[0].text and "Stays" in pair.text
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_one_pair_is_open_that_shows_what_differs(driver: Any, tmp_path: Path) -> None:
    texts = {
        "a": prose(1, 20),
        "b": prose(1, 20),
        "c": prose(2, 40),
        "d": f"{prose(2, 40)} more",
        "e": f"{prose(2, 40)} m",
    }
    write_page(dedup.find_duplicates(texts), tmp_path / "r.html")
    address = (tmp_path / "r.html").as_uri()
    is_open = "return [...document.querySelectorAll('.pair[open]')].map(e => e.id)"
    driver.get(address)
    wait(driver, "document.querySelector('.text')")
    (one,) = driver.execute_script(is_open)
    assert driver.find_element("css selector", f"#{one} .text").is_displayed()
    assert "difference" in driver.find_element("css selector", f"#{one} summary").text
    other = driver.execute_script("return [...document.querySelectorAll('.pair:not([open])')].map(e => e.id)")[-1]
    driver.get("about:blank")
    driver.get(f"{address}#{other}")
    assert driver.execute_script(is_open) == [other]


def test_a_line_break_in_a_name_is_seen(driver: Any, tmp_path: Path) -> None:
    write_page(dedup.find_duplicates({"a\nb": prose(1, 20), "c": f"{prose(1, 20)} more"}), tmp_path / "r.html")
    driver.get((tmp_path / "r.html").as_uri())
    name = driver.find_element("css selector", ".members .id")
    assert name.get_property("textContent") == "a\nb"
    drawn = "return getComputedStyle(arguments[0].querySelector('.c'), '::before').content"
    assert driver.execute_script(drawn, name) == r'"\\n"'
    assert name.size["height"] < 30, "it is one line"
