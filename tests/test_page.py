"""The page: what stands in it is what the result and the texts say, whatever they contain, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ROOT, Run, of_type, parse, prose, write_tree
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.report.page import PageOptions, write_page
from dedup.report.page.marking import as_name, marked
from dedup.saved import load_result

pytestmark = pytest.mark.once

VOID = {"meta", "input", "rect", "path", "br"}


@dataclass
class Node:
    """An element: enough of a tree to look things up in."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def all(self, tag: str = "", name: str = "") -> list[Node]:
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if (not tag or child.tag == tag) and (not name or name in child.attributes.get("class", "").split()):
                    found.append(child)
                found += child.all(tag, name)
        return found

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class Tree(HTMLParser):
    """Builds the tree, and refuses what isn't closed as it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]
        self.feed(page)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in {tag}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def page_of(result: dedup.Result, path: Path, options: PageOptions | None = None) -> Node:
    write_page(result, path, options)
    return Tree(path.read_bytes().decode()).root


def source_of(side: Node) -> str:
    return side.text


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_result(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    run = run_dedup("scan", ROOT / "seeds", "-o", "r.jsonl", "-o", "r.html", "--quiet")
    assert (run.status, run.stdout, run.stderr) == (0, b"", b"")
    records = parse((tmp_path / "r.jsonl").read_bytes())
    page = Tree((tmp_path / "r.html").read_text(encoding="utf-8")).root

    [summary] = of_type(records, "summary")
    lead = page.all("p", "lead")[0]
    said = [bold.text for bold in lead.all("b")]
    assert said[:3] == [f"{summary[name]:,}" for name in ("documents", "clusters", "dropped")]
    assert said[4] == f"{summary['kept']:,}"
    scores = [float(data.attributes["value"]) for data in page.all("data")]
    assert scores == [drop[name] for drop in of_type(records, "drop") for name in ("jaccard", "containment")]
    rows = [[cell.text for cell in row.all("td")] for row in page.all("table")[-1].all("tbody")[0].all("tr")]
    assert [row[:3] for row in rows] == [
        [str(cluster["cluster"]), cluster["keep"]["id"], str(cluster["dropped"])]
        for cluster in of_type(records, "cluster")
    ]
    settings = {row.all("th")[0].text: row.all("td")[0].text for row in page.all("table", "plain")[0].all("tr")}
    assert settings == {name: str(value) for name, value in records[0]["settings"].items()}


def test_a_saved_result_gives_the_same_clusters_as_a_fresh_one(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    run_dedup("scan", ROOT / "seeds", "-o", "r.jsonl", "-o", "fresh.html")
    assert run_dedup("report", "r.jsonl", "-o", "saved.html").status == 0
    fresh, saved = (Tree((tmp_path / name).read_text()).root for name in ("fresh.html", "saved.html"))

    assert [c.text for c in fresh.all("section", "cluster")] == [c.text for c in saved.all("section", "cluster")] != []
    assert "candidates" in fresh.all("svg")[0].text and "candidates" not in saved.all("svg")[0].text


def test_each_side_is_its_text_and_passages_point_at_each_other(tmp_path: Path) -> None:
    moved = prose("m", 30)
    kept = f"{moved}\r\n\r\n{prose('a', 80)} one two {prose('b', 90)} only here."
    dropped = f"{prose('a', 80)} One, three {prose('b', 90)}\n\n{moved}"
    folder = write_tree(tmp_path / "in", {"a.txt": kept, "b.txt": dropped})
    page = page_of(dedup.scan(folder), tmp_path / "r.html")

    assert [source_of(side) for side in page.all("div", "text")] == [kept, dropped]
    links = page.all("a", "n")
    anchors = {link.attributes["id"]: link.attributes["href"] for link in links}
    assert len(anchors) == len(links) >= 6
    assert all(anchors[target.removeprefix("#")] == f"#{id}" for id, target in anchors.items())
    sides = page.all("div", "text")
    assert [[mark.text.strip() for mark in side.all("span", "m")] for side in sides] == [[moved], [moved]]
    assert "only" in "".join(mark.text for mark in sides[0].all("del"))
    assert "three" in "".join(mark.text for mark in sides[1].all("ins"))
    assert not sides[0].all("ins") and not sides[1].all("del")


@given(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"])
        | st.sampled_from("\r\n\t\x1b\u202e<&\x85\ufeff")
    )
)
def test_any_text_comes_back_from_the_page_as_it_was(text: str) -> None:
    assert Tree(f"<div>{marked(text)}</div>").root.text == text


def test_what_html_cannot_hold_is_a_visible_escape() -> None:
    assert Tree(f"<p>{marked('a' + chr(0) + 'b' + chr(0xDCFF))}</p>").root.text == r"a\x00b\udcff"
    assert Tree(f"<p>{as_name('caf' + chr(0xDCE9))}</p>").root.text == r"caf\xe9"


def test_a_name_is_on_one_line() -> None:
    shown = Tree(f"<p>{as_name('a' + chr(10) + 'b' + chr(9))}</p>").root
    assert shown.text == "a\nb\t"
    assert [span.attributes["data-c"] for span in shown.all("span")] == [r"\n", r"\t"]


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\r"])
def test_a_character_that_hides_or_acts_is_isolated_and_named(char: str) -> None:
    [span] = Tree(f"<p>{marked('a' + char + 'b')}</p>").root.all("span", "c")

    assert span.text == char and span.attributes["data-c"].startswith("\\")


def test_what_would_be_lost_is_quoted_among_its_neighbours_and_leads_to_the_two_texts(tmp_path: Path) -> None:
    words = prose("w", 60).split()
    texts = {f"{at:02}": " ".join([*words[:30], f"only{at}", "here", *words[30:]]) for at in range(15)}
    page = page_of(
        dedup.find_duplicates({"kept": " ".join([*words, *prose("k", 9).split()]), **texts}), tmp_path / "r.html"
    )

    items = page.all("ol", "losses")[0].all("li"), page.all("ol", "losses")[1].all("li")
    assert [len(part) for part in items] == [10, 5]
    assert "5 more" in [summary.text for summary in page.all("summary")]
    pairs = {pair.attributes["id"]: pair for pair in page.all("details", "pair")}
    quotes = set()
    for item in [*items[0], *items[1]]:
        [link] = item.all("a")
        assert f"only{int(link.text)}" in pairs[link.attributes["href"][1:]].all("div", "text")[1].text
        quote = item.all("q")[0]
        quotes.add(" ".join(quote.text.split()))
        assert [beside.text for beside in quote.all("span", "beside")] == [
            "… " + " ".join(words[24:30]), " ".join(words[30:36]) + " …",
        ]  # fmt: skip
    around = " ".join(words[24:30]), " ".join(words[30:36])
    assert quotes == {f"… {around[0]} only{at} here {around[1]} …" for at in range(15)}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("longest", "it has most distinct stretches of 5 words"),
        ("first", "it was read first"),
        ("path", "its name is the smallest"),
        ("newest", "it is the newest"),
        ("oldest", "it is the oldest"),
        ("field:size", "its size is the largest"),
        ("field:-size", "its size is the smallest"),
    ],
)
def test_the_rule_is_told_in_words(tmp_path: Path, policy: str, said: str) -> None:
    result = dedup.find_duplicates(["one two three", "one two three"], dedup.Settings(keep=policy))
    [kept] = page_of(result, tmp_path / "r.html").all("p", "kept")
    assert f"Kept by the policy {policy}: {said}." in kept.text


def test_the_charts_have_the_numbers_of_the_result(tmp_path: Path) -> None:
    texts = {f"{at}{side}": prose(at, 10 + 2 * at * (side == "b")) for at in range(6) for side in "ab"}
    result = dedup.find_duplicates(texts, dedup.Settings(threshold=0.5, min_contained_shingles=2))
    page = page_of(result, tmp_path / "r.html")
    stages, *histograms = page.all("svg")
    funnel = result.funnel
    counts = [12, result.summary["unique"], funnel.candidates, funnel.matches, len(result.clusters)]
    assert [text.text for text in stages.all("text")[1::2]] == [str(count) for count in counts]
    widths = [float(bar.attributes["width"]) for bar in stages.all("rect")]
    assert widths == pytest.approx([max(1, 130 * count / 12) for count in counts], abs=0.01)
    for svg, scores in zip(
        histograms, ([d.jaccard for d in result.dropped], [d.containment for d in result.dropped]), strict=True
    ):
        expected: dict[str, int] = {}
        for score in scores:
            low = min(int(score * 20), 19) / 20
            name = f"{low:.2f} to {low + 0.05:.2f}"
            expected[name] = expected.get(name, 0) + 1
        bars = dict(bar.text.split(": ") for bar in svg.all("title"))
        assert bars == {name: str(count) for name, count in expected.items()}
        heights = [float(bar.attributes["height"]) for bar in svg.all("rect")]
        assert heights == pytest.approx([100 * int(count) / max(expected.values()) for count in bars.values()])


# --- nothing that isn't ours ------------------------------------------------------------------------------------------

BITS = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "</style>",
    "<!--",
    "-->",
    "]]>",
    "<!-- clusters -->",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{7*7}}",
    "{% include 'x' %}",
    "{#",
    "${1}",
    "<%= 1 %>",
    "<svg onload=alert(1)>",
    "<math><mtext>",
    "<base href=//x>",
    "<style>*{display:none}</style>",
    "javascript:alert(1)",
    "</textarea>",
    "</title>",
    "</div></details>",
    "<iframe srcdoc=x>",
    "&lt;",
    "&#60;b>",
    "&amp;amp;",
    "<b",
    "<a href=x>",
    "\u202eabc\u202c",
    "\u2066x",
    "\u200b",
    "\ufeff",
    "\x1b]8;;x\x07",
    "\x00",
    "\x85",
    "\u2028",
    "\udcff",
    "\ud800",
    "\U000e0041",
    "\r",
]
HOSTILE = [f"{a}{b}" for a in BITS for b in BITS[::5]]
OURS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "p",
    "b",
    "main",
    "section",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "span",
    "div",
    "figure",
    "figcaption",
    "svg",
    "rect",
    "path",
    "text",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "label",
    "input",
    "a",
    "fieldset",
    "legend",
    "del",
    "ins",
    "kbd",
    "dl",
    "dt",
    "dd",
    "data",
    "q",
    "footer",
    "script",
    "noscript",
}


def hostile_result() -> tuple[dedup.Result, list[tuple[str, str]]]:
    """Pairs whose ids and texts are hostile; near copies, so that the bits stand in every kind of segment."""
    texts: list[dedup.Document] = []
    pairs = []
    for at, bit in enumerate(HOSTILE):
        words = prose(at, 60)
        kept, dropped = f"{bit} {words} {bit} {bit}x y", f"{words} {bit} and {bit}"
        texts += [dedup.Document(f"{at} {bit} a", kept), dedup.Document(f"{at} {bit} b", dropped)]
        pairs.append((kept, dropped))
    return dedup.find_duplicates(texts, dedup.Settings(threshold=0.5, keep="field:</script>{{x}}")), pairs


def visible_in_html(text: str) -> str:
    return re.sub("[\0\ud800-\udfff]", lambda m: f"\\x{ord(m[0]):02x}" if m[0] == "\0" else f"\\u{ord(m[0]):04x}", text)


def test_300_hostile_strings_are_shown_and_do_nothing(tmp_path: Path) -> None:
    assert len(HOSTILE) >= 300
    result, pairs = hostile_result()
    assert len(result.clusters) == len(pairs)
    page = page_of(result, tmp_path / "r.html")

    elements = page.all()
    assert {node.tag for node in elements} <= OURS
    assert len(page.all("script")) == len(page.all("style")) == 1
    for node in elements:
        assert not any(
            name.startswith("on") or name in ("style", "src", "srcdoc", "action") for name in node.attributes
        )
        assert node.attributes.get("href", "#").startswith("#")
    sides = [source_of(side) for side in page.all("div", "text")]
    shown = list(zip(sides[::2], sides[1::2], strict=True))
    assert sorted(shown) == sorted((visible_in_html(kept), visible_in_html(dropped)) for kept, dropped in pairs)
    keys = [node.attributes["id"] for node in elements if "id" in node.attributes]
    assert len(keys) == len(set(keys))
    assert {node.attributes["href"][1:] for node in page.all("a")} <= set(keys)


def test_the_policy_allows_our_style_and_script_alone(tmp_path: Path) -> None:
    page = page_of(dedup.find_duplicates(["one two three", "one two three"]), tmp_path / "r.html")
    policy = next(meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes)
    digests = {
        tag: base64.b64encode(hashlib.sha256(page.all(tag)[0].text.encode()).digest()).decode()
        for tag in ("style", "script")
    }

    assert [part.strip() for part in policy.split(";")] == [
        "default-src 'none'", f"style-src 'sha256-{digests['style']}'", f"script-src 'sha256-{digests['script']}'",
        "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert "http:" not in page.text and "https:" not in page.text


# --- what is left out -------------------------------------------------------------------------------------------------


def test_a_redacted_page_has_no_word_of_the_texts(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a.txt": f"secretword {prose(1, 60)} more", "b.txt": f"secretword {prose(1, 60)}"})
    assert run_dedup("scan", "in", "-o", "r.jsonl", "-o", "r.html", "--redact").status == 0
    assert run_dedup("report", "r.jsonl", "-o", "saved.html", "--redact").status == 0

    for name in ("r.html", "saved.html"):
        page = (tmp_path / name).read_text()
        assert "secretword" not in page and "s1x" not in page and "in/b.txt" in page and "Texts are left out" in page
    refused = run_dedup("report", "r.jsonl", "-o", "r.md", "--redact")
    assert refused.status == 2 and "quotes texts" in refused.talk


def test_caps_are_said(tmp_path: Path) -> None:
    texts = [f"{prose(at // 4, 10)}" for at in range(12)]
    result = dedup.find_duplicates(texts)
    page = page_of(result, tmp_path / "r.html", PageOptions(clusters=2, members=1))

    caps = [cap.text for cap in page.all("p", "cap")]
    assert any("showing 2 of 3" in cap for cap in caps)
    assert sum("showing 1 of 3 documents" in cap for cap in caps) == 2
    full = page_of(result, tmp_path / "full.html", PageOptions(compared_bytes=0))
    assert not full.all("details", "pair") and len([n for n in full.all("p", "note") if "page is full" in n.text]) == 9
    assert any("0 of 9 dropped documents were compared" in cap.text for cap in full.all("p", "cap"))


def test_a_changed_and_a_missing_file_are_said_not_guessed(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    words = {at: prose(at, 60) for at in range(3)}
    files = {f"{at}{side}.txt": words[at] + side for at in words for side in ("", " more")}
    folder = write_tree(tmp_path / "in", files)
    run_dedup("scan", "in", "-o", "r.jsonl")
    (folder / "0.txt").write_text(words[0].replace("x", "y"))
    (folder / "1.txt").unlink()

    run = run_dedup("report", "r.jsonl", "-o", "r.html")

    assert run.status == 3 and "2 documents were not compared" in run.talk
    page = Tree((tmp_path / "r.html").read_text()).root
    assert sorted(note.text for note in page.all("p", "note")) == [
        note for note in sorted(note.text for note in page.all("p", "note")) if "has changed since" in note
    ]
    assert len(page.all("p", "note")) == 2 and len(page.all("details", "pair")) == 1


def test_a_page_replaces_a_page_and_nothing_else(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a.txt": "one two", "b.txt": "one two", "mine.html": "<p>mine"})
    assert run_dedup("scan", "in", "-o", "r.jsonl", "-o", "r.html").status == 0
    first = (tmp_path / "r.html").read_bytes()
    assert run_dedup("report", "r.jsonl", "-o", "r.html").status == 0
    assert (tmp_path / "r.html").read_bytes() != first

    refused = run_dedup("scan", "in", "-o", "in/mine.html")

    assert refused.status == 2 and "is no report of dedup" in refused.talk
    assert (tmp_path / "in" / "mine.html").read_text() == "<p>mine"


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = dedup.find_duplicates(["one two three", "one two three"])
    path = tmp_path / "r.html"
    page_of(result, path)
    before = path.read_bytes()

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("dedup.report.page.writing.histogram", broken)
    with pytest.raises(RuntimeError):
        write_page(result, path)

    assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == ["r.html"]


def test_a_long_shared_passage_can_be_folded_whatever_signs_are_in_it(tmp_path: Path) -> None:
    shared = " ".join(f'"{word}" & <b>' for word in prose(1, 200).split())
    result = dedup.find_duplicates([f"{shared} one", f"{shared} two"])
    page = page_of(result, tmp_path / "r.html")

    folds = page.all("span", "fold")
    assert len(folds) == 2 and all(len(fold.text) > len(shared) / 2 for fold in folds)
    assert sorted(side.text for side in page.all("div", "text")) == [f"{shared} one", f"{shared} two"]


def test_nothing_found_is_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    page = page_of(dedup.scan(tmp_path / "in"), tmp_path / "r.html")

    assert "No copies: every document stays." in page.text


def test_records_skipped_and_empty_ones_are_listed(tmp_path: Path) -> None:
    lines = [{"id": "<1>", "text": "one two"}, {"id": "<2>", "text": "One two!"}, {"id": "e", "text": "…"}, {"id": 4}]
    folder = write_tree(tmp_path / "in", {"r.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    result = dedup.scan(folder)
    result.write(tmp_path / "saved.jsonl")
    write_page(load_result(tmp_path / "saved.jsonl"), tmp_path / "r.html")
    page = Tree((tmp_path / "r.html").read_text()).root

    assert [cell.text for cell in page.all("table", "plain")[1].all("td")][1] == "no-text"
    assert "1 without words" in page.text and [side.text for side in page.all("div", "text")] == ["one two", "One two!"]
