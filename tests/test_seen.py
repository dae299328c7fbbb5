"""Exact copies cost no sketch: a text whose normal form was seen gets none, and no result tells."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import prose
from strategies import MUTATIONS, grown

import dedup
from dedup import Settings, pipeline
from dedup._arrays import Bands, Samples, Sketches, Texts, offsets_of
from dedup._kernels import Kernel, load_kernel
from dedup.cluster import greedy_pass
from dedup.exact import collapse
from dedup.pairs import find_pairs
from dedup.sketch import SketchColumns
from dedup.spool import Room

_Kernel: Any = type(load_kernel())


class EachSketched(_Kernel):
    """Knows no text again."""

    def seen(self, room: int) -> None:
        return None


class Mistaken(_Kernel):
    """Takes many texts for ones that it has seen, which it has not, since all have one digest."""

    def seen(self, room: int) -> random.Random:
        return random.Random(room)

    def sketch(self, texts: Texts, settings: Settings, *, seen: random.Random | None = None, **how: Any) -> Sketches:
        full: Sketches = super().sketch(texts, settings, **how)
        if seen is None:
            return full
        kept = (full.tokens > 0) & np.array([seen.random() < 0.2 for _ in range(texts.count)], np.bool_)
        sizes = np.where(kept, full.samples.sizes, 0)
        return replace(
            full,
            shingles=np.where(kept, full.shingles, 0).astype(np.uint32),
            exact=np.full_like(full.exact, 7),
            bands=Bands.of(full.bands.take(np.flatnonzero(kept))),
            samples=Samples(full.samples.take(np.flatnonzero(kept)).values, offsets_of(sizes)),
        )


def texts_with_copies(rng: random.Random, count: int) -> list[str]:
    """Many equal texts, some of which are spelt otherwise, among related ones, very short ones and empty ones."""
    some = [
        grown(rng.randrange(3), 60 + 30 * (n % 3), 10**5, [(rng.randrange(len(MUTATIONS)), rng.randrange(5))])
        for n in range(rng.randint(1, 12))
    ]
    some += ["", "?!", "one", "one two", "one two three four five six"]
    spelt: list[Callable[[str], str]] = [str, str, str, str.upper, lambda text: text.replace(" ", " - ")]
    return [rng.choice(spelt)(rng.choice(some)) for _ in range(count)]


def sketched(kernel: Kernel, batches: list[list[str]], threads: int, room: int | None) -> Sketches:
    """All of them; those that were seen without a sketch, if there is room for digests at all."""
    settings, columns = Settings(), SketchColumns(Settings().bands, Room.of(None))
    seen = None if room is None else kernel.seen(room)
    for batch in batches:
        columns.append(kernel.sketch(Texts.of(batch), settings, threads=threads, seen=seen))
    return columns.finish()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_normal_form_is_sketched_once(threads: int) -> None:
    """In any batches, of any number of threads; all else is as if each text were sketched."""
    kernel, settings = load_kernel(), Settings()
    for seed in range(8):
        rng = random.Random(seed)
        batches = [texts_with_copies(rng, rng.randrange(20)) for _ in range(4)]
        texts = [text for batch in batches for text in batch]
        names = Texts.joined([b"%d" % (7 * row % 101) for row in range(len(texts))])
        distinct = {
            form for text in texts if (form := tuple(text.lower().replace("-", " ").split())) and form != ("?!",)
        }
        all_have, few = (sketched(kernel, batches, threads, room) for room in (None, 1 << 20))

        assert few.bands.starts[-1] == np.count_nonzero(few.shingles) == len(distinct)
        assert bytes(few.normal.blob) == bytes(all_have.normal.blob)
        assert few.tokens.tolist() == all_have.tokens.tolist()
        assert few.exact.tolist() == all_have.exact.tolist()
        filled, unique = collapse(few, names, settings, kernel, threads=threads)
        _, wanted = collapse(all_have, names, settings, kernel)
        assert [unique.rows.tolist(), unique.rank_of.tolist()] == [wanted.rows.tolist(), wanted.rank_of.tolist()]
        assert unique.rank_of[unique.sketched].tolist() == list(range(unique.count))
        assert filled.shingles.tolist() == all_have.shingles.tolist()
        assert filled.bands.take(unique.sketched).tolist() == all_have.bands.take(wanted.rows).tolist()
        samples = filled.samples.take(unique.sketched), all_have.samples.take(wanted.rows)
        assert samples[0].values.tolist() == samples[1].values.tolist()
        assert samples[0].offsets.tolist() == samples[1].offsets.tolist()
        for join in (False, True):
            found = greedy_pass(filled, unique.sketched, settings, kernel, threads=threads, join=join)
            expected = greedy_pass(all_have, wanted.rows, settings, kernel, threads=1, join=join)
            assert found.keeper.tolist() == expected.keeper.tolist()
            assert found.shared.tolist() == expected.shared.tolist()
            assert found.pairs.later.tolist() == expected.pairs.later.tolist()


def test_without_room_for_digests_all_are_sketched() -> None:
    """What is known again is bounded in memory; beyond that a text is sketched once more."""
    kernel, texts = load_kernel(), [prose(number, 20) for number in range(300)]
    found = [np.count_nonzero(sketched(kernel, [texts, texts], 1, room).shingles) for room in (0, 1 << 11, 1 << 20)]
    assert found[0] == 600
    assert 300 < found[1] < 600
    assert found[2] == 300


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three corpora full of copies, as record files."""
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        texts = texts_with_copies(random.Random(seed), 70)
        lines = [json.dumps({"id": f"r{n * 37 % 101}", "text": text, "n": n % 5}) for n, text in enumerate(texts)]
        Path(f"{seed}.jsonl").write_text("\n".join(lines) + "\n")


def outcomes(seed: int, threads: int, memory: int | None) -> list[bytes]:
    """What commands make of a corpus."""
    name, other = f"{seed}.jsonl", f"{(seed + 1) % 3}.jsonl"
    found = []
    for settings in (Settings(), Settings(containment=None, keep="first"), Settings(keep="field:n", threshold=0.5)):
        result = dedup.scan(name, settings, threads=threads, memory=memory, protect=[other] * (seed == 1))
        found += [result.to_bytes(), str(result.funnel).encode()]
    pairs = [*find_pairs(name, threads=threads), *find_pairs(name, against=other, threads=threads)]
    return [*found, json.dumps([pair.as_record() for pair in pairs]).encode()]


def test_results_are_those_of_sketching_each_text(corpora: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the batches, the threads and the memory are, and with any policy; pairs too."""
    for seed in range(3):
        with monkeypatch.context() as patched:
            for module in ("pipeline", "pairs"):
                patched.setattr(f"dedup.{module}.load_kernel", EachSketched)
            wanted = outcomes(seed, 1, None)
        assert b'"exact"' in wanted[0]
        for size, threads, memory in ((1, 1, None), (2000, 3, 1_000_000), (8 << 20, 2, None)):
            with monkeypatch.context() as patched:
                patched.setattr(pipeline, "BATCH_BYTES", size)
                assert outcomes(seed, threads, memory) == wanted


def test_a_text_with_the_digest_of_another_gets_its_sketch(corpora: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """XXH3 is not cryptographic: where somebody makes texts collide, the result is what it is without that."""
    for seed in range(3):
        wanted = outcomes(seed, 1, None)
        for threads, memory in ((1, None), (2, 1_000_000)):
            with monkeypatch.context() as patched:
                for module in ("pipeline", "pairs"):
                    patched.setattr(f"dedup.{module}.load_kernel", Mistaken)
                assert outcomes(seed, threads, memory) == wanted
