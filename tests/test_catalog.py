"""What is known of the documents: columns, places and ids."""

from __future__ import annotations

import pytest
import xxhash

from dedup._kernels import load_kernel
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Place

pytestmark = pytest.mark.once


def catalog_of(*records: str, files: tuple[str, ...] = ()) -> Catalog:
    """Records of ``r.jsonl``, one a line, and files."""
    catalog = Catalog()
    source = catalog.add_source(Source("r.jsonl", "records", "r.jsonl"))
    for line, id in enumerate(records, 1):
        catalog.add(source, id, size=1, digest=bytes(16), line=line)
    for name in files:
        catalog.add(catalog.add_source(Source(name, "text", name)), name, size=1, digest=bytes(16))
    return catalog


def ids(catalog: Catalog, strict: bool = False) -> list[str]:
    catalog.resolve_repeated_ids(strict=strict, kernel=load_kernel())
    return [catalog.id(row) for row in range(len(catalog))]


def test_places() -> None:
    catalog = Catalog()
    records = catalog.add_source(Source("r.jsonl.gz", "records", "r.jsonl.gz", "gz", time=5.5))
    text = catalog.add_source(Source("a.txt", "text", "a.txt", time=6.0))
    memory = catalog.add_source(Source(None, "memory"))
    digest = xxhash.xxh3_128_digest(b"abc")
    catalog.add(records, "x", size=3, digest=digest, line=7, offset=2**40, length=3, time=9.0, field=["v"])
    catalog.add(text, "a.txt", size=2**33, digest=bytes(range(16)))
    catalog.add(memory, "m", size=0, digest=bytes(16))
    assert len(catalog) == 3
    assert catalog.place(0) == Place("x", "r.jsonl.gz", 7, 2**40, 3, 3, xxhash.xxh3_128_hexdigest(b"abc"))
    assert catalog.place(1) == Place("a.txt", "a.txt", None, None, None, 2**33, "000102030405060708090a0b0c0d0e0f")
    assert catalog.place(2) == Place("m", None, None, None, None, 0, "0" * 32)
    assert [catalog.time(row) for row in range(3)] == [9.0, 6.0, None]
    assert [catalog.field(row) for row in range(3)] == [["v"], None, None]
    assert [catalog.size(row) for row in range(3)] == [3, 2**33, 0]
    assert catalog.source(0).compression == "gz"


def test_rows_are_found_by_places() -> None:
    """Whether digests are equal, or as good as: in the half that is looked at, or in some of its bytes."""
    catalog = Catalog()
    source = catalog.add_source(Source("r.jsonl", "records", "r.jsonl"))
    half = bytes(range(1, 9))
    digests = [half + bytes(8)] * 3 + [half + bytes(7) + b"\1"]
    for at in range(8):
        digests += [half[:at] + b"\0" + half[at + 1 :] + bytes(8), bytes(at) + half[at : at + 1] + bytes(15 - at)]
    for line, digest in enumerate(digests, 1):
        catalog.add(source, f"d{line}", size=1, digest=digest, line=line)
    rows = list(range(len(digests)))
    assert catalog.rows_of([catalog.place(row) for row in rows]) == rows
    assert [catalog.rows_of([catalog.place(row)]) for row in rows] == [[row] for row in rows]
    assert catalog.rows_of([catalog.place(row) for row in (5, 1, 5, 3)]) == [5, 1, 5, 3]
    assert catalog.rows_of([]) == []


def test_any_id_comes_back() -> None:
    given = ("é", "\udcff", "\ud800", "a\udfff\udc80", "\udced\udca0\udc80", "")
    catalog = catalog_of(*given)
    assert [catalog.id(row) for row in range(len(given))] == list(given)
    assert [catalog.id_bytes(row) for row in range(3)] == [b"\xc3\xa9", b"\xff", b"\xed\xa0\x80"]


def test_ids_that_occur_once_stay() -> None:
    catalog = catalog_of("a", "b", files=("c",))
    assert ids(catalog) == ["a", "b", "c"]
    assert catalog.repeated_ids == 0


def test_each_record_of_a_repeated_id_is_named_by_its_place() -> None:
    catalog = catalog_of("a", "b", "a", "a")
    assert ids(catalog) == ["a@r.jsonl:1", "b", "a@r.jsonl:3", "a@r.jsonl:4"]
    assert catalog.repeated_ids == 3


def test_a_record_with_the_id_of_a_file() -> None:
    catalog = catalog_of("x.txt", files=("x.txt",))
    assert ids(catalog) == ["x.txt@r.jsonl:1", "x.txt"]
    assert catalog.repeated_ids == 1


def test_an_id_that_looks_like_one_of_ours() -> None:
    catalog = catalog_of("a", "a", "a@r.jsonl:1")
    assert ids(catalog) == ["a@r.jsonl:1@r.jsonl:1", "a@r.jsonl:2", "a@r.jsonl:1@r.jsonl:3"]
    assert catalog.repeated_ids == 3


def test_strict_ids_name_both_places() -> None:
    with pytest.raises(InputError) as error:
        ids(catalog_of("b", "a", "b"), strict=True)
    assert str(error.value).startswith("the id 'b' occurs twice: r.jsonl:1 and r.jsonl:3\n")
    with pytest.raises(InputError, match=r"'x\.txt' occurs twice: r\.jsonl:1 and x\.txt\n"):
        ids(catalog_of("x.txt", files=("x.txt",)), strict=True)
    assert ids(catalog_of("a", "b"), strict=True) == ["a", "b"]
