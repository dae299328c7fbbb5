"""Real texts of many languages, repeated with edits until there is enough of each: for the cost of other scripts.

    python benchmarks/editions.py docs.jsonl --language ru --megabytes 10 -o russian.jsonl

The records of the source have the fields `text` and `lang`. Each round takes every text of the language and replaces
a share of its words (none to four in ten) by words of other texts; in text without spaces, its characters. A seed
decides.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

_UNIT = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\s\u3040-\u30ff\u3400-\u9fff]+")


def texts_by_language(source: Path) -> dict[str, list[str]]:
    """The texts of a file, by their `lang`."""
    found: dict[str, list[str]] = {}
    with source.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            found.setdefault(record["lang"], []).append(record["text"])
    return found


def edited(text: str, share: float, words: list[str], draws: random.Random) -> str:
    """A share of a text's words replaced."""
    return _UNIT.sub(lambda word: draws.choice(words) if draws.random() < share else word[0], text)


def repeated(texts: list[str], size: int, seed: int) -> Iterator[str]:
    """Texts with edits, in rounds, until they have this many bytes."""
    draws = random.Random(seed)
    words = _UNIT.findall(" ".join(texts))
    written = 0
    while written < size:
        for text in texts:
            copy = edited(text, draws.choice((0.0, 0.02, 0.1, 0.4)), words, draws)
            written += len(copy.encode())
            yield copy


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--language", required=True, help="value of `lang`")
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    texts = texts_by_language(options.source).get(options.language)
    if not texts:
        parser.error(f"{options.source} has no text with the lang {options.language}")
    with options.output.open("w", encoding="utf-8") as out:
        for number, text in enumerate(repeated(texts, options.megabytes * 10**6, options.seed)):
            out.write(json.dumps({"id": f"d{number:08d}", "text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
