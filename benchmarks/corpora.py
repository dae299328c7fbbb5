"""The files that are measured on: made once, kept in the cache, made again when their generator changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_GENERATOR = ("corpus", "editions", "exact_scores", "peers/_normal_form", "shapes", "wording")


def nothing(folder: Path) -> Path:
    """One empty document: what a run on it takes is start-up."""
    corpus = folder / "nothing.jsonl"
    corpus.write_text('{"id":"d0","text":""}\n', encoding="utf-8")
    return corpus


def made(
    cache: Path,
    documents: int,
    *,
    seed: int = 1,
    language: str = "english",
    shape: str | None = None,
    tokens: int | None = None,
) -> Path:
    """A made corpus of this size."""
    kind = f"{shape or language}-{documents}" + (f"-{tokens}" if tokens else "")
    path = cache / f"{kind}-{seed}.jsonl"
    if not _is_made(path):
        line = [f"--documents={documents}", f"--seed={seed}", f"--language={language}", "-o", str(path)]
        _generate([*line, *([f"--shape={shape}"] if shape else []), *([f"--tokens={tokens}"] if tokens else [])])
        _stamp(path).write_text(_generator())
    return path


def made_with_truth(cache: Path, documents: int, *, seed: int = 1, language: str = "english") -> tuple[Path, Path]:
    """A made corpus and its planted pairs."""
    stem = f"{language}-{documents}-{seed}"
    path, truth = cache / f"{stem}.jsonl", cache / f"{stem}.truth.jsonl"
    if not (_is_made(truth) and path.exists()):
        size = [f"--documents={documents}", f"--seed={seed}", f"--language={language}"]
        _generate([*size, "-o", str(path), "--truth", str(truth)])
        for file in (path, truth):
            _stamp(file).write_text(_generator())
    return path, truth


def languages_of(editions: Path) -> list[str]:
    """The languages of a file with real texts, see editions.py."""
    with editions.open(encoding="utf-8") as lines:
        return sorted({json.loads(line)["lang"] for line in lines})


def repeated(cache: Path, editions: Path, language: str, megabytes: int, *, seed: int = 1) -> Path:
    """Real texts of one language, repeated with edits."""
    path = cache / f"editions-{language}-{megabytes}-{seed}.jsonl"
    if not _is_made(path):
        size = [f"--language={language}", f"--megabytes={megabytes}", f"--seed={seed}"]
        subprocess.run([sys.executable, str(HERE / "editions.py"), str(editions), *size, "-o", str(path)], check=True)
        _stamp(path).write_text(_generator())
    return path


def plain(cache: Path, given: Path) -> Path:
    """A file of the user's as plain JSON Lines, unpacked once."""
    if given.suffix not in (".zst", ".gz"):
        return given
    path = cache / f"unpacked-{given.parent.resolve().name}-{given.stem}"
    if not path.exists() or path.stat().st_mtime < given.stat().st_mtime:
        subprocess.run([sys.executable, "-c", _UNPACK, given, path], check=True)
    return path


def _is_made(path: Path) -> bool:
    # By the content of the generator: a fresh checkout has the times of its checkout.
    stamp = _stamp(path)
    return path.exists() and stamp.exists() and stamp.read_text() == _generator()


def _stamp(path: Path) -> Path:
    return path.with_name(path.name + ".made-by")


def _generator() -> str:
    sources = b"".join((HERE / f"{name}.py").read_bytes() for name in _GENERATOR)
    return hashlib.sha256(sources).hexdigest()


def _generate(arguments: list[str]) -> None:
    # A process of its own: this one must stay small while it measures, see measure.py.
    subprocess.run([sys.executable, str(HERE / "corpus.py"), *arguments], check=True)


_UNPACK = """
import gzip, shutil, sys
source, target = sys.argv[1:]
with open(source, "rb") as raw, open(target, "wb") as out:
    if source.endswith(".gz"):
        shutil.copyfileobj(gzip.open(raw), out)
    else:
        import zstandard
        zstandard.ZstdDecompressor().copy_stream(raw, out)
"""
