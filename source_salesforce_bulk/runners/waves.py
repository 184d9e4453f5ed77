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

from source_salesforce_bulk.runners.staging import StagedFile
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.page_task import PageOutcome, PageTask
from source_salesforce_bulk.salesforce.pages import PageAddress

SESSION_LIFE = 900.0
"""Seconds that a session lives without use at least: the shortest setting there is (Setup > Session Settings)."""

GATHERING = 0.2
"""Seconds that a wave waits for further pages, which come one after the other; little beside a Spark job's start."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Pages of one object that are read together, with one session."""

    number: int
    sobject: SObject
    tasks: tuple[PageTask, ...]
    session: Session


@dataclass(frozen=True, slots=True)
class WaveResult:
    """What became of each page, and the files that the pages with rows became, both by task number."""

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
        """What is known after a wave; the slowest one counts."""
        rounds = max(1, -(-pages // self.slots))
        return replace(self, seconds_per_page=max(self.seconds_per_page or 0.0, seconds / rounds))


@dataclass(slots=True)
class _Queue:
    """The pages of one object that wait for their wave."""

    waiting: deque[tuple[PageAddress, Future[ReadPage]]] = field(default_factory=deque)
    running: bool = False


class WaveBoard:
    """Gathers pages and runs waves. Any thread may ask; a wave runs on the thread that asked for its first page.

    The pages that are asked for while a wave of their object runs are the next wave. ``session`` gives the session of
    the moment.
    """

    def __init__(
        self,
        runner: WaveRunner,
        session: Callable[[], Session],
        sobject: Callable[[str], SObject],
        clock: Clock,
    ) -> None:
        self._runner = runner
        self._session = session
        self._sobject = sobject
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._waves = 0
        self._size = WaveSize(runner.slots)

    def read(self, address: PageAddress) -> ReadPage:
        """The page, once its wave has run; raises what the wave raised."""
        future: Future[ReadPage] = Future()
        with self._lock:
            queue = self._queues.setdefault(address.object_name, _Queue())
            queue.waiting.append((address, future))
            leads = not queue.running
            queue.running = True
        if leads:
            self._lead(address.object_name, queue)
        return future.result()

    def _lead(self, name: str, queue: _Queue) -> None:
        """Run waves until nobody waits."""
        while pages := self._gathered(queue):
            try:
                self._run(name, pages)
            except BaseException as error:  # noqa: BLE001 - it belongs to everybody who waits for a page of the wave
                for _, future in pages:
                    if not future.done():
                        future.set_exception(error)

    def _gathered(self, queue: _Queue) -> Sequence[tuple[PageAddress, Future[ReadPage]]]:
        self._clock.sleep(GATHERING)
        with self._lock:
            pages = [queue.waiting.popleft() for _ in range(min(len(queue.waiting), self._size.pages))]
            queue.running = bool(pages)
            return pages

    def _run(self, name: str, pages: Sequence[tuple[PageAddress, Future[ReadPage]]]) -> None:
        with self._lock:
            self._waves += 1
            number = self._waves
        tasks = tuple(PageTask(index, address) for index, (address, _) in enumerate(pages))
        session, began = self._session(), self._clock.monotonic()
        result = self._runner.run(Wave(number, self._sobject(name), tasks, session))
        with self._lock:
            self._size = self._size.after(len(pages), self._clock.monotonic() - began)
        for task, (_, future) in zip(tasks, pages, strict=True):
            outcome = result.outcomes[task.number]
            future.set_result(ReadPage(outcome, result.files.get(task.number), session))
