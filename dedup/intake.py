"""Documents from Python (lists, generators, mappings, frames, Arrow columns) as batches of texts."""

from __future__ import annotations

import importlib
import json
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import xxhash

from dedup._arrays import I64, Texts, encode
from dedup.catalog import Catalog, Source
from dedup.errors import InputError, SettingsError
from dedup.model import Document
from dedup.readers.arrow import as_large_strings, joined_columns
from dedup.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_DATASET_ROWS = 1000

Row: TypeAlias = "str | tuple[object, str | None] | Document | Mapping[str, Any] | None"


class ArrowStream(Protocol):
    """A column or a table of any library that speaks Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Documents: TypeAlias = "Iterable[Row] | Mapping[Any, str | None] | ArrowStream"


class _Strings(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> str: ...


class Held:
    """The texts of documents that were given in memory, by row."""

    def __init__(self) -> None:
        self._parts: list[_Strings] = []
        self._starts = array("Q", [0])

    def append(self, part: _Strings) -> None:
        """Hold on to the texts of the next rows, as they are."""
        self._parts.append(part)
        self._starts.append(self._starts[-1] + len(part))

    def __call__(self, row: int) -> str:
        """The text of a row."""
        part = bisect_right(self._starts, row) - 1
        return self._parts[part][row - self._starts[part]]


def read_documents(
    documents: Documents, catalog: Catalog, settings: Settings, held: Held, batch_bytes: int
) -> Iterator[Texts]:
    """Batches of texts, each of whose documents is entered into the catalog and held for later.

    Args:
        documents: as `dedup.find_duplicates` takes them. Read once.
        catalog: gets a row for every document.
        settings: says which fields of records and tables are looked at.
        held: gets the texts, without a copy.
        batch_bytes: a batch ends with the text that reaches so many bytes.

    Raises:
        SettingsError: it is nothing that holds documents, an id occurs twice, a table lacks the column
            of texts, or pyarrow is needed and not installed.
        InputError: a column holds bytes that aren't UTF-8.
    """
    entry = _Entry(catalog, settings, batch_bytes)
    if isinstance(documents, (str, bytes)):
        raise SettingsError(
            f"documents is a {type(documents).__name__}; it must be an iterable of texts\nFor a single text give [text]"
        )
    if isinstance(documents, Mapping):
        documents = documents.items()
    elif (chunks := _arrow_chunks(documents, settings)) is not None:
        return _columns(chunks, entry, held)
    try:
        rows = iter(documents)  # type: ignore[arg-type]
    except TypeError:
        raise SettingsError(
            f"documents is a {type(documents).__name__}; it must be an iterable of texts, of pairs of id and text, of "
            "records or of Document, or a frame or column"
        ) from None
    return _rows(rows, entry, held)


class _Entry:
    """Enters documents into the catalog, and finds ids that occur twice."""

    def __init__(self, catalog: Catalog, settings: Settings, batch_bytes: int) -> None:
        self.settings = settings
        self.batch_bytes = batch_bytes
        self._catalog = catalog
        self._source = catalog.add_source(Source(path=None, kind="memory"))
        self._seen: dict[str, int] = {}

    @property
    def position(self) -> int:
        """The position of the next document."""
        return len(self._seen)

    def add(self, id: str, raw: bytes | memoryview, time: float | None = None, field: Any = None) -> None:
        position = self.position
        if self._seen.setdefault(id, position) != position:
            raise SettingsError(
                f"the id {id!r} occurs twice, at positions {self._seen[id]} and {position}\n"
                "Give every document an id of its own"
            )
        digest = xxhash.xxh3_128_digest(raw)
        self._catalog.add(self._source, id, size=len(raw), digest=digest, time=time, field=field)


def _rows(rows: Iterator[Row], entry: _Entry, held: Held) -> Iterator[Texts]:
    batch: list[bytes] = []
    texts: list[str] = []
    size = 0
    for row in rows:
        document = _document(entry.position, row, entry.settings)
        raw = encode(document.text)
        wanted = entry.settings.keep_field
        entry.add(document.id, raw, document.time, document.fields.get(wanted) if wanted else None)
        batch.append(raw)
        texts.append(document.text)
        size += len(raw)
        if size >= entry.batch_bytes:
            held.append(texts)
            yield Texts.joined(batch)
            batch, texts, size = [], [], 0
    held.append(texts)
    yield Texts.joined(batch)


def _document(position: int, row: Row, settings: Settings) -> Document:
    match row:
        case Document():
            return row
        case str():
            return Document(str(position), row)
        case None:
            return Document(str(position), "")
        case (id, str() | None as text):
            return Document(_id(id, position), text or "")
        case Mapping():
            return _record(position, row, settings)
    raise SettingsError(
        f"document {position} is a {type(row).__name__}; it must be a text, a pair of id and text, a record with the "
        f"field {settings.text_field!r}, or a Document"
    )


def _record(position: int, record: Mapping[str, Any], settings: Settings) -> Document:
    names = [name for name in settings.text_fields if name in record]
    texts = [record[name] for name in names]
    odd = next((index for index, text in enumerate(texts) if text is not None and not isinstance(text, str)), None)
    if not names or odd is not None:
        found = "no" if odd is None else f"a {type(texts[odd]).__name__} as"
        name = settings.text_fields[0] if odd is None else names[odd]
        raise SettingsError(
            f"document {position} has {found} field {name!r}\n"
            f"Say which field holds the text: Settings(text_field=...); it has {', '.join(map(str, record)) or 'none'}"
        )
    text = "\n\n".join(text for text in texts if text)
    return Document(_id(record.get(settings.id_field), position), text, fields=record)


def _id(value: Any, position: int) -> str:
    """As for records in files: a string as it is, a whole number in its digits, anything else as compact JSON."""
    if value is None:
        return str(position)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


# --- columns ----------------------------------------------------------------------------------------------------------


def _arrow_chunks(documents: Any, settings: Settings) -> Iterable[pa.Array] | None:
    """The chunks of a column, or of a table as structs; None for what is neither."""
    home = type(documents).__module__.partition(".")[0]
    if home == "datasets" and hasattr(documents, "with_format"):
        return _dataset_chunks(documents, settings)
    if home == "pandas":
        if not hasattr(documents, "columns"):
            return _chunks(_pyarrow().array(documents, from_pandas=True))
        _require_column(list(documents.columns), settings)
        wanted = [name for name in _wanted(settings) if name in documents.columns]
        parts = [_pyarrow().array(documents[name], from_pandas=True) for name in wanted]
        return _chunks(_pyarrow().table(parts, names=wanted).to_struct_array())
    if home == "polars" and hasattr(documents, "collect"):
        documents = documents.collect()
    if hasattr(documents, "__arrow_c_stream__"):
        return _chunks(_pyarrow().chunked_array(documents))
    if hasattr(documents, "__arrow_c_array__"):
        return _chunks(_pyarrow().array(documents))
    return None


def _dataset_chunks(dataset: Any, settings: Settings) -> Iterator[pa.Array]:
    """A Hugging Face dataset, in the order of its own indices."""
    _require_column(list(dataset.column_names), settings)
    columns = [name for name in _wanted(settings) if name in dataset.column_names]
    for table in dataset.select_columns(columns).with_format("arrow").iter(batch_size=_DATASET_ROWS):
        yield from _chunks(table.to_struct_array())


def _chunks(column: Any) -> list[pa.Array]:
    return list(column.chunks) if hasattr(column, "chunks") else [column]


def _wanted(settings: Settings) -> list[str]:
    names = (*settings.text_fields, settings.id_field, settings.keep_field)
    return list(dict.fromkeys(name for name in names if name is not None))


def _require_column(names: Sequence[object], settings: Settings) -> None:
    if not set(settings.text_fields) & set(names):
        raise SettingsError(
            f"the table has no column {settings.text_fields[0]!r}; it has {', '.join(map(str, names)) or 'none'}\n"
            "Say which column holds the text: Settings(text_field=...)"
        )


def _columns(chunks: Iterable[pa.Array], entry: _Entry, held: Held) -> Iterator[Texts]:
    pa = _pyarrow()
    for chunk in chunks:
        column, ids, fields = chunk, None, None
        if pa.types.is_struct(chunk.type):
            names = [field.name for field in chunk.type]
            _require_column(names, entry.settings)
            chunk = dict(zip(names, chunk.flatten(), strict=True))  # flatten: a null row is null in each column
            column = _joined([chunk[name] for name in entry.settings.text_fields if name in chunk], entry.position)
            ids, fields = chunk.get(entry.settings.id_field), chunk.get(entry.settings.keep_field)
        yield from _column(_large_strings(column, entry.position), ids, fields, entry, held)


def _column(
    column: pa.LargeStringArray, ids: pa.Array | None, fields: pa.Array | None, entry: _Entry, held: Held
) -> Iterator[Texts]:
    """A column of texts, a batch at a time, read where it lies."""
    rows = len(column)
    if not rows:
        return
    _, offset_buffer, data = column.buffers()
    offsets: I64 = np.frombuffer(offset_buffer, np.int64, rows + 1, column.offset * 8)
    blob = memoryview(data or b"").cast("B")
    held.append(_Column(column))
    start = 0
    while start < rows:
        stop = int(np.searchsorted(offsets, offsets[start] + entry.batch_bytes, side="left"))
        stop = min(rows, max(stop, start + 1))
        names = ids[start:stop].to_pylist() if ids is not None else [None] * (stop - start)
        values = fields[start:stop].to_pylist() if fields is not None else [None] * (stop - start)
        bounds = offsets[start : stop + 1].tolist()
        for name, value, begin, end in zip(names, values, bounds, bounds[1:], strict=False):
            entry.add(_id(name, entry.position), blob[begin:end], field=value)
        first, last = bounds[0], bounds[-1]
        yield Texts(blob[first:last], offsets[start : stop + 1] - first)
        start = stop


def _joined(columns: list[pa.Array], position: int) -> pa.Array:
    """The texts of several columns as one column: those that aren't empty, with an empty line between them."""
    if len(columns) == 1:
        return columns[0]
    return joined_columns([_large_strings(column, position) for column in columns])


def _large_strings(column: pa.Array, position: int) -> pa.LargeStringArray:
    """A chunk of texts as large_string: the bytes of string and large_string columns are not copied.

    Null is an empty text, so that every row has a document.
    """
    pa = _pyarrow()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(test(kind) for test in texts):
        raise SettingsError(
            f"the column is {column.type}; it must hold text\nName the column of texts: Settings(text_field=...)"
        )
    column = as_large_strings(column)
    if column.null_count:
        column = column.fill_null("")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"the column has texts that aren't UTF-8, after row {position}: {error}") from None
    return column


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as a sequence of texts."""

    column: pa.Array

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, index: int) -> str:
        text: str = self.column[index].as_py()
        return text


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise SettingsError(
            "reading frames and columns needs pyarrow\nInstall it: pip install 'neardup[arrow]'"
        ) from None
