"""Making an alignment readable: no confetti, changes that begin where a reader would begin them.

The aims are those of the semantic clean-up in Neil Fraser's diff-match-patch (which works on characters); the
rules here are our own and work on words.
"""

from __future__ import annotations

from collections.abc import Iterator

from dedup.difference._align import Block
from dedup.difference._units import Units

_TRIVIAL_WORDS = """
    about also been from have into only over some such than that their them then there these they this those very were
    what when which while will with would your aber auch dass eine einem einen einer nach nicht oder sich sind wird
    avec cette dans elle leur mais nous pour sont vous como esta este para pero sobre
"""
_TRIVIAL = frozenset(_TRIVIAL_WORDS.split())
_BIG = 8  # words: a change this long can swallow equal words that stand alone beside it
_LONGEST_SWALLOWED = 4  # words: five in a row are a shingle, which counts as shared, so it is shown as shared
_SLIDE = 300
_SENTENCE_END = frozenset(".!?…。！？")
_GLUE = frozenset("'’.,:/")
_CLAUSE_END = frozenset(",;:()[]–—،、，；：")


def tidy(a: Units, b: Units, blocks: list[Block]) -> list[Block]:
    """The alignment with changes joined, grown to whole numbers and contractions, and slid to good places."""
    for _ in range(6):
        fewer = list(_joined(_without_trivial(a, b, blocks)))
        fewer = list(_joined(_without_islands(a, b, fewer)))
        if len(fewer) == len(blocks):
            break
        blocks = fewer
    blocks = list(_joined(_whole_words(a, b, blocks)))
    return list(_joined(_slid(a, b, blocks)))


def _joined(blocks: list[Block]) -> Iterator[Block]:
    """Drops empty blocks and joins those that touch."""
    held: Block | None = None
    for i, j, n in blocks:
        if not n:
            continue
        if held and held[0] + held[2] == i and held[1] + held[2] == j:
            held = (held[0], held[1], held[2] + n)
            continue
        if held:
            yield held
        held = (i, j, n)
    if held:
        yield held


def _is_trivial(word: str) -> bool:
    """A word that says nothing by itself, in scripts with words."""
    if "\u0e00" <= word[0] <= "\u1fff" or word[0] >= "\u2e80":
        return False
    return (len(word) <= 3 and not any(map(str.isdigit, word))) or word.lower() in _TRIVIAL


def _weight(a: Units, block: Block) -> float:
    """How much an equal run says: stop words and single characters of spaceless scripts count half."""
    i, _, n = block
    return sum(0.5 if len(word) == 1 or _is_trivial(word) else 1.0 for word in a.words(i, i + n))


def _gap_sizes(a: Units, b: Units, blocks: list[Block]) -> list[int]:
    """Words of the longer side of each change: before every block, and last after all of them."""
    sizes: list[int] = []
    i_done = j_done = 0
    for i, j, n in blocks:
        sizes.append(max(i - i_done, j - j_done))
        i_done, j_done = i + n, j + n
    sizes.append(max(len(a) - i_done, len(b) - j_done))
    return sizes


def _is_line(units: Units, first: int, n: int) -> bool:
    """Whether words stand on lines of their own."""
    last = first + n
    return (first == 0 or "\n" in units.gap(first)) and (last == len(units) or "\n" in units.gap(last))


def _without_trivial(a: Units, b: Units, blocks: list[Block]) -> list[Block]:
    """Drops equal runs that are too small between two changes: a lone stop word, few words beside many."""
    sizes = _gap_sizes(a, b, blocks)
    kept: list[Block] = []
    for k, block in enumerate(blocks):
        i, j, n = block
        smaller = min(sizes[k], sizes[k + 1])
        if n <= _LONGEST_SWALLOWED and smaller:
            lone = n <= min(2, smaller) and all(map(_is_trivial, a.words(i, i + n)))
            if (lone or _weight(a, block) <= smaller / 4) and not (_is_line(a, i, n) and _is_line(b, j, n)):
                continue
        kept.append(block)
    return kept


def _without_islands(a: Units, b: Units, blocks: list[Block]) -> list[Block]:
    """Drops groups of short equal runs between two long changes, which match by chance."""
    sizes = _gap_sizes(a, b, blocks)
    kept: list[Block] = []
    island: list[Block] = []
    before = 0
    for k, size in enumerate(sizes):
        if size >= _BIG:
            short = all(n <= _LONGEST_SWALLOWED for _, _, n in island)
            weight = sum(_weight(a, block) for block in island) if short else 0.0
            if not (before and short and weight <= min(before, size) / 4):
                kept.extend(island)
            island = []
            before = size
        if k < len(blocks):
            island.append(blocks[k])
    return kept + island


def _glued(units: Units, word: int) -> bool:
    """Whether a word belongs to the one before it for a reader: 14,000; 3.5; 10:30; don't; rock’n’roll."""
    if not 0 < word < len(units):
        return False
    at = units.ends[word - 1]
    if units.text[at] not in _GLUE or units.starts[word] - at != 1:
        return False
    before, after = units.text[at - 1], units.text[at + 1]
    if units.text[at] in "'’":
        return before.isalpha() and after.isalpha()
    return before.isdigit() and after.isdigit()


def _whole_words(a: Units, b: Units, blocks: list[Block]) -> list[Block]:
    """Shrinks equal runs that end or begin inside what a reader takes for one word, by three words at most."""
    result: list[Block] = []
    i_done = j_done = 0
    for k, (i, j, n) in enumerate(blocks):
        for _ in range(3):  # the start of this block, if a change comes before it
            if not (n and ((i > i_done and _glued(a, i)) or (j > j_done and _glued(b, j)))):
                break
            i, j, n = i + 1, j + 1, n - 1
        end_i, end_j = (blocks[k + 1][0], blocks[k + 1][1]) if k + 1 < len(blocks) else (len(a), len(b))
        for _ in range(3):  # and its end, if a change comes after it
            if not (n and ((i + n < end_i and _glued(a, i + n)) or (j + n < end_j and _glued(b, j + n)))):
                break
            n -= 1
        if n:
            result.append((i, j, n))
            i_done, j_done = i + n, j + n
    return result


def _quality(units: Units, word: int) -> int:
    """How good a place it is to begin something new, before a word: a paragraph is best, inside a number worst."""
    if word == 0 or word == len(units):
        return 5
    gap = units.gap(word)
    lines = gap.count("\n")
    if lines:
        return 5 if lines > 1 else 4
    if _SENTENCE_END.intersection(gap):
        return 3
    if _CLAUSE_END.intersection(gap):
        return 2
    if not gap or not gap.isspace():
        return 0
    return 1


def _slid(a: Units, b: Units, blocks: list[Block]) -> list[Block]:
    """Slides additions and removals that could as well stand elsewhere to the best place."""
    result = list(blocks)
    for k in range(len(result) - 1):
        i, j, n = result[k]
        i2, j2, n2 = result[k + 1]
        if i + n == i2:
            shift = _best_slide(b, j + n, j2, n, n2)
        elif j + n == j2:
            shift = _best_slide(a, i + n, i2, n, n2)
        else:
            continue
        result[k] = (i, j, n + shift)
        result[k + 1] = (i2 + shift, j2 + shift, n2 - shift)
    return result


def _best_slide(units: Units, start: int, end: int, most_left: int, most_right: int) -> int:
    """By how many words a run that only one text has is best moved; negative is to the left."""
    word = units.word
    best = _quality(units, start) + _quality(units, end)
    shift = 0
    for step in range(1, min(most_left, _SLIDE) + 1):
        if word(start - step) != word(end - step):
            break
        quality = _quality(units, start - step) + _quality(units, end - step)
        if quality > best:
            best, shift = quality, -step
    for step in range(1, min(most_right, _SLIDE) + 1):
        if word(start + step - 1) != word(end + step - 1):
            break
        quality = _quality(units, start + step) + _quality(units, end + step)
        if quality > best:
            best, shift = quality, step
    return shift
