"""How far a scan is, and what its steps took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

STAGES = ("read", "exact", "index", "compare", "keep")
"""The stages of a scan: reading and sketching, exact copies, preparing the search, comparing, keep policy."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: what a ``progress`` callback gets, at the beginning of a stage and as it goes on.

    Attributes:
        stage: ``read``, ``exact``, ``index``, ``compare`` or ``keep``; of an apply ``look``, ``copy`` or ``move``.
        number: of the stage, from 1.
        stages: how many there are.
        done: how much of the stage is done.
        total: how much there is to do; None where that isn't known, as with standard input.
        unit: what is counted, ``bytes`` (of the inputs as stored) or ``documents``.
        documents: documents read so far.
    """

    stage: str
    number: int
    stages: int
    done: int
    total: int | None
    unit: str
    documents: int


Callback = Callable[[Progress], None]
"""What is called with it. What it raises ends the scan, and comes out of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a scan took: seconds by the clock, and of all processors."""

    name: str
    wall: float
    cpu: float


class Stages:
    """A scan's own view of where it is: tells the callback, and keeps what each step took."""

    def __init__(self, callback: Callback | None = None) -> None:
        self._callback = callback
        self._now = Progress("read", 0, len(STAGES), 0, None, "bytes", 0)
        self._took: dict[str, tuple[float, float]] = {}
        self._step = ""
        self._since = (0.0, 0.0)

    def begin(self, stage: str, total: int | None, unit: str = "documents", documents: int = 0) -> None:
        """The next stage begins, with a step of its name."""
        self._now = Progress(stage, STAGES.index(stage) + 1, len(STAGES), 0, total, unit, documents)
        self.step(stage)
        self._tell()

    def reach(self, done: int, documents: int | None = None) -> None:
        """So much of the stage is done."""
        now = self._now
        documents = now.documents if documents is None else documents
        self._now = Progress(now.stage, now.number, now.stages, done, now.total, now.unit, documents)
        self._tell()

    def settled(self, done: int) -> None:
        """So many documents are settled by the greedy pass: with the first one comparing begins."""
        if done and self._now.stage == "index":
            self.begin("compare", self._now.total, documents=self._now.documents)
        self.reach(done)

    def step(self, name: str) -> None:
        """From here on time belongs to this step; a stage may go back and forth between several."""
        at = (time.perf_counter(), time.process_time())
        if self._step:
            wall, cpu = self._took.get(self._step, (0.0, 0.0))
            self._took[self._step] = (wall + at[0] - self._since[0], cpu + at[1] - self._since[1])
        self._step, self._since = name, at

    def end(self) -> tuple[Step, ...]:
        """All steps in the order in which they were begun first."""
        self.step("")
        return tuple(Step(name, *took) for name, took in self._took.items())

    def _tell(self) -> None:
        if self._callback:
            self._callback(self._now)
