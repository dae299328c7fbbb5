"""Two hashes of a sample may have the same 32 bits: no result depends on that.

Words whose hashes have were searched for among three million; with shingles of one word a text holds just those.
"""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import oracle
import orjson
import xxhash
from conftest import outcome_of, scaled
from hypothesis import given
from hypothesis import strategies as st
from oracle import Doc, Rules

import dedup
from dedup import Document, Settings
from dedup._arrays import Samples, offsets_of
from dedup.against import list_documents
from dedup.pairs import find_pairs
from dedup.streaming import StreamFilter

TWINS = [
    ("w93644", "w241230"), ("w148275", "w304560"), ("w383734", "w415387"), ("w416500", "w463037"),
    ("w250555", "w562177"), ("w706079", "w719680"), ("w160904", "w796784"), ("w702363", "w828266"),
    ("w940018", "w1240619"), ("w864562", "w1284015"), ("w196518", "w1306416"), ("w36214", "w1464811"),
    ("w433982", "w1479723"), ("w1278209", "w1487973"), ("w1503667", "w1568697"), ("w1382515", "w1586263"),
    ("w631600", "w1665684"), ("w1348853", "w1720392"), ("w1045630", "w1735330"), ("w358215", "w1741587"),
    ("w1717026", "w1833719"), ("w168668", "w1846571"), ("w843842", "w1890236"), ("w887639", "w1914531"),
    ("w930066", "w2010011"), ("w104353", "w2106354"), ("w495393", "w2167379"), ("w1961041", "w2175016"),
    ("w902051", "w2193197"), ("w1303213", "w2202605"), ("w1840001", "w2212751"), ("w1150951", "w2214719"),
]  # fmt: skip


def hash_of(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode())


PLAIN = [word for word in (f"x{number}" for number in range(400)) if hash_of(word) >= 2**62]  # in no sample


def test_the_words_are_what_they_should_be() -> None:
    """All are sampled, the two of a pair differ, and the first 32 of the 62 bits that they may have are equal."""
    for one, other in map(sorted, TWINS):
        assert hash_of(one) != hash_of(other)
        assert hash_of(one) // 2**30 == hash_of(other) // 2**30 < 2**32
    assert len({hash_of(one) // 2**30 for one, _ in TWINS}) == len(TWINS)


# --- by hand ----------------------------------------------------------------------------------------------------------

SMALL = " ".join([TWINS[0][0], *PLAIN[:4]])
OTHERS = PLAIN[:44]
BY_ONE_WORD = {"shingle": 1, "min_contained_shingles": 5}


def found_by_all(small: str, large: str, settings: Settings, folder: Path) -> list[bool]:
    """Whether the small text goes for the large one, in whatever way one can ask."""
    found = dedup.find_duplicates([Document("large", large), Document("small", small)], settings)
    lines = [orjson.dumps({"id": id, "text": text}) + b"\n" for id, text in (("large", large), ("small", small))]
    place = folder / "large.jsonl"
    place.write_bytes(lines[0])
    (folder / "both.jsonl").write_bytes(b"".join(lines))
    kept, unmatched = io.BytesIO(), io.BytesIO()
    StreamFilter(io.BytesIO(b"".join(lines)), kept, settings).run()
    against = list_documents([place], settings, references=True, threads=1)
    StreamFilter(io.BytesIO(lines[1]), unmatched, settings, against=against).run()
    return [
        outcome_of(list(found.records())) == {"small": "large"},
        len(list(find_pairs(folder / "both.jsonl", settings, threads=1))) == 1,
        kept.getvalue() == lines[0],
        unmatched.getvalue() == b"",
        dedup.compare(small, large, settings).candidate,
    ]


def test_a_pair_that_only_seems_a_candidate_is_none(tmp_path: Path) -> None:
    """The one sampled word of a text isn't in the other, though one with the same value is; and that word itself."""
    settings = Settings(**BY_ONE_WORD)
    seeming, held = (" ".join([*OTHERS, word]) for word in reversed(TWINS[0]))
    for large in (seeming, held):
        pair = dedup.compare(SMALL, large, settings)
        assert (pair.containment >= 0.8, pair.shared_bands, pair.sample_size) == (True, 0, 1)
        assert pair.sample_shared == (large == held)
        assert found_by_all(SMALL, large, settings, tmp_path) == [large == held] * 5


def test_two_hashes_of_one_text_with_one_value_are_two(tmp_path: Path) -> None:
    """A text with both words of a pair needs both of them in the larger one; one, or one and another, is not enough."""
    settings = Settings(**BY_ONE_WORD, containment=1.0)
    small = " ".join([*TWINS[0], *PLAIN[:4]])
    whole = " ".join([*OTHERS, *TWINS[0]])
    assert dedup.compare(small, whole, settings).sample_shared == 2
    assert found_by_all(small, whole, settings, tmp_path) == [True] * 5
    for words in (TWINS[0][:1], TWINS[0][1:], [TWINS[0][0], TWINS[1][0]]):
        assert found_by_all(small, " ".join([*OTHERS, *words]), settings, tmp_path) == [False] * 5


# --- by brute force ---------------------------------------------------------------------------------------------------


def some_documents(rng: random.Random) -> list[Doc]:
    """Copies of a few texts in which words are left out, or stand for their twins."""
    twins = {one: other for pair in TWINS for one, other in itertools.permutations(pair)}
    bases = []
    for _ in range(rng.randint(1, 3)):
        words = [rng.choice(pair) for pair in rng.sample(TWINS, rng.choice([1, 2, 5, 20, 32]))]
        words += [twins[word] for word in words if rng.random() < 0.2]
        bases.append(words + rng.sample(PLAIN, rng.choice([4, 20, 60])))
    texts = []
    for _ in range(rng.randint(5, 30)):
        left, changed, more = rng.choice([0, 0.1, 0.5]), rng.choice([0, 0.1, 0.5, 1]), rng.choice([0, 0, 30, 100])
        words = [twins.get(word, word) if rng.random() < changed else word for word in rng.choice(bases)]
        words = [word for word in words if rng.random() >= left] + rng.sample(PLAIN, more)
        texts.append(" ".join(words))
    return [Doc(f"d{rng.random()}", text, float(rng.randrange(5)), {}, row) for row, text in enumerate(texts)]


def seeming_pairs(docs: Sequence[Doc], by: Rules) -> int:
    """Pairs that match and are no candidates, and would be if hashes with one value were one."""
    found = oracle._Scan(docs, by)
    count = 0
    for larger, smaller in itertools.combinations(sorted({doc.id for doc in docs}, key=found.order), 2):
        one, other = found.views[smaller], found.views[larger]
        if oracle.relation(one, other, by) and not oracle.candidate(one, other, by):
            values = [Counter(hash // 2**30 for hash in view.sample) for view in (one, other)]
            least = by.containment and dedup.candidates.contained_floor(by.containment, len(one.sample))
            fits = len(one.hashes) >= by.min_contained_shingles
            count += bool(least and fits and (values[0] & values[1]).total() >= least)
    return count


def test_scans_equal_brute_force() -> None:
    """Who is dropped for whom, with any keep policy."""
    rng = random.Random(20261122)
    seeming = dropped = 0
    for number in range(scaled(150, 60)):
        docs = some_documents(rng)
        by = Rules(
            threshold=rng.choice([0.5, 0.7, 0.9]), containment=rng.choice([0.5, 0.8, 1.0]), shingle=1,
            min_contained_shingles=rng.choice([1, 5, 20]), num_perm=rng.choice([16, 128]), recall=0.5,
            keep=rng.choice(["longest", "newest", "path"]),
        )  # fmt: skip
        settings = Settings(**asdict(by))
        wanted = oracle.expected(docs, by)
        result = dedup.find_duplicates([Document(doc.id, doc.text, doc.time) for doc in docs], settings)
        found = outcome_of(list(result.records()))
        assert found == {drop: fate.keep for drop, fate in wanted.drops.items()}, number
        seeming += seeming_pairs(docs, by)
        dropped += len(found)
    assert seeming > 100 and dropped > 300, (seeming, dropped)


# --- samples as sets --------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 4) | st.just(2**32 - 1), max_size=9).map(sorted), max_size=5))
def test_as_sets_two_samples_share_as_much(rows: list[list[int]]) -> None:
    """Nothing is repeated, and what two have in common are the values of both, each as often as it is in both."""
    values = np.array([value for row in rows for value in row], np.uint32)
    sets = [set(row.tolist()) for row in Samples(values, offsets_of([len(row) for row in rows])).as_sets().rows()]
    assert [len(one) for one in sets] == [len(row) for row in rows]
    for one, other in itertools.product(range(len(rows)), repeat=2):
        assert len(sets[one] & sets[other]) == (Counter(rows[one]) & Counter(rows[other])).total()
