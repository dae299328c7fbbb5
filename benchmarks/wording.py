"""Words, their frequencies and the punctuation between them: what the made corpora are made of.

Chance comes from raw 64-bit draws of the Philox bit generator alone. numpy promises those bits for ever and on every
machine; it does not promise its distributions (`Generator.integers`, `.zipf`, `.lognormal`), so none is used. Tables of
frequencies are built with additions and divisions of IEEE doubles and are the same everywhere for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Raw = npt.NDArray[np.uint64]

ZIPF_BITS = 20
VOCABULARY = 30_000
PHRASES = 8_000
PHRASE_WORDS = 7
VOCABULARY_SEED = 20_240_229  # every corpus shares one vocabulary, whatever its own seed

FUNCTION_WORDS = """
the of and to in a is that it was for on as with he be by at his this had not are but from or have an they
which one you were her all she there would their we him been has when who will more no if out so said what up
its about into than them can only other new some could time these two may then do first any my now such like
our over man me even most made after also did many before must through back years where much your way well
down should because each just those people mr how too little state good very make world still own see men work
long get here between both life being under never day same another know while last might us great old year off
come since against go came right used take three states himself few house use during without again place
around however home small found thought went say part once high general upon school every don't does got
united left number course war until always away something fact though water less public put think almost hand
enough far took head yet better set told nothing night end why
"""

FOREIGN_WORDS = """
José Müller Łukasz Zoë François Dvořák Čapek Åse naïve café résumé São München Zürich Málaga Gdańsk Ångström
Brontë Søren Jürgen Björk Renée Noël Peña Núñez Õnne Žižek Şahin Ðorđe Thérèse Citroën Kraków Tromsø Curaçao
Αθήνα Ελλάδα Μαρία Москва Київ Анна Софія Рига القاهرة بغداد سلام תלאביב ירושלים दिल्ली भारत मुंबई 東京 北京 上海
さくら カナダ 서울 부산 ไทย Tiếng Việt Đà Nẵng Hồ Māori Hawaiʻi déjà vu fiancée façade jalapeño piñata doppelgänger
smörgåsbord
"""

# What may stand between two words, in plain and in typographic dress. The first is the ordinary space.
JOINTS_PLAIN = (
    *(" ", ", ", ". ", "? ", "! ", "; ", ": ", " - ", '. "', '." ', ".\n\n", '."\n\n', "'s ", " (", ") ", "-", "... "),
    *("  ", "\n", "\t"),
)
JOINTS_TYPOGRAPHIC = (
    *(" ", ", ", ". ", "? ", "! ", "; ", ": ", " — ", ". “", ".” ", ".\n\n", ".”\n\n", "’s ", " (", ") ", "-", "… "),
    *("  ", "\n", "\t"),
)
JOINTS_CHINESE = (
    *("", "，", "。", "？", "！", "；", "：", "——", "。“", "。”", "。\n\n", "。”\n\n", "的", "（", "）", "、", "……"),
    *(" ", "\n", "\t"),
)
_JOINT_NAMES = """
space comma stop question shout semicolon colon dash open close paragraph close_paragraph possessive bracket
unbracket hyphen dots two_spaces newline tab
"""
JOINT = {name: place for place, name in enumerate(_JOINT_NAMES.split())}
SENTENCE_ENDS = np.array([JOINT[n] for n in ("stop", "question", "shout", "close", "open", "paragraph",
                                             "close_paragraph")])  # fmt: skip


class Stream:
    """An endless run of 64-bit draws that depends on a seed and a number, nothing else."""

    def __init__(self, seed: int, number: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed, number], np.uint64))

    def raw(self, count: int) -> Raw:
        """`count` draws as an array."""
        draws: Raw = self._bits.random_raw(count)
        return draws

    def below(self, limit: int) -> int:
        """One whole number in 0 … limit − 1."""
        return int(self._bits.random_raw()) * limit >> 64

    def chance(self, per_mille: int) -> bool:
        """True `per_mille` times in a thousand."""
        return self.below(1000) < per_mille


def scaled(raw: Raw, limit: int) -> Ints:
    """The draws as whole numbers in 0 … limit − 1, from their high halves."""
    return (((raw >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def shuffled(stream: Stream, count: int) -> Ints:
    """A random order of 0 … count − 1; ties, should there be any, keep their order."""
    return np.argsort(stream.raw(count), kind="stable")


def spread(weights: list[float], slots: int) -> Ints:
    """A table of `slots` entries in which entry numbers occur in proportion to their weights."""
    total = list(accumulate(weights))
    edges = [0, *(int(slots * t / total[-1]) for t in total)]
    return np.repeat(np.arange(len(weights)), np.diff(edges))


def joint_table() -> Ints:
    """256 joints inside a sentence, as often as English uses them (roughly)."""
    often = {"space": 225, "comma": 18, "semicolon": 1, "colon": 1, "dash": 2, "possessive": 2, "bracket": 2,
             "unbracket": 2, "hyphen": 3}  # fmt: skip
    table = np.repeat([JOINT[n] for n in often], list(often.values()))
    assert len(table) == 256
    return table


@dataclass(frozen=True)
class Alphabet:
    """Where a language's made-up words come from: syllables of onset, vowel and coda."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    joints: tuple[str, ...] = JOINTS_PLAIN
    joints_fancy: tuple[str, ...] = JOINTS_TYPOGRAPHIC
    fixed: tuple[str, ...] = ()
    one_letter: bool = False  # a syllable is one sign that stands for a word or half a word


_ENGLISH_ONSETS = "b c d f g h j k l m n p r s t v w br ch cl cr dr fl gr pl pr sh sl sp st str th tr wh qu"
_ENGLISH_VOWELS = "a e i o u a e i o ai ea ee ou oo"

ALPHABETS = {
    "english": Alphabet(
        tuple(_ENGLISH_ONSETS.split()),
        tuple(_ENGLISH_VOWELS.split()),
        ("", "", "", "", "n", "r", "s", "t", "l", "d", "m", "nd", "st", "ng", "ck", "rt", "ss"),
        fixed=tuple(FUNCTION_WORDS.split()),
    ),
    "russian": Alphabet((*"бвгджзклмнпрстфхцчш", "ст", "пр", "тр", "кр"), tuple("аеиоуыяю"),
                        ("", "", "", "й", "н", "т", "л", "сть", "м", "в"), JOINTS_PLAIN, JOINTS_PLAIN),
    "arabic": Alphabet((*"بتثجحخدذرزسشصضطظعغفقكلمنهوي", "ال", "م"), ("", "", "ا", "و", "ي"),
                       ("", "", "", "ة", "ن", "ت", "َ"), JOINTS_PLAIN, JOINTS_PLAIN),
    "hindi": Alphabet(tuple("कखगघचछजझटठडढतथदधनपफबभमयरलवशषसह"), ("", "", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ"),
                      ("", "", "", "न", "र", "ं", "क", "त"), JOINTS_PLAIN, JOINTS_PLAIN),
    "chinese": Alphabet(tuple(chr(c) for c in range(0x4E00, 0x4E00 + 6000, 2)), ("",), ("",), JOINTS_CHINESE,
                        JOINTS_CHINESE, one_letter=True),
}  # fmt: skip


def made_words(alphabet: Alphabet, count: int, stream: Stream) -> list[str]:
    """`count` distinct words; the frequent ones come first and are shorter, as in any language."""
    words = dict.fromkeys(alphabet.fixed)
    while len(words) < count:
        rank = len(words)
        if alphabet.one_letter:
            syllables = 1 if rank < 1500 else 2 if stream.chance(850) else 3
        else:
            syllables = 1 + (rank > 400) * stream.below(2) + (rank > 3000) * (1 + stream.below(2))
        word = "".join(
            alphabet.onsets[stream.below(len(alphabet.onsets))]
            + alphabet.vowels[stream.below(len(alphabet.vowels))]
            + (alphabet.codas[stream.below(len(alphabet.codas))] if i == syllables - 1 or stream.chance(300) else "")
            for i in range(syllables)
        )
        words[word] = None
    return list(words)[:count]


def made_numbers() -> list[str]:
    """Years, counts, shares, prices, times."""
    return [
        *(str(y) for y in range(1880, 2030)),
        *(str(i) for i in range(1, 100)),
        *(f"{i}.{i * 7 % 10}" for i in range(1, 60)),
        *(f"{i},{i * 137 % 1000:03}" for i in range(1, 100)),
        *(f"{i}%" for i in range(1, 100, 3)),
        *(f"${i * 5}" for i in range(1, 60)),
        *(f"{h}:{m:02}" for h in range(1, 13) for m in (0, 15, 30, 45)),
    ]


class Wording:
    """All parts of a language's texts in one table, so that a text is an array of part numbers until it is written.

    words 0 … V − 1 in lower case, V … 2V − 1 capitalised, then numbers, foreign words, joints in plain dress, joints in
    typographic dress.
    """

    def __init__(self, language: str) -> None:
        alphabet = ALPHABETS[language]
        stream = Stream(VOCABULARY_SEED, sorted(ALPHABETS).index(language))
        words = made_words(alphabet, VOCABULARY, stream)
        numbers = made_numbers()
        self.numbers = 2 * VOCABULARY
        self.foreign = self.numbers + len(numbers)
        self.joint_plain = self.foreign + len(FOREIGN_WORDS.split())
        self.joint_fancy = self.joint_plain + len(JOINT)
        self.parts = np.array([*words, *(w.capitalize() for w in words), *numbers, *FOREIGN_WORDS.split(),
                               *alphabet.joints, *alphabet.joints_fancy], object)  # fmt: skip
        self.english = language == "english"
        # Zipf's law as Mandelbrot bent it: the first words of English are less frequent than 1/rank says.
        self.zipf = spread([1 / (rank + 2.7) for rank in range(1, VOCABULARY + 1)], 1 << ZIPF_BITS)
        self.inner_joints = joint_table()
        self.phrases = self.draw(stream, PHRASES * PHRASE_WORDS).reshape(PHRASES, PHRASE_WORDS)
        sizes = np.array([len(w.encode()) for w in words])
        self.bytes_per_word = float(sizes[self.zipf].mean()) + (0.4 if language == "chinese" else 1.19)

    def draw(self, stream: Stream, count: int) -> Ints:
        """`count` words in lower case, by their frequencies."""
        return self.zipf[(stream.raw(count) & np.uint64((1 << ZIPF_BITS) - 1)).astype(np.int64)]

    def rare(self, stream: Stream, count: int) -> Ints:
        """`count` words from the whole vocabulary alike: two texts of these share no five words in a row."""
        return scaled(stream.raw(count), VOCABULARY)


@lru_cache(maxsize=2)
def wording(language: str) -> Wording:
    """The wording of a language, built once."""
    return Wording(language)


@dataclass
class Body:
    """A text as part numbers: words, and the joint that follows each of them."""

    words: Ints
    joints: Ints
    fancy: bool = False

    def __len__(self) -> int:
        return len(self.words)

    def cut(self, start: int, stop: int) -> Body:
        """The words from `start` up to `stop`."""
        return Body(self.words[start:stop], self.joints[start:stop], self.fancy)

    def ended(self) -> Body:
        """The same, ending a paragraph."""
        joints = self.joints.copy()
        joints[-1:] = JOINT["paragraph"]
        return Body(self.words, joints, self.fancy)

    def sentences(self) -> Iterator[tuple[int, int]]:
        """First word and word after the last of every sentence."""
        ends = (np.flatnonzero(np.isin(self.joints, SENTENCE_ENDS)) + 1).tolist()
        if not ends or ends[-1] != len(self):
            ends.append(len(self))
        return zip([0, *ends[:-1]], ends, strict=True)

    def text(self, with_words: Wording) -> str:
        """The text itself."""
        numbers = np.empty(2 * len(self), np.int64)
        numbers[0::2] = self.words
        numbers[1::2] = self.joints + (with_words.joint_fancy if self.fancy else with_words.joint_plain)
        return "".join(with_words.parts[numbers].tolist()).rstrip()


def joined(bodies: list[Body]) -> Body:
    """Bodies one after another, in the dress of the first."""
    return Body(np.concatenate([b.words for b in bodies]), np.concatenate([b.joints for b in bodies]), bodies[0].fancy)


def compose(with_words: Wording, stream: Stream, count: int, fancy: bool = False) -> Body:
    """A fresh text of `count` words: phrases in common use, sentences, paragraphs, quotations, names, numbers."""
    raw = stream.raw(count)
    words = with_words.zipf[(raw & np.uint64((1 << ZIPF_BITS) - 1)).astype(np.int64)]
    joints = with_words.inner_joints[((raw >> np.uint64(20)) & np.uint64(0xFF)).astype(np.int64)]
    special = (raw >> np.uint64(28)) & np.uint64(0x3FF)
    _use_phrases(with_words, stream, words)
    _end_sentences(stream, words, joints)
    names = (special >= 12) & (special < 42) & (words < VOCABULARY)
    words[names] += VOCABULARY
    numerals = special < 12
    words[numerals] = with_words.numbers + words[numerals] % (with_words.foreign - with_words.numbers)
    if fancy and count:
        strange = (special >= 44) & (special < 47)
        strange[stream.below(count)] = True
        words[strange] = with_words.foreign + words[strange] % (with_words.joint_plain - with_words.foreign)
    return Body(words, joints, fancy)


def _use_phrases(with_words: Wording, stream: Stream, words: Ints) -> None:
    """Lay a phrase that many texts use over about every 120th place."""
    uses = len(words) // 120
    if uses:
        raw = stream.raw(2 * uses)
        where = scaled(raw[:uses], len(words) - PHRASE_WORDS)
        which = scaled(raw[uses:], PHRASES)
        words[where[:, None] + np.arange(PHRASE_WORDS)] = with_words.phrases[which]


def _end_sentences(stream: Stream, words: Ints, joints: Ints) -> None:
    """Cut the words into sentences of 4 to 30 words and paragraphs of a few sentences; some are quotations."""
    raw = stream.raw(len(words) // 4 + 1)
    ends = np.cumsum(4 + (scaled(raw, 14) + scaled(raw << np.uint64(20), 14)))
    ends = ends[ends < len(words)]
    bits = (raw[: len(ends)] & np.uint64(0xFF)).astype(np.int64)
    kinds = np.full(len(ends), JOINT["stop"])
    kinds[bits < 14] = JOINT["question"]
    kinds[(bits >= 14) & (bits < 20)] = JOINT["shout"]
    kinds[(bits >= 20) & (bits < 24)] = JOINT["dots"]
    kinds[bits >= 204] = JOINT["paragraph"]
    quoted = np.flatnonzero((bits >= 24) & (bits < 40))[1:]
    quoted = quoted[(kinds[quoted] == JOINT["stop"]) & (kinds[quoted - 1] == JOINT["stop"])]
    kinds[quoted], kinds[quoted - 1] = JOINT["close"], JOINT["open"]
    joints[ends - 1] = kinds
    joints[-1:] = JOINT["paragraph"]
    starts = np.concatenate([[0], ends]) if len(words) else ends
    starts = starts[words[starts] < VOCABULARY]
    words[starts] += VOCABULARY
