"""One object being read: its windows in order, the pages of the first of them, and the state that covers both.

Everything here is decided by whoever calls it and nothing here calls Salesforce: ``scheduler`` feeds it events and
carries out what follows. Rows leave in this order only: window by window, page by page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.cuts import Piece
from source_salesforce_bulk.extraction.plan import ObjectPlan, expected_rows, may_be_large, probe_pays
from source_salesforce_bulk.extraction.query_job import Phase, QueryJob
from source_salesforce_bulk.extraction.stream_state import REST_JOB, Mode, ResumePoint
from source_salesforce_bulk.extraction.windows import PlannedWindow, date_span, same_dates
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.rest_pages import RestAddress
from source_salesforce_bulk.pages.walk import End, Onward, Walk
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.rest_query import RestQuestion
from source_salesforce_bulk.salesforce.soql import Bounds, build_soql

_WITHOUT_JOB = (Phase.PROBING, Phase.CREATING, Phase.SPLITTING)


@dataclass(slots=True, eq=False)
class PageSlot:
    """A page under way: asked for, announced by its headers, arrived, or failed."""

    locator: str | None
    headers: PageHeaders | None = None
    page: Page | None = None
    failure: Failure | None = None

    @property
    def arrived(self) -> bool:
        """Whether its fate is known."""
        return self.page is not None or self.failure is not None


@dataclass(slots=True, eq=False)
class WindowRead:
    """A window under way. ``walk`` stands behind the last page whose rows were handed on.

    ``inherited``: its job is an earlier run's, and none of its pages was handed on yet; ``unconfirmed``: the job was
    not asked for either. ``probe``: the window is asked about before it gets a job. ``sizing``: the org is being asked
    where to cut it. ``expected``: the planner's guess of its rows. ``indivisible``: no way to cut it was found.
    ``question``: its pages are asked for through REST, so it has no job in the org.
    """

    bounds: Bounds
    soql: str
    query: str
    api_version: str
    page_size: int
    job: QueryJob = field(default_factory=QueryJob)
    walk: Walk = field(default_factory=lambda: Walk(total=None))
    slots: deque[PageSlot] = field(default_factory=deque)
    calling: bool = False
    inherited: bool = False
    unconfirmed: bool = False
    probe: bool = False
    sizing: bool = False
    expected: int | None = None
    indivisible: bool = False
    refetches: int = 0
    question: RestQuestion | None = None

    def drop_pages(self) -> None:
        """Forget the pages under way and give their disk space back."""
        for slot in self.slots:
            if slot.page is not None:
                slot.page.discard()
        self.slots.clear()

    @property
    def rows_to_come(self) -> int:
        """Rows not handed on yet, as its job says, else as the planner guesses; 0 where nothing is known."""
        total = self.job.records if self.job.records is not None else self.expected
        return max(0, (total or 0) - self.walk.rows)

    @property
    def ranged(self) -> bool:
        """Whether it is one Id range of a window."""
        return self.bounds.id_from is not None or self.bounds.id_to is not None


@dataclass(frozen=True, slots=True)
class ReadyPage:
    """The next page whose rows may be handed on; ``after`` is where its object stands once they were."""

    page: Page
    after: Onward | End


class ObjectRead:
    """The windows of one object and how far they are. ``version`` of :attr:`state` grows with every change of it."""

    def __init__(self, plan: ObjectPlan, planned: Sequence[PlannedWindow]) -> None:
        self.plan = plan
        self.failure: Failure | None = None
        self.repeated_rows = 0
        self.emitted_rows = 0
        self._too_long: timedelta | None = None
        self._too_coarse = 0
        self.windows: list[WindowRead] = [self._window(window) for window in planned]
        self.state = plan.state
        self.version = 0
        self._cursor = plan.state.cursor

    @property
    def finished(self) -> bool:
        """Whether every row has been handed on."""
        return not self.windows and self.failure is None

    @property
    def expected_rows(self) -> int:
        """Rows emitted, those that complete jobs still hold, and the planner's guess of the others."""
        return self.emitted_rows + sum(window.rows_to_come for window in self.windows)

    @property
    def front(self) -> WindowRead | None:
        """The window whose rows come next."""
        return self.windows[0] if self.windows else None

    def address_of(self, window: WindowRead, locator: str | None) -> PageAddress:
        """The page of a window that ``locator`` names; None: its first."""
        question, rest = window.question, None
        if question is not None:
            rest = RestAddress(question, self.plan.columns, locator, window.api_version)
        return PageAddress(
            object_name=self.plan.object_name,
            job_id=window.job.job_id or "",
            locator=locator,
            version=window.api_version,
            page_size=window.page_size,
            columns=self.plan.query.fields,
            job_rows=window.walk.total,
            hashing=self.plan.hashing,
            rest=rest,
        )

    def next_to_start(self) -> WindowRead | None:
        """The first window that has no job yet; later ones wait for it, so that jobs are created in order."""
        for window in self.windows:
            if window.sizing:
                return None
            if window.job.phase is Phase.PLANNED:
                return window
            if window.job.phase in _WITHOUT_JOB and window.job.job_id is None:
                return None
        return None

    def jobs_unfinished(self) -> int:
        """Jobs that occupy the org, or will as soon as it has answered a question."""
        return sum(window.job.phase.unfinished_in_org or window.sizing for window in self.windows)

    def jobs_ahead(self) -> int:
        """Jobs whose rows have not all been handed on; the state names them all."""
        return sum(window.job.phase not in (Phase.PLANNED, Phase.DONE) for window in self.windows)

    def hand_on(self, ready: ReadyPage) -> None:
        """The page's rows have been emitted: move behind it."""
        window = self.windows[0]
        window.slots.popleft()
        self.emitted_rows += ready.page.rows
        ready.page.discard()
        window.refetches = 0
        window.inherited = False
        if isinstance(ready.after, Onward):
            window.walk = ready.after.walk
            self._drop_misled(window)
            self.publish()

    def close_front(self, org_now: datetime | None) -> None:
        """The first window's rows have all been emitted and counted: its end is covered.

        So are the ends of those behind it that are done already, because a probe found nothing in them. The cursor
        never passes ``org_now``, the org's clock (None: unknown): a window may have been planned by a clock that was
        ahead, and its last rows have yet to come.
        """
        window = self.windows.pop(0)
        window.drop_pages()
        following = self.front
        sibling = following is not None and following.ranged and same_dates(window.bounds, following.bounds)
        if self.plan.mode is Mode.INCREMENTAL and window.bounds.end is not None and not sibling:
            self._cursor = _later(self._cursor, min(window.bounds.end, org_now or window.bounds.end))
        self.publish()
        if self.front is not None and self.front.job.phase is Phase.DONE:
            self.close_front(org_now)

    def split(self, window: WindowRead, halves: Sequence[Bounds], life: QueryJob) -> None:
        """Read ``halves`` in place of ``window``, each beginning with ``life``."""
        index = self.windows.index(window)
        fresh = [self._fresh(bounds) for bounds in halves]
        for half in fresh:
            half.job = life
        self.windows[index : index + 1] = fresh
        self.publish()

    def cut(self, window: WindowRead, pieces: Sequence[Piece]) -> None:
        """Read ``pieces`` in place of ``window``, for which no job was created yet."""
        index = self.windows.index(window)
        fresh = [self._fresh(piece.bounds) for piece in pieces]
        for part, piece in zip(fresh, pieces, strict=True):
            part.expected = piece.rows
        self.windows[index : index + 1] = fresh
        self.publish()

    def note_too_large(self, window: WindowRead) -> None:
        """The window could not be read whole: no other of its size needs to be tried during this run."""
        self._too_coarse = max(self._too_coarse, window.job.halvings)
        span = date_span(window.bounds)
        if span is not None:
            self._too_long = span if self._too_long is None else min(span, self._too_long)

    def is_too_large(self, window: WindowRead) -> bool:
        """Whether a window of this size, or cut as often as this one, has failed before."""
        if window.indivisible:
            return False
        span = date_span(window.bounds)
        too_long = span is not None and self._too_long is not None and span >= self._too_long
        return too_long or 0 < window.job.halvings <= self._too_coarse

    def restart(self, window: WindowRead) -> int:
        """The window will be read by a new job from its start; returns how many emitted rows will come again."""
        repeated = window.walk.rows
        self.repeated_rows += repeated
        window.drop_pages()
        window.inherited = False
        window.walk = Walk(total=None)
        window.api_version, window.page_size = self.plan.api_version, self.plan.page_size
        return repeated

    def fail(self, failure: Failure, *, forget_jobs: bool = False) -> None:
        """The object cannot be read on. ``forget_jobs``: no result of its jobs can be trusted; no state names them.

        That Bulk refuses the object is remembered, so that the next run reads it through REST.
        """
        self.failure = failure
        for window in self.windows:
            window.drop_pages()
        if failure.kind is Kind.OBJECT_NOT_SUPPORTED and not self.plan.lane.rest and not self.plan.lane.chosen:
            self.state = replace(self.state, refused=True)
            self.version += 1
        if forget_jobs:
            self.windows.clear()
            self._set_state(())

    def remember(self, deletes: Mapping[str, object] | None, *, at_once: bool = False) -> None:
        """Let :attr:`state` hold this memory of delivered rows from its next change on, which covers the same rows.

        ``at_once``: now, because no row was noted in it that the state does not cover.
        """
        self.plan = replace(self.plan, state=replace(self.plan.state, deletes=deletes))
        if at_once:
            self._set_state(self.state.resume)

    def publish(self) -> None:
        """Let :attr:`state` cover what has been emitted, unless that would forget progress.

        A range of Ids in front that has no job yet cannot be named in the state, and what the state does not name in
        front counts as read. Until its job exists, the older state stands: it repeats rows at worst.
        """
        front = self.front
        points = tuple(self._point(window) for window in self.windows if window.job.job_id is not None)
        if front is not None and front.job.job_id is None and (front.ranged or self.plan.mode is Mode.FULL_REFRESH):
            return
        self._set_state(points)

    def _set_state(self, points: tuple[ResumePoint, ...]) -> None:
        complete = self.finished and self.plan.mode is Mode.FULL_REFRESH
        state = replace(self.state, cursor=self._cursor, resume=points, complete=complete)
        if state != self.state:
            self.state = state
            self.version += 1

    def _window(self, planned: PlannedWindow) -> WindowRead:
        window = self._fresh(planned.bounds)
        point = planned.resume
        if point is None:
            window.probe = not self.plan.lane.rest and probe_pays(self.plan.state, planned.bounds)
            window.sizing = may_be_large(self.plan, planned.bounds)
            window.expected = expected_rows(self.plan, planned.bounds)
            return window
        window.api_version, window.page_size = point.api_version, point.page_size
        window.walk = Walk(total=None, locator=point.locator, page=point.page, rows=point.rows)
        window.job = QueryJob(job_id=point.job)
        window.inherited = window.unconfirmed = point.job != REST_JOB
        return window

    def _fresh(self, bounds: Bounds) -> WindowRead:
        soql = build_soql(self.plan.query, bounds)
        return WindowRead(
            bounds=bounds,
            soql=soql,
            query=self.plan.query_hash(bounds),
            api_version=self.plan.api_version,
            page_size=self.plan.page_size,
            question=self.plan.rest_question(bounds) if self.plan.lane.rest else None,
        )

    def _point(self, window: WindowRead) -> ResumePoint:
        return ResumePoint(
            job=window.job.job_id or "",
            locator=window.walk.locator,
            page=window.walk.page,
            rows=window.walk.rows,
            bounds=window.bounds,
            api_version=window.api_version,
            page_size=window.page_size,
            query=window.query,
        )

    def _drop_misled(self, window: WindowRead) -> None:
        """Pages asked for early by a locator that the accepted page did not confirm are none of this result."""
        if window.slots and window.slots[0].locator != window.walk.locator:
            window.drop_pages()


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
