"""Two steps at once: the same items in the same order, faults where they belong, and nobody waits in vain."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from types import FrameType
from typing import Any

import pytest

from dedup.beside import ahead, behind

pytestmark = pytest.mark.once
Make = Callable[[threading.Event], Generator[int, None, None]]


def numbers(seen: list[int], fault: Exception | None = None) -> Make:
    """Makes three numbers, notes when each is made, and perhaps breaks off."""

    def make(_: threading.Event) -> Generator[int, None, None]:
        for number in range(3):
            seen.append(number)
            yield number
        if fault:
            raise fault

    return make


@pytest.mark.parametrize("wanted", [False, True])
def test_items_come_in_their_order_and_a_fault_after_them(wanted: bool) -> None:
    assert list(ahead(numbers([]), wanted=wanted)) == [0, 1, 2]
    found: list[int] = []
    with pytest.raises(OSError, match="gone"):
        found.extend(ahead(numbers([], OSError("gone")), wanted=wanted))
    assert found == [0, 1, 2]


@pytest.mark.parametrize(("wanted", "most"), [(False, 1), (True, 2)])
def test_the_next_item_is_made_meanwhile_and_no_other(wanted: bool, most: int) -> None:
    made = threading.Event()
    seen: list[int] = []

    def make(_: threading.Event) -> Generator[int, None, None]:
        for number in range(9):
            seen.append(number)
            if number == 1:
                made.set()
            yield number

    items = ahead(make, wanted=wanted)
    assert next(items) == 0
    assert not wanted or made.wait(60)
    items.close()  # type: ignore[attr-defined]
    assert seen == list(range(most))


def test_who_makes_items_is_told_that_nobody_wants_more_and_is_closed() -> None:
    closed = threading.Event()

    def make(stop: threading.Event) -> Generator[bool, None, None]:
        try:
            yield False
            yield stop.wait(60)
            pytest.fail("another was asked for")
        finally:
            closed.set()

    items = ahead(make)
    assert not next(items)
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_one_who_does_not_listen_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.beside._PATIENCE", 0.01)
    go_on = threading.Event()

    def make(_: threading.Event) -> Generator[int, None, None]:
        yield 1
        go_on.wait()
        yield 2

    items = ahead(make)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not go_on.is_set(), "nobody has waited for it"
    go_on.set()


@pytest.mark.parametrize("wanted", [False, True])
def test_each_item_is_worked_on_in_its_order(wanted: bool) -> None:
    done: list[int] = []
    behind(iter(range(5)), done.append, wanted=wanted)
    assert done == [0, 1, 2, 3, 4]
    behind(iter(()), lambda _: pytest.fail("there is nothing"), wanted=wanted)


def test_work_goes_on_while_the_next_item_is_made() -> None:
    begun, made = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert begun.wait(60)
        made.set()
        yield 1

    def work(item: int) -> None:
        begun.set()
        assert item or made.wait(60)

    behind(items(), work)


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_fault_of_the_work_ends_it(wanted: bool, bad: int) -> None:
    seen: list[int] = []
    done: list[int] = []

    def work(item: int) -> None:
        if item == bad:
            raise OSError("no room")
        done.append(item)

    with pytest.raises(OSError, match="no room"):
        behind(numbers(seen)(threading.Event()), work, wanted=wanted)
    assert done == list(range(bad)) and len(seen) <= min(3, bad + 2)


def test_what_is_done_is_done_when_items_break_off() -> None:
    done: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        behind(numbers([], ValueError("broken"))(threading.Event()), done.append)
    assert done == [0, 1, 2]


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes when a thread has begun, before the one who began it goes on."""
    start = _thread.start_new_thread

    def interrupted(function: Callable[[], None], arguments: tuple[()]) -> None:
        start(function, arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("dedup.beside._thread.start_new_thread", interrupted)


@pytest.mark.usefixtures("pressed")
def test_a_step_that_has_just_begun_is_waited_for() -> None:
    closed, done = threading.Event(), list[int]()

    def make(stop: threading.Event) -> Generator[bool, None, None]:
        try:
            yield stop.wait(60)
        finally:
            closed.set()

    with pytest.raises(KeyboardInterrupt):
        next(ahead(make))
    assert closed.is_set()
    with pytest.raises(KeyboardInterrupt):
        behind(iter([1, 2]), done.append)
    assert done == [1]


def interrupted_after(steps: int, work: Callable[[], object]) -> bool:
    """Whether Ctrl-C came: before that step of Python's own, in whatever function work is then."""
    left = steps

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if not left:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="one who waits for ever can't be called")
@pytest.mark.parametrize("way", ["ahead", "behind"])
def test_ctrl_c_at_any_step_ends_it(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, whatever was about to be done."""
    monkeypatch.setattr("dedup.beside._PATIENCE", 0.01)

    def too_long(*_: object) -> None:
        raise TimeoutError("it waits for ever")

    def work() -> None:
        if way == "ahead":
            assert list(ahead(numbers([]))) == [0, 1, 2]
        else:
            behind([1, 2], lambda _: None)

    count = 1
    handler = signal.signal(signal.SIGALRM, too_long)
    try:
        signal.setitimer(signal.ITIMER_REAL, 60)
        while interrupted_after(count, work):
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert count > 100, "it was interrupted at each of its steps"
