"""Settings from a file: ``dedup.toml``, or ``[tool.dedup]`` in ``pyproject.toml``. Flags win over it."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from dedup.errors import InputError, SettingsError
from dedup.settings import Settings

OWN = "dedup.toml"
SHARED = "pyproject.toml"
NAMES = (*(field.name for field in fields(Settings)), "threads")


def find_file() -> Path | None:
    """The nearest settings file: in the current folder or one above it."""
    try:
        folder = Path.cwd()
    except OSError:  # it was removed
        return None
    for place in (folder, *folder.parents):
        if os.path.isfile(place / OWN):  # unlike Path.is_file, False where one may not look
            return place / OWN
        if os.path.isfile(place / SHARED) and _table(place / SHARED) is not None:
            return place / SHARED
    return None


def load_file(path: Path) -> dict[str, Any]:
    """The settings in a file, by their names in Python; ``containment`` is None where it is false.

    Raises:
        InputError: it can't be read, or is no TOML.
        SettingsError: it has a key that is no setting, or a value that can't work.
    """
    table = _table(path)
    if table is None:
        raise SettingsError(f"{path} has no table [tool.dedup]\nName a dedup.toml, or add the table")
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in NAMES:
            import difflib

            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"Did you mean {near[0].replace('_', '-')}?" if near else "dedup settings names all of them"
            raise SettingsError(f"{path}: there is no setting {key!r}\n{hint}")
        values[name] = None if name == "containment" and value is False else value
    try:
        Settings(**{name: value for name, value in values.items() if name != "threads"})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except (TypeError, AttributeError):
        raise SettingsError(f"{path}: a value has the wrong type\ndedup settings shows values that work") from None
    return values


def defaults_for_click(values: dict[str, Any]) -> dict[str, Any]:
    """The same values as defaults of the options."""
    if "containment" in values and values["containment"] is None:
        values = {name: value for name, value in values.items() if name != "containment"} | {"no_contained": True}
    several = [name for name in ("text_field", "include", "exclude") if isinstance(values.get(name), str)]
    return values | {name: [values[name]] for name in several}


def _table(path: Path) -> dict[str, Any] | None:
    """The table of ours; None if a file that others share has none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    if path.name == SHARED and b"tool.dedup" not in raw:
        return None
    import tomllib

    try:
        whole = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}\nMend it, or run with --no-config") from None
    if path.name != SHARED:
        return whole
    table: dict[str, Any] | None = whole.get("tool", {}).get("dedup")
    return table
