"""For whoever reads the page: names, contrast, focus, landmarks, headings, nothing by colour alone, and paper."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import press, texts, wait
from conftest import prose, write_tree

import dedup
from dedup.report.page import PageOptions, write_page

pytestmark = [pytest.mark.once, pytest.mark.slow]

CONTROLS = {"button", "checkbox", "combobox", "DisclosureTriangle", "link", "radio", "searchbox", "slider", "textbox"}
NAMED = CONTROLS | {"columnheader", "form", "heading", "image", "img", "navigation", "region", "table"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a page can show: relations, moves, formatting, hidden characters, skipped, empty, lost words, notes."""
    moved = prose("moved", 25)
    long = [prose(f"l{at}", 90) for at in range(4)]
    long[2] = long[2].replace(" sl2x40 ", " colour of\u200bit 1234567 ")
    other = [part.replace(" sl1x40 ", ", SL1X40 ").replace("1234567", "1234568") for part in long]
    other[3] = other[3].replace(" sl3x40 ", " sl3x40 and more, which would be lost ")
    files: dict[str, str | bytes] = {
        "a.txt": "\n\n".join([*long, moved, "Only here."]),
        "b.txt": "\n\n".join([moved, *other]),
        "exact.txt": "\n\n".join([*long, moved, "Only here."]),
        "part.txt": long[0],
        "photo.jpg": b"\xff\xd8\0\0",
        "empty.txt": "...",
    }
    for at in range(3):
        files |= {f"{at}x.txt": f"{prose(at, 40)} <longer>", f"{at}y.txt": prose(at, 40)}
    folder = tmp_path_factory.mktemp("access")
    write_tree(folder / "in", files)
    result = dedup.scan(folder / "in")
    write_page(result, folder / "r.html")
    write_page(result, folder / "pages.html", PageOptions(page_clusters=1, sheet_clusters=2))
    return folder / "r.html"


def addresses(report: Path) -> list[str]:
    """The page, and the same in a folder: its overview, and one page of clusters."""
    sheets = sorted((report.parent / "pages_files").iterdir())
    return [path.as_uri() for path in (report, report.parent / "pages.html", sheets[1])]


@pytest.fixture
def page(driver: Any) -> Iterator[Any]:
    yield driver
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def opened(page: Any, address: str) -> None:
    page.get(address)
    page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    wait(page, "![...document.querySelectorAll('.pair')].some(p => !p.dataset.ready)")


def tree(page: Any) -> list[dict[str, Any]]:
    """What the browser tells a screen reader: role, name and level of everything that is there for one."""
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", "").strip(),
            "level": next((p["value"]["value"] for p in node.get("properties", []) if p["name"] == "level"), None),
        }
        for node in nodes
        if not node["ignored"]
    ]


def test_everything_that_can_be_used_has_a_name(page: Any, report: Path) -> None:
    for address in addresses(report):
        opened(page, address)
        page.execute_script("document.getElementById('view-passages')?.click()")
        found = tree(page)
        assert {node["role"] for node in found if not node["name"]} & NAMED == set(), address
        named = {node["name"] for node in found if node["role"] == "group"}
        assert {
            "text of the document that stays",
            "text of the document that can go",
        } <= named or "pages.html" in address
        controls = [node["role"] for node in found if node["role"] in CONTROLS]
        assert len(controls) > 5


def test_landmarks_and_headings_tell_the_order(page: Any, report: Path) -> None:
    for address in addresses(report):
        opened(page, address)
        found = tree(page)
        roles = [node["role"] for node in found]
        assert [roles.count(role) for role in ("banner", "main", "contentinfo")] == [1, 1, 1]
        assert roles.count("navigation") == (2 if "_files" in address else 0)
        levels = [node["level"] for node in found if node["role"] == "heading"]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
        names = [node["name"] for node in found if node["role"] in ("navigation", "region")]
        assert len(set(names)) == len(names), "two landmarks with one name"
        assert page.execute_script("return document.documentElement.lang") == "en" and page.title


CONTRAST = """
const channels = (colour) => {
  const m = colour.match(/rgba?\\\\(([^)]+)\\\\)/);
  const [r, g, b, a = 1] = m[1].split(/[ ,/]+/).map(Number);
  return [r, g, b, a];
};
const over = (top, under) => {
  const a = top[3];
  return [0, 1, 2].map(i => top[i] * a + under[i] * (1 - a)).concat(1);
};
const behind = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(channels(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
};
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ratio = (one, two) => {
  const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
""".replace("\\\\", "\\")

LOW_TEXT = (
    CONTRAST
    + """
const low = new Map();
let seen = 0;
const look = (element, style, what) => {
  const back = behind(element);
  const found = ratio(over(channels(style.color), back), back);
  seen++;
  if (found < 4.5) low.set(`${what} ${style.color} on ${back}`, found.toFixed(2));
};
for (const e of document.querySelectorAll('body *')) {
  if (!e.checkVisibility({ visibilityProperty: true })) continue;
  const name = `${e.localName}.${e.className.baseVal ?? e.className}`;
  if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) {
    const style = getComputedStyle(e);
    if (e.namespaceURI.endsWith('svg')) {
      if (e.localName === 'text') look(e, { color: style.fill }, name);
    } else look(e, style, name);
  }
  for (const pseudo of ['::before', '::after', '::marker']) {
    const style = getComputedStyle(e, pseudo);
    if (style.content !== 'none' && style.content !== 'normal') look(e, style, name + pseudo);
  }
}
return [seen, [...low]];
"""
)


def emulated(page: Any, scheme: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(page: Any, report: Path, scheme: str, media: str) -> None:
    emulated(page, scheme, media)
    for address in addresses(report):
        opened(page, address)
        press(page, "jn")
        for view in ("view-differences", "view-passages"):
            page.execute_script("document.getElementById(arguments[0])?.click()", view)
            page.execute_script("document.querySelector('.text .p')?.click()")
            seen, low = page.execute_script(LOW_TEXT)
            assert seen > 50 and low == [], address
    background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light" or media == "print")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_lines_and_edges_of_controls_stand_out(page: Any, report: Path, scheme: str) -> None:
    emulated(page, scheme)
    opened(page, addresses(report)[0])
    page.execute_script("document.getElementById('view-passages').click()")
    found = page.execute_script(
        CONTRAST
        + """
const back = behind(document.body);
const of = (selector, property) => [...document.querySelectorAll(selector)]
  .map(e => ratio(over(channels(getComputedStyle(e)[property]), back), back));
return { bars: of('.bar', 'fill'), bounds: of('.bound', 'stroke'), axes: of('.axis', 'stroke'),
  search: of('input[type=search]', 'borderTopColor'), unfold: of('.unfold', 'borderTopColor'),
  tags: of('.tag', 'borderTopColor'), numbers: of('.n', 'color'), codes: of('.c', 'borderTopColor') };
"""
    )
    assert all(found.values())
    assert {name: min(ratios) for name, ratios in found.items() if min(ratios) < 3} == {}


def test_the_focus_is_seen_and_goes_through_the_page_in_order(page: Any, report: Path) -> None:
    for address in addresses(report):
        opened(page, address)
        page.execute_script("document.getElementById('view-passages')?.click()")
        expected = page.execute_script(
            """
return [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
  .filter(e => e.checkVisibility() && !(e.type === 'radio' && !e.checked)).length"""
        )
        seen = []
        for _ in range(expected + 5):
            press(page, "\ue004")
            at = page.execute_script(
                CONTRAST
                + """
const e = document.activeElement;
if (e === document.body) return null;
const style = getComputedStyle(e), box = e.getBoundingClientRect();
const middle = [box.left + Math.min(box.width, 8) / 2, box.top + Math.min(box.height, 8) / 2];
const back = behind(e.parentElement);
return { at: [...document.querySelectorAll('*')].indexOf(e), outline: style.outlineStyle !== 'none',
  width: parseFloat(style.outlineWidth), ratio: ratio(channels(style.outlineColor), back),
  there: box.width > 0 && middle[1] >= 0 && middle[1] <= innerHeight };"""
            )
            if at is None:
                break
            seen.append(at)
        places = [one["at"] for one in seen]
        assert places == sorted(set(places)), "the focus jumps, or is caught"
        assert len(seen) == expected > 5
        for one in seen:
            assert one["outline"] and one["width"] >= 2 and one["ratio"] >= 3 and one["there"]


def test_no_difference_is_told_by_colour_alone(page: Any, report: Path) -> None:
    opened(page, addresses(report)[0])

    def drawn(selector: str) -> str:
        return str(
            page.execute_script(
                """
const style = getComputedStyle(document.querySelector(arguments[0]));
return [style.textDecorationLine, style.textDecorationStyle, style.borderBottomStyle].join(' ')""",
                selector,
            )
        )

    ways = [drawn(f".text {selector}") for selector in ("del.x", "ins.x", ".f", ".m", ".p")]
    assert len(set(ways)) == 5, ways
    assert page.execute_script("return getComputedStyle(document.querySelector('.x b')).fontWeight") == "800"
    page.find_element("id", "view-passages").click()
    number = "return getComputedStyle(document.querySelector('.text .p .n'), '::before').content"
    assert page.execute_script(number) == '"2"'  # the first one is what moved
    assert page.execute_script("return getComputedStyle(document.querySelector('.bound')).strokeDasharray") != "none"
    assert {"stays", "can go"} == set(texts(page, ".tag"))


def test_the_sorted_column_is_told(page: Any, report: Path) -> None:
    page.get(addresses(report)[0])
    page.find_elements("css selector", "#table th button")[2].click()
    told = "return [...document.querySelectorAll('#table th')].map(th => th.ariaSort)"
    assert page.execute_script(told) == [None, None, "descending", *[None] * 5]
    assert page.execute_script("return getComputedStyle(document.querySelectorAll('th button')[2], '::after').content")[
        1:-1
    ]


# --- on paper ---------------------------------------------------------------------------------------------------------


def test_on_paper_all_texts_stand_and_nothing_that_only_works_on_a_screen(page: Any, report: Path) -> None:
    emulated(page, "dark", "print")
    page.get(addresses(report)[0])
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    wait(page, "!document.querySelector('noscript')")
    shown = "return [...document.querySelectorAll(arguments[0])].map(e => e.checkVisibility())"
    for selector in (".text", ".plain", ".said", "#table", ".charts", ".legend"):
        assert all(page.execute_script(shown, selector)) and page.execute_script(shown, selector), selector
    for selector in (".keys", ".search", ".views", ".paper"):
        assert not any(page.execute_script(shown, selector)), selector
    cut = "return [...document.querySelectorAll('.text')].map(e => e.scrollHeight - e.clientHeight)"
    assert max(page.execute_script(cut)) <= 1
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page.execute_script("return document.querySelectorAll('.pair[open]').length") == 1, "the first, as before"


def test_of_hundreds_of_texts_those_that_are_open_are_printed(page: Any, tmp_path: Path) -> None:
    texts = {f"{at}{side}": f"{prose(at, 9)} {side}" for at in range(101) for side in "ab"}
    write_page(dedup.find_duplicates(texts, dedup.Settings(threshold=0.5)), tmp_path / "r.html")
    page.get((tmp_path / "r.html").as_uri())
    assert page.find_element("css selector", ".paper").is_displayed()
    page.find_element("css selector", "summary:has(+ noscript)").click()
    wait(page, "document.querySelector('.text')")
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert len(page.find_elements("css selector", ".text")) == 4, "of the first pair, and of the one that was opened"
