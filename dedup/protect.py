"""Which documents are protected: they are never dropped, and are preferred as the kept ones."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

import numpy as np

from dedup._arrays import Bools
from dedup.catalog import Catalog, Source
from dedup.errors import SettingsError
from dedup.readers.names import shown, to_fs

_STEP = 1 << 16  # ids that are made into text at once


def below(catalog: Catalog, places: Sequence[str]) -> Bools:
    """For each row whether its file is one of these, or below one of these folders, by any of its names."""
    roots = [_real(place) for place in places]
    folders: dict[bytes, bytes] = {}  # not for longer than this call: the current folder may be another then
    flags = np.array([_is_below(source, roots, folders) for source in catalog.sources], np.bool_)
    found: Bools = flags[catalog.source_numbers] if len(flags) else np.zeros(len(catalog), np.bool_)
    return found


def called(catalog: Catalog, ids: Collection[str]) -> Bools:
    """For each row whether its id is one of these.

    Raises:
        SettingsError: one is no document's.
    """
    wanted, found = set(ids), set[str]()
    mask = np.zeros(len(catalog), np.bool_)
    for start in range(0, len(catalog), _STEP):
        names = catalog.ids_of(np.arange(start, min(start + _STEP, len(catalog))))
        if hits := [at for at, name in enumerate(names, start) if name in wanted]:
            mask[hits] = True
            found.update(names[at - start] for at in hits)
    if missing := sorted(wanted - found):
        raise SettingsError(
            f"protect has {shown(missing[0])!r}, which is no document's id\nGive ids of the documents, in a list or set"
        )
    return mask


def _is_below(source: Source, roots: Sequence[bytes], folders: dict[bytes, bytes]) -> bool:
    names = () if source.open_path is None else (source.open_path, *source.others)
    paths = [_real(name) if source.follow else _real_in(name, folders) for name in names]
    return any(path == root or path.startswith(root.rstrip(b"/") + b"/") for path in paths for root in roots)


def _real(name: str) -> bytes:
    return os.path.realpath(os.fsencode(to_fs(name)))


def _real_in(name: str, folders: dict[bytes, bytes]) -> bytes:
    """The same for a file that is no link itself, asking for each folder once."""
    folder, last = os.path.split(os.fsencode(to_fs(name)))
    if folder not in folders:
        folders[folder] = os.path.realpath(folder or b".")
    return os.path.join(folders[folder], last)
