"""A review in a browser: every key, what stands in the file afterwards, no message, and no request to anything else."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, prose, write_tree
from reviewing import Served, decided, fake_browser, make_result, opened_with, served
from test_decided import page_of, tags

import dedup
from dedup.decisions import Decisions, decisions_path, load_decisions

pytestmark = [pytest.mark.once, pytest.mark.slow]

ORDER = ["near-c.txt", "part.txt", "near-b.txt", "exact-b.txt"]  # least certain first


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return make_result(tmp_path)


class Page:
    """The page of a review in the browser."""

    def __init__(self, driver: Any, server: Served) -> None:
        self.driver, self.server = driver, server

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)).strip()

    def wait(self, condition: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 300).until(lambda _: self.run(f"return {condition}"))

    def settle(self) -> None:
        self.wait("document.body.getAttribute('aria-busy') === null && document.querySelector('#about') !== null")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)
            self.settle()

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()
        self.settle()

    @property
    def dropped(self) -> str:
        """Which pair is shown: the name of B."""
        return os.path.basename(self.text(".side.b .id"))

    @property
    def said(self) -> str:
        return self.text("#said")

    @property
    def pressed(self) -> list[str]:
        return list(self.run("return [...document.querySelectorAll('[aria-pressed=true]')].map(e => e.id)"))


Opened = Callable[..., Page]


@pytest.fixture
def opened(driver: Any, result: Path) -> Iterator[Opened]:
    """Opens a review in the browser; afterwards it must have said nothing and asked nobody else."""
    running: list[Any] = []
    bases = []
    driver.get_log("browser")
    driver.get_log("performance")

    def open_(*options: str | Path, of: Path = result) -> Page:
        manager = served(of, *options)
        server = manager.__enter__()
        running.append(manager)
        bases.append(server.base)
        driver.get("about:blank")
        driver.get(server.address)
        page = Page(driver, server)
        page.settle()
        return page

    yield open_
    try:
        assert [entry["message"] for entry in driver.get_log("browser")] == []
        messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert all(url.startswith((*bases, "data:image/svg+xml,")) for url in sent), sent
    finally:
        driver.get("about:blank")
        for manager in running:
            manager.__exit__(None, None, None)


# --- the keys ---------------------------------------------------------------------------------------------------------


def test_a_b_and_c_decide_and_go_to_the_next_undecided(opened: Opened, result: Path) -> None:
    page = opened()
    path = Path(decisions_path(result))
    assert (page.dropped, page.said) == ("near-c.txt", "0 of 4 decided")
    page.press("a")
    assert (page.dropped, page.said) == ("part.txt", "1 of 4 decided")
    assert decided(path) == {"near-c.txt": "kept"}
    page.press("b")
    assert decided(path) == {"near-c.txt": "kept", "part.txt": "dropped"}
    page.press("c")
    assert (page.dropped, page.said) == ("exact-b.txt", "3 of 4 decided")
    page.press("a")
    assert page.text("#about") == "All 4 decided" and page.said == "4 of 4 decided"
    assert [made.split(" ×")[0] for made in page.text(".end ul").splitlines() if made] == ["2", "1", "1"]
    assert decided(path) == {"near-c.txt": "kept", "part.txt": "dropped", "near-b.txt": "both", "exact-b.txt": "kept"}
    times = {made.time for made in load_decisions(path).by_id.values()}
    assert all(time and time.endswith("Z") and len(time) == 20 for time in times)


def test_j_k_and_i_go_from_pair_to_pair_and_stop_at_the_ends(opened: Opened) -> None:
    page = opened()
    seen = []
    for key in "kjjjjk":
        page.press(key)
        seen.append(page.dropped)
    assert seen == [ORDER[at] for at in (0, 1, 2, 3, 3, 2)]
    page.press("k", "k", "c")
    page.press("k", "i")
    assert page.dropped == ORDER[1]
    page.press("j", "j", "c")  # behind the last one it begins again
    assert page.dropped == ORDER[1]
    page.press("i")
    assert page.dropped == ORDER[2]
    page.press("i")
    assert page.dropped == ORDER[1]


def test_u_takes_back_and_shows_the_pair(opened: Opened, result: Path) -> None:
    page = opened()
    page.press("a", "c", "j", "u")
    assert (page.dropped, page.said, page.pressed) == ("part.txt", "1 of 4 decided", [])
    page.press("u")
    assert (page.dropped, page.said) == ("near-c.txt", "0 of 4 decided")
    page.press("u")
    assert page.said == "nothing to undo" and decided(Path(decisions_path(result))) == {}


def test_a_decided_pair_shows_it_and_can_be_decided_otherwise(opened: Opened, result: Path) -> None:
    page = opened()
    page.press("a", "k")
    assert page.pressed == ["keep-a"] and page.text(".verdict") == "Decided: B goes, A stays."
    page.press("b", "k")
    assert page.pressed == ["keep-b"] and page.text(".verdict") == "Decided: A goes, B stays."
    assert decided(Path(decisions_path(result))) == {"near-c.txt": "dropped"}
    assert "A stays all the same: 1 other document goes for A alone (in/near-b.txt)" in page.text("#follows .warn")
    page.press("u")
    assert page.pressed == ["keep-a"] and decided(Path(decisions_path(result))) == {"near-c.txt": "kept"}


def test_n_and_p_go_from_difference_to_difference(opened: Opened) -> None:
    page = opened()
    now = "return [...document.querySelectorAll('.now')].map(e => e.textContent.trim())"
    page.press("n")
    assert page.run(now) == ["snearx20", "c20"]
    page.press("n")
    assert page.run(now) == ["snearx38", "c38"]
    page.press("p")
    assert page.run(now) == ["snearx20", "c20"]
    page.press("j", "j", "n")
    assert page.run(now) == ["snearx100", "changed"]


def test_v_changes_the_view_and_help_opens(opened: Opened) -> None:
    page = opened()
    shared = "getComputedStyle(document.querySelector('.text .n')).display !== 'none'"
    assert not page.run(f"return {shared}")
    page.press("v")
    assert page.run(f"return {shared}")
    page.press("v")
    assert not page.run(f"return {shared}")
    page.press("?")
    assert page.run("return document.getElementById('help').open")
    page.press("?")
    assert not page.run("return document.getElementById('help').open")


def test_the_buttons_do_what_the_keys_do(opened: Opened, result: Path) -> None:
    page = opened()
    for selector, name in (("#keep-both", "part.txt"), ("#keep-a", "near-b.txt"), ("#previous", "part.txt"),
                           ("#next", "near-b.txt"), ("#keep-b", "exact-b.txt"), ("#undo", "near-b.txt"),
                           ("#next", "exact-b.txt"), ("#open", "near-b.txt")):  # fmt: skip
        page.click(selector)
        assert page.dropped == name, selector
    assert decided(Path(decisions_path(result))) == {"near-c.txt": "both", "part.txt": "kept"}


def test_others_of_the_cluster_are_one_click_away(opened: Opened) -> None:
    page = opened()
    page.click(".others summary")
    assert page.text(".others li") == "in/near-b.txt near, undecided"
    page.click(".others .go")
    assert page.dropped == "near-b.txt"


def test_keys_with_ctrl_alt_or_held_down_decide_nothing(opened: Opened, result: Path) -> None:
    page = opened()
    fire = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', ...arguments[0]}))"
    for how in ({"ctrlKey": True}, {"altKey": True}, {"metaKey": True}, {"repeat": True}):
        page.run(fire, how)
    page.press("x", "d", "1", "/")
    assert page.said == "0 of 4 decided" and not os.path.exists(decisions_path(result))


def test_two_keys_at_once_decide_about_the_pair_on_the_screen_alone(opened: Opened, result: Path) -> None:
    page = opened()
    page.run("for (const key of 'aaabc') document.dispatchEvent(new KeyboardEvent('keydown', {key}))")
    page.settle()
    assert decided(Path(decisions_path(result))) == {"near-c.txt": "kept"}


# --- from day to day --------------------------------------------------------------------------------------------------


def test_another_day_opens_at_the_first_undecided(opened: Opened, result: Path) -> None:
    page = opened()
    page.press("c", "j", "c")
    page.server.process.send_signal(signal.SIGINT)
    page.server.process.wait(20)
    later = opened()
    assert (later.dropped, later.said) == ("part.txt", "2 of 4 decided")
    later.press("u")
    assert (later.dropped, later.said) == ("near-b.txt", "1 of 4 decided")


def test_the_token_leaves_the_address_and_a_reload_goes_on(opened: Opened) -> None:
    page = opened()
    assert page.driver.current_url == page.server.base
    page.press("a")
    page.driver.refresh()
    page.settle()
    assert (page.dropped, page.said) == ("part.txt", "1 of 4 decided")


def test_the_address_of_one_use_opens_the_page_and_no_second_one(
    driver: Any, result: Path, tmp_path_factory: Any
) -> None:
    program, note = fake_browser(tmp_path_factory.mktemp("browser"))
    with served(result, browser=program) as server:
        once = opened_with(note)
        driver.get(once)
        page = Page(driver, server)
        page.settle()
        assert driver.current_url == server.base and page.dropped == "near-c.txt"
        driver.refresh()
        page.settle()
        assert page.dropped == "near-c.txt"
        page.run("sessionStorage.clear()")
        driver.get("about:blank")
        driver.get(once)
        page.wait("!document.getElementById('trouble').hidden")
        assert page.text("#pair") == ""
        driver.get("about:blank")
        driver.get_log("browser")  # the browser notes the status 403


def test_finish_ends_the_review(opened: Opened) -> None:
    page = opened()
    page.press("a")
    page.click("#finish")
    assert page.server.process.wait(20) == 0
    assert "1 of 4 decided. The review has ended" in page.text("#about")
    assert "dedup apply" in page.text(".steps")
    page.press("b")
    assert page.said == "1 of 4 decided"


def test_a_chosen_part_of_the_pairs(opened: Opened) -> None:
    page = opened("--relation", "near", "--score", "0.9..", "--order", "result")
    assert (page.dropped, page.said) == ("near-b.txt", "0 of 1 decided")


def test_what_somebody_else_decided_is_shown_and_not_overwritten(opened: Opened, result: Path) -> None:
    page = opened()
    page.press("a")
    path = Path(decisions_path(result))
    theirs = load_decisions(path)
    made = theirs.by_id["in/near-c.txt"]
    Decisions(theirs.result_digest, {"in/part.txt": type(made)("in/part.txt", "in/long.txt", made.stays)}).write(path)
    page.driver.switch_to.active_element.send_keys("c")
    page.settle()
    assert "changed by somebody else" in page.text("#trouble")
    assert (page.dropped, page.said, page.pressed) == ("part.txt", "1 of 4 decided", ["keep-a"])
    assert decided(path) == {"part.txt": "kept"}
    page.driver.get_log("browser")  # the browser notes the status 409
    page.press("c")
    assert page.text("#trouble") == "" and decided(path) == {"part.txt": "both"}


def test_a_server_that_has_gone_is_said(opened: Opened, driver: Any) -> None:
    page = opened()
    page.server.process.kill()
    page.server.process.wait(20)
    page.press("a")
    assert "The review has stopped. What was decided is saved" in page.text("#trouble")
    assert page.run("return document.getElementById('keep-a').disabled")
    driver.get_log("browser")  # the browser notes that nobody answers


def test_without_the_token_the_page_says_so(opened: Opened, driver: Any) -> None:
    page = opened()
    driver.get("about:blank")
    page.run("return 1")
    driver.get(page.server.base + "#token=wrong")
    page.wait("!document.getElementById('trouble').hidden")
    assert "open the address that dedup review printed" in page.text("#trouble")
    assert page.text("#pair") == "" and page.run("return document.getElementById('keep-a').disabled")
    driver.get_log("browser")  # the browser notes the status 403


# --- from the review to the files -------------------------------------------------------------------------------------


def test_from_the_page_to_the_files_and_back(opened: Opened, result: Path, run_dedup: Callable[..., Run]) -> None:
    """near-c stays beside near-a, part stays in place of long, near-b goes; exact-b is undecided and goes."""
    folder = result.parent / "in"
    before = sorted(path.name for path in folder.iterdir())
    page = opened()
    page.press("c", "b", "a")
    page.click("#finish")
    page.server.process.wait(20)

    assert run_dedup("report", "r.jsonl", "-o", "r.html").status == 0
    said = tags(page_of(result.parent / "r.html"))
    assert {name for name, tag in said.items() if tag == "stays"} == {
        "near-a.txt",
        "near-c.txt",
        "part.txt",
        "exact-a.txt",
    }
    assert said["long.txt"] == said["near-b.txt"] == "goes" and said["exact-b.txt"] == "can go"
    dry = run_dedup("apply", "r.jsonl", "--json")
    moved = sorted(os.path.basename(item["path"]) for item in json.loads(dry.stdout)["moved"])
    assert moved == ["exact-b.txt", "long.txt", "near-b.txt"]
    assert sorted(path.name for path in folder.iterdir()) == before
    done = run_dedup("apply", "r.jsonl", "--yes", "--move-to", "q", writes=[folder, result.parent / "q"])
    assert done.status == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(before) - set(moved))
    assert run_dedup("undo", "q", writes=[folder, result.parent / "q"]).status == 0
    assert sorted(path.name for path in folder.iterdir()) == before


# --- how it looks -----------------------------------------------------------------------------------------------------

SIZES = [(width, scheme) for width in (360, 1024, 1920) for scheme in ("light", "dark")]

CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const paper = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return rgb(getComputedStyle(document.body).backgroundColor);
};
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
const found = [];
for (const element of document.body.querySelectorAll("*")) {
  if (![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  if (!element.checkVisibility() || element.closest("script, :disabled, option")) continue;
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(paper(element))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) found.push([element.outerHTML.slice(0, 80), (a + 0.05) / (b + 0.05)]);
}
return found;
"""

NAMELESS = """
return [...document.querySelectorAll("button, input, [role=region], [role=progressbar], a, summary, nav, section")]
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length)
    || document.getElementById(e.getAttribute("aria-labelledby") || "-")))
  .map((e) => e.outerHTML.slice(0, 80));
"""


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_at_every_width_in_both_schemes(opened: Opened, driver: Any, width: int, scheme: str) -> None:
    """Nothing is cut off sideways, the buttons are on the screen, all text has contrast, everything has a name."""
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page = opened()
        white = page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert white == (scheme == "light")
        for keys in ("", "?", "ak", "v", "bj"):
            page.press(*keys)
            page.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
            assert page.run("return document.documentElement.scrollWidth <= innerWidth")
            assert page.run("return document.getElementById('main').scrollWidth <= innerWidth")
            boxes = page.run("return ['keep-a', 'keep-b', 'keep-both', 'undo', 'next', 'finish'].map(id => "
                             "{ const b = document.getElementById(id).getBoundingClientRect(); "
                             "return [b.left, b.top, b.right, b.bottom, b.width, b.height]; })")  # fmt: skip
            for left, top, right, bottom, wide, high in boxes:
                assert left >= 0 and top >= 0 and right <= width and bottom <= 740 and wide >= 24 and high >= 24
            assert page.run(CONTRAST) == []
            assert page.run(NAMELESS) == []
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_texts_have_room(opened: Opened, driver: Any) -> None:
    """On a desk both texts are seen at once, most of the window high, without scrolling the page."""
    size = {"width": 1024, "height": 768, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page = opened()
        boxes = page.run("return [...document.querySelectorAll('.text')].map(e => "
                         "{ const b = e.getBoundingClientRect(); return [b.top, b.bottom]; })")  # fmt: skip
        assert [round(top) for top, _ in boxes] == [round(boxes[0][0])] * 2
        assert all(top > 0 and bottom < 768 and bottom - top > 300 for top, bottom in boxes)
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# --- nothing that isn't ours ------------------------------------------------------------------------------------------


TAGS = "return [...new Set([...document.querySelectorAll('body *')].map(e => e.tagName))]"


def test_hostile_texts_and_names_do_nothing(opened: Opened, tmp_path: Path) -> None:
    from test_page import BITS, HOSTILE

    assert len(HOSTILE) >= 300
    folder = tmp_path / "hostile"
    folder.mkdir()
    bits = [bit for bit in BITS if not any("\ud800" <= char <= "\udfff" for char in bit)]
    lines = []
    for at in range(0, len(HOSTILE), 12):
        many = " ".join(bit for bit in HOSTILE[at : at + 12] if not any("\ud800" <= c <= "\udfff" for c in bit))
        words = prose(at, 200)
        lines.append({"id": f"{at} {bits[at % len(bits)]} a", "text": f"{many} {words} {many}x y"})
        lines.append({"id": f"{at} {bits[at % len(bits)]} b", "text": f"{words} {many} and {many}"})
    write_tree(folder, {"in.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    result = folder / "{{7*7}}<img src=x onerror=alert(1)>.jsonl"
    dedup.scan(folder / "in.jsonl", dedup.Settings(threshold=0.1)).write(result)
    texts = {line["id"]: line["text"].replace("\0", "\\x00") for line in lines}
    page = opened(of=result)
    seen = 0
    ours = page.run(TAGS)
    while True:
        seen += 1
        shown = page.run("return [...document.querySelectorAll('.text')].map(e => e.textContent)")
        names = page.run("return [...document.querySelectorAll('.side .id')].map(e => e.textContent)")
        for name, text in zip(names, shown, strict=True):
            [whole] = [texts[id] for id in texts if id.replace("\0", "\\x00") == name]
            assert text == whole
        page.press("c")
        if page.run("return document.querySelector('.end') !== null"):
            break
    assert seen == len(lines) // 2
    assert set(page.run(TAGS)) <= set(ours) | {"LI", "UL", "CODE"}
    assert "{{7*7}}" in page.text(".steps") and "<img" in page.text(".steps")
    assert not page.run("return document.querySelector('img, svg, math, iframe, base, textarea')")
