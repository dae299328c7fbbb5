"""Two steps at once: the same items in the same order, faults where they belong, and nobody waits in vain."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

import dedup
from dedup import Settings
from dedup._arrays import Sketches, Texts
from dedup.beside import Abreast, ahead, behind
from dedup.errors import OutputError
from dedup.sketch import SketchColumns

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


@pytest.mark.parametrize(("wanted", "most"), [(False, 1), (True, 1), (True, 3)])
def test_the_next_items_are_made_meanwhile_and_no_others(wanted: bool, most: int) -> None:
    made = threading.Event()
    seen: list[int] = []

    def make(_: threading.Event) -> Generator[int, None, None]:
        for number in range(9):
            seen.append(number)
            if number == most:
                made.set()
            yield number

    items = ahead(make, wanted=wanted, most=most)
    assert next(items) == 0
    assert not wanted or made.wait(60)
    items.close()  # type: ignore[attr-defined]
    assert seen == list(range(most + 1 if wanted else 1))


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


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_done_abreast_comes_out_in_the_order_in_which_it_was_begun(most: int) -> None:
    last_began = threading.Event()

    def work(number: int) -> int:
        if number == 4:
            last_began.set()
        assert number or most < 5 or last_began.wait(60), "all of them at once"
        return number

    found: list[int] = []
    with Abreast[int](most, lambda: pytest.fail("nobody has given up")) as abreast:
        for number in range(5):
            abreast.begin(partial(work, number))
            assert len(abreast) <= most
            if abreast.full:
                found.append(abreast.take())
        assert len(abreast) == most - 1
        while abreast:
            found.append(abreast.take())
    assert found == list(range(5))


@pytest.mark.parametrize("most", [1, 3])
def test_a_fault_comes_in_its_turn_and_ends_the_others(most: int) -> None:
    stopped = threading.Event()
    ends: list[bool] = []

    def work(number: int) -> int:
        if number == 1:
            raise OSError("gone")
        if number == 2:
            ends.append(stopped.wait(60))
        return number

    found: list[int] = []
    with pytest.raises(OSError, match="gone"), Abreast[int](most, stopped.set) as abreast:
        for number in range(3):
            abreast.begin(partial(work, number))
            if abreast.full:
                found.append(abreast.take())
        while abreast:
            found.append(abreast.take())
    assert found == [0] and ends == ([True] if most > 1 else [])


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
    begun, closed, done = threading.Event(), threading.Event(), list[int]()

    def make(stop: threading.Event) -> Generator[bool, None, None]:
        begun.set()
        try:
            yield stop.wait(60)
        finally:
            closed.set()

    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            next(ahead(make))
        assert closed.is_set() == begun.is_set(), "or it was told before it began"
    with pytest.raises(KeyboardInterrupt):
        behind(iter([1, 2]), done.append)
    assert done == [1]
    told = threading.Event()
    ended: list[bool] = []
    with pytest.raises(KeyboardInterrupt), Abreast[None](2, told.set) as abreast:
        abreast.begin(lambda: ended.append(told.wait(60)))
    assert ended == [True]


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
@pytest.mark.parametrize("way", ["ahead", "behind", "abreast"])
def test_ctrl_c_at_any_step_ends_it(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, whatever was about to be done."""
    monkeypatch.setattr("dedup.beside._PATIENCE", 0.01)

    def too_long(*_: object) -> None:
        raise TimeoutError("it waits for ever")

    def work() -> None:
        if way == "ahead":
            assert list(ahead(numbers([]))) == [0, 1, 2]
        elif way == "behind":
            behind([1, 2], lambda _: None)
        else:
            with Abreast[int](2, lambda: None) as abreast:
                abreast.begin(lambda: 1)
                abreast.begin(lambda: 2)
                assert [abreast.take(), abreast.take()] == [1, 2]

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


def test_when_sketches_can_not_be_kept_no_more_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds on to the error, and with it to all that went on, doesn't keep other threads at work."""
    native = pytest.importorskip("dedup._native", exc_type=ImportError)
    stops: list[Any] = []

    class Watched(native.NativeKernel):  # type: ignore[misc, name-defined]
        def stop(self) -> Any:
            stops.append(super().stop())
            return stops[-1]

    def full(columns: SketchColumns, batch: Sketches) -> None:
        raise OutputError("no room")

    monkeypatch.setattr("dedup.pipeline.load_kernel", Watched)
    monkeypatch.setattr("dedup.pipeline.BATCH_BYTES", 1)
    monkeypatch.setattr(SketchColumns, "append", full)
    with pytest.raises(OutputError, match="no room"):
        dedup.find_duplicates(["one", "two", "three", "four", "five", "six", "seven"], threads=2)
    (stop,) = stops
    with pytest.raises(KeyboardInterrupt):
        Watched().sketch(Texts.of(["another"]), Settings(), threads=1, stop=stop)
