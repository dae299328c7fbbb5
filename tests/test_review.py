"""`dedup review`: which pairs, what is saved and when, and who may ask."""

from __future__ import annotations

import html
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, snapshot
from reviewing import Served, decided, fake_browser, make_result, opened_with, served

from dedup.decisions import Decision, Decisions, Stays, decisions_path, digest_of_result
from dedup.errors import InputError, OutputError
from dedup.model import Relation
from dedup.reviewing import Changed, Choice, Order, Review, certainty, pairs_of, score_of
from dedup.saved import load_result

pytestmark = pytest.mark.once


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return make_result(tmp_path)


@pytest.fixture
def review(result: Path, monkeypatch: pytest.MonkeyPatch) -> Review:
    monkeypatch.chdir(result.parent)
    return again(result)


def again(result: Path) -> Review:
    """As after a start on another day."""
    saved = load_result(result)
    return Review(saved, decisions_path(result), pairs_of(saved, Choice()))


def names(result: Path, **choice: object) -> list[str]:
    return [os.path.basename(pair.drop.id) for pair in pairs_of(load_result(result), Choice(**choice))]


# --- which pairs, in what order ---------------------------------------------------------------------------------------


def test_least_certain_first_is_the_distance_to_the_setting(result: Path) -> None:
    """near-c is 346/451 - 0.7 above its threshold, part 146/155 - 0.8, near-b 391/406 - 0.7; exact is certain."""
    assert names(result) == ["near-c.txt", "part.txt", "near-b.txt", "exact-b.txt"]
    saved = load_result(result)
    above = [certainty(pair.drop, saved.settings) for pair in pairs_of(saved, Choice())]
    assert above == pytest.approx([346 / 451 - 0.7, 146 / 155 - 0.8, 391 / 406 - 0.7, float("inf")])


def test_other_orders(result: Path) -> None:
    sizes = {os.path.basename(drop.id): drop.place.bytes for drop in load_result(result).dropped}
    assert names(result, order=Order.LARGEST) == sorted(sizes, key=lambda name: -sizes[name])
    assert names(result, order=Order.RESULT) == list(sizes)


def test_pairs_can_be_chosen_by_relation_and_score(result: Path) -> None:
    assert names(result, relation=Relation.NEAR) == ["near-c.txt", "near-b.txt"]
    assert names(result, highest=0.95) == ["near-c.txt", "part.txt"]
    assert names(result, lowest=0.95) == ["near-b.txt", "exact-b.txt"]
    exactly = next(score_of(drop) for drop in load_result(result).dropped if drop.id.endswith("near-b.txt"))
    assert names(result, lowest=exactly, highest=exactly) == ["near-b.txt"]


# --- decisions --------------------------------------------------------------------------------------------------------


def test_each_decision_is_on_the_disk_at_once_and_the_next_day_goes_on(review: Review, result: Path) -> None:
    path = Path(decisions_path(result))
    assert not path.exists() and review.undecided() == 0
    review.decide(0, Stays.BOTH)
    assert decided(path) == {"near-c.txt": "both"}
    review.decide(2, Stays.DROPPED)
    assert decided(path) == {"near-c.txt": "both", "near-b.txt": "dropped"}

    other = again(result)

    assert other.undecided() == 1 and other.undecided(1) == 3 and other.undecided(3) == 1
    progress = other.progress()
    assert (progress.total, progress.decided, progress.both, progress.dropped, progress.kept) == (4, 2, 1, 1, 0)


def test_undo_takes_back_one_by_one_also_of_another_day(review: Review, result: Path) -> None:
    path = Path(decisions_path(result))
    review.decide(0, Stays.BOTH)
    review.decide(1, Stays.KEPT)
    review.decide(0, Stays.DROPPED)
    assert review.undo() == 0
    assert decided(path) == {"near-c.txt": "both", "part.txt": "kept"}
    assert review.undo() == 1
    assert decided(path) == {"near-c.txt": "both"}
    assert again(result).undo() == 0
    assert decided(path) == {}
    assert again(result).undo() is None


def test_undo_leaves_decisions_about_other_pairs_alone(review: Review, result: Path) -> None:
    review.decide(3, Stays.BOTH)
    saved = load_result(result)
    near = Review(saved, decisions_path(result), pairs_of(saved, Choice(relation=Relation.NEAR)))
    assert near.undo() is None
    assert near.progress().decided == 0 and near.undecided() == 0


def test_what_somebody_else_wrote_is_not_overwritten(review: Review, result: Path) -> None:
    review.decide(0, Stays.BOTH)
    other = again(result)
    other.decide(1, Stays.DROPPED)

    with pytest.raises(Changed, match="changed by somebody else"):
        review.decide(2, Stays.KEPT)

    path = Path(decisions_path(result))
    assert decided(path) == {"near-c.txt": "both", "part.txt": "dropped"}
    assert review.progress().decided == 2 and review.decision(2) is None
    review.decide(2, Stays.KEPT)  # having seen theirs
    assert decided(path) == {"near-c.txt": "both", "part.txt": "dropped", "near-b.txt": "kept"}
    assert review.undo() == 2


def test_a_first_decision_does_not_overwrite_a_file_that_came_meanwhile(review: Review, result: Path) -> None:
    again(result).decide(1, Stays.DROPPED)
    with pytest.raises(Changed):
        review.decide(0, Stays.BOTH)
    assert decided(Path(decisions_path(result))) == {"part.txt": "dropped"}


def test_a_file_that_is_no_decisions_file_any_more_stays_as_it_is(review: Review, result: Path) -> None:
    review.decide(0, Stays.BOTH)
    path = Path(decisions_path(result))
    path.write_text("notes of mine\n")
    for _ in range(2):
        with pytest.raises(InputError, match="not a decisions file"):
            review.decide(1, Stays.BOTH)
    assert path.read_text() == "notes of mine\n"


def test_a_decisions_file_that_was_removed_is_written_anew_with_all(review: Review, result: Path) -> None:
    review.decide(0, Stays.BOTH)
    path = Path(decisions_path(result))
    path.unlink()
    with pytest.raises(Changed, match="was removed"):
        review.decide(1, Stays.KEPT)
    assert not path.exists()
    review.decide(1, Stays.KEPT)
    assert decided(path) == {"near-c.txt": "both", "part.txt": "kept"}


def test_two_reviews_that_save_at_once_lose_nothing(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each either has its decision in the file, or was told that it was not made; and made it then."""
    monkeypatch.chdir(result.parent)
    reviews = [again(result) for _ in range(4)]

    def decide(at: int) -> None:
        while True:
            try:
                reviews[at].decide(at, Stays.BOTH)
                return
            except Changed:
                continue

    threads = [threading.Thread(target=decide, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decided(Path(decisions_path(result)))) == 4


def test_a_result_that_is_another_one_now_gets_no_decisions(review: Review, result: Path) -> None:
    result.write_bytes(result.read_bytes().replace(b'"version"', b'"Version"', 1))
    with pytest.raises(Changed, match="another result now"):
        review.decide(0, Stays.BOTH)
    assert not os.path.exists(decisions_path(result))


def test_a_result_that_was_only_copied_over_itself_is_the_same(review: Review, result: Path) -> None:
    content = result.read_bytes()
    result.unlink()
    result.write_bytes(content)
    review.decide(0, Stays.BOTH)
    assert len(decided(Path(decisions_path(result)))) == 1


def test_a_decision_that_cannot_be_saved_is_not_made(
    review: Review, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review.decide(0, Stays.BOTH)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            review.decide(1, Stays.KEPT)
    assert review.decision(1) is None and review.progress().decided == 1
    assert decided(Path(decisions_path(result))) == {"near-c.txt": "both"}
    assert sorted(item.name for item in result.parent.iterdir()) == ["in", "r.decisions.jsonl", "r.jsonl"]
    review.decide(1, Stays.KEPT)
    assert review.undo() == 1


def test_after_the_end_nothing_is_saved(review: Review, result: Path) -> None:
    review.close()
    with pytest.raises(OutputError, match="has ended"):
        review.decide(0, Stays.BOTH)
    assert not os.path.exists(decisions_path(result))


_KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_review import again
from dedup.decisions import Stays
from pathlib import Path
review = again(Path("r.jsonl"))
left = int(sys.argv[1])
def counting(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for name in ("open", "replace", "fsync", "fchmod"):
    setattr(os, name, counting(getattr(os, name)))
review.decide(1, Stays.KEPT)
"""


@pytest.mark.slow
def test_killed_while_saving_leaves_the_old_file_or_the_new(review: Review, result: Path) -> None:
    review.decide(0, Stays.BOTH)
    path = Path(decisions_path(result))
    old = path.read_bytes()
    seen = set()
    for count in range(40):
        path.write_bytes(old)
        code = _KILLED.format(tests=str(ROOT / "tests"))
        done = subprocess.run([sys.executable, "-c", code, str(count)], cwd=result.parent, capture_output=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        seen.add((done.returncode, len(decided(path))))
        if done.returncode == 0:
            break
    assert seen >= {(-signal.SIGKILL, 1), (-signal.SIGKILL, 2), (0, 2)}


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(result: Path) -> Iterator[Served]:
    with served(result) as running:
        yield running


def test_a_review_by_its_server(result: Path, server: Served) -> None:
    before = snapshot(result.parent, [Path(decisions_path(result))])
    status, page = server.ask("GET", "")
    assert status == 200 and "in/" not in page and "r.jsonl" not in page and server.token not in page
    assert server.ask("GET", "state")[1]["first"] == 0
    status, pair = server.ask("GET", "pair/0")
    assert status == 200 and (pair["at"], pair["stays"], pair["next"]) == (0, None, 1)
    assert "in/near-c.txt" in pair["texts"] and "slongx" not in pair["texts"]
    assert server.decide(0, "both")[1]["next"] == 1
    assert server.decide(1, "kept")[1]["decided"] == 2
    assert server.ask("POST", "undo")[1]["at"] == 1
    assert decided(Path(decisions_path(result))) == {"near-c.txt": "both"}
    status, end = server.ask("POST", "finish")
    assert status == 200 and "1 of 4 decided" in end["end"]
    out, err = server.process.communicate(timeout=300)
    assert server.process.returncode == 0 and out == "" and "1 of 4 pairs decided, saved in" in err
    assert snapshot(result.parent, [Path(decisions_path(result))]) == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_and_what_was_decided_stays(
    result: Path, server: Served, number: signal.Signals, status: int
) -> None:
    server.decide(3, "both")
    server.process.send_signal(number)
    _, err = server.process.communicate(timeout=300)
    assert server.process.returncode == status and "1 of 4 pairs decided" in err and "Traceback" not in err
    assert decided(Path(decisions_path(result))) == {"exact-b.txt": "both"}
    assert sorted(item.name for item in result.parent.iterdir()) == ["in", "r.decisions.jsonl", "r.jsonl"]


def test_it_ends_when_nobody_asks(result: Path) -> None:
    with served(result, "--idle", "0.01") as server:
        _, err = server.process.communicate(timeout=300)
        assert server.process.returncode == 0 and "nobody asked for 0.01 minutes" in err


def test_requests_without_the_token_do_not_keep_it_alive(result: Path) -> None:
    with served(result, "--idle", "0.05") as server:
        end = time.monotonic() + 300
        while server.process.poll() is None and time.monotonic() < end:
            try:
                server.ask("GET", "state", X_Dedup_Token="wrong")
            except (OSError, http.client.HTTPException, ValueError):  # it ends, perhaps within an answer
                break
            time.sleep(0.1)
        assert server.process.wait(timeout=300) == 0


def test_decisions_may_be_kept_elsewhere(result: Path) -> None:
    with served(result, "--decisions", "mine.jsonl") as server:
        server.decide(0, "both")
        end = server.ask("POST", "finish")[1]["end"]
        assert f"dedup apply {shlex.quote(str(result))} --decisions mine.jsonl" in html.unescape(end)
    assert decided(result.parent / "mine.jsonl") == {"near-c.txt": "both"}
    assert not os.path.exists(decisions_path(result))


def test_a_changed_and_a_missing_file_are_said_not_guessed(result: Path) -> None:
    (result.parent / "in" / "near-c.txt").write_text("something else")
    (result.parent / "in" / "part.txt").unlink()
    with served(result) as server:
        changed, missing, fine = (server.ask("GET", f"pair/{at}")[1]["texts"] for at in (0, 1, 2))
    assert "near-c.txt has changed since" in changed and "something else" not in changed
    assert "part.txt" in missing and 'class="warn"' in missing and 'class="text"' not in missing
    assert 'class="text"' in fine


def test_huge_texts_are_named_not_drawn(tmp_path: Path) -> None:
    import dedup

    text = "word and " * 130_000
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(text)
    (tmp_path / "in" / "b.txt").write_text(text.upper())
    dedup.scan(tmp_path / "in").write(tmp_path / "r.jsonl")
    with served(tmp_path / "r.jsonl") as server:
        texts = server.ask("GET", "pair/0")[1]["texts"]
    assert "too long to compare" in texts and len(texts) < 5000


def refused(run: Run, status: int = 2) -> str:
    assert run.status == status and run.stdout == b""
    return run.talk


def test_what_cannot_be_reviewed(run_dedup: Callable[..., Run], result: Path) -> None:
    assert "RESULT must be a file" in refused(run_dedup("review", "-"))
    assert "can't be read" in refused(run_dedup("review", "none.jsonl"))
    assert "not a result of dedup" in refused(run_dedup("review", "in/long.txt"))
    for wrong in ("0.8", "0.8..0.7", "a..b", "0..2", "1.2.3..1"):
        assert "two numbers from 0 to 1" in refused(run_dedup("review", "r.jsonl", "--score", wrong))
    assert "not a decisions file" in refused(run_dedup("review", "r.jsonl", "--decisions", "in/long.txt"))
    nothing = run_dedup("review", "r.jsonl", "--score", "..0.7")
    assert refused(nothing, 0) == "nothing to review: none of its 4 pairs fits these bounds\n"


def test_decisions_about_another_result_are_refused(run_dedup: Callable[..., Run], result: Path) -> None:
    Decisions("0" * 32, {"x": Decision("x", "y", Stays.BOTH)}).write(decisions_path(result))
    assert "another result" in refused(run_dedup("review", "r.jsonl"))


def test_a_port_that_is_taken_is_named(run_dedup: Callable[..., Run], result: Path, server: Served) -> None:
    said = refused(run_dedup("review", "r.jsonl", "--port", str(server.port)))
    assert f"--port {server.port} can't be used: Address already in use" in said


def test_without_copies_there_is_nothing_to_review(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    run_dedup("scan", "a.txt", "-o", "r.jsonl")
    assert refused(run_dedup("review", "r.jsonl"), 0) == "nothing to review: there are no copies\n"


# --- who may ask ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_result(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def one(one_result: Path) -> Iterator[Served]:
    """One server for all that is refused; nothing of it may show in its folder."""
    with served(one_result) as running:
        before = snapshot(one_result.parent)
        yield running
        assert snapshot(one_result.parent) == before and running.process.poll() is None


ORDERS = ("decide", "undo", "finish", "enter")


def test_it_listens_on_loopback_alone(one: Served) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [line[1] for line in listening if line[1].endswith(f":{one.port:04X}") and line[3] == "0A"]
    assert ours == [f"0100007F:{one.port:04X}"]


@pytest.mark.parametrize("token", [None, "", "wrong", "ä".encode().decode("latin-1")])
def test_without_the_token_nothing_is_told_or_done(one: Served, token: str | None) -> None:
    for path in ("state", "pair/0"):
        status, content = one.ask("GET", path, X_Dedup_Token=token)
        assert status == 403 and list(content) == ["error"]
    for path in ORDERS:
        status, content = one.ask("POST", path, {"at": 0, "stays": "both"}, X_Dedup_Token=token)
        assert status == 403 and list(content) == ["error"]


def test_a_token_in_the_address_or_a_cookie_is_none(one: Served) -> None:
    for path in (f"state?token={one.token}", f"?token={one.token}"):
        assert one.ask("GET", path, X_Dedup_Token=None)[0] == 403
    assert one.ask("GET", "state", X_Dedup_Token=None, Cookie=f"token={one.token}")[0] == 403


HOSTS = [
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost.evil.example", "0.0.0.0:{port}",
    "127.0.0.1:{port}@evil.example", "evil.example#127.0.0.1", "[::2]:{port}", "", "127.0.0.1:x", "2130706433:{port}",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_for_this_machine_is_refused(one: Served, host: str) -> None:
    """A page from anywhere can have its name point here: its browser then takes us for its own one."""
    host = host.format(port=one.port)
    for path in ("", "state", "pair/0"):
        assert one.ask("GET", path, Host=host)[0] == 403
    assert one.ask("POST", "decide", {"at": 0, "stays": "both"}, Host=host, Origin=f"http://{host}")[0] == 403


def test_a_forwarded_port_works(one: Served) -> None:
    assert one.ask("GET", "state", Host="localhost:9999")[0] == 200
    assert one.ask("POST", "undo", Host="localhost:9999", Origin="http://localhost:9999")[0] == 200
    assert one.ask("POST", "undo", Host="localhost:9999")[0] == 403  # from another page of this machine


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://localhost:1", "https://127.0.0.1:{port}", "http://127.0.0.1"],
)
def test_an_order_of_another_page_is_refused(one: Served, origin: str | None) -> None:
    origin = origin and origin.format(port=one.port)
    for path in ORDERS:
        assert one.ask("POST", path, {"at": 0, "stays": "both"}, Origin=origin)[0] == 403
    if origin is not None:
        assert one.ask("GET", "state", Origin=origin)[0] == 403


def test_what_another_site_asks_is_refused_by_the_browsers_own_word(one: Served) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert one.ask("GET", "state", Sec_Fetch_Site=site)[0] == status


@pytest.mark.parametrize("path", ORDERS)
def test_nothing_is_changed_by_get(one: Served, path: str) -> None:
    assert one.ask("GET", path)[0] == 405
    assert one.ask("GET", f"{path}?at=0&stays=both")[0] == 404


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "X"])
def test_other_methods_are_refused(one: Served, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=300)
    connection.request(method, "/state", headers={"X-Dedup-Token": one.token})
    assert connection.getresponse().status == 501
    connection.close()


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "pair/../../r.jsonl", "pair/..%2f..%2fr.jsonl", "r.jsonl", "in/long.txt", "pair/4", "pair/-1",
     "pair/0/", "pair/x", "pair/", "pair/99999999999", "//evil.example/", "state/", "favicon.ico", "%2e%2e/"],
)  # fmt: skip
def test_there_are_no_other_paths(one: Served, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=300)
    connection.putrequest("GET", f"/{path}")
    connection.putheader("X-Dedup-Token", one.token)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 404) and "error" in json.loads(answer.read())
    connection.close()


@pytest.mark.parametrize(
    "fields", [{}, {"at": 4, "stays": "both"}, {"at": -1, "stays": "both"}, {"at": True, "stays": "both"},
               {"at": "0", "stays": "both"}, {"at": 0, "stays": "none"}, {"at": 0, "stays": ["both"]},
               {"at": 0.0, "stays": "both"}]
)  # fmt: skip
def test_what_is_no_decision_is_refused(one: Served, fields: dict[str, object]) -> None:
    assert one.ask("POST", "decide", fields)[0] == 400


def raw(server: Served, request: bytes) -> bytes:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=300) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


def test_odd_requests_are_refused_and_it_goes_on(one: Served) -> None:
    start = (
        f"POST /decide HTTP/1.1\r\nHost: 127.0.0.1:{one.port}\r\nOrigin: http://127.0.0.1:{one.port}\r\n"
        f"X-Dedup-Token: {one.token}\r\n"
    ).encode()
    json_type = b"Content-Type: application/json\r\n"
    body = b'{"at":0,"stays":"both"}'
    sized = b"Content-Length: %d\r\n\r\n" % len(body)
    assert b" 411 " in raw(one, start + json_type + b"\r\n" + body)
    assert b" 411 " in raw(one, start + json_type + b"Transfer-Encoding: chunked\r\n" + sized + body)
    assert b" 413 " in raw(one, start + json_type + b"Content-Length: 999999999\r\n\r\n")
    assert b" 415 " in raw(one, start + b"Content-Type: text/plain\r\n" + sized + body)
    assert b" 400 " in raw(one, start + json_type + b"Content-Length: 3\r\n\r\n[1]")
    assert b" 400 " in raw(one, start + json_type + b"Content-Length: 2\r\n\r\n{x")
    assert b" 403 " in raw(one, start + b"Host: evil.example\r\n" + json_type + sized + body)
    for rubbish in (b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        assert one.token.encode() not in raw(one, rubbish)
    assert one.ask("GET", "state")[0] == 200


def test_an_idle_connection_holds_nobody_up(one: Served) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", one.port)):
        assert one.ask("GET", "state")[0] == 200


def test_the_code_of_one_use_works_once() -> None:
    from dedup.cli.local_server import LocalServer

    class Nothing:
        pass

    server = LocalServer(Nothing())
    try:
        code = server.address_for_one_use.partition("#once=")[2]
        assert code not in server.address and server.token not in server.address_for_one_use
        assert server.entered("wrong") is None and server.entered(None) is None
        assert server.entered(code) == server.token
        assert server.entered(code) is None
    finally:
        server._server.server_close()


def test_a_browser_is_opened_with_an_address_that_works_once(result: Path, tmp_path_factory: Any) -> None:
    """It stands in the list of processes, for other users to read; the address that is printed works again."""
    program, note = fake_browser(tmp_path_factory.mktemp("browser"))
    with served(result, browser=program) as server:
        base, _, code = opened_with(note).partition("#once=")
        assert base == server.base and code and code != server.token
        assert server.ask("GET", "state", X_Dedup_Token=code)[0] == 403
        assert server.ask("POST", "enter", X_Dedup_Token=code) == (200, {"token": server.token})
        assert server.ask("POST", "enter", X_Dedup_Token=code)[0] == 403
        server.ask("POST", "finish")
        assert "the review is open in a browser" in server.process.communicate(timeout=300)[1]


def test_everything_is_sent_with_a_strict_policy(one: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=300)
    for path in ("/", "/state", "/nothing"):
        connection.request("GET", path, headers={"X-Dedup-Token": one.token})
        answer = connection.getresponse()
        answer.read()
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and "unsafe" not in str(policy)
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers and "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Server"] == "dedup"
        if path == "/":
            assert policy["connect-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
            assert policy["script-src"].startswith("'sha256-")
    connection.close()


def test_the_digest_of_the_result_ties_the_decisions_to_it(result: Path, server: Served) -> None:
    server.decide(0, "both")
    first = json.loads(Path(decisions_path(result)).read_text().splitlines()[0])
    assert first["result"]["digest"] == f"xxh3_128:{digest_of_result(result)}"
