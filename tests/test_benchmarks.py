"""The corpora of benchmarks/ are what they say they are, and their truth is true.

The expected scores are computed here from scratch: sets of tuples, no code of benchmarks/ but the generator itself.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from dedup import normalize

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
SMALL, SEED = 1_000, 7
COPIES = {"exact", "spacing-and-case", "edits-few", "edits-many", "boilerplate", "shuffled", "contained",
          "contained-short", "syndicated"}  # fmt: skip

pytestmark = pytest.mark.once


def generate(folder: Path, *arguments: str, name: str = "corpus.jsonl") -> list[str]:
    """Run the generator as a user does; gives the texts in order."""
    path = folder / name
    command = [sys.executable, "-P", str(BENCHMARKS / "corpus.py"), "-o", str(path), *arguments]
    subprocess.run(command, check=True, capture_output=True)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [r["id"] for r in records] == [f"d{i:08d}" for i in range(len(records))]
    return [r["text"] for r in records]


def shape(folder: Path, name: str, documents: int, *more: str) -> list[str]:
    """The texts of a hard shape."""
    texts = generate(folder, "--shape", name, "--documents", str(documents), *more)
    assert len(texts) == documents
    return texts


@functools.cache
def role(char: str) -> str:
    """What a character does in a text: `mark`, `lone` (its own token), `lead` (Thai, waits), `letter`, `gap`."""
    kind = unicodedata.category(char)[0]
    if kind not in "LMN":
        return "gap"
    if "\u0e40" <= char <= "\u0e44":
        return "lead"
    alone = "CJK" in unicodedata.name(char, "") or "\u0e00" <= char <= "\u0e7f" or "\u3040" <= char <= "\u30ff"
    return "mark" if kind == "M" else "lone" if alone else "letter"


@functools.cache
def tokens(text: str) -> list[str]:
    """Tokens of the normal form, for the characters that the generator uses."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = re.sub("[\u064b-\u0652]", "", folded)
    found: list[str] = []
    before = "gap"
    for char in folded:
        does = role(char)
        if does == "mark" and before != "gap":
            found[-1] += char
            continue  # a mark leaves the token as open or closed as it was
        if (before, does) in {("letter", "letter"), ("lead", "lone")}:
            found[-1] += char
        elif does != "gap":
            found.append(char)
        before = does
    return found


@functools.cache
def shingles(text: str) -> set[tuple[str, ...]]:
    """Runs of five tokens, or all of a shorter text."""
    words = tokens(text)
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()


def jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    """The share of all shingles that both have."""
    return len(a & b) / len(a | b)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[dict[str, object]], Path]:
    """A small mixed corpus and its truth."""
    folder = tmp_path_factory.mktemp("corpus")
    truth = folder / "truth.jsonl"
    texts = generate(folder, "--documents", str(SMALL), "--seed", str(SEED), "--truth", str(truth))
    return texts, [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()], folder


def test_a_seed_gives_the_same_bytes_on_every_machine(made):
    """The digests were recorded once; numpy's and Python's versions must not change them."""
    _, _, folder = made

    digests = [hashlib.sha256((folder / n).read_bytes()).hexdigest()[:16] for n in ("corpus.jsonl", "truth.jsonl")]

    assert digests == ["9881b169a57ecf2c", "9c63e4ef0ddd5910"]


def test_another_seed_gives_other_documents(made, tmp_path):
    texts, _, _ = made

    other = generate(tmp_path, "--documents", "100", "--seed", str(SEED + 1))

    assert not set(other) & set(texts)


def test_compressed_output_holds_the_same_lines(tmp_path):
    plain = generate(tmp_path, "--documents", "50")
    packed = tmp_path / "corpus.jsonl.gz"
    command = [sys.executable, str(BENCHMARKS / "corpus.py"), "--documents", "50", "-o", str(packed)]

    digests = set()
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True)
        digests.add(hashlib.sha256(packed.read_bytes()).hexdigest())

    lines = gzip.decompress(packed.read_bytes()).splitlines()
    assert [json.loads(line)["text"] for line in lines] == plain
    assert len(digests) == 1
    assert not list(tmp_path.glob("*.part"))


def test_lengths_and_alphabets_are_as_promised(made):
    texts, _, _ = made
    sizes = sorted(len(t.encode()) for t in texts)

    assert len(texts) == SMALL
    assert 2_700 < sum(sizes) / len(sizes) < 4_200  # 3,450 at 20,000 documents: the tail is long
    assert 1_600 < sizes[len(sizes) // 2] < 2_500
    assert sizes[len(sizes) // 20] > 280
    assert sizes[-1] < 60_000
    assert 0.56 < sum(not t.isascii() for t in texts) / SMALL < 0.64


def test_words_have_the_frequencies_and_lengths_of_a_language(made):
    texts, _, _ = made
    words = Counter(w for t in texts[:400] for w in re.findall("[a-z]+", t.lower()))
    total = sum(words.values())

    assert [w for w, _ in words.most_common(3)] == ["the", "of", "and"]
    assert 0.02 < words["the"] / total < 0.09
    assert len(words) > 15_000
    assert 4 < sum(len(w) * n for w, n in words.items()) / total < 6


def test_there_are_sentences_paragraphs_quotations_numbers(made):
    texts, _, _ = made
    text = " ".join(texts[:300])

    assert 12 < len(text.split()) / len(re.findall(r"[.?!][”\"]?\s", text)) < 24
    assert all(
        re.search(pattern, text) for pattern in (r"\. “[A-Z]", r'\. "[A-Z]', r"\n\n[A-Z]", r", ", r"\$\d", r"’s ")
    )
    assert len(re.findall(r"\d+", text)) > len(text.split()) // 200
    assert not re.search(r"[α-ωа-я]", "".join(t for t in texts if t.isascii()))


def test_a_fifth_are_copies_and_every_kind_is_there(made):
    _, truth, _ = made
    kinds = Counter(p["kind"] for p in truth if "/" not in str(p["kind"]))
    documents = {p["a"] for p in truth} | {p["b"] for p in truth}

    assert set(kinds) == COPIES
    assert sum(kinds.values()) == SMALL // 5
    assert 0.25 < len(documents) / SMALL < 0.4


def test_truth_equals_brute_force(made):
    texts, truth, _ = made
    sets = {f"d{i:08d}": shingles(t) for i, t in enumerate(texts)}
    lengths = {f"d{i:08d}": len(tokens(t)) for i, t in enumerate(texts)}

    for pair in truth:
        a, b = sets[pair["a"]], sets[pair["b"]]
        order = [(-len(sets[pair[x]]), -lengths[pair[x]], pair[x]) for x in "ba"]
        assert pair["j"] == jaccard(a, b), pair
        assert pair["c"] == len(a & b) / len(a), pair
        assert (pair["shingles"], pair["tokens"]) == (len(a), lengths[pair["a"]]), pair
        assert order == sorted(order), "a is the one that would be dropped"


def test_truth_holds_all_pairs_of_the_planted_clusters(made):
    """… and no other two documents come near the threshold, sites' common pages included."""
    texts, truth, _ = made
    planted = {frozenset((p["a"], p["b"])) for p in truth}
    sets = [shingles(t) for t in texts]
    holders: dict[tuple[str, ...], list[int]] = {}
    for i, own in enumerate(sets):
        for shingle in own:
            holders.setdefault(shingle, []).append(i)
    shared = Counter(pair for held in holders.values() if 1 < len(held) < 100 for pair in combinations(held, 2))

    matches = {(i, j) for (i, j), n in shared.items() if n / len(sets[i] | sets[j]) >= 0.5}
    strange = [p for p in matches if frozenset(f"d{i:08d}" for i in p) not in planted]

    assert len(matches) > SMALL // 10
    assert not strange


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("exact", 1, 1),
        ("spacing-and-case", 1, 1),
        ("edits-few", 0.4, 1),
        ("edits-many", 0.1, 0.75),
        ("shuffled", 0.4, 1),
        ("boilerplate", 0.3, 1),
    ],
)
def test_scores_fit_the_kind(made, kind, low, high):
    _, truth, _ = made
    scores = [p["j"] for p in truth if p["kind"] == kind]

    assert len(scores) > 10
    assert low <= min(scores) <= max(scores) <= high


def test_edits_lie_on_both_sides_of_the_threshold(made):
    _, truth, _ = made
    scores = [p["j"] for p in truth if p["kind"] == "edits-few"]

    assert sum(s >= 0.7 for s in scores) > len(scores) // 3
    assert sum(s < 0.7 for s in scores) > len(scores) // 8


def test_contained_copies_are_contained(made):
    texts, truth, _ = made
    long = [p for p in truth if p["kind"] == "contained"]
    short = [p for p in truth if p["kind"] == "contained-short"]

    assert sum(p["c"] >= 0.8 for p in long) > 0.75 * len(long)
    assert all(p["j"] < 0.7 for p in long)
    assert sum(p["tokens"] >= 50 for p in long) > 0.75 * len(long)
    assert all(p["c"] >= 0.8 for p in short)
    for pair in long:
        times = len(tokens(texts[int(pair["b"][1:])])) / pair["tokens"]
        assert 2.5 < times < 9
    assert any(p["tokens"] < 50 for p in short)


def test_a_story_is_contained_in_its_copies_which_do_not_match_each_other(made):
    _, truth, _ = made
    story = [p for p in truth if p["kind"] == "syndicated"]
    copies = [p for p in truth if p["kind"] == "syndicated/syndicated"]

    assert len(story) >= 5
    assert all(p["c"] >= 0.95 and p["j"] < 0.7 for p in story)
    assert copies
    assert all(p["j"] < 0.6 and p["c"] < 0.75 for p in copies)


def test_a_third_of_the_documents_share_a_header_or_footer(made):
    texts, truth, _ = made
    copies = {p["a"] for p in truth} | {p["b"] for p in truth}
    alone = [t for i, t in enumerate(texts) if f"d{i:08d}" not in copies]
    starts = Counter(tuple(tokens(t)[:6]) for t in alone)

    shared = sum(n for n in starts.values() if n > 1) / len(alone)

    assert 0.25 < shared < 0.45


@pytest.mark.parametrize(
    ("language", "script"), [("russian", "CYRILLIC"), ("arabic", "ARABIC"), ("hindi", "DEVANAGARI"), ("chinese", "CJK")]
)
def test_other_alphabets(tmp_path, language, script):
    truth = tmp_path / "truth.jsonl"
    texts = generate(tmp_path, "--documents", "200", "--language", language, "--truth", str(truth))
    letters = Counter(unicodedata.name(c).split()[0] for t in texts for c in t if unicodedata.category(c)[0] == "L")

    assert letters[script] > 0.97 * sum(letters.values())
    assert 2_200 < sum(len(t.encode()) for t in texts) / len(texts) < 5_500
    for pair in map(json.loads, truth.read_text().splitlines()):
        a, b = (shingles(texts[int(pair[x][1:])]) for x in "ab")
        assert (pair["j"], pair["c"]) == (jaccard(a, b), len(a & b) / len(a))


# hard shapes


def test_identical(tmp_path):
    texts = shape(tmp_path, "identical", 20)

    assert len(set(texts)) == 1
    assert 1_500 < len(texts[0]) < 3_000


@pytest.mark.parametrize(
    ("where", "low", "high"), [("below", 0.63, 0.666), ("contained", 0.67, 0.699), ("above", 0.7, 0.73)]
)
def test_shared_header_pages_have_the_similarity_they_promise(tmp_path, where, low, high):
    """Below jaccard 2/3 two pages of one size are not contained in each other either."""
    sets = [shingles(t) for t in shape(tmp_path, f"shared-header-{where}", 12)]

    for a, b in combinations(sets, 2):
        assert low <= jaccard(a, b) <= high
        assert (len(a & b) / min(len(a), len(b)) >= 0.8) == (where != "below")


def test_revisions_match_their_neighbours_only(tmp_path):
    sets = [shingles(t) for t in shape(tmp_path, "revisions", 120)]

    assert all(jaccard(a, b) > 0.9 for a, b in pairwise(sets))
    assert jaccard(sets[0], sets[-1]) < 0.2


def test_one_token(tmp_path):
    texts = shape(tmp_path, "one-token", 4, "--tokens", "5000")

    assert [len(tokens(t)) for t in texts] == [5000, 1, 2, 3]
    assert len(shingles(texts[0])) == 1


def test_giant(tmp_path):
    first, *rest = shape(tmp_path, "giant", 5, "--tokens", "120000")
    whole = shingles(first)

    assert len(tokens(first)) >= 120_000
    assert [len(shingles(t) & whole) / len(shingles(t)) > 0.95 for t in rest] == [True, False, True, False]


def test_empty(tmp_path):
    assert not any(tokens(t) for t in shape(tmp_path, "empty", 12))


def test_tiny(tmp_path):
    lengths = {len(t.split()) for t in shape(tmp_path, "tiny", 300)}

    assert lengths == set(range(1, 11))


def test_tweets(modules, tmp_path):
    """Some 300 bytes each; of ten in a row the last but one is an exact copy of another, the last one a near copy."""
    import growth

    texts = shape(tmp_path, "tweets", 10_040)
    first = [text for number, text in enumerate(texts) if number % 10 < 8]
    sets = {frozenset(shingles(text)) for text in first}

    assert 250 < sum(map(len, texts)) / len(texts) < 450
    assert len(set(first)) == len(first)
    assert set(texts[8::10]) < set(first)
    for text in texts[9::10]:
        assert text not in first
        assert frozenset(shingles(text.rpartition(" ")[0])) in sets
    assert growth.known_drops("tweets", 10_040) == len(texts) - len(first)


def test_popular_quotation(tmp_path):
    sets = [shingles(t) for t in shape(tmp_path, "popular-quotation", 30)]

    assert len(set.intersection(*sets)) >= 50
    assert max(jaccard(a, b) for a, b in combinations(sets, 2)) < 0.5


# the runner


@pytest.fixture
def modules(monkeypatch):
    """The runner's modules, importable."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_scoring_counts_what_is_left_together_and_what_is_wrong(modules, tmp_path):
    import scoring

    common = " ".join(f"word{i}" for i in range(80))
    texts = {
        "a": common,
        "b": common + " more",
        "c": "something else entirely, and quite short",
        "d": common + " " + common[::-1],
    }
    corpus, truth = tmp_path / "corpus.jsonl", tmp_path / "truth.jsonl"
    corpus.write_text("".join(json.dumps({"id": k, "text": t}) + "\n" for k, t in texts.items()))
    pairs = [
        {"a": "a", "b": "b", "j": 0.98, "c": 1.0, "shingles": 76},
        {"a": "b", "b": "d", "j": 0.4, "c": 0.9, "shingles": 77},
        {"a": "a", "b": "d", "j": 0.4, "c": 1.0, "shingles": 76},
    ]
    truth.write_text("".join(json.dumps(p) + "\n" for p in pairs))

    nothing = scoring.quality(corpus, truth, {})
    right = scoring.quality(corpus, truth, {"a": "d", "b": "d"})
    wrong = scoring.quality(corpus, truth, {"c": "a", "a": "b"})
    silent = scoring.quality(corpus, truth, {"a": None})

    assert (nothing.near, nothing.near_left, nothing.contained, nothing.contained_left) == (1, 1, 1, 1)
    assert (right.near_left, right.contained_left, right.false_drops) == (0, 0, 0)
    assert (wrong.near_left, wrong.contained_left, wrong.false_drops) == (0, 1, 1)
    assert silent.false_drops is None


def test_gate_compares_ratios_and_counts_false_drops(modules):
    import run

    rows = [
        {"name": "dedup", "us_times_as_fast": 1.0, "false_drops": 0},
        {"name": "datasketch", "us_times_as_fast": 12.0, "false_drops": 99},
    ]

    assert run.gate({"datasketch": 10}, rows) == []
    assert "12.00 times" in run.gate({"datasketch": 13}, rows)[0]
    assert "no ratio" in run.gate({"daft": 1}, rows)[0]
    rows[0]["false_drops"] = 2
    assert "2 drops" in run.gate({}, rows)[0]


@pytest.mark.skipif(sys.platform == "win32", reason="os.wait4 is missing")
def test_a_run_is_measured_with_the_processes_it_waits_for(modules, tmp_path):
    import measure

    work = "sum(range(10**7)); x = bytearray(10**8)"
    burn = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True)"
    run = measure.measured([sys.executable, "-c", burn], 1, tmp_path / "log")
    failed = measure.measured([sys.executable, "-c", "raise SystemExit('no such luck')"], 1, tmp_path / "log")

    assert run.status == 0
    assert 0.02 < run.cpu < 60
    assert run.peak > 10**8
    assert (failed.status, failed.message) == (1, "no such luck")


def test_every_peer_has_its_script_and_says_what_it_leaves_out(modules):
    import contestants

    scripts = {path.name for path in (BENCHMARKS / "peers").glob("[a-z]*.py")}

    assert {peer.script for peer in contestants.PEERS.values()} == scripts
    assert all(peer.note and peer.packages for peer in contestants.PEERS.values())
    readme = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in contestants.PEERS)


def test_a_corpus_is_made_once_and_again_when_its_generator_changes(modules, tmp_path, monkeypatch):
    import corpora

    path = corpora.made(tmp_path, 20)
    path.write_text("kept")
    assert corpora.made(tmp_path, 20).read_text() == "kept"

    monkeypatch.setattr(corpora, "_generator", lambda: "another")

    assert corpora.made(tmp_path, 20).read_bytes() != b"kept"


def test_known_drops_of_shapes_are_what_brute_force_finds(modules, tmp_path):
    """Each document against the kept ones in keep order, on the full sets."""
    import growth

    for name in ("identical", "shared-header-below", "shared-header-contained", "shared-header-above", "one-token",
                 "empty", "popular-quotation", "uneven-pages", "twice-crawled"):  # fmt: skip
        texts = shape(tmp_path, name, 9, "--tokens", "50")
        kept: list[set[tuple[str, ...]]] = []
        dropped = 0
        for own in sorted((s for s in map(shingles, texts) if s), key=len, reverse=True):
            if any(jaccard(own, k) >= 0.7 or (len(own) >= 50 and len(own & k) / len(own) >= 0.8) for k in kept):
                dropped += 1
            else:
                kept.append(own)
        assert growth.known_drops(name, 9) == dropped, name


def test_real_texts_are_repeated_with_edits_until_there_is_enough(modules):
    import editions

    texts = ["one two three four five six seven eight", "一 二三四五六七八九"]

    copies = list(editions.repeated(texts, 2_000, 1))

    assert sum(len(text.encode()) for text in copies) >= 2_000
    assert len(set(copies)) > len(texts)
    assert [len(text.split()) for text in copies[::2]] == [8] * len(copies[::2])


def test_a_run_writes_every_time_and_its_tables_can_be_printed_again(modules, tmp_path, capsys, monkeypatch):
    import run

    monkeypatch.setattr(run, "HERE", tmp_path)
    small = ["--documents", "60", "--repeat", "2", "--cache", str(tmp_path / "cache"), "--name", "x"]
    only = ["--only", "peers,doubling,shapes,filter", "--peers", "none", "--shapes", "identical"]

    status = run.main([*small, *only])

    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "results" / "x.json").read_text())
    assert status == 0
    assert [len(row["runs"]) for section in result["sections"].values() for row in section["rows"]] == [2] * 12
    whole = (tmp_path / "cache" / "english-60-1.jsonl").stat().st_size
    assert result["sections"]["filter"]["rows"][0]["times_scan"] == 1
    assert 0 < (tmp_path / "cache" / "own.filtered.jsonl").stat().st_size < whole
    assert result["sections"]["peers"]["rows"][0]["near_left"] == 0
    assert [row["known"] - row["dropped"] for row in result["sections"]["shapes"]["rows"]] == [0, 0]
    assert run.main(["--table", str(tmp_path / "results" / "x.json")]) == 0
    assert capsys.readouterr().out == printed
    assert str(tmp_path) not in printed


def test_the_gate_of_ci_names_what_became_worse(modules):
    import gate

    pinned = {"instructions_per_byte": 100, "share_of_loop": 0.4}

    assert gate.faults({"instructions_per_byte": 114, "shape_growth": 2.2}, pinned) == []
    assert gate.faults({"share_of_loop": 0.7}, pinned) == []
    assert gate.faults({"instructions_per_byte": 300, "shape_growth": 2.2}, {}) == []
    assert "at most 115" in gate.faults({"instructions_per_byte": 116, "shape_growth": 2.2}, pinned)[0]
    assert "at most 0.8" in gate.faults({"share_of_loop": 0.9}, pinned)[0]
    assert "varied-pages takes 2.60 ×" in gate.faults({"shape_growth": 2.2, "pages_growth": 2.6}, {})[0]
    assert "3.90 ×" in gate.faults({"instructions_per_byte": 90, "shape_growth": 3.9}, pinned)[0]


def test_the_gate_measures_with_the_clock_where_valgrind_is_missing(modules, tmp_path, monkeypatch, capsys):
    import gate

    monkeypatch.setattr(gate, "LOOP_SIZE", 30)
    monkeypatch.setattr(gate, "PINNED", tmp_path / "gate.json")
    monkeypatch.setattr(gate.shutil, "which", lambda name: None)
    for share, status in ((1e-6, 1), (1e6, 0)):
        gate.PINNED.write_text(json.dumps({gate.key(): {"share_of_loop": share}}))

        assert gate.main([]) == status

    said = capsys.readouterr()
    assert "share_of_loop" in said.out
    assert said.err.count("GATE share_of_loop") == 1


def test_the_loop_that_the_gate_compares_with_counts_words(modules, tmp_path):
    import gate

    path = tmp_path / "r.jsonl"
    path.write_text('{"id": "a", "text": "One two, one."}\n')
    done = subprocess.run(
        [sys.executable, "-c", gate.LOOP + "print(sorted(counts.items()))", str(path)], capture_output=True, text=True
    )

    assert done.stdout == "[('one', 2), ('two', 1)]\n"


def test_contestants_that_show_differences_count_the_words_that_stand_in_one_text_alone(modules):
    import differences

    a, b = "One two three four. " * 3, "one two THREE five four, " + "One two three four. " * 2

    for name, contestant in differences.CONTESTANTS.items():
        assert contestant(a, b)["alone"] == 1, name
        assert contestant(a, "zero")["alone"] == 13, name


def test_differences_are_measured_on_pairs_made_from_a_seed(modules, tmp_path):
    import differences
    import tables

    rows = differences.rows(tmp_path, 1_200, 1, 1, ("dedup", "difflib-all-words"))

    by_what = {(row["what"], row["name"]): row for row in rows}
    words = {case: sum(len(differences.words_of((tmp_path / f"differences-{case}-1200" / f"{side}.txt").read_text()))
                       for side in "ab") for case in differences.CASES}  # fmt: skip
    assert by_what["moved", "dedup"]["moved"] > 300
    assert 60 < by_what["edits", "difflib-all-words"]["alone"] < 0.1 * words["edits"]
    assert by_what["unrelated", "difflib-all-words"]["alone"] > 0.8 * words["unrelated"]
    assert "difflib-all-words" in tables.differences(rows)

    # A run that was ended has no numbers but its time.
    ended = differences._row("edits", "x", 1, [differences.Run(60.0, 60.0, 1, -differences.signal.SIGXCPU, "")], 1.0)
    assert "ended" in tables.differences([ended])


def test_a_peer_can_have_the_very_tokens_that_we_compare() -> None:
    """Every code point, alone and beside others: the peers' quick way and the definition agree."""
    sys.path.insert(0, str(BENCHMARKS / "peers"))
    try:
        from _normal_form import tokens as theirs
    finally:
        sys.path.remove(str(BENCHMARKS / "peers"))
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    known = [char for char in every if normalize.char_class(char) != "U"]
    for at in range(0, len(known), 50):
        text = "x".join(known[at : at + 50])
        assert theirs(text) == normalize.tokens(text)
    odd = random.Random(3)
    pools = known, every[0xE00:0xF00], every[0x590:0x700], "abC9 _-\u0301\u00e9"
    for _ in range(3_000):
        text = "".join(odd.choice(odd.choice(pools)) for _ in range(odd.randint(1, 12)))
        assert theirs(text) == normalize.tokens(text), ascii(text)
