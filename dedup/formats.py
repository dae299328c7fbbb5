"""The table of formats: the one place where a format is named.

A new one is an entry here and the module that it names; what that has is told in `dedup.readers.formats`.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """What the table says of a format.

    Attributes:
        called: what its files are, in messages.
        kind: ``records``, or ``text``: one document a file.
        endings: of the names of its files.
        home: the module that reads it, and finds and writes its records; of one document a file, the one whose
            ``read`` is called in a worker process.
        by_row: its records are counted in rows, each of which may take several lines or none.
        seeks: it can't be read in one go from its beginning to its end.
        needs: the library that it needs, and the extra that brings it.
    """

    called: str
    kind: str = "records"
    endings: tuple[str, ...] = ()
    home: str = ""
    by_row: bool = True
    seeks: bool = False
    needs: tuple[str, str] | None = None


FORMATS = {
    "jsonl": Entry("lines of JSON", endings=("jsonl", "ndjson"), home="dedup.readers.records", by_row=False),
    "csv": Entry("CSV", endings=("csv",), home="dedup.readers.delimited"),
    "tsv": Entry("TSV", endings=("tsv", "tab"), home="dedup.readers.delimited"),
    "parquet": Entry(
        "Parquet", endings=("parquet", "pq"), home="dedup.readers.columnar", seeks=True, needs=("pyarrow", "parquet")
    ),
    "arrow": Entry(
        "Arrow",
        endings=("arrow", "arrows", "feather", "ipc"),
        home="dedup.readers.columnar",
        seeks=True,
        needs=("pyarrow", "arrow"),
    ),
    "html": Entry(
        "HTML", "text", ("html", "htm", "xhtml"), "dedup.isolated.html", False, needs=("resiliparse", "html")
    ),
    "pdf": Entry("PDF", "text", ("pdf",), "dedup.isolated.pdf", False, needs=("pypdfium2", "pdf")),
    "text": Entry("text", kind="text", by_row=False),  # whatever has no ending that is named above
}
