"""Several steps at once: in threads of their own, beside what the caller does."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Generic, Self, TypeVar, cast

T = TypeVar("T")
_AHEAD = 2  # items
_PATIENCE = 1.0  # seconds that one who gives up waits for a step that was begun
_END = object()


class _Step(Generic[T]):
    """Work for a thread. It is known to the one who leaves it before it begins, for Ctrl-C may come while it does.

    Waited for is a bare lock, and the thread is a bare one. Ctrl-C in the midst of `threading.Event.wait`, or of
    the start of a `threading.Thread`, which are written in Python, can leave a lock taken, and then both wait for ever.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._going_on = threading.Lock()
        self._ended = False
        self._fault: BaseException | None = None
        self._begun = False

    def begin(self) -> None:
        """Start the thread."""
        self._going_on.acquire()
        self._begun = True
        _thread.start_new_thread(self._run, ())

    def do(self) -> None:
        """Do it here and now."""
        self._going_on.acquire()
        self._run()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as fault:
            self._fault = fault
        finally:
            del self._work  # with all that it holds
            self._ended = True  # first: one who has got the lock may be interrupted before it knows
            self._going_on.release()

    def result(self) -> T:
        """What it gives, or raises, once it is done."""
        while not self._ended:
            self._going_on.acquire()
        if self._fault is not None:
            raise self._fault
        return self._result

    def leave(self) -> bool:
        """Wait a little for its end, which interests nobody; whether nothing goes on any more."""
        return not self._begun or self._ended or self._going_on.acquire(timeout=_PATIENCE)


def ahead(
    make: Callable[[threading.Event], Generator[T, None, None]], *, wanted: bool = True, most: int = _AHEAD
) -> Iterator[T]:
    """What a generator gives, the next items made in a thread while the caller has this one.

    Args:
        make: gives the generator; is told by an event when nobody wants more. It may be in the middle of an item
            then, and after some patience is left alone: a thread that waits can't be interrupted. So it is not for
            what may have nothing for long.
        wanted: if not, items are made when they are asked for.
        most: items that are made ahead at most.
    """
    stop = threading.Event()
    items = make(stop)
    if not wanted:
        yield from items
        return
    made: SimpleQueue[T | object] = SimpleQueue()  # in C, as the lock above
    room: SimpleQueue[bool] = SimpleQueue()  # for so many items, or one who looks whether they are still wanted
    for _ in range(most):
        room.put(True)

    def work() -> None:
        try:
            while room.get() and not stop.is_set():
                made.put(next(items))
        except StopIteration:
            pass
        finally:
            made.put(_END)

    step = _Step(work)
    try:
        step.begin()
        while (item := made.get()) is not _END:
            room.put(True)
            yield cast("T", item)
            del item  # which may be large
        step.result()
    finally:
        stop.set()
        room.put(True)
        if step.leave():
            items.close()


class Abreast(Generic[T]):
    """Things done in threads, so many at once; what they give comes out in the order in which they were begun.

    Args:
        most: how many at once; with one, each is done by who begins it.
        stop: asks all of them to end, which interests nobody any more.
    """

    def __init__(self, most: int, stop: Callable[[], object]) -> None:
        self._most = most
        self._stop = stop
        self._steps: deque[_Step[T]] = deque()

    def __len__(self) -> int:
        """How many were begun whose results weren't taken."""
        return len(self._steps)

    @property
    def full(self) -> bool:
        """Whether a result must be taken before another is begun."""
        return len(self._steps) == self._most

    def begin(self, work: Callable[[], T]) -> None:
        """Begin another."""
        step = _Step(work)
        self._steps.append(step)
        if self._most > 1:
            step.begin()
        else:
            step.do()

    def take(self) -> T:
        """What the one gives, or raises, that was begun first of those that are left."""
        result = self._steps[0].result()
        self._steps.popleft()
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._steps:
            self._stop()
        for step in self._steps:
            step.leave()


def behind(items: Iterable[T], work: Callable[[T], object], *, wanted: bool = True) -> None:
    """Do something with each item, in a thread, while the next one is made.

    What that raises is raised here, before another item is asked for or after the last.

    Args:
        wanted: if not, it is done before the next one is made.
    """
    step: _Step[object] | None = None
    try:
        for item in items:
            if step is not None:
                step.result()
            if wanted:
                step = _Step(partial(work, item))
                step.begin()
            else:
                work(item)
            del item
        if step is not None:
            step.result()
    finally:
        if step is not None:
            step.leave()
