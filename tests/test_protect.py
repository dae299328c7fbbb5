"""Protected documents: never dropped, preferred as the kept ones, said in the result, and seen by the audit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import oracle
import pytest
from conftest import Run, of_type, outcome_of, parse, prose, write_tree
from hypothesis import given
from hypothesis import strategies as st
from oracle import Doc, Rules
from strategies import corpora, rules
from test_guarantees import assert_equals, product

import dedup
from dedup import protect
from dedup.checking import check
from dedup.errors import SettingsError
from dedup.saved import load_result

WORDS = prose("protect", 120).split()


@given(
    docs=corpora(), by=rules(keep=("longest", "longest", "newest", "path")), choose=st.randoms(use_true_random=False)
)
def test_a_scan_with_protected_documents_equals_brute_force(docs: list[Doc], by: Rules, choose: object) -> None:
    """They come first in keep order and all stay; the others are decided as ever."""
    protected = frozenset(doc.id for doc in docs if choose.random() < 0.4)  # type: ignore[attr-defined]
    wanted = oracle.expected(docs, by, protected)

    result = product(docs, by, protect=protected)

    assert_equals(result, wanted, docs)
    assert protected <= set(result.kept_ids())
    records = parse(result.to_bytes())
    for record in of_type(records, "cluster"):
        assert record["keep"].get("protected", False) == (record["keep"]["id"] in protected)
    assert records[-1].get("protected", 0) == len(protected)


@given(docs=corpora(), by=rules())
def test_without_any_the_result_is_byte_for_byte_what_it_was(docs: list[Doc], by: Rules) -> None:
    assert product(docs, by, protect=()).to_bytes() == product(docs, by).to_bytes()
    records = [dict(record) for record in product(docs, by).records()]
    assert not any("protect" in name for record in records for name in (*record, *record.get("keep", ())))


@pytest.mark.parametrize("others", [0, 300])
def test_a_choice_that_contains_a_protected_document_is_no_choice(others: int) -> None:
    """The small one is a match of it, though neither can be dropped; also among so many that there is a crowd."""
    head = WORDS[:70]
    docs = [
        Doc("large", " ".join(WORDS[:104]), time=1.0),
        Doc("chosen", " ".join(WORDS[:100]), time=9.0),
        Doc("small", " ".join(head), time=1.0),  # 66 of 96 shingles: contained, not near
        *(Doc(f"o{n}", " ".join([*head, *prose(f"other {n}", 90).split()]), time=1.0) for n in range(others)),
    ]
    by = Rules(keep="newest")
    wanted = oracle.expected(docs, by, frozenset({"small"}))
    assert {id: drop.keep for id, drop in wanted.drops.items()} == {"chosen": "large"}
    assert wanted.blocked == {"large"}
    assert_equals(product(docs, by, protect={"small"}), wanted, docs)


def test_ids_that_are_no_documents_are_refused() -> None:
    with pytest.raises(SettingsError, match="protect has 'c', which is no document's id"):
        dedup.find_duplicates({"a": "x", "b": "y"}, protect=["a", "c"])


@pytest.mark.parametrize("step", [1, 2, 5, 100])
def test_ids_are_found_wherever_they_stand(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protect, "_STEP", step)
    ids = ["b", "\ud800", "\udced\udca0\udc80", "a\udcff", "ä"]  # two of these are the same bytes
    documents = [dedup.Document(id, WORDS[0]) for id in ids]
    for id in ids:
        result = dedup.find_duplicates(documents, protect={id})
        assert result.ids() == ids and result.kept_ids() == [id]
    with pytest.raises(SettingsError, match=r"protect has .*ud801', which is no document's id"):
        dedup.find_duplicates(documents, protect=["\ud801", "b", "\udcff"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A reference folder with two copies of each other, and others that match them."""
    text = " ".join(WORDS[:100])
    write_tree(tmp_path / "ref", {"a.txt": text, "b.txt": text.upper(), "small.txt": " ".join(WORDS[:95])})
    write_tree(tmp_path / "new", {"exact.txt": text, "larger.txt": " ".join(WORDS[:110]), "other.txt": "else"})
    return tmp_path


def test_the_command(tree: Path, run_dedup: Callable[..., Run]) -> None:
    """The folder is an input too; the larger near copy goes for the protected smaller one."""
    run = run_dedup("scan", "new", "--protect", "ref/", "--json")

    records = run.records
    assert records[0]["inputs"] == ["new", "ref"] and records[0]["protect"] == ["ref"]
    assert outcome_of(records) == {"new/exact.txt": "ref/a.txt", "new/larger.txt": "ref/a.txt"}
    assert [record["keep"].get("protected") for record in of_type(records, "cluster")] == [True]
    assert (records[-1]["kept"], records[-1]["protected"], records[-1]["clusters"]) == (4, 3, 1)
    assert "protected" in run_dedup("scan", "new", "--protect", "ref").stdout.decode()


def test_a_part_of_an_input_and_other_names_of_its_files(tree: Path, run_dedup: Callable[..., Run]) -> None:
    """A file is protected by whatever name it is reached there: under another spelling, by a link, by a hard link."""
    os.link(tree / "ref" / "b.txt", tree / "a hard link.txt")  # its smallest id, so the one it is read under
    (tree / "link").symlink_to("ref")
    for place in ("ref", "./ref", str(tree / "ref"), "link"):
        records = run_dedup("scan", ".", "--protect", place, "--json").records
        names = {os.path.basename(id) for id in outcome_of(records)}
        assert names == {"exact.txt", "larger.txt"}, place
        assert records[-1]["protected"] == 3


def test_the_audit_knows_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    dedup.scan("new", protect="ref").write("r.jsonl")
    assert check(load_result("r.jsonl")).findings == []

    def falsified(change: Callable[[dict[str, object]], None]) -> set[str]:
        records = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
        for record in records:
            change(record)
        Path("false.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        return {finding.kind for finding in check(load_result("false.jsonl")).findings}

    # The kept one is smaller than one dropped for it, which nothing allows if it isn't protected.
    assert falsified(lambda record: record.get("keep", {}).pop("protected", None)) == {"larger"}  # type: ignore[attr-defined]
    assert falsified(lambda record: record.update(protect=["new"]) if "protect" in record else None) == {"protected"}


def test_a_filter_drops_what_is_in_the_folder_and_writes_nothing_of_it(
    tree: Path, run_dedup: Callable[..., Run]
) -> None:
    lines = [
        json.dumps({"id": id, "text": text}).encode() + b"\n"
        for id, text in [("x", " ".join(WORDS[:100])), ("y", prose("y", 60)), ("z", prose("y", 60).upper())]
    ]
    run = run_dedup(
        "filter", "--protect", "ref", "--emit", "all", "--metrics", "m", input=b"".join(lines), writes=[tree / "m"]
    )

    marked = [json.loads(line) for line in run.stdout.splitlines()]
    metrics = json.loads((tree / "m").read_bytes())
    (tree / "m").unlink()
    assert [record["dedup"]["kept"] for record in marked] == [False, True, False]
    assert marked[0]["dedup"]["keep"] == "ref/a.txt" and marked[2]["dedup"]["keep"] == "y"
    assert (metrics["documents"], metrics["kept"], metrics["dropped"], metrics["against"]) == (3, 1, 2, 3)
    assert run_dedup("filter", "--protect", "ref", "-q", input=b"".join(lines)).stdout == lines[1]
    assert run_dedup("filter", "--protect", "ref", "--emit", "dropped", "-q", input=b"".join(lines)).stdout == (
        lines[0] + lines[2]
    )


def test_settings_and_python_agree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, and the ids of what lies in it, decide alike."""
    monkeypatch.chdir(tree)
    scanned = dedup.scan(["new", "ref"], protect=["ref"])
    texts = {str(path): path.read_text() for name in ("new", "ref") for path in sorted(Path(name).iterdir())}
    given = dedup.find_duplicates(texts, protect=[id for id in texts if id.startswith("ref")])
    assert outcome_of(list(scanned.records())) == outcome_of(list(given.records()))
    assert asdict(scanned.settings) == asdict(given.settings)
