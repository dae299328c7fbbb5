"""Clusters over time: which times a result has, how they are read back, and where a page draws them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, parse, prose, write_tree
from test_page import Node, Tree

import dedup
from dedup.model import Kept, Place
from dedup.report.page import write_page
from dedup.report.page.timeline import time_of, timeline, words
from dedup.saved import load_result

pytestmark = pytest.mark.once

DAY = 86400.0
YEAR_2020 = 1577836800.0  # date -u -d 2020-01-01 +%s


def document(id: str) -> Kept:
    return Kept(Place(id, id, None, None, None, 1, "0" * 32), 9, 9)


def page_of(path: Path) -> Node:
    return Tree(path.read_text(encoding="utf-8")).root


# --- what a result has ------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three near copies, a year apart; the oldest is the longest."""
    folder = write_tree(tmp_path / "in", {f"{at}.txt": prose(1, 200) + " more" * (3 - at) for at in range(3)})
    for at in range(3):
        os.utime(folder / f"{at}.txt", (YEAR_2020 + 366 * DAY * at, YEAR_2020 + 366 * DAY * at))
    return folder


@pytest.mark.parametrize("policy", ["longest", "first", "path", "field:x"])
def test_a_result_has_no_times_unless_its_policy_looks_at_them(files: Path, policy: str) -> None:
    """Else touching a file would change the result's bytes."""
    settings = dedup.Settings(keep=policy)
    before = dedup.scan(files, settings).to_bytes()
    os.utime(files / "1.txt", (5, 5))
    assert dedup.scan(files, settings).to_bytes() == before and b'"time"' not in before


@pytest.mark.parametrize(("policy", "stays"), [("newest", 2), ("oldest", 0)])
def test_a_result_has_the_times_that_its_policy_looked_at(files: Path, tmp_path: Path, policy: str, stays: int) -> None:
    result = dedup.scan(files, dedup.Settings(keep=policy))
    records = parse(result.to_bytes())
    found = [record["keep"] for record in of_type(records, "cluster")] + of_type(records, "drop")
    assert {record["id"][-5:-4]: record["time"] for record in found} == {
        str(at): YEAR_2020 + 366 * DAY * at for at in range(3)
    }
    assert result.clusters[0].keep.id.endswith(f"{stays}.txt")
    result.write(tmp_path / "r.jsonl")
    assert load_result(tmp_path / "r.jsonl").clusters == result.clusters


def test_a_time_from_python_is_there_and_one_that_is_none_is_not() -> None:
    text = prose(1, 60)
    times = {"a": 5.0, "b": None, "c": float("nan"), "d": float("inf")}
    documents = [dedup.Document(id, text, time=time) for id, time in times.items()]
    records = parse(dedup.find_duplicates(documents, dedup.Settings(keep="oldest")).to_bytes())
    found = [record["keep"] for record in of_type(records, "cluster")] + of_type(records, "drop")
    assert {record["id"]: record.get("time") for record in found} == {"a": 5.0, "b": None, "c": None, "d": None}


def test_a_time_that_is_no_number_is_refused(files: Path, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    run_dedup("scan", "in", "--keep", "newest", "-o", "r.jsonl")
    path = tmp_path / "r.jsonl"
    path.write_text(path.read_text().replace(f'"time":{YEAR_2020}', '"time":"soon"'))
    run = run_dedup("report", "r.jsonl", "-o", "r.html")
    assert run.status == 2 and "time is 'soon', not a number" in run.talk


# --- where it is drawn ------------------------------------------------------------------------------------------------


def test_marks_stand_where_their_times_are() -> None:
    """From 12 to 588 of 600: ten days; the third after five of them, so in the middle."""
    times = {"a": YEAR_2020, "b": YEAR_2020 + 10 * DAY, "c": YEAR_2020 + 5 * DAY}
    drawn = timeline([document(id) for id in "abcd"], times, frozenset("b"))
    assert drawn is not None
    assert [(mark.id, mark.x, mark.level, mark.kept) for mark in drawn.marks] == [
        ("a", 12.0, 0, False), ("c", 300.0, 0, False), ("b", 588.0, 0, True),
    ]  # fmt: skip
    assert [mark.when for mark in drawn.marks] == ["2020-01-01", "2020-01-06", "2020-01-11"]
    assert drawn.unknown == 1
    assert [word for _, word in drawn.ticks] == ["01-02", "01-04", "01-06", "01-08", "01-10"]


def test_marks_that_would_overlap_stand_above_each_other() -> None:
    times = {"a": 0.0, "b": 1.0, "c": 2.0, "z": 1000.0}
    drawn = timeline([document(id) for id in "abcz"], times, frozenset())
    assert drawn is not None and [mark.level for mark in drawn.marks] == [0, 1, 2, 0] and drawn.levels == 3


@pytest.mark.parametrize("times", [{}, {"a": 1.0}, {"a": 1.0, "b": 1.0}])
def test_without_two_different_times_there_is_none(times: dict[str, float]) -> None:
    assert timeline([document("a"), document("b")], times, frozenset()) is None


@pytest.mark.parametrize(
    ("days", "ticks"),
    [
        (0.5, []),
        (1, ["01-02"]),
        (59, ["01-02", "01-10", "01-18", "01-26", "02-03", "02-11", "02-19", "02-27"]),
        (100, ["2020-02", "2020-03", "2020-04"]),
        (1000, ["2021", "2022"]),
        (366 * 50, [str(year) for year in range(2021, 2071, 7)]),
    ],
)
def test_ticks_are_few_and_round(days: float, ticks: list[str]) -> None:
    drawn = timeline([document("a"), document("b")], {"a": YEAR_2020, "b": YEAR_2020 + days * DAY}, frozenset())
    assert drawn is not None and [word for _, word in drawn.ticks] == ticks
    assert all(12 <= x <= 588 for x, _ in drawn.ticks)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2020-01-01", YEAR_2020), ("2020-01-01T00:00:00Z", YEAR_2020), ("2020-01-01T02:00:00+02:00", YEAR_2020),
        (" 2020-01-01 ", YEAR_2020), ("20200101", YEAR_2020), (YEAR_2020, YEAR_2020), (-1, -1.0), (0, 0.0),
        ("", None), ("soon", None), ("01/02/2020", None), (None, None), (True, None), ([], None), ({}, None),
        (1e300, None), (float("nan"), None), (float("inf"), None), (10**400, None), ("9999-99-99", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0), ("2020-01-01" + " " * 99, None),
    ],
)  # fmt: skip
def test_what_is_a_date(value: object, time: float | None) -> None:
    assert time_of(value) == time
    if time is not None:
        words(time)


def test_times_no_calendar_has_are_left_out(tmp_path: Path) -> None:
    text = prose(1, 60)
    documents = [dedup.Document(str(time), text, time=time) for time in (-1e300, 0.0, DAY, 1e15, 1e300)]
    write_page(dedup.find_duplicates(documents, dedup.Settings(keep="oldest")), tmp_path / "r.html")
    [figure] = page_of(tmp_path / "r.html").all("figure", "timeline")
    assert "1970-01-01 to 1970-01-02" in figure.text and "3 without a date" in figure.text


def test_a_page_of_newest_shows_files_over_time(files: Path, run_dedup: Callable[..., Run]) -> None:
    out = files.parent
    assert run_dedup("scan", "in", "--keep", "newest", "-o", "fresh.html", "-o", "r.jsonl", "-q").status == 0
    for at in range(3):  # what the result says counts, not what the files' times are by now
        os.utime(files / f"{at}.txt", (5, 5))
    assert run_dedup("report", "r.jsonl", "-o", "saved.html").status == 0
    for name in ("fresh.html", "saved.html"):
        page = page_of(out / name)
        [figure] = page.all("figure", "timeline")
        assert "Over time: 2020-01-01 to 2022-01-02" in figure.text
        assert [title.text for title in figure.all("title")] == [
            "2020-01-01 in/0.txt: goes", "2021-01-01 in/1.txt: goes", "2022-01-02 in/2.txt: stays",
        ]  # fmt: skip
        assert sorted(time.text for time in page.all("time")) == ["2020-01-01", "2021-01-01", "2022-01-02"]


def test_records_are_shown_over_time_by_a_field(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    text = prose(1, 100)
    dates = ["2020-01-01", "2021-06-01T12:30:00Z", YEAR_2020 + DAY, "</title><script>alert(1)</script>", None]
    lines = [{"id": str(at), "text": f"{text} {at}", "meta": {"seen": date}} for at, date in enumerate(dates)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run_dedup("scan", "x.jsonl", "-o", "r.jsonl", "-q").status == 0
    assert run_dedup("report", "r.jsonl", "-o", "without.html").status == 0
    assert not page_of(tmp_path / "without.html").all("figure", "timeline")

    assert run_dedup("report", "r.jsonl", "-o", "r.html", "--date-field", "meta.seen").status == 0

    page = page_of(tmp_path / "r.html")
    [figure] = page.all("figure", "timeline")
    assert [title.text.split(":")[0] for title in figure.all("title")][:2] == ["2020-01-01 0", "2020-01-02 2"]
    assert "2020-01-01 to 2021-06-01 12:30" in figure.text and "2 without a date" in figure.text
    assert sorted(time.text for time in page.all("time")) == ["2020-01-01", "2020-01-02", "2021-06-01 12:30"]
    assert len(page.all("script")) == 1


def test_a_date_of_a_record_that_has_changed_is_not_shown(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    text = prose(1, 100)
    lines = [json.dumps({"id": str(at), "text": text, "date": f"202{at}-01-01"}) for at in range(3)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines) + "\n")
    run_dedup("scan", "x.jsonl", "-o", "r.jsonl", "-q")
    (tmp_path / "x.jsonl").write_text("\n".join(lines).replace("2021-01-01", "1999-01-01") + "\n")
    run = run_dedup("report", "r.jsonl", "-o", "r.html", "--date-field", "date")
    page = (tmp_path / "r.html").read_text()
    assert run.status == 3 and "1999" not in page and "2020-01-01 to 2022-01-01" in page


def test_decisions_are_drawn_too(files: Path, run_dedup: Callable[..., Run]) -> None:
    from dedup.decisions import Decision, Decisions, Stays, digest_of_result

    run_dedup("scan", "in", "--keep", "newest", "-o", "r.jsonl", "-q")
    made = {"in/0.txt": Decision("in/0.txt", "in/2.txt", Stays.BOTH)}
    Decisions(digest_of_result(files.parent / "r.jsonl"), made).write(files.parent / "r.decisions.jsonl")
    run_dedup("report", "r.jsonl", "-o", "r.html")
    [figure] = page_of(files.parent / "r.html").all("figure", "timeline")
    stays = [title.text for title in figure.all("title") if title.text.endswith("stays")]
    assert stays == ["2020-01-01 in/0.txt: stays", "2022-01-02 in/2.txt: stays"]
