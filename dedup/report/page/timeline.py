"""The documents of a cluster over time, where their times are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dedup.model import Drop, Kept

WIDTH = 600.0
_EDGE = 12.0  # on both sides of the axis
_APART = 11.0  # marks that would overlap stand above each other
_LEVELS = 5
_MOST_TICKS = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Mark:
    """A document: where it stands from left to right and from the axis up, and what its tooltip says."""

    x: float
    level: int
    kept: bool
    id: str
    when: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The marks in the order of time, ticks with their words, and how many documents have no time."""

    marks: list[Mark]
    ticks: list[tuple[float, str]]
    levels: int
    unknown: int


def time_of(value: Any) -> float | None:
    """Seconds since 1970 of a field's value: an ISO 8601 date or time (UTC, if it names no zone), or such a number.

    >>> time_of("1970-01-02"), time_of("1970-01-01T01:00:00+01:00"), time_of(5), time_of("soon")
    (86400.0, 0.0, 5.0, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if moment(value) else None
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        told = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    try:
        return (told - _EPOCH).total_seconds()
    except OverflowError:
        return None


def moment(time: float) -> datetime | None:
    """A time as a date in UTC; None where no calendar has it.

    >>> print(moment(0.5), moment(1e300))
    1970-01-01 00:00:00.500000+00:00 None
    """
    try:
        return _EPOCH + timedelta(seconds=time)
    except (OverflowError, ValueError):
        return None


def words(time: float) -> str:
    """A time for people: its day, and the minute unless it is midnight.

    >>> words(86400), words(86400 + 3660)
    ('1970-01-02', '1970-01-02 01:01')
    """
    when = moment(time)
    if when is None:
        return ""
    return f"{when:%Y-%m-%d}" if (when.hour, when.minute) == (0, 0) else f"{when:%Y-%m-%d %H:%M}"


def timeline(documents: Sequence[Kept | Drop], times: Mapping[str, float], kept: frozenset[str]) -> Timeline | None:
    """A timeline, if two documents or more have times that differ.

    Args:
        documents: of a cluster.
        times: by id, as far as they are known.
        kept: ids of those that stay.
    """
    told = [(times[document.id], document.id) for document in documents if document.id in times]
    known = sorted((item for item in told if moment(item[0])), key=lambda item: item[0])
    if len(known) < 2 or known[0][0] == known[-1][0]:
        return None
    first, last = known[0][0], known[-1][0]
    free = [-_APART] * _LEVELS  # where on each level the last mark stands
    marks = []
    for time, id in known:
        x = _place(time, first, last)
        level = next((at for at, taken in enumerate(free) if x - taken >= _APART), _LEVELS - 1)
        free[level] = x
        marks.append(Mark(x, level, id in kept, id, words(time)))
    ticks = [(_place(time, first, last), word) for time, word in _ticks(first, last)]
    return Timeline(marks, ticks, max(mark.level for mark in marks) + 1, len(documents) - len(known))


def _place(time: float, first: float, last: float) -> float:
    return _EDGE + (WIDTH - 2 * _EDGE) * (time - first) / (last - first)


def _ticks(first: float, last: float) -> Iterator[tuple[float, str]]:
    """Years, months or days between the two ends, a few of them; shorter spans have the ends alone."""
    start, end = moment(first), moment(last)
    assert start is not None and end is not None
    days = (end - start).days
    if days >= 800:
        years = range(start.year + 1, end.year + 1)
        for year in years[:: 1 + len(years) // _MOST_TICKS]:
            yield _seconds(datetime(year, 1, 1, tzinfo=UTC)), str(year)
    elif days >= 60:
        months = range(12 * start.year + start.month, 12 * end.year + end.month)
        for month in months[:: 1 + len(months) // _MOST_TICKS]:
            first_day = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
            yield _seconds(first_day), f"{first_day:%Y-%m}"
    else:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        for day in range(1, days + 1, 1 + days // _MOST_TICKS):
            when = midnight + timedelta(days=day)
            yield _seconds(when), f"{when:%m-%d}"


def _seconds(when: datetime) -> float:
    return (when - _EPOCH).total_seconds()
