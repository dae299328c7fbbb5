"""300 hostile strings in texts, names, ids, fields and settings, in a browser: shown as they are, doing nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import press, requests, texts, wait
from conftest import prose
from test_page import HOSTILE, OURS, hostile_result, visible_in_html

import dedup
from dedup.report.page import PageOptions, write_page

pytestmark = [pytest.mark.once, pytest.mark.slow]

ATTRIBUTES = {
    "aria-expanded", "aria-label", "aria-labelledby", "aria-sort", "autocomplete", "charset", "checked", "class",
    "content", "d", "data-also", "data-c", "data-n", "data-ready", "data-s", "data-w", "for", "height", "hidden",
    "href", "http-equiv", "id", "lang", "name", "open", "rel", "role", "scope", "start", "tabindex", "text-anchor",
    "title", "type", "value", "viewBox", "width", "x", "y",
}  # fmt: skip

INVENTORY = """
const elements = [...document.querySelectorAll('*')];
return {
  tags: [...new Set(elements.map(e => e.localName))],
  spaces: [...new Set(elements.map(e => `${e.namespaceURI} ${e.closest('figure svg') ? 'in' : 'out'}`))],
  attributes: [...new Set(elements.flatMap(e => e.getAttributeNames()))],
  links: [...new Set(elements.map(e => e.getAttribute('href')).filter(h => h !== null))],
  comments: document.evaluate('count(//comment())', document, null, 1, null).numberValue,
  counts: Object.fromEntries(
    ['html', 'head', 'body', 'main', 'script', 'style', 'html > head > title', 'meta', 'h1', 'fieldset', 'input']
    .map(tag => [tag, document.querySelectorAll(tag).length])),
  ids: new Set(elements.map(e => e.id).filter(Boolean)).size === elements.filter(e => e.id).length,
}
"""
SVG = "http://www.w3.org/2000/svg"
HTML = "http://www.w3.org/1999/xhtml"


def is_ours(page: Any) -> None:
    """Nothing is in the page but what its templates and its script make."""
    found = page.execute_script(INVENTORY)
    assert set(found["tags"]) <= (OURS | {"button"}) - {"noscript"}
    assert set(found["spaces"]) == {f"{HTML} out", f"{SVG} in"}
    assert set(found["attributes"]) <= ATTRIBUTES
    assert all(link.startswith("#") for link in found["links"])
    assert found["ids"] and found["comments"] <= 2
    once = dict.fromkeys(
        ("html", "head", "body", "main", "script", "style", "html > head > title", "h1", "fieldset"), 1
    )
    assert found["counts"] == once | {"meta": 5, "input": 4}


def opened(page: Any) -> None:
    page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    wait(page, "!document.querySelector('noscript')")


@pytest.fixture
def browser(driver: Any) -> Iterator[Any]:
    """The browser, for a page that may say nothing, ask for nothing and show no dialog."""
    from selenium.common.exceptions import NoAlertPresentException

    driver.get_log("performance")
    driver.get_log("browser")
    yield driver
    assert driver.get_log("browser") == []
    assert requests(driver) == {driver.current_url.split("#")[0]}
    with pytest.raises(NoAlertPresentException):
        driver.switch_to.alert.accept()


def test_hostile_texts_and_ids(browser: Any, tmp_path: Path) -> None:
    result, pairs = hostile_result()
    write_page(result, tmp_path / "r.html")
    browser.get((tmp_path / "r.html").as_uri())
    assert len(pairs) >= 300

    opened(browser)
    press(browser, "jnnjnp")
    browser.find_element("id", "view-passages").click()
    sides = texts(browser, ".text")
    shown = list(zip(sides[::2], sides[1::2], strict=True))
    assert sorted(shown) == sorted((visible_in_html(kept), visible_in_html(dropped)) for kept, dropped in pairs)
    names = [f"{at} {bit} {side}" for at, bit in enumerate(HOSTILE) for side in "ab"]
    expected = sorted(re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m[0]) - 0xDC00:02x}", name) for name in names)
    assert sorted(texts(browser, ".cluster > .kept > .id, .members .id")) == sorted(map(visible_in_html, expected))
    assert sorted(set(texts(browser, "#table .id"))) == sorted(texts(browser, ".cluster > .kept > .id"))
    is_ours(browser)


def test_the_search_finds_hostile_names(browser: Any, tmp_path: Path) -> None:
    result, _ = hostile_result()
    write_page(result, tmp_path / "r.html")
    browser.get((tmp_path / "r.html").as_uri())
    press(browser, "/")
    press(browser, "17 <script>alert(1)</script>")
    wanted = sum("17 <script>alert(1)</script>" in f"{at} {bit} a" for at, bit in enumerate(HOSTILE))
    assert texts(browser, "#matching") == [f"{wanted} of {len(HOSTILE)} clusters"]


def test_hostile_names_fields_inputs_and_settings(browser: Any, tmp_path: Path) -> None:
    """Files and folders by such names, read and not; fields and a policy by such names."""
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    names = []
    for at, bit in enumerate(HOSTILE):
        name = os.fsencode(f"{at} {bit}.txt".replace("/", "|").replace("\0", "").replace("\ud800", ""))
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(
            f"{prose(at // 2, 9)} {at % 2 or ''}".encode()
        )
        names.append(os.fsdecode(os.fsencode(folder) + b"/" + name))
    (folder / "<svg onload=alert(2)>.png").write_bytes(b"\x89PNG\0\0\0")
    (folder / "{{7*7}}<script>alert(3)</script>".replace("/", "|")).write_bytes(b"\0\0")
    (folder / "<b>none.txt").write_text("...")
    field = "</script><svg onload=alert(1)>{{7*7}}"
    lines = [{field: f"{prose('r', 9)}", "i": {"</td><script>alert(4)</script>": at}} for at in range(3)]
    (folder / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = dedup.Settings(text_field=field, id_field="i", keep=f"field:{field}")
    write_page(dedup.scan(folder, settings), tmp_path / "r.html")
    browser.get((tmp_path / "r.html").as_uri())

    opened(browser)
    expected = {re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m[0]) - 0xDC00:02x}", name) for name in names}
    shown = texts(browser, ".cluster > .kept > .id, .members .id")
    assert expected <= set(shown) and sum("</td><script>" in name for name in shown) == 3
    assert any(field in text for text in texts(browser, "table.plain td"))
    assert all(field in text for text in texts(browser, ".kept b"))
    assert sum("alert(" in text for text in texts(browser, "table.plain td.id")) == 2
    assert any("<b>none.txt" in text for text in texts(browser, "li.id"))
    is_ours(browser)


def test_hostile_names_in_a_folder_of_pages(browser: Any, tmp_path: Path) -> None:
    result, _ = hostile_result()
    overview = tmp_path / "<img src=x onerror=alert(1)> & {{7}}.html"
    write_page(result, overview, PageOptions(page_clusters=200, sheet_clusters=100))
    browser.get(overview.as_uri())
    assert sorted(texts(browser, "#table .id")) == sorted(
        visible_in_html(re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m[0]) - 0xDC00:02x}", cluster.keep.id))
        for cluster in result.clusters
    )
    browser.get_log("performance")
    browser.find_element("css selector", "#table a").click()
    wait(browser, "document.querySelectorAll('.cluster').length === 100")
    opened(browser)
    assert len(texts(browser, ".text")) == 200
