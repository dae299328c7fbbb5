"""All that can be said of one pair, in lines for a person or as one record for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dedup.report.clean import visible
from dedup.report.style import Style, name_of, plural

if TYPE_CHECKING:
    from dedup.comparison import Comparison
    from dedup.difference import Shared

PASSAGES = 3
_QUOTED = 16  # words of a shared passage that are shown


def explain_lines(
    pair: Comparison, a_name: str, b_name: str, a_text: str, shared: Sequence[Shared], style: Style
) -> Iterator[str]:
    """The lines of ``dedup explain``: verdict, scores, how a scan finds the pair, the longest shared passages."""
    for side, name, tokens, shingles in (
        ("a", a_name, pair.tokens_a, pair.shingles_a),
        ("b", b_name, pair.tokens_b, pair.shingles_b),
    ):
        yield f"{side}  {style.bold(name_of(name))}: {plural(tokens, 'token')}, {plural(shingles, 'distinct shingle')}"
    yield ""
    yield (style.good if pair.relation else style.warning)(pair.reason)
    if pair.relation:
        kept = "b" if pair.dropped == "a" else "a"
        yield f"a scan keeps {kept} and drops {pair.dropped}" if pair.candidate else _missed(pair)
    yield ""
    yield f"jaccard            {pair.jaccard:.4f}   {pair.shared:,} of {_union(pair):,} shingles are in both"
    yield f"containment of a   {pair.containment_of_a:.4f}   {pair.shared:,} of a's {pair.shingles_a:,} are in b"
    yield f"containment of b   {pair.containment_of_b:.4f}   {pair.shared:,} of b's {pair.shingles_b:,} are in a"
    yield ""
    yield from _finding(pair)
    if shared:
        yield ""
        yield "longest shared passages"
    for passage in shared[:PASSAGES]:
        yield f"  {plural(passage.words, 'word')}: {_quote(a_text[passage.a_start : passage.a_end])}"


def _union(pair: Comparison) -> int:
    return pair.shingles_a + pair.shingles_b - pair.shared


def _missed(pair: Comparison) -> str:
    return "but a scan doesn't find it: it is no candidate (see below); another --seed or a higher --recall may"


def _finding(pair: Comparison) -> Iterator[str]:
    """How a scan comes to look at the pair, or why it doesn't."""
    settings = pair.settings
    yield (
        f"bands: {pair.shared_bands} of {settings.bands} (of {settings.rows} rows each) are equal; with this jaccard "
        f"at least one is with probability {pair.band_chance:.4f}"
    )
    if settings.containment is not None and pair.sample_floor is not None:
        yield (
            f"sample: {pair.sample_shared:,} of {pair.dropped}'s {pair.sample_size:,} sampled hashes are in the "
            f"other's; {pair.sample_floor:,} make it a candidate"
        )
    words = {"equal": "equal normal forms", "bands": "the bands", "sample": "the samples"}
    found = " and ".join(words[name] for name in pair.found_by)
    yield f"candidate: {'yes, by ' + found if found else 'no'}"


def _quote(text: str) -> str:
    words = text.split()
    shown = " ".join(words if len(words) <= _QUOTED else [*words[: _QUOTED - 5], "…", *words[-5:]])
    return f'"{visible(shown)}"'


def explain_record(pair: Comparison, a_name: str, b_name: str) -> dict[str, Any]:
    """The same for a program."""
    return {
        "a": {"id": a_name, "tokens": pair.tokens_a, "shingles": pair.shingles_a},
        "b": {"id": b_name, "tokens": pair.tokens_b, "shingles": pair.shingles_b},
        "relation": pair.relation.value if pair.relation else None,
        "dropped": pair.dropped if pair.relation else None,
        "reason": pair.reason,
        "shared": pair.shared,
        "jaccard": pair.jaccard,
        "containment": pair.containment,
        "containment_of_a": pair.containment_of_a,
        "containment_of_b": pair.containment_of_b,
        "bands": pair.settings.bands,
        "rows": pair.settings.rows,
        "shared_bands": pair.shared_bands,
        "band_chance": pair.band_chance,
        "sample_size": pair.sample_size,
        "sample_shared": pair.sample_shared,
        "sample_floor": pair.sample_floor,
        "candidate": pair.candidate,
        "found_by": list(pair.found_by),
    }
