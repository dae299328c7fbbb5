"""Record files written and read by the standard library and pyarrow, without any code of ours."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence

import zstandard

Record = tuple[str, str]  # id, text

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda raw: zstandard.ZstdDecompressor().decompressobj().decompress(raw),
}
LINES = ("jsonl", "csv", "tsv")
COLUMNS = ("parquet", "arrow", "arrows")


def rows_of(kind: str, records: Sequence[Record]) -> list[bytes]:
    """The bytes of each record, and first those of the header, if there is one."""
    if kind == "jsonl":
        # Every way to write a line: other orders, spaces, escapes, a carriage return, no field of ours.
        return [
            (json.dumps({"text": text, "n": number, "id": id} if number % 2 else {"id": id, "text": text}))
            .encode() + (b" \r\n" if number % 3 == 0 else b"\n")
            for number, (id, text) in enumerate(records)
        ]  # fmt: skip
    rows = []
    for number, row in enumerate([("id", "text", "more"), *((id, text, 'a\n"b"') for id, text in records)]):
        out = io.StringIO()
        csv.writer(
            out, delimiter="," if kind == "csv" else "\t", lineterminator="\r\n" if number % 2 else "\n",
            quoting=csv.QUOTE_ALL if number % 3 else csv.QUOTE_MINIMAL,
        ).writerow(row)  # fmt: skip
        rows.append(out.getvalue().encode())
    return rows


def plain_of(kind: str, records: Sequence[Record]) -> bytes:
    """A whole file, not compressed."""
    if kind in LINES:
        return b"".join(rows_of(kind, records))
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = table_of(records)
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, row_group_size=3, compression="zstd")
    else:
        start = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with start(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_table(table, max_chunksize=3)
    return out.getvalue()


def table_of(records: Sequence[Record]):
    import pyarrow as pa

    schema = pa.schema(
        [pa.field("id", pa.string(), metadata={"of": "mine"}), pa.field("text", pa.large_string()),
         pa.field("n", pa.list_(pa.int32()))],
        metadata={"made": "by hand"},
    )  # fmt: skip
    columns = [[id for id, _ in records], [text for _, text in records], [[len(text), 1] for _, text in records]]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def assert_holds(kind: str, plain: bytes, records: Sequence[Record], kept: Sequence[int]) -> None:
    """See that a file is what is left of another one: byte for byte, or with its schema, metadata and compression."""
    if kind in LINES:
        rows = rows_of(kind, records)
        head = len(rows) - len(records)
        assert plain == b"".join([*rows[:head], *(rows[head + number] for number in kept)])
        return
    import pyarrow as pa

    wanted, _ = _read(kind, plain_of(kind, records))
    found, compression = _read(kind, plain)
    assert found.schema.equals(wanted.schema, check_metadata=True)
    assert found.equals(wanted.take(pa.array(kept, pa.int64())))
    assert compression <= {"ZSTD"}


def _read(kind: str, plain: bytes):
    """What pyarrow sees in a file, and how the parts of one of Parquet are compressed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "parquet":
        file = pq.ParquetFile(io.BytesIO(plain))
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        return file.read(), {group.column(0).compression for group in groups}
    start = pa.ipc.open_file if kind == "arrow" else pa.ipc.open_stream
    return start(plain).read_all(), set()
