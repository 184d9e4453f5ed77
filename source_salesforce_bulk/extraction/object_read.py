"""The read of one object: its windows in order, the pages of the first window, and the state that covers them.

This module makes no calls to Salesforce: ``scheduler`` passes it events and executes the commands. Rows are emitted in
this order only: window by window, page by page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.cuts import Piece
from source_salesforce_bulk.extraction.plan import ObjectPlan, expected_rows, may_be_large, probe_pays
from source_salesforce_bulk.extraction.query_job import Phase, QueryJob
from source_salesforce_bulk.extraction.stream_state import REST_JOB, Mode, ResumePoint
from source_salesforce_bulk.extraction.window_read import FirstStep, WindowRead
from source_salesforce_bulk.extraction.windows import PlannedWindow, date_span, same_dates
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.records import page_columns
from source_salesforce_bulk.pages.rest_pages import RestAddress
from source_salesforce_bulk.pages.walk import End, Onward
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.soql import Bounds, build_soql

_WITHOUT_JOB = (Phase.PROBING, Phase.CREATING, Phase.SPLITTING)


@dataclass(frozen=True, slots=True)
class ReadyPage:
    """The next page to deliver; ``after`` is the position after it."""

    page: Page
    after: Onward | End


@dataclass(frozen=True, slots=True)
class Memories:
    """The memories of delivered rows, of their formulas and of their fields in a state."""

    deletes: Mapping[str, object] | None = None
    formulas: Mapping[str, object] | None = None
    fields: tuple[str, ...] | None = None


class ObjectRead:
    """The windows of one object and their progress. ``version`` increases with every change of :attr:`state`."""

    def __init__(self, plan: ObjectPlan, planned: Sequence[PlannedWindow], encoder: PageEncoder) -> None:
        self.plan = plan
        self.encoder = encoder
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
        """True if every row has been delivered."""
        return not self.windows and self.failure is None

    @property
    def expected_rows(self) -> int:
        """The emitted rows, the remaining rows of complete jobs, and the planner's estimate of the others."""
        return self.emitted_rows + sum(window.rows_to_come for window in self.windows)

    @property
    def front(self) -> WindowRead | None:
        """The window whose rows are next."""
        return self.windows[0] if self.windows else None

    def address_of(self, window: WindowRead, locator: str | None) -> PageAddress:
        """Return the page of a window that ``locator`` names; None names the first."""
        question, rest = window.question, None
        if question is not None:
            rest = RestAddress(question, page_columns(self.plan.columns), locator, window.api_version)
        return PageAddress(
            object_name=self.plan.object_name,
            job_id=window.job.job_id or ("" if rest is None else REST_JOB),
            locator=locator,
            version=window.api_version,
            page_size=window.page_size,
            job_rows=window.walk.total,
            rest=rest,
        )

    def next_to_start(self) -> WindowRead | None:
        """Return the first window without a job; later ones wait for it, so that jobs are created in order."""
        for window in self.windows:
            if window.sizing:
                return None
            if window.job.phase is Phase.PLANNED:
                return window
            if window.job.phase in _WITHOUT_JOB and window.job.job_id is None:
                return None
        return None

    def jobs_unfinished(self) -> int:
        """Return the number of jobs that occupy a slot in the org, or will after a running query."""
        return sum(window.job.phase.unfinished_in_org or window.sizing for window in self.windows)

    def jobs_ahead(self) -> int:
        """Return the number of jobs with undelivered rows; the state names them all."""
        return sum(window.job.phase not in (Phase.PLANNED, Phase.DONE) for window in self.windows)

    def hand_on(self, ready: ReadyPage) -> None:
        """Advance past a page whose rows have been emitted."""
        window = self.windows[0]
        window.hand_on(ready.after)
        self.emitted_rows += ready.page.rows
        ready.page.discard()
        if isinstance(ready.after, Onward):
            self.publish()

    def close_front(self, org_now: datetime | None) -> None:
        """Close the first window, whose rows have all been emitted and counted.

        Also close the following windows that are already done because a probe found them empty. The cursor never passes
        ``org_now``, the org's clock (None: unknown), because a window may have been planned with a clock that was
        ahead.
        """
        window = self.windows.pop(0)
        window.drop_pages()
        following = self.front
        sibling = following is not None and following.ranged and same_dates(window.bounds, following.bounds)
        moves_cursor = self.plan.mode is Mode.INCREMENTAL and window.extra is None
        if moves_cursor and window.bounds.end is not None and not sibling:
            self._cursor = _later(self._cursor, min(window.bounds.end, org_now or window.bounds.end))
        self.publish()
        if self.front is not None and self.front.job.phase is Phase.DONE:
            self.close_front(org_now)

    def split(self, window: WindowRead, halves: Sequence[Bounds], life: QueryJob) -> None:
        """Replace ``window`` by ``halves``, each with the query ``life``."""
        index = self.windows.index(window)
        fresh = [self._fresh(bounds, extra=window.extra) for bounds in halves]
        for half in fresh:
            half.give(life)
        self.windows[index : index + 1] = fresh
        self.publish()

    def cut(self, window: WindowRead, pieces: Sequence[Piece]) -> None:
        """Replace ``window``, which has no job yet, by ``pieces``."""
        index = self.windows.index(window)
        self.windows[index : index + 1] = [
            self._fresh(piece.bounds, expected=piece.rows, extra=window.extra) for piece in pieces
        ]
        self.publish()

    def note_too_large(self, window: WindowRead) -> None:
        """Remember the size of a window that was too large, so that this run tries no other window of that size."""
        self._too_coarse = max(self._too_coarse, window.job.halvings)
        span = date_span(window.bounds)
        if span is not None:
            self._too_long = span if self._too_long is None else min(span, self._too_long)

    def is_too_large(self, window: WindowRead) -> bool:
        """Return whether a window of this size, or with as many splits, has failed before."""
        if window.indivisible:
            return False
        span = date_span(window.bounds)
        too_long = span is not None and self._too_long is not None and span >= self._too_long
        return too_long or 0 < window.job.halvings <= self._too_coarse

    def restart(self, window: WindowRead) -> int:
        """Read the window again from its start with a new job; return how many emitted rows will be repeated."""
        repeated = window.walk.rows
        self.repeated_rows += repeated
        window.restart(self.plan.api_version, self.plan.page_size)
        return repeated

    def fail(self, failure: Failure, *, forget_jobs: bool = False) -> None:
        """End the object with a failure. ``forget_jobs``: its jobs' results cannot be trusted, so no state names them.

        If Bulk refuses the object, the state records it, so that the next run reads the object through REST.
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

    def remember(self, memories: Memories, *, at_once: bool = False) -> None:
        """Include these memories of delivered rows in :attr:`state` from its next change on, which covers the rows.

        ``at_once``: now, because the memories have no row that the state does not cover.
        """
        state = replace(self.plan.state, deletes=memories.deletes, formulas=memories.formulas, fields=memories.fields)
        self.plan = replace(self.plan, state=state)
        if at_once:
            self._set_state(self.state.resume)

    def publish(self) -> None:
        """Update :attr:`state` to cover what has been emitted, unless that would lose progress.

        The state cannot name an Id range without a job, and a range before the first named one counts as read. So while
        the first range has no job, the older state is kept, which at worst repeats rows. An extra window says nothing
        about others.
        """
        front = self.front
        points = tuple(self._point(window) for window in self.windows if window.job.job_id is not None)
        in_order = front is not None and (front.ranged or self.plan.mode is Mode.FULL_REFRESH)
        if front is not None and front.job.job_id is None and in_order and front.extra is None:
            return
        self._set_state(points)

    def _set_state(self, points: tuple[ResumePoint, ...]) -> None:
        complete = self.finished and self.plan.mode is Mode.FULL_REFRESH
        known = self.plan.state
        state = replace(
            self.state,
            cursor=self._cursor,
            resume=points,
            complete=complete,
            deletes=known.deletes,
            formulas=known.formulas,
            fields=known.fields,
        )
        if state != self.state:
            self.state = state
            self.version += 1

    def _window(self, planned: PlannedWindow) -> WindowRead:
        point, bounds = planned.resume, planned.bounds
        if point is not None or planned.extra is not None:
            window = self._fresh(bounds, extra=planned.extra)
            if point is not None:
                window.resume(point)
            return window
        probed = not self.plan.lane.rest and probe_pays(self.plan.state, bounds)
        cut = may_be_large(self.plan, bounds)
        first_step = FirstStep.PROBE if probed else FirstStep.CUT if cut else FirstStep.NOTHING
        return self._fresh(bounds, first_step=first_step, expected=expected_rows(self.plan, bounds))

    def _fresh(
        self,
        bounds: Bounds,
        *,
        first_step: FirstStep = FirstStep.NOTHING,
        expected: int | None = None,
        extra: str | None = None,
    ) -> WindowRead:
        soql = build_soql(self.plan.query, bounds)
        return WindowRead(
            bounds=bounds,
            soql=soql,
            query=self.plan.query_hash(bounds),
            api_version=self.plan.api_version,
            page_size=self.plan.page_size,
            first_step=first_step,
            expected=expected,
            question=self.plan.rest_question(bounds) if self.plan.lane.rest else None,
            extra=extra,
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
            extra=window.extra,
        )


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
