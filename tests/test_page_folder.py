"""A report too large for one page is a folder of pages that link to each other: all of it is new, or all of it old."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import Run, command_env, prose, write_tree
from test_page import Node, Tree

import dedup
from dedup.report.page import PageOptions, write_page

pytestmark = pytest.mark.once

SMALL = PageOptions(page_clusters=3, sheet_clusters=2)


def found(clusters: int, salt: str = "") -> dedup.Result:
    """A result with so many clusters of two texts of 30 words."""
    texts = {}
    for at in range(clusters):
        words = prose(f"{salt}{at}q", 30)
        texts[f"<{at}> a"] = f"{words} more"
        texts[f"<{at}> b"] = words
    return dedup.find_duplicates(texts)


def tree(path: Path) -> Node:
    return Tree(path.read_bytes().decode()).root


def pages(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_overview_leads_to_every_cluster_and_each_page_leads_back(tmp_path: Path) -> None:
    overview = tmp_path / "a report: 50%.html"
    written = write_page(found(7), overview, SMALL)
    files = pages(tmp_path / "a report: 50%_files")

    assert (written.shown, written.clusters, written.pages, written.folder) == (7, 7, 4, str(files[0].parent))
    assert len(files) == 4
    top = tree(overview)
    assert not top.all("section", "cluster") and "folder of pages" in top.all("p", "cap")[0].text
    rows = top.all("table")[-1].all("tbody")[0].all("tr")
    seen = []
    for row in rows:
        page, anchor = row.all("a")[0].attributes["href"].split("#")
        cluster = next(
            c for c in tree(tmp_path / unquote(page)).all("section", "cluster") if c.attributes["id"] == anchor
        )
        assert cluster.all("span", "id")[0].text == row.all("td", "id")[0].text
        assert row.attributes["data-also"].split("\n")[:-1] == [cluster.all("span", "id")[1].text]
        seen.append(anchor)
    assert sorted(seen) == sorted(f"c{number}" for number in range(7))
    sizes = []
    for at, file in enumerate(files):
        page = tree(file)
        sizes.append(len(page.all("section", "cluster")))
        [policy] = [m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        links = {a.attributes.get("rel", "back"): a.attributes["href"] for a in page.all("nav")[0].all("a")}
        expected = {"back": "../a%20report%3A%2050%25.html"}
        if at:
            expected["prev"] = files[at - 1].name
        if at < 3:
            expected["next"] = files[at + 1].name
        assert links == expected
    assert sizes == [2, 2, 2, 1]


def test_bounds_say_when_there_is_a_folder(tmp_path: Path) -> None:
    result = found(4)
    for options, expected in (
        (PageOptions(), 0),
        (PageOptions(page_clusters=4), 0),
        (PageOptions(page_clusters=3), 0),  # all four fit into one page of a folder: then there is none
        (PageOptions(page_clusters=3, sheet_clusters=3), 2),
        (PageOptions(page_bytes=1000, sheet_bytes=1), 4),
        (PageOptions(page_bytes=1000, sheet_bytes=1, clusters=3), 3),
    ):
        assert write_page(result, tmp_path / "r.html", options).pages == expected
        assert (tmp_path / "r_files").exists() == bool(expected)
        if expected:
            assert len(pages(tmp_path / "r_files")) == expected


def test_a_new_report_takes_the_place_of_the_old_one_and_of_nothing_else(tmp_path: Path) -> None:
    overview, folder = tmp_path / "r.html", tmp_path / "r_files"
    write_page(found(7), overview, SMALL)
    first = pages(folder)
    (folder / "mine.html").write_text("mine")
    taken = folder / first[0].name
    taken.write_text("mine too")  # has a page's name, and is none
    write_page(found(5, "other"), overview, SMALL)
    second = [path for path in pages(folder) if path.read_text()[:4] != "mine"]
    assert len(second) == 3 and not set(second) & set(first)
    assert (folder / "mine.html").read_text() == "mine" and taken.read_text() == "mine too"
    before = [path.read_bytes() for path in second]
    write_page(found(5, "other"), overview, SMALL)  # the same report once more
    third = [path for path in pages(folder) if path.read_text()[:4] != "mine"]
    assert [re.sub(rb"[0-9a-f]{12}-0", b"", path.read_bytes()) for path in third] == [
        re.sub(rb"[0-9a-f]{12}-0", b"", page) for page in before
    ]

    write_page(found(2), overview, SMALL)
    assert pages(folder) == sorted([folder / "mine.html", taken])
    (folder / "mine.html").unlink()
    taken.unlink()
    write_page(found(7), overview, SMALL)
    write_page(found(2), overview, SMALL)
    assert not folder.exists()


@pytest.mark.parametrize("where", ["overview", "sheet_page"])
def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overview, folder = tmp_path / "r.html", tmp_path / "r_files"
    write_page(found(7), overview, SMALL)
    before = {path: path.read_bytes() for path in [overview, *pages(folder)]}

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(f"dedup.report.page.writing._Writer.{where}", broken)
    for salt in ("other", ""):
        with pytest.raises(RuntimeError):
            write_page(found(7, salt), overview, SMALL)
        assert {path: path.read_bytes() for path in [overview, *pages(folder)]} == before


KILLED = """
import os, signal, sys
import dedup.report.page.writing as writing
from test_page_folder import SMALL, found
result, left = found(7, "other"), int(sys.argv[2])
real = os.replace
def replace(*names):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*names)
os.replace = replace
writing.write_page(result, sys.argv[1], SMALL)
"""


def test_a_kill_leaves_one_of_the_reports_whole(tmp_path: Path) -> None:
    overview, folder = tmp_path / "r.html", tmp_path / "r_files"
    write_page(found(7), overview, SMALL)
    old, old_pages = overview.read_bytes(), set(pages(folder))
    statuses = []
    for renames in range(6):
        command = [sys.executable, "-P", "-c", KILLED, str(overview), str(renames)]
        paths = os.pathsep.join([str(Path(__file__).parent), str(Path(dedup.__file__).parent.parent)])
        env = command_env(tmp_path) | {"PYTHONPATH": paths}
        statuses.append(subprocess.run(command, env=env, check=False, timeout=300).returncode)
        linked = {a.attributes["href"].split("#")[0] for a in tree(overview).all("table")[-1].all("a")}
        assert len(linked) == 4 and all(tree(tmp_path / page).all("section", "cluster") for page in linked)
        assert (overview.read_bytes() == old) == (renames < 5)
    assert statuses == [-signal.SIGKILL] * 5 + [0]
    assert not old_pages & set(pages(folder))


def test_the_command_says_that_there_is_a_folder(
    run_dedup: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f'{{"text":"{prose(at // 2, 12)}"}}\n' for at in range(5010)]
    write_tree(tmp_path / "in", {"r.jsonl": "".join(lines)})
    writes = [tmp_path / "r_files"]
    run = run_dedup("scan", "in", "-o", "r.jsonl", "-o", "r.html", writes=writes)
    assert run.status == 0 and "dedup: r.html: its clusters are 6 pages in r_files; move them together" in run.talk
    assert run_dedup("scan", "in", "-o", "r.html", "--quiet", writes=writes).talk == ""
    assert "6 pages in r_files" in run_dedup("report", "r.jsonl", "-o", "r.html", writes=writes).talk
    assert len(pages(tmp_path / "r_files")) == 6


def test_a_folder_that_cannot_be_made_is_said(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "r_files").write_text("a file")
    with pytest.raises(dedup.DedupError, match=r"r_files, the folder .*, can't be made: .*\nChoose"):
        write_page(found(7), tmp_path / "r.html", SMALL)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["r_files"]


@pytest.mark.skipif(os.name != "posix", reason="pipes with names")
def test_a_pipe_gets_one_page_whatever_its_size(tmp_path: Path) -> None:
    pipe = tmp_path / "r.html"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert write_page(found(7), pipe, SMALL).folder is None
    out, _ = reader.communicate(timeout=300)
    assert len(Tree(out.decode()).root.all("section", "cluster")) == 7


def test_members_are_listed_within_bounds(tmp_path: Path) -> None:
    texts = {f"{at:02}": f"{prose(at // 6, 30)} {'x' if at % 6 else 'x y'}" for at in range(18)}
    write_page(dedup.find_duplicates(texts), tmp_path / "r.html", PageOptions(members=4, listed=7))
    page = tree(tmp_path / "r.html")

    assert [len(c.all("ol", "members")[0].all("li")) for c in page.all("section", "cluster")] == [4, 3, 0]
    caps = [cap.text for cap in page.all("p", "cap")]
    assert [int(re.search("showing (.) of 5 doc", cap)[1]) for cap in caps if "of 5 documents" in cap] == [4, 3, 0]


def test_a_cluster_and_a_pair_take_no_more_than_their_share(tmp_path: Path) -> None:
    words = prose("k", 200)
    texts = {str(at): f"{words} {at}" for at in range(6)} | {"one": f"{words} \u200b\u200b\u200b"}
    write_page(dedup.find_duplicates(texts), tmp_path / "r.html", PageOptions(cluster_text=5000))
    page = tree(tmp_path / "r.html")
    notes = [note.text for note in page.all("p", "note")]
    drawn = page.all("details", "pair")
    assert len(drawn) + len(notes) == 6 and drawn and all("page is full" in note for note in notes) and notes

    write_page(dedup.find_duplicates(texts), tmp_path / "r.html", PageOptions(cluster_text=1000))
    assert not tree(tmp_path / "r.html").all("details", "pair")
    assert "too long for a page" in tree(tmp_path / "r.html").all("p", "note")[0].text
