"""Read any number of objects in one run. This is the entry point for every runner.

    extraction.begin(beginning, encode) -> ObjectRead    for each object, when has_free_slot
    extraction.next_page(read)    -> page or None        emit its rows, then
    extraction.handed_on(read, page)                     and emit read.state when its version has grown
    extraction.wait(seconds)                             when no object had a page
    extraction.close(keep=jobs named in emitted states)  after the last message was flushed

One thread owns an :class:`Extraction`. Calls to Salesforce run on ``calls``, and their callbacks run in the owner's
thread, so nothing here is locked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from source_salesforce_bulk.extraction.calls import Calls, failure_in
from source_salesforce_bulk.extraction.cuts import Piece, find_pieces
from source_salesforce_bulk.extraction.job_events import PagesRead
from source_salesforce_bulk.extraction.job_ledger import JobLedger
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.reader import PageBounds, PageReader
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.scheduler import JobScheduler
from source_salesforce_bulk.extraction.stream_state import REST_JOB
from source_salesforce_bulk.extraction.window_read import WindowRead
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.pages.encoders import hashed
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.walk import End
from source_salesforce_bulk.salesforce.failures import Failure, SalesforceError
from source_salesforce_bulk.salesforce.ids import EMPTY_KEY, is_empty_key
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, JobFacts

LOGGER = logging.getLogger("salesforce_bulk.extraction")

READS_PER_SLOT = 4
"""Running objects for each job slot: enough that slots are not idle while rows are emitted.

More would only increase the number of complete jobs that wait to be read, and that a killed run leaves behind.
"""

IDLE = 1.0
"""Maximum time of a single :meth:`Extraction.wait` in seconds, after which a signal is noticed."""

CLEAN_UP = 60.0
"""Maximum time for the clean-up of finished jobs after a run's last output, in seconds."""

CLEAN_UP_STOPPED = 8.0
"""The same after a signal or a closed stdout, when the process has to end soon."""

T = TypeVar("T")

Encode = Callable[[tuple[Column, ...]], PageEncoder]
"""Returns the encoder of an object's pages for its columns; hashing is added here."""


class Extraction:
    """The object reads of one run. Not thread-safe by design: one thread owns it.

    Calls of ``org`` block; :meth:`ask` runs them.
    The owner sets ``others_wait`` while further objects are waiting for slots.
    """

    def __init__(self, org: Org, calls: Calls, run: RunContext, page_bounds: PageBounds | None = None) -> None:
        self.org = org
        self._calls = calls
        self._clock = run.clock
        self._metrics = run.metrics
        self._run_id = run.run_id
        self._ledger = JobLedger(org, calls, run.clock)
        self._scheduler = JobScheduler(org, calls, run, self._ledger, self.stop)
        self._reader = PageReader(org, calls, run.clock.sleep, page_bounds or PageBounds(), self._scheduler)
        self._reads: list[ObjectRead] = []
        self._without_key: set[str] = set()
        self._reads_at_once = READS_PER_SLOT * run.max_concurrent_jobs
        self.others_wait = False
        self.stop_failure: Failure | None = None

    @property
    def has_free_slot(self) -> bool:
        """Return whether another object can begin: its first job can be created at once, and its rows read soon."""
        if self.stop_failure is not None or len(self._reads) >= self._reads_at_once:
            return False
        return self._scheduler.has_free_slot(self._reads)

    def allow_jobs(self, jobs: int | None, *, counted_at: int) -> None:
        """Create at most ``jobs`` more jobs, counted from :attr:`creates` at the limit check, ``counted_at``."""
        self._scheduler.allow_jobs(None if jobs is None else counted_at + jobs)

    @property
    def creates(self) -> int:
        """The number of create requests sent."""
        return self._scheduler.creates

    def wake(self) -> None:
        """End a running :meth:`wait`. Thread-safe."""
        self._calls.post(_nothing)

    def begin(self, beginning: Beginning, encode: Encode) -> ObjectRead:
        """Log the warnings, end the jobs that nothing continues, and begin to read; ``encode`` as for :meth:`add`."""
        facts = JobFacts(self._run_id, beginning.plan.object_name, None).attributes
        for warning in beginning.warnings:
            LOGGER.warning("%s", warning, extra=facts)
        for point in [point for point in beginning.abandoned if point.job != REST_JOB]:
            self._ledger.dispose(point.job, point.api_version, beginning.plan.object_name)
        return self.add(beginning.plan, beginning.windows, encode)

    def add(self, plan: ObjectPlan, planned: Sequence[PlannedWindow], encode: Encode) -> ObjectRead:
        """Begin to read an object, with the page encoder that ``encode`` returns for its columns.

        While :attr:`others_wait` is set, no object takes more than half of the slots.
        """
        read = ObjectRead(plan, planned, hashed(encode(plan.columns), plan.hashing))
        self._reads.append(read)
        self._size(read)
        self._pump()
        return read

    def next_page(self, read: ObjectRead) -> ReadyPage | None:
        """Return the next page to emit; None if none is ready, or if the object is finished.

        Raises ``SalesforceError`` if the object has failed or the whole run stops; the object's state then covers the
        pages delivered so far.
        """
        self._pump()
        failure = self.stop_failure or read.failure
        if failure is None:
            ready = self._reader.front_page(read)
            failure = self.stop_failure or read.failure
            if failure is None:
                return ready
        if read.finished:
            return None
        raise SalesforceError(failure)

    def handed_on(self, read: ObjectRead, ready: ReadyPage) -> None:
        """Note that the rows of ``ready`` have been emitted; from now on the object's state covers them."""
        window = read.windows[0]
        again = ready.page.retries
        rows = ready.page.rows if read.plan.delivers else 0
        self._metrics.count(read.plan.object_name, records=rows, batches=1, errors=again, retries=again)
        batch = ready.page.address.locator or FIRST_PAGE
        self._scheduler.log(read, window, "page emitted", batch=batch, rows=ready.page.rows, event="page")
        self._warn_of_empty_key(read, ready.page)
        read.hand_on(ready)
        if isinstance(ready.after, End):
            self._scheduler.apply(read, window, PagesRead())
            pages = "1 page" if ready.after.pages == 1 else f"{ready.after.pages} pages"
            self._scheduler.log(
                read, window, f"window complete in {pages}", rows=ready.after.rows, event="window_complete"
            )
            read.close_front(self.org.now())

    def wait(self, seconds: float) -> None:
        """Process callbacks and due polls for at most ``seconds``."""
        due = self._scheduler.next_timer(self._reads)
        pause = seconds if due is None else min(seconds, max(0.0, due - self._clock.monotonic()))
        self._calls.drain(pause)
        self._pump()

    def ask(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Run a call in the background; ``done`` or ``failed`` is called in the owner's thread."""
        self._calls.submit(call, done, failed)

    def describe_waiting(self) -> str:
        """Return which objects wait for which jobs and for how long, for a log line."""
        now = self._clock.monotonic()
        waiting = [
            f"{read.plan.object_name} (job {window.job.job_id or 'being created'}, {window.job.phase.value}, "
            f"{now - window.job.started:.0f} s)"
            for read in self._reads
            for window in read.windows[:1]
            if window.job.started is not None
        ]
        return ", ".join(waiting) or "no object waits for a job"

    def drop(self, read: ObjectRead) -> None:
        """Remove an object that is finished or has failed."""
        for window in read.windows:
            window.drop_pages()
        self._reads.remove(read)

    def stop(self, failure: Failure) -> None:
        """Create no further jobs; every object ends with ``failure`` at the end of its current page."""
        if self.stop_failure is None:
            self.stop_failure = failure
            self._scheduler.halt()
            LOGGER.info("Stopping the run (%s); no further job is created", failure.kind.value)

    def close(self, keep: Collection[str], seconds: float) -> None:
        """Within ``seconds``, end every job that this run owns except those in ``keep``; then accept no more calls.

        Responses that arrive in the meantime create no further jobs.
        """
        self._scheduler.halt()
        for read in self._reads:
            for window in read.windows:
                window.drop_pages()
        self._ledger.close(keep, seconds)
        self._calls.close()

    def _warn_of_empty_key(self, read: ObjectRead, page: Page) -> None:
        """Warn once per object whose key is an empty Id, because a destination would keep only one row."""
        name = read.plan.object_name
        keyed_by_id = [key.lower() for key in read.plan.primary_key] == ["id"]
        if keyed_by_id and is_empty_key(page.first_id) and name not in self._without_key:
            self._without_key.add(name)
            LOGGER.warning(
                "%s: its rows have the empty Id %s, which does not identify them, so deduplication would keep a "
                "single row. Name a field that identifies a row as primary_key in object_overrides, or append.",
                name,
                EMPTY_KEY,
            )

    def _size(self, read: ObjectRead) -> None:
        """Start the queries for where to split large windows, which get no job until then."""
        for window in [window for window in read.windows if window.sizing]:
            self._calls.submit(
                partial(find_pieces, self.org, read.plan, window.bounds),
                partial(self._sized, read, window),
                partial(self._not_sized, read, window),
            )

    def _sized(self, read: ObjectRead, window: WindowRead, pieces: Sequence[Piece]) -> None:
        if window not in read.windows:
            return
        read.cut(window, pieces)
        if len(pieces) > 1:
            rows = sum(piece.rows or 0 for piece in pieces)
            what = f"about {rows:,} rows are read in {len(pieces)} windows"
            self._scheduler.log(read, window, what)

    def _not_sized(self, read: ObjectRead, window: WindowRead, error: Exception) -> None:
        window.skip_first_step()
        failure = failure_in(error)
        if failure is not None:
            self._scheduler.give_up(read, window, failure)

    def _pump(self) -> None:
        self._calls.drain(0.0)
        self._scheduler.keep_time(self._reads)
        if self.stop_failure is None:
            self._scheduler.start_jobs(self._reads, others_wait=self.others_wait)
            self._reader.fetch_ahead(self._reads)


def _nothing() -> None:
    """Do nothing; the callback only ends a wait."""
