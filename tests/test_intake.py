"""Documents from Python: whatever holds texts gives the same result, and the texts are not copied."""

from __future__ import annotations

import base64
import multiprocessing
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import dedup
from dedup.errors import SettingsError

TEXTS = ["one two three four five six seven", None, "x y z", "One two — three four five six seven!", "", "X, Y; Z?"]
IDS = ["a", "b", "c", "d", "é", "f"]
KEPT = ["a", "b", "c", "é"]  # by hand: d is a's copy, f is c's; b and é have no text


def expected(result: dedup.Result, kept: list[str] = KEPT) -> None:
    assert result.kept_ids() == kept
    assert result.keep_mask().tolist() == [id in kept for id in result.ids()]
    drops = {drop.id: cluster.keep.id for cluster in result.clusters for drop in cluster.drops}
    names = dict(zip(result.ids(), IDS, strict=True))
    assert {names[drop]: names[kept] for drop, kept in drops.items()} == {"d": "a", "f": "c"}
    drop = next(drop for drop in result.dropped if names[drop.id] == "d")
    assert result.texts([drop]) == [TEXTS[3]]


POSITIONS = ["0", "1", "2", "4"]


def test_lists_generators_mappings_and_records_are_taken() -> None:
    expected(dedup.find_duplicates(TEXTS), POSITIONS)
    expected(dedup.find_duplicates(text for text in TEXTS), POSITIONS)
    pairs = [(id, text or "") for id, text in zip(IDS, TEXTS, strict=True)]
    expected(dedup.find_duplicates(pairs))
    expected(dedup.find_duplicates(dict(pairs)))
    expected(dedup.find_duplicates(dict(zip(IDS, TEXTS, strict=True))))
    expected(dedup.find_duplicates(dict(enumerate(TEXTS))), POSITIONS)
    expected(dedup.find_duplicates(enumerate(TEXTS)), POSITIONS)
    expected(dedup.find_duplicates([dedup.Document(id, text) for id, text in pairs]))
    records = [{"body": text, "name": id} for id, text in zip(IDS, TEXTS, strict=True)]
    expected(dedup.find_duplicates(records, dedup.Settings(text_field="body", id_field="name")))


def test_several_fields_are_joined_by_an_empty_line() -> None:
    rows = [{"head": "T", "body": "B"}, {"head": "", "body": None}, {"head": None, "body": "B"}]
    settings = dedup.Settings(text_field=("head", "body"))
    documents: list[Any] = [rows]
    if pa := pytest.importorskip("pyarrow"):
        documents.append(pa.Table.from_pylist(rows))
    for found in (dedup.find_duplicates(some, settings) for some in documents):
        drops = [(drop.id, cluster.keep.id) for cluster in found.clusters for drop in cluster.drops]
        assert (found.empty_ids, drops) == (["1"], [])
    records = [{"head": "a b", "body": "c"}, {"head": "a", "body": "b c"}]
    (drop,) = dedup.find_duplicates(records, settings).dropped
    assert (drop.relation.value, drop.place.bytes) == ("exact", 6)


def test_ids_of_records_are_read_as_in_files() -> None:
    records = [
        {"id": 12345678901234567890, "text": "a"},
        {"id": 1.5, "text": "b"},
        {"text": "c"},
        {"id": True, "text": "d"},
    ]
    assert dedup.find_duplicates(records).ids() == ["12345678901234567890", "1.5", "2", "true"]


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ("one text", "is a str"),
        (b"one text", "is a bytes"),
        (5, "is a int"),
        ([5], "document 0 is a int"),
        (["a", ["b"]], "document 1 is a list"),
        ([{"body": "x"}], "no field 'text'"),
        ([{"text": 5}], "a int as field 'text'"),
        ([("a", "x"), ("a", "y")], "'a' occurs twice"),
        ([{"id": 1, "text": "x"}, {"id": "1", "text": "y"}], "'1' occurs twice"),
    ],
)
def test_what_holds_no_documents_is_refused_by_name(documents: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        dedup.find_duplicates(documents)


class TestArrow:
    @pytest.fixture(autouse=True)
    def library(self) -> None:
        self.pa = pytest.importorskip("pyarrow")

    def columns(self) -> dict[str, Any]:
        pa = self.pa
        plain = pa.array(TEXTS)
        return {
            "array": plain,
            "large": plain.cast(pa.large_string()),
            "view": pa.array(TEXTS, pa.string_view()),
            "dictionary": plain.dictionary_encode(),
            "categories": pa.DictionaryArray.from_arrays(
                plain.dictionary_encode().indices, plain.dictionary_encode().dictionary.cast(pa.string_view())
            ),
            "chunks": pa.chunked_array([TEXTS[:1], [], TEXTS[1:4], TEXTS[4:]]),
            "slice": pa.array(["before", *TEXTS, "after"]).slice(1, len(TEXTS)),
            "table": pa.table({"text": TEXTS, "other": [1] * len(TEXTS)}),
        }

    @pytest.mark.parametrize("kind", ["array", "large", "view", "dictionary", "categories", "chunks", "slice", "table"])
    def test_columns_of_every_layout(self, kind: str) -> None:
        expected(dedup.find_duplicates(self.columns()[kind]), POSITIONS)

    def test_tables_and_streams_have_ids(self) -> None:
        table = self.pa.table({"id": IDS, "text": TEXTS})
        expected(dedup.find_duplicates(table))
        expected(dedup.find_duplicates(table.to_reader(max_chunksize=2)))
        sliced = self.pa.concat_tables([table.slice(0, 2), table.slice(2)])
        expected(dedup.find_duplicates(sliced))

    def test_the_text_is_not_copied(self) -> None:
        """What is handed to the kernel lies in the column's own buffer."""
        from dedup.catalog import Catalog
        from dedup.intake import Held, read_documents

        column = self.pa.array(["some text", "and more"])
        start = column.buffers()[2].address
        for batch in read_documents(column, Catalog(), dedup.Settings(), Held(), 8):
            here = np.frombuffer(batch.blob, np.uint8).ctypes.data
            assert start <= here < start + column.buffers()[2].size

    def test_batches_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dedup.pipeline.BATCH_BYTES", 16)
        expected(dedup.find_duplicates(self.columns()["table"]), POSITIONS)

    def test_keep_policy_reads_a_column(self) -> None:
        table = self.pa.table({"text": ["same words", "Same words!"], "likes": [1, 5]})
        assert dedup.find_duplicates(table, dedup.Settings(keep="field:likes")).kept_ids() == ["1"]

    def test_what_is_no_text_is_refused(self) -> None:
        pa = self.pa
        with pytest.raises(SettingsError, match="int64"):
            dedup.find_duplicates(pa.array([1]))
        with pytest.raises(SettingsError, match="no column 'text'; it has body"):
            dedup.find_duplicates(pa.table({"body": ["x"]}))
        bad = pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(np.array([0, 1])), pa.py_buffer(b"\xff")])
        with pytest.raises(dedup.DedupError, match="UTF-8"):
            dedup.find_duplicates(bad)

    def test_the_result_as_a_table(self) -> None:
        result = dedup.find_duplicates(dict(zip(IDS, [text or "" for text in TEXTS], strict=True)))
        table = result.to_arrow().to_pylist()
        assert [row["id"] for row in table] == IDS
        assert [row["kept"] for row in table] == [True, True, True, False, True, False]
        assert list(table[3].values()) == ["d", False, 0, "a", "exact", 1.0, 1.0]
        assert list(table[0].values()) == ["a", True, 0, "a", None, None, None]
        assert table[1]["cluster"] is None and table[1]["kept_id"] is None


def test_ids_that_are_not_text_are_shown_in_frames() -> None:
    pytest.importorskip("pyarrow")
    result = dedup.find_duplicates({"\udcff": "a b", "b": "A b"})
    assert result.to_arrow()["id"].to_pylist() == ["\\xff", "b"]


def test_a_notebook_shows_the_clusters_and_no_markup_of_theirs() -> None:
    texts = {"<script>alert(1)</script>": "one two three", "<b>": "One, two: three"}
    html = dedup.find_duplicates(texts)._repr_html_()
    assert "&lt;script&gt;" in html and "<script" not in html and "<b>dedup</b>" in html
    assert html.count("<b>") == 1
    assert "1 kept, 1 dropped (1 exact, 0 near, 0 contained)" in html
    many = dedup.find_duplicates(f"text number {row // 20} here" for row in range(400))._repr_html_()
    assert "the 10 largest of 20 clusters" in many and "and 14 more" in many


def test_threads_of_python_may_search_at_the_same_time() -> None:
    corpora = [[f"{word} text number {row % 7} here" for row in range(50)] for word in ("one", "other", "third")]
    alone = [dedup.find_duplicates(corpus).to_bytes() for corpus in corpora]
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        found[number] = dedup.find_duplicates(corpora[number % 3], threads=2).to_bytes()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(9)] == [alone[number % 3] for number in range(9)]


def _kept(texts: list[str]) -> list[str]:
    return dedup.find_duplicates(texts, threads=2).kept_ids()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_child_processes_may_search_after_their_parent_did(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    texts = [f"text number {row % 7} here" for row in range(50)]
    here = _kept(texts)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_kept, [texts, texts, texts]) == [here, here, here]


def test_keep_of_datasets_is_a_plain_value() -> None:
    """Without the library: what it says of rows, and that it travels."""
    from dedup.adapters.datasets import Keep

    mask = np.array([True, False, True, True, False, False, True, False, True, True])
    keep = Keep(len(mask), base64.b64encode(np.packbits(mask).tobytes()).decode())
    again = pickle.loads(pickle.dumps(keep))
    assert again == keep
    assert again([None] * 10, list(range(10))) == mask.tolist()
    assert [again(None, row) for row in range(10)] == mask.tolist()
    for row in (-1, 10):
        with pytest.raises(IndexError, match="another dataset"):
            again(None, row)
