"""One window being read: its query, its job, the pages under way, and how far their rows were handed on.

A window is changed by its methods only; ``object_read``, ``scheduler``, ``reader`` and ``rest_lane`` call them.
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
    """Whose job a window is read by."""

    THIS_RUN = "a job of this run, or none yet"
    CONFIRMED = "an earlier run's job, none of whose pages was handed on yet"
    UNCONFIRMED = "an earlier run's job that Salesforce was not asked about yet"


class FirstStep(Enum):
    """What is asked about a window before it gets a job."""

    NOTHING = "nothing"
    PROBE = "whether it holds any row"
    CUT = "where to cut it"


@dataclass(slots=True, eq=False)
class WindowRead:
    """A window in progress. ``walk`` is the position after the last delivered page.

    Other modules read its fields, but change none. ``expected`` is the planner's estimate of its rows.
    ``indivisible``: it cannot be split. ``question``: its pages are asked for through REST, so it has no job in
    the org.
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

    def give(self, job: QueryJob) -> None:
        """From now on the window's query stands as ``job`` says."""
        self.job = job

    def resume(self, point: ResumePoint) -> None:
        """Go on with an earlier run's job, behind the last page that it handed on."""
        self.api_version, self.page_size = point.api_version, point.page_size
        self.walk = Walk(total=None, locator=point.locator, page=point.page, rows=point.rows)
        self.job = QueryJob(job_id=point.job)
        self.origin = Origin.THIS_RUN if point.job == REST_JOB else Origin.UNCONFIRMED

    def confirm(self) -> None:
        """Salesforce says that the earlier run's job is ours."""
        self.origin = Origin.CONFIRMED

    def restart(self, api_version: str, page_size: int) -> None:
        """Forget what was read: the window will be read from its start by a job of this run."""
        self.drop_pages()
        self.origin = Origin.THIS_RUN
        self.walk = Walk(total=None)
        self.api_version, self.page_size = api_version, page_size

    def count(self, rows: int | None) -> None:
        """The window is known to hold so many rows."""
        self.walk = replace(self.walk, total=rows)

    def ask(self, question: RestQuestion | None) -> None:
        """Ask for the pages through REST, or by a job where there is no question."""
        self.question = question

    def keep_whole(self) -> None:
        """No way to cut the window was found: ask for a job for all of it."""
        self.indivisible = True
        self.job = replace(self.job, phase=Phase.PLANNED)

    def skip_first_step(self) -> None:
        """Nothing more is asked about the window before it gets a job."""
        self.first_step = FirstStep.NOTHING

    def expect(self, slot: PageSlot) -> None:
        """A further page is under way."""
        self.slots.append(slot)

    def hand_on(self, after: Onward | End) -> None:
        """The rows of the first page under way have been emitted. Pages it does not lead to are dropped."""
        self.slots.popleft()
        self.refetches = 0
        self.origin = Origin.THIS_RUN
        if isinstance(after, Onward):
            self.walk = after.walk
            if self.slots and self.slots[0].locator != self.walk.locator:
                self.drop_pages()

    def refetch(self, most: int) -> bool:
        """Drop the pages under way, so that the first of them is asked for again; False after ``most`` times."""
        self.drop_pages()
        again = self.refetches < most
        self.refetches = self.refetches + 1 if again else 0
        return again

    def drop_pages(self) -> None:
        """Discard the running pages and free their disk space."""
        for slot in self.slots:
            if slot.page is not None:
                slot.page.discard()
        self.slots.clear()

    @property
    def inherited(self) -> bool:
        """Whether its job is an earlier run's, and none of its pages was handed on yet."""
        return self.origin is not Origin.THIS_RUN

    @property
    def unconfirmed(self) -> bool:
        """Whether Salesforce was not asked yet about the earlier run's job."""
        return self.origin is Origin.UNCONFIRMED

    @property
    def sizing(self) -> bool:
        """Whether the org is being asked where to cut it."""
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
