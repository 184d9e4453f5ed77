"""Windows that are read through REST: those whose probe returns all rows, and all those of an object that Bulk refuses.

``salesforce.lanes`` decides which objects these are. Neither kind of window has a job in the org. Their pages come from
``pages.rest_pages`` and are then handled like all pages: the same verification, state and encoding.

If the answer of a probe has all rows of its window, it is the window's only page. Otherwise, and after a refusal, the
window gets a job; the job's failure is handled like any other.

Does not retry. ``query_job`` decides whether a lost page is requested again, after the Id at which it begins.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from source_salesforce_bulk.extraction.calls import Calls, failure_in
from source_salesforce_bulk.extraction.job_events import Event, Opened, Probed
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.query_job import Phase, QueryJob, pause_before_create
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.stream_state import REST_JOB
from source_salesforce_bulk.extraction.window_log import WindowLog
from source_salesforce_bulk.extraction.window_read import PageSlot, WindowRead
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.salesforce.failures import Action, Failure
from source_salesforce_bulk.salesforce.rest_query import RestQuestion


class Apply(Protocol):
    """The scheduler's ``apply``."""

    def __call__(self, read: ObjectRead, window: WindowRead, event: Event) -> Phase:
        """Apply an event to a window's job, and return the job's phase."""
        ...


class RestLane:
    """Reads windows through REST. Owned by the scheduler's thread; its calls run on ``calls``.

    ``probes_pay`` is false after a probe has failed despite all retries of its call: others would take as long.
    """

    def __init__(
        self,
        org: Org,
        calls: Calls,
        run: RunContext,
        apply: Apply,
        log: WindowLog,
    ) -> None:
        self._org = org
        self._calls = calls
        self._run = run
        self._apply = apply
        self._log = log
        self.probes_pay = True

    def probe(self, read: ObjectRead, window: WindowRead) -> None:
        """Query a window's rows, as many as one answer can have."""
        window.ask(read.plan.rest_question(window.bounds))
        self._calls.submit(
            partial(self._org.fetch, read.address_of(window, None), _unheeded, read.encoder),
            partial(self._probed, read, window),
            partial(self._probe_failed, read, window),
        )

    def open(self, read: ObjectRead, window: WindowRead) -> None:
        """Read a window through REST, starting after the last page; pauses first if it was tried before."""
        if window.job.creates > 1:
            self._run.metrics.count(read.plan.object_name, retries=1)
        window.drop_pages()
        asked = window.job
        self._calls.submit(
            partial(self._run.clock.sleep, pause_before_create(asked, self._run.random01())),
            lambda _: self._opened(read, window, asked),
            _interrupted,
        )

    def _probed(self, read: ObjectRead, window: WindowRead, page: Page) -> None:
        if read.failure is not None:
            page.discard()
        elif not page.headers.last:
            page.discard()
            self._leave_to_job(read, window)
        elif self._apply(read, window, Probed(page.rows)) is Phase.READY:
            window.count(page.rows)
            window.expect(PageSlot(None, page.headers, page))
            self._log(read, window, "read through REST, no query job is needed", rows=page.rows, event="probed")
        else:
            page.discard()
            self._log(read, window, "nothing to read in the window, no query job is needed")
            if window is read.front:
                read.close_front(self._org.now())

    def _probe_failed(self, read: ObjectRead, window: WindowRead, error: Exception) -> None:
        failure = failure_in(error)
        if failure is not None:
            self.probes_pay &= failure.action is not Action.RETRY
            self._leave_to_job(read, window)

    def _leave_to_job(self, read: ObjectRead, window: WindowRead) -> None:
        window.ask(None)
        self._apply(read, window, Probed(None))

    def _opened(self, read: ObjectRead, window: WindowRead, asked: QueryJob) -> None:
        if window.job is asked and read.failure is None:
            self._apply(read, window, Opened(REST_JOB))
            self._log(read, window, f"reading through REST: {read.plan.lane.reason}", event="rest_lane")


def can_be_cut(question: RestQuestion, failure: Failure | None) -> bool:
    """Return whether the halves of a window may be readable if the window is not: halves take less time.

    Rows without Ids, and rows found by their parents, have no order in which to split.
    """
    ordered = question.keyed and question.parents is None
    return ordered and failure is not None and failure.action is Action.SPLIT


def _interrupted(error: Exception) -> None:
    """Ignore the early end of a pause, because the run is being stopped."""
    failure_in(error)


def _unheeded(headers: object) -> None:
    """Ignore the headers: a page that is requested alone has no next page."""
