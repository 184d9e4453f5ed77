"""One window being read: its query, its job, its pages in progress, and the position up to which rows were emitted.

Only its methods change a window; ``object_read``, ``scheduler``, ``reader`` and ``rest_lane`` call them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

from source_salesforce_bulk.extraction.query_job import Phase, QueryJob
from source_salesforce_bulk.extraction.stream_state import REST_JOB, ResumePoint
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.pages.walk import End, Onward, Walk
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Failure
from source_salesforce_bulk.salesforce.rest_query import RestQuestion
from source_salesforce_bulk.salesforce.soql import Bounds


@dataclass(slots=True, eq=False)
class PageSlot:
    """A page in progress: requested, announced by its headers, arrived, or failed."""

    locator: str | None
    headers: PageHeaders | None = None
    page: Page | None = None
    failure: Failure | None = None

    @property
    def arrived(self) -> bool:
        """True if it has arrived or failed."""
        return self.page is not None or self.failure is not None


class Origin(Enum):
    """The run that created a window's job."""

    THIS_RUN = "this run, or there is no job yet"
    CONFIRMED = "an earlier run, and none of its pages was emitted yet"
    UNCONFIRMED = "an earlier run, and the job was not looked up in Salesforce yet"


class FirstStep(Enum):
    """The query that comes before a window's job."""

    NOTHING = "none"
    PROBE = "does it have any row?"
    CUT = "where to split it?"


@dataclass(slots=True, eq=False)
class WindowRead:
    """A window in progress. ``walk`` is the position after the last delivered page.

    It is mutable because callbacks hold the window itself: its identity tells them whether it is still being read.
    ``expected`` is the planner's estimate of its rows. ``extra`` as in ``PlannedWindow``. ``indivisible``: it cannot be
    split. ``question`` requests its pages through REST; such a window has no job in the org.
    """

    bounds: Bounds
    soql: str
    query: str
    api_version: str
    page_size: int
    job: QueryJob = field(default_factory=QueryJob)
    walk: Walk = field(default_factory=lambda: Walk(total=None))
    slots: deque[PageSlot] = field(default_factory=deque)
    origin: Origin = Origin.THIS_RUN
    first_step: FirstStep = FirstStep.NOTHING
    expected: int | None = None
    indivisible: bool = False
    refetches: int = 0
    question: RestQuestion | None = None
    extra: str | None = None

    def give(self, job: QueryJob) -> None:
        """Set the state of the window's query."""
        self.job = job

    def resume(self, point: ResumePoint) -> None:
        """Continue an earlier run's job after the last page that it emitted."""
        self.api_version, self.page_size = point.api_version, point.page_size
        self.walk = Walk(total=None, locator=point.locator, page=point.page, rows=point.rows)
        self.job = QueryJob(job_id=point.job)
        self.origin = Origin.THIS_RUN if point.job == REST_JOB else Origin.UNCONFIRMED

    def confirm(self) -> None:
        """Note that the earlier run's job is ours."""
        self.origin = Origin.CONFIRMED

    def restart(self, api_version: str, page_size: int) -> None:
        """Discard what was read: the window will be read from its start by a job of this run."""
        self.drop_pages()
        self.origin = Origin.THIS_RUN
        self.walk = Walk(total=None)
        self.api_version, self.page_size = api_version, page_size

    def count(self, rows: int | None) -> None:
        """Set the number of rows that Salesforce reports for the window."""
        self.walk = replace(self.walk, total=rows)

    def ask(self, question: RestQuestion | None) -> None:
        """Read the pages through REST, or with a job if ``question`` is None."""
        self.question = question

    def ask_for_less(self) -> None:
        """Request pages with a quarter of the rows from now on, because one took Salesforce too long."""
        if self.question is not None and self.question.keyed and self.question.limited:
            self.question = replace(self.question, rows=max(1, self.question.rows // 4))

    def keep_whole(self) -> None:
        """Note that the window cannot be split, and request a job for all of it."""
        self.indivisible = True
        self.job = replace(self.job, phase=Phase.PLANNED)

    def skip_first_step(self) -> None:
        """Let the window get a job without a further query."""
        self.first_step = FirstStep.NOTHING

    def expect(self, slot: PageSlot) -> None:
        """Add a page in progress."""
        self.slots.append(slot)

    def hand_on(self, after: Onward | End) -> None:
        """Note that the first page's rows have been emitted; drop the following pages if it does not lead to them."""
        self.slots.popleft()
        self.refetches = 0
        self.origin = Origin.THIS_RUN
        if isinstance(after, Onward):
            self.walk = after.walk
            if self.slots and self.slots[0].locator != self.walk.locator:
                self.drop_pages()

    def refetch(self, most: int) -> bool:
        """Drop the pages in progress, so that the first is fetched again; return False after ``most`` times."""
        self.drop_pages()
        again = self.refetches < most
        self.refetches = self.refetches + 1 if again else 0
        return again

    def drop_pages(self) -> None:
        """Discard the pages in progress and free their disk space."""
        for slot in self.slots:
            if slot.page is not None:
                slot.page.discard()
        self.slots.clear()

    @property
    def inherited(self) -> bool:
        """True if its job is an earlier run's, and none of its pages was emitted yet."""
        return self.origin is not Origin.THIS_RUN

    @property
    def unconfirmed(self) -> bool:
        """True if the earlier run's job was not looked up in Salesforce yet."""
        return self.origin is Origin.UNCONFIRMED

    @property
    def sizing(self) -> bool:
        """True while the org is queried for where to split it."""
        return self.first_step is FirstStep.CUT

    @property
    def rows_to_come(self) -> int:
        """Return the number of remaining rows, from its job or else the planner's estimate; 0 if unknown."""
        total = self.job.records if self.job.records is not None else self.expected
        return max(0, (total or 0) - self.walk.rows)

    @property
    def ranged(self) -> bool:
        """True if it is an Id range of a window."""
        return self.bounds.id_from is not None or self.bounds.id_to is not None
