"""Pages gathered into waves, so that one Spark job reads many of them at once. Knows nothing of Spark.

Whoever wants a page waits for it on a thread of his own; the pages of one object that are waited for at the same time
become one wave, as many as a session is sure to live for. Waves of different objects run side by side.

Retries here: none. A page that a wave did not bring is given back with its failure.
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
from source_salesforce_bulk.spark.staging import StagedFile

SESSION_LIFE = 900.0
"""Seconds that a session lives without use at least: the shortest setting there is (Setup > Session Settings)."""

GATHERING = 0.2
"""Seconds that a wave waits for further pages, which come one after the other; little beside a Spark job's start."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Pages of one object that are read together, with one session."""

    number: int
    layout: Layout
    encoder: PageEncoder
    tasks: tuple[PageTask, ...]
    session: Session


@dataclass(frozen=True, slots=True)
class WaveResult:
    """The outcome of each page, and the files of the pages with rows, both by task number."""

    outcomes: Mapping[int, PageOutcome]
    files: Mapping[int, StagedFile]


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page of a wave: its outcome, its file where it holds rows, and the session it was asked for with."""

    outcome: PageOutcome
    file: StagedFile | None
    session: Session


class WaveRunner(Protocol):
    """Reads a wave: one Spark job. Its failure is raised; a page's own failure is in the page's outcome."""

    @property
    def slots(self) -> int:
        """Pages that are read at the same time, at least one."""
        ...

    def run(self, wave: Wave) -> WaveResult:
        """Read the pages; called on threads of the caller's, one wave each."""
        ...


@dataclass(frozen=True, slots=True)
class WaveSize:
    """How many pages go into a wave: so many that it takes half of a session's shortest life, as far as is known."""

    slots: int
    seconds_per_page: float | None = None

    @property
    def pages(self) -> int:
        """At least one page for every slot. Before anything is known, four: to see how long they take."""
        if self.seconds_per_page is None:
            return 4 * self.slots
        return max(self.slots, int(self.slots * SESSION_LIFE / 2 / max(self.seconds_per_page, 0.001)))

    def after(self, pages: int, seconds: float) -> WaveSize:
        """Return the size estimate after a wave; the slowest wave counts."""
        rounds = max(1, -(-pages // self.slots))
        return replace(self, seconds_per_page=max(self.seconds_per_page or 0.0, seconds / rounds))


@dataclass(slots=True, eq=False)
class _Waiter:
    """Somebody who waits for a page, or, where ``turn`` brings None, is to lead the wave that the page is in."""

    address: PageAddress
    encoder: PageEncoder
    turn: Future[ReadPage | None] = field(default_factory=Future)


@dataclass(slots=True)
class _Queue:
    """The threads that wait for pages of one object. ``led``: one of them is collecting or running a wave."""

    waiting: deque[_Waiter] = field(default_factory=deque)
    led: bool = False


class WaveBoard:
    """Gathers pages and runs waves. Any thread may ask; a wave runs on the thread that asked for its first page.

    The pages that are asked for while a wave of their object runs are the next wave. Whoever led a wave has its page
    then, and the first of those who wait leads the next one: what comes later keeps no page back. ``session`` gives the
    session of the moment.
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
        """The page, once its wave has run; raises what the wave raised. Pages of one object have the same encoder."""
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
            page, *pages = self._run(leader, [leader.address, *(one.address for one in others)])
        except BaseException as error:
            for one in others:
                one.turn.set_exception(error)
            raise
        finally:
            self._hand_over(queue)
        for one, its_page in zip(others, pages, strict=True):
            one.turn.set_result(its_page)
        return page

    def _gathered(self, queue: _Queue) -> Sequence[_Waiter]:
        """Return those whose pages go into the wave beside its leader's."""
        with self._lock:
            return [queue.waiting.popleft() for _ in range(min(len(queue.waiting), self._size.pages - 1))]

    def _hand_over(self, queue: _Queue) -> None:
        with self._lock:
            if queue.waiting:
                queue.waiting.popleft().turn.set_result(None)
            else:
                queue.led = False

    def _run(self, leader: _Waiter, addresses: Sequence[PageAddress]) -> list[ReadPage]:
        """The pages of one wave, in order."""
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
