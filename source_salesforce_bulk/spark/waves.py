"""Collect pages into waves, so that one Spark job reads many of them at once. Does not depend on Spark.

A thread that needs a page waits for it. The pages of one object that threads are waiting for become one wave, which is
small enough to end before its session does. Waves of different objects run in parallel.

Does not retry. A page that a wave could not read is returned with its failure.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.oauth import Session

SESSION_LIFE = 900.0
"""Minimum life of an unused session in seconds: the shortest setting in Setup > Session Settings."""

GATHERING = 0.2
"""Seconds that a wave waits for further pages, requested one after the other. Starting a Spark job takes longer."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Pages of one object that are read together, with one session."""

    number: int
    layout: Layout
    encoder: PageEncoder
    tasks: tuple[PageTask, ...]
    session: Session


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """The file of one page; ``path`` is below the destination, ``size`` in bytes."""

    path: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class WaveResult:
    """The outcome of each page, and the files of the pages with rows, both by task number."""

    outcomes: Mapping[int, PageOutcome]
    files: Mapping[int, WrittenFile]


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page of a wave: its outcome, its file if it has rows, and the session with which it was requested."""

    outcome: PageOutcome
    file: WrittenFile | None
    session: Session


class WaveRunner(Protocol):
    """Reads a wave: one Spark job. Its failure is raised; a page's own failure is in the page's outcome."""

    @property
    def slots(self) -> int:
        """The number of pages that are read at the same time, at least one."""
        ...

    @property
    def wants_files(self) -> bool:
        """True if executors write each page's file themselves; False if they give its rows to Spark."""
        ...

    def run(self, wave: Wave) -> WaveResult:
        """Read the pages; called on the caller's threads, one wave each."""
        ...


@dataclass(frozen=True, slots=True)
class WaveSize:
    """The number of pages with which a wave takes about half of a session's minimum life."""

    slots: int
    seconds_per_page: float | None = None

    @property
    def pages(self) -> int:
        """The number of pages: at least one for each slot; in the first wave four, to measure how long they take."""
        if self.seconds_per_page is None:
            return 4 * self.slots
        return max(self.slots, int(self.slots * SESSION_LIFE / 2 / max(self.seconds_per_page, 0.001)))

    def after(self, pages: int, seconds: float) -> WaveSize:
        """Return the size estimate after a wave; the slowest wave counts."""
        rounds = max(1, -(-pages // self.slots))
        return replace(self, seconds_per_page=max(self.seconds_per_page or 0.0, seconds / rounds))


@dataclass(slots=True, eq=False)
class _Waiter:
    """A thread that waits for a page. If ``turn`` returns None, it must run the wave of its page itself."""

    address: PageAddress
    encoder: PageEncoder
    turn: Future[ReadPage | None] = field(default_factory=Future)


@dataclass(slots=True)
class _Queue:
    """The threads that wait for pages of one object. ``led``: one of them is collecting or running a wave."""

    waiting: deque[_Waiter] = field(default_factory=deque)
    led: bool = False


class WaveBoard:
    """Collects pages and runs waves. Thread-safe; a wave runs on the thread that requested its first page.

    Pages that are requested while a wave of their object runs become the next wave. A thread that has run a wave
    returns with its page, and the first waiting thread runs the next wave, so later requests delay no page. ``session``
    returns the current session.
    """

    def __init__(
        self,
        runner: WaveRunner,
        session: Callable[[], Session],
        layout: Callable[[str], Layout],
        clock: Clock,
    ) -> None:
        self._runner = runner
        self._session = session
        self._layout = layout
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._waves = 0
        self._size = WaveSize(runner.slots)

    def read(self, address: PageAddress, encoder: PageEncoder) -> ReadPage:
        """Return the page after its wave; raises the wave's error. Pages of one object have the same encoder."""
        waiter = _Waiter(address, encoder)
        with self._lock:
            queue = self._queues.setdefault(address.object_name, _Queue())
            if queue.led:
                queue.waiting.append(waiter)
            else:
                queue.led = True
                waiter.turn.set_result(None)
        page = waiter.turn.result()
        return self._lead(waiter, queue) if page is None else page

    def _lead(self, leader: _Waiter, queue: _Queue) -> ReadPage:
        """Run one wave, and in any case start the next one, for which other threads are waiting."""
        others: Sequence[_Waiter] = ()
        try:
            self._clock.sleep(GATHERING)
            others = self._gathered(queue)
            page, *pages = self._run(leader, [leader.address, *(waiter.address for waiter in others)])
        except BaseException as error:
            for waiter in others:
                waiter.turn.set_exception(error)
            raise
        finally:
            self._hand_over(queue)
        for waiter, its_page in zip(others, pages, strict=True):
            waiter.turn.set_result(its_page)
        return page

    def _gathered(self, queue: _Queue) -> Sequence[_Waiter]:
        """Return the waiters whose pages join the leader's wave."""
        with self._lock:
            return [queue.waiting.popleft() for _ in range(min(len(queue.waiting), self._size.pages - 1))]

    def _hand_over(self, queue: _Queue) -> None:
        with self._lock:
            if queue.waiting:
                queue.waiting.popleft().turn.set_result(None)
            else:
                queue.led = False

    def _run(self, leader: _Waiter, addresses: Sequence[PageAddress]) -> list[ReadPage]:
        """Read the pages of one wave and return them in order."""
        with self._lock:
            self._waves += 1
            number = self._waves
        tasks = tuple(PageTask(index, address) for index, address in enumerate(addresses))
        session, began = self._session(), self._clock.monotonic()
        layout = self._layout(leader.address.object_name)
        result = self._runner.run(Wave(number, layout, leader.encoder, tasks, session))
        with self._lock:
            self._size = self._size.after(len(tasks), self._clock.monotonic() - began)
        return [ReadPage(result.outcomes[task.number], result.files.get(task.number), session) for task in tasks]
