"""Which documents are protected: they are never dropped, and are preferred as the kept ones."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np

from dedup._arrays import Bools
from dedup.catalog import Catalog, Source
from dedup.errors import SettingsError
from dedup.readers.names import shown, to_fs


def below(catalog: Catalog, places: Sequence[str]) -> Bools:
    """For each row whether its file is one of these, or below one of these folders, by any of its names."""
    roots = [real_path(place) for place in places]
    flags = np.array([_is_below(source, roots) for source in catalog.sources], np.bool_)
    found: Bools = flags[catalog.source_numbers] if len(flags) else np.zeros(len(catalog), np.bool_)
    return found


def called(catalog: Catalog, ids: Collection[str]) -> Bools:
    """For each row whether its id is one of these.

    Raises:
        SettingsError: one is no document's.
    """
    wanted = set(ids)
    mask = np.array([catalog.id(row) in wanted for row in range(len(catalog))], np.bool_)
    if mask.sum() < len(wanted):
        missing = sorted(wanted - {catalog.id(row) for row in np.flatnonzero(mask).tolist()})
        raise SettingsError(
            f"protect has {shown(missing[0])!r}, which is no document's id\nGive ids of the documents, in a list or set"
        )
    return mask


def _is_below(source: Source, roots: Sequence[bytes]) -> bool:
    names = () if source.open_path is None else (source.open_path, *source.others)
    return any(is_in(_real_file(name, follow=source.follow), root) for name in names for root in roots)


def is_in(path: bytes, root: bytes) -> bool:
    """Whether a real path is another one, or below it."""
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def _real_file(name: str, *, follow: bool) -> bytes:
    if follow:
        return real_path(name)
    folder, last = os.path.split(os.fsencode(to_fs(name)))
    return os.path.join(_real_folder(folder or b"."), last)


@lru_cache(maxsize=1 << 12)
def _real_folder(path: bytes) -> bytes:
    return os.path.realpath(path)


def real_path(name: str) -> bytes:
    """Where a name leads."""
    return os.path.realpath(os.fsencode(to_fs(name)))
