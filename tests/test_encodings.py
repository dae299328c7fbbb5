"""Texts in other encodings: what decides, what is recorded, and that copies are found across them."""

from __future__ import annotations

import io
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, outcome_of, write_tree
from hypothesis import given
from hypothesis import strategies as st
from test_readers import Read

from dedup.errors import InputError
from dedup.model import Decoded, Reason
from dedup.readers import fetch, open_one
from dedup.readers.encodings import to_utf8
from dedup.settings import Settings

FRENCH = (
    "Les élèves étaient déjà arrivés à l'école quand la neige a commencé à tomber, et le maître, très étonné, "
    "ferma la fenêtre avant que le vent n'emporte les cahiers posés près du poêle."
)
RUSSIAN = "В понедельник магазин закрыт, а во вторник мы снова ждём всех наших покупателей с девяти часов утра. " * 2
JAPANESE = "月曜日はお休みです。火曜日の朝九時から皆様のお越しをお待ちしております。新しい商品もたくさんあります。" * 2
CHINESE = "我们星期一休息,星期二早上九点开始营业,欢迎大家光临本店,还有许多新的商品等着您来选购。" * 2
KOREAN = "월요일은 쉽니다. 화요일 아침 아홉 시부터 모든 손님을 기다리고 있습니다. 새로운 상품도 많이 있습니다. " * 2


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def marked(text: str, encoding: str) -> bytes:
    """The text, behind a byte order mark where the encoding's name asks for one in a certain order."""
    return ("\ufeff" + text if encoding[-2:] in ("le", "be") else text).encode(encoding)


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        (FRENCH, ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "cp1252"]),
        (RUSSIAN, ["utf-8", "utf-16-le", "cp1251", "koi8_r", "cp866", "iso8859_5"]),
        (JAPANESE, ["utf-8", "utf-8-sig", "utf-16-be", "utf-32-be", "cp932", "euc_jp"]),
    ],
)
def test_one_text_in_six_encodings_is_one_cluster(
    tmp_path: Path, run_dedup: Callable[..., Run], text: str, encodings: list[str]
) -> None:
    write_tree(tmp_path / "d", {f"{name}.txt": marked(text, name) for name in encodings})
    run = run_dedup("scan", "d", "--json", "--quiet")
    assert run.status == 0
    assert len(outcome_of(run.records)) == 5
    assert {record["relation"] for record in of_type(run.records, "drop")} == {"exact"}
    plain = {"utf-8", "utf-8-sig"}
    assert {record["id"]: (record["encoding"], record["how"]) for record in of_type(run.records, "decoded")} == {
        f"d/{name}.txt": (name, "mark" if name[-2:] in ("le", "be") else "guessed") for name in encodings
        if name not in plain
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(FRENCH, "cp1252"), (RUSSIAN, "koi8_r"), (CHINESE, "gb18030"), (KOREAN, "cp949"), (JAPANESE, "euc_jp")],
)
def test_a_guess_is_the_same_wherever_the_text_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "t").write_bytes(text.encode(encoding))
    run = Read("t")
    assert run.documents == {"t": text}
    assert run.catalog.decoded == [Decoded("t", encoding, "guessed")]
    assert fetch(run.catalog, 0) == text
    assert open_one("t", Settings()) == ("t", text)


@pytest.mark.parametrize("before", [0, 5000, 300_000])
def test_a_long_text_is_guessed_from_where_it_stops_being_ascii(tmp_path: Path, before: int) -> None:
    text = "plain words " * (before // 12) + FRENCH + " " + "and more of them " * (before // 17) + FRENCH
    (tmp_path / "t").write_bytes(text.encode("cp1252"))
    assert Read("t").texts == [text]


def test_a_long_text_of_one_word(tmp_path: Path) -> None:
    """No space to cut at: what is cut through isn't shown to the detector as the text's end."""
    (tmp_path / "t").write_bytes((JAPANESE * 600).encode("euc_jp"))
    assert Read("t").texts in ([JAPANESE * 600], [])


def test_few_bad_bytes_are_replaced(tmp_path: Path) -> None:
    raw = FRENCH.encode()
    good = sum(character > "\x7f" for character in FRENCH)
    at = raw.index(b"neige")
    for bad in (1, good // 10, good // 10 + 1):
        (tmp_path / "t").write_bytes(raw[:at] + b"\xff " * bad + raw[at:])
        run = Read("t")
        repaired = run.catalog.decoded == [Decoded("t", "utf-8", "repaired", bad)]
        assert repaired == (bad <= good // 10)
        if repaired:
            start, end = FRENCH.split("neige")
            assert run.texts == [start + "\ufffd " * bad + "neige" + end]


@pytest.mark.parametrize("end", [b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98"])
def test_a_text_that_breaks_off_inside_a_character(tmp_path: Path, end: bytes) -> None:
    """However little of it is beyond ASCII: these bytes are no word's end in another encoding."""
    (tmp_path / "t").write_bytes(b"x" * 100_000 + end)
    run = Read("t")
    assert run.texts == ["x" * 100_000 + "\ufffd"]
    assert run.catalog.decoded == [Decoded("t", "utf-8", "repaired", 1)]


def test_replacement_characters_of_the_text_itself_are_not_bad(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(("\ufffd" * 50).encode() + b"\xff" + "é".encode() * 10)
    assert Read("t").catalog.decoded == [Decoded("t", "utf-8", "repaired", 1)]


@pytest.mark.parametrize("size", [1, 31])
def test_short_texts_are_not_guessed(tmp_path: Path, size: int) -> None:
    (tmp_path / "t").write_bytes(FRENCH.encode("cp1252")[4 : 4 + size])
    assert Read("t").skipped == [("t", Reason.ENCODING)]
    with pytest.raises(InputError, match="encoding"):
        open_one("t", Settings())


@given(st.integers(0, 10**6), st.integers(32, 3000))
def test_noise_is_no_text(seed: int, size: int) -> None:
    """Bytes at random hold control characters, which no text does."""
    raw = bytes(random.Random(seed).choices(range(1, 256), k=size))
    if not any(byte in range(1, 9) for byte in raw) or raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    Path("noise").write_bytes(raw)
    assert Read("noise").skipped in ([("noise", Reason.ENCODING)], [("noise", Reason.BINARY)])


@given(st.text())
def test_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    if not text.startswith("\ufeff"):
        assert to_utf8(text.encode()) == (text.encode(), None)


@given(st.binary(max_size=300))
def test_what_comes_out_is_utf_8(raw: bytes) -> None:
    from dedup.readers.streams import Refused

    try:
        text, how = to_utf8(raw)
    except Refused as refusal:
        assert refusal.reason is Reason.ENCODING
    else:
        assert text.decode().encode() == text
        assert how is not None or text == raw.removeprefix(b"\xef\xbb\xbf")


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"n\xff")).write_bytes(RUSSIAN.encode("utf-16"))
    assert [item.how for item in Read(".").catalog.decoded] == ["mark"]


# --- diff and explain read what a scan reads --------------------------------------------------------------------------

PIECES = [
    FRENCH.encode(), FRENCH.encode("cp1252"), RUSSIAN.encode("koi8_r"), b"plain words ", b"\xff", b"\xc3", b"\xe2\x80",
    b"\x80", b"\0", b"\x01", b"\n", "\ufeff".encode(), b"\xff\xfe", b"\xfe\xff", "\ufffd".encode(),
    b"<meta charset=cp1251>",
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=12), st.sampled_from(["", ".txt"]))
def test_one_document_is_read_as_a_scan_reads_it(pieces: list[bytes], ending: str) -> None:
    raw, name = b"".join(pieces), f"one{ending}"
    Path(name).write_bytes(raw)
    run = Read(name)
    if run.skipped:
        for stdin in (None, io.BytesIO(raw)):
            with pytest.raises(InputError, match=f"can't be read: {run.skipped[0][1].value}, "):
                open_one(name if stdin is None else "-", Settings(), stdin)
    else:
        assert open_one(name, Settings()) == (name, run.texts[0])
        assert open_one("-", Settings(), io.BytesIO(raw)) == ("-", run.texts[0])


@pytest.mark.parametrize("kind", ["txt", "csv", "html"])
def test_few_bad_bytes_are_no_obstacle(tmp_path: Path, run_dedup: Callable[..., Run], kind: str) -> None:
    if kind == "html":
        pytest.importorskip("resiliparse")
    text = FRENCH.encode()
    raw = {
        "txt": text, "csv": b'id,text\nr,"' + text + b'"\n',
        "html": b"<html><body><main><p>" + text + b"</p></main></body></html>",
    }[kind]  # fmt: skip
    at = raw.index(b"neige")
    write_tree(tmp_path, {f"good.{kind}": raw, f"bad.{kind}": raw[:at] + b"\xff " + raw[at:]})
    scan = run_dedup("scan", f"bad.{kind}", "--json", "-q")
    assert [(record["how"], record["bad"]) for record in of_type(scan.records, "decoded")] == [("repaired", 1)]
    diff = run_dedup("diff", f"good.{kind}", f"bad.{kind}", "--json", "--stat")
    assert diff.status == 0, diff.talk
    words = len(re.findall(r"\w+", FRENCH))
    assert json.loads(diff.stdout)["counts"]["equal"] == words
    explain = run_dedup("explain", f"good.{kind}", f"bad.{kind}")
    assert explain.status == 0 and f"{words} tokens" in explain.stdout.decode()


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        (FRENCH, ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "cp1252"]),
        (RUSSIAN, ["utf-16-le", "cp1251", "koi8_r", "cp866", "iso8859_5"]),
        (JAPANESE, ["utf-8-sig", "utf-16-be", "utf-32-be", "cp932", "euc_jp"]),
    ],
)
def test_one_text_in_six_encodings_has_no_differences(
    tmp_path: Path, run_dedup: Callable[..., Run], text: str, encodings: list[str]
) -> None:
    write_tree(tmp_path, {f"{name}.txt": marked(text, name) for name in ["utf-8", *encodings]})
    for name in encodings:
        run = run_dedup("diff", "utf-8.txt", f"{name}.txt", "--exit-code")
        assert run.status == 0, (name, run.stdout.decode(), run.talk)
    explain = run_dedup("explain", f"{encodings[-1]}.txt", f"{encodings[0]}.txt")
    assert explain.status == 0 and "exact" in explain.stdout.decode()
