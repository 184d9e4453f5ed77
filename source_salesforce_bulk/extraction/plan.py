"""Plan the read of one object: its fields, its query and its windows.

A :class:`Planner` makes the plan from describe, the configuration and the incoming state. :func:`begin` is the only
place where a state is turned into windows. The other functions decide whether to check first if a window is empty, how
many rows to expect, and whether to split it. Pure except for logging: the org's responses are arguments.

A window of dates keeps Salesforce's PK chunking, a range of Ids switches it off (docs/adr/0007), so a full refresh is
split at a larger size than an incremental read. Neither ever has ORDER BY or LIMIT. The first window has no lower
bound, because timestamps may be older than the oldest one found; the first range has no lower and the last no upper
bound.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from source_salesforce_bulk.config import Config
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.new_fields import NEW_FIELDS, BackfillPolicy, backfill_policy
from source_salesforce_bulk.extraction.policies import AuditPolicy, RefreshPolicy, refresh_policies
from source_salesforce_bulk.extraction.selection import Selection, object_query, select_fields
from source_salesforce_bulk.extraction.stream_state import (
    COMPLETE_MARKER,
    Mode,
    ReadState,
    ResumePoint,
    StreamState,
    instants_in,
    is_refused,
    read_state,
    scope_hash,
    spelled,
)
from source_salesforce_bulk.extraction.windows import PlannedWindow, plan_full_refresh, plan_incremental
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.lanes import BULK, Lane
from source_salesforce_bulk.salesforce.rest_query import ROWS_IN_ONE_ANSWER, RestQuestion, rows_of_a_page
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, query_hash

LOGGER = logging.getLogger("salesforce_bulk.plan")

ROWS_PER_WINDOW = 5_000_000
"""Target size of a window of dates: a job of a few minutes, so that a failed job costs minutes, not a night."""

ROWS_IN_ONE_REFRESH = 10_000_000
"""Up to this size a full refresh is one job, which Salesforce chunks itself."""

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and saves a create, some polls, a page and a delete if the window is empty. It pays off if at
least one window in four is empty. Most objects of an org do not change within a few days, but fewer in longer windows.
"""


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """The plan for reading one object. ``columns`` are the SELECT's fields in order, and what is built of them.

    ``state`` is the validated state.

    ``primary_key`` identifies a row; it is empty if there is none.

    ``rows`` is Salesforce's estimate for the whole object; None if it is unknown or does not apply, because the user's
    filter excludes rows.

    ``audit`` says how deleted rows are detected; None if they are not. ``refresh`` says which formulas are refreshed,
    and ``backfill`` how rows get the values of new fields; None if they do not.
    ``delivers`` is false for a read whose rows are only compared and not emitted. ``hashing`` names the columns whose
    values are replaced by digests.
    """

    query: ObjectQuery
    columns: tuple[Column, ...]
    mode: Mode
    state: StreamState
    start: datetime | None
    lookback: timedelta
    api_version: str
    page_size: int
    primary_key: tuple[str, ...] = ()
    rows: int | None = None
    hashing: Hashing | None = None
    audit: AuditPolicy | None = None
    refresh: tuple[RefreshPolicy, ...] = ()
    backfill: BackfillPolicy | None = None
    delivers: bool = True
    lane: Lane = BULK

    @property
    def object_name(self) -> str:
        """The object's name, which is also the stream's name."""
        return self.query.object_name

    @property
    def cursor_field(self) -> str | None:
        """The field that windows filter by; None if there is none."""
        return self.query.cursor_field

    def rest_question(self, bounds: Bounds) -> RestQuestion:
        """Return the REST request for a window. In the REST lane, an object without Ids is requested as a whole."""
        limited = self.lane.keyed or not self.lane.rest
        rows = rows_of_a_page(self.page_size, len(self.query.fields))
        return RestQuestion(self.query, bounds, rows, self.lane.keyed, self.lane.parents, limited)

    def query_hash(self, bounds: Bounds) -> str:
        """Return the id of a window's query in a state: equal only for the same query in the same lane."""
        lane = "rest " if self.lane.rest else ""
        return query_hash(build_soql(self.query, bounds), lane + self.query.operation)


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """An object to read. ``fields`` are those that the user selected; None for all.

    ``rows`` is Salesforce's estimate of the object's rows, if it was requested.
    """

    readable: ReadableObject
    fields: Collection[str] | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class _Checks:
    """See ``ObjectPlan``."""

    audit: AuditPolicy | None = None
    refresh: tuple[RefreshPolicy, ...] = ()
    backfill: BackfillPolicy | None = None

    def remembered(self, state: StreamState) -> StreamState:
        """Return the state without the memories that nothing uses.

        Rows that are delivered without being remembered would make a memory wrong later.
        """
        return replace(
            state,
            deletes=state.deletes if self.audit is not None else None,
            formulas=state.formulas if self.refresh else None,
            fields=state.fields if self.backfill is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes the plans of one run. ``organization_id`` is None if the login did not report it."""

    config: Config
    organization_id: str | None

    def plan(self, request: ObjectRequest, mode: Mode, blob: Mapping[str, Any]) -> tuple[ObjectPlan, ReadState]:
        """Plan how an object is read from an incoming state; raises ``StateError`` if the state is not this stream's.

        Raises ``SalesforceError`` if the object has none of the selected fields.
        """
        readable, config = request.readable, self.config
        sobject, cursor = readable.sobject, readable.cursor
        always = {*readable.primary_key, *([cursor.field] if cursor else [])} | {one.name for one in readable.audited}
        selection = select_fields(sobject, request.fields, always)
        if selection.vanished:
            LOGGER.warning(
                "%s: %s no longer in the object, or hidden from this user; left out of the query",
                sobject.name,
                ", ".join(selection.vanished),
            )
        query = object_query(
            sobject, selection.columns, cursor, where=readable.where, include_deleted=config.include_deleted
        )
        if query.exclude_deleted:
            LOGGER.info("%s: IsDeleted is not selected, so deleted rows are left out", sobject.name)
        start = config.start_date if cursor else None
        lane = readable.lane_after(refused=is_refused(blob))
        scope = partial(_scope, query.operation, readable, start, self.organization_id)
        incoming = read_state(spelled(blob, readable.cursor_field, scope), mode, readable.cursor_field, scope())
        checks = self._checks(readable, selection) if mode is Mode.INCREMENTAL else _Checks()
        incoming = replace(incoming, state=checks.remembered(incoming.state))
        plan = ObjectPlan(
            query=query,
            columns=selection.columns,
            mode=mode,
            state=incoming.state,
            start=start,
            lookback=config.lookback_window,
            api_version=config.api_version,
            page_size=min(config.page_size, ROWS_IN_ONE_ANSWER) if lane.rest else config.page_size,
            primary_key=readable.primary_key,
            hashing=readable.hashing,
            audit=checks.audit,
            refresh=checks.refresh,
            backfill=checks.backfill,
            rows=request.rows if readable.where is None else None,
            lane=lane,
        )
        return plan, incoming

    def _checks(self, readable: ReadableObject, selection: Selection) -> _Checks:
        config, sobject, key = self.config, readable.sobject, readable.refreshed_by
        audit = AuditPolicy(readable.audited, config.full_audit_every, config.max_deletes, sobject.replicateable)
        return _Checks(
            audit if readable.audited else None,
            refresh_policies(readable.formulas, key, selection.columns) if key is not None else (),
            backfill_policy(sobject, selection.columns) if config.backfill_new_fields else None,
        )

    def begin_in_full(self, request: ObjectRequest) -> Beginning | None:
        """Plan a full read of an object whose cursor Salesforce refuses as a filter.

        None if the user configured that cursor or a start_date, because then the user has to decide.
        """
        name, cursor = request.readable.sobject.name, request.readable.cursor
        override = self.config.override_for(name)
        chosen = override is not None and override.cursor_field is not None
        if cursor is None or chosen or self.config.start_date is not None:
            return None
        fields = {*request.fields, cursor.field} if request.fields is not None else None
        in_full = replace(request, readable=replace(request.readable, cursor=None), fields=fields)
        plan, incoming = self.plan(in_full, Mode.FULL_REFRESH, {})
        windows = plan_full_refresh(incoming.state, start=None)
        warning = (
            f"{name}: Salesforce does not allow a filter on its cursor {cursor.field}, so every run reads it in "
            "full. To read it incrementally, name another datetime field as cursor_field in object_overrides."
        )
        return Beginning(plan, windows, (warning,))


def _scope(
    operation: str,
    readable: ReadableObject,
    start: datetime | None,
    organization_id: str | None,
    cursor_field: str | None = None,
) -> str:
    return scope_hash(
        organization_id=organization_id,
        operation=operation,
        where=readable.where,
        cursor_field=cursor_field or readable.cursor_field,
        start=start,
    )


@dataclass(frozen=True, slots=True)
class Beginning:
    """The start of an object's read: ascending ``windows``, read by ``plan``, whose state the run continues from.

    ``extra`` are windows that an earlier run was reading again; they come first. ``warnings`` are sentences for the
    log, ``abandoned`` the jobs of earlier runs that are not continued.
    """

    plan: ObjectPlan
    windows: tuple[PlannedWindow, ...]
    warnings: tuple[str, ...] = ()
    abandoned: tuple[ResumePoint, ...] = ()
    extra: tuple[PlannedWindow, ...] = ()

    @property
    def reads(self) -> bool:
        """True if there is anything to read."""
        return bool(self.windows or self.extra)

    @property
    def state(self) -> StreamState:
        """The state from which the run continues, with its extra windows."""
        points = tuple(window.resume for window in self.extra if window.resume is not None)
        return replace(self.plan.state, resume=points) if points else self.plan.state


def begin(plan: ObjectPlan, incoming: ReadState, upper_bound: Callable[[], datetime], *, remedy: str = "") -> Beginning:
    """Return the windows to read from an ``incoming`` state; none if an earlier run has read everything.

    ``upper_bound`` returns T, and is called only if windows have an upper bound. ``remedy`` says what to do about a
    wrong cursor. An earlier run's job is continued only if it was created for exactly the window's current query.
    """
    warnings = [f"{plan.object_name}: {incoming.warning}"] if incoming.warning else []
    abandoned = list(incoming.abandoned)
    if incoming.state.complete:
        return Beginning(plan, (), tuple(warnings), tuple(abandoned))
    state, extra, unwanted = _without_extra(plan, incoming.state)
    abandoned += unwanted
    if plan.mode is Mode.FULL_REFRESH:
        planned = plan_full_refresh(state, start=plan.start)
    else:
        upper = upper_bound()
        incremental = plan_incremental(state, upper=upper, start=plan.start, lookback=plan.lookback)
        planned, plan = incremental.windows, replace(plan, state=incremental.state)
        warnings += incremental.warnings(plan.object_name, upper, remedy)
        abandoned += incremental.ahead
    stale = [window.resume for window in planned if window.resume is not None and not _continues(plan, window)]
    warnings += [
        f"{plan.object_name}: its query changed; the window of job {point.job} is read again" for point in stale
    ]
    windows = tuple(window if _continues(plan, window) else PlannedWindow(window.bounds) for window in planned)
    return Beginning(plan, windows, tuple(warnings), (*abandoned, *stale), extra)


def _without_extra(
    plan: ObjectPlan, state: StreamState
) -> tuple[StreamState, tuple[PlannedWindow, ...], tuple[ResumePoint, ...]]:
    """Return the state without extra windows, those to continue, and the points of those that are no longer needed."""
    points = [point for point in state.resume if point.extra is not None]
    wanted = {policy.name for policy in plan.refresh} | ({NEW_FIELDS} if plan.backfill is not None else set())
    windows = [PlannedWindow(point.bounds, point, point.extra) for point in points if point.extra in wanted]
    continued = tuple(window for window in windows if _continues(plan, window))
    unwanted = tuple(point for point in points if point not in [window.resume for window in continued])
    return replace(state, resume=tuple(point for point in state.resume if point.extra is None)), continued, unwanted


def _continues(plan: ObjectPlan, window: PlannedWindow) -> bool:
    return window.resume is not None and window.resume.query == plan.query_hash(window.bounds)


def probe_pays(state: StreamState, bounds: Bounds) -> bool:
    """Return whether to query a window's rows synchronously before creating a job (docs/contracts.md, "Windows").

    Only if an earlier run has read up to the window, because a first load is unlikely to be empty.
    """
    if state.cursor is None or bounds.start is None or bounds.end is None or bounds.id_from or bounds.id_to:
        return False
    return bounds.end - bounds.start <= PROBE_SPAN


def needs_count(blob: Mapping[str, object] | None, now: datetime) -> bool:
    """Return whether an object's row count may be needed: not if an earlier run has read nearly up to ``now``."""
    if not blob or "resume" in blob:
        return True
    if blob == COMPLETE_MARKER:
        return False
    return not any(now - instant <= PROBE_SPAN for instant in instants_in(blob))


def expected_rows(plan: ObjectPlan, bounds: Bounds) -> int | None:
    """Return the rows of a window that covers the whole object; None for other windows."""
    whole = bounds.start is None and bounds.id_from is None and bounds.id_to is None
    return plan.rows if whole else None


def may_be_large(plan: ObjectPlan, bounds: Bounds) -> bool:
    """Return whether a window without a job may be so large that it should be split."""
    if plan.lane.rest or plan.rows is None or probe_pays(plan.state, bounds):
        return False
    if plan.mode is Mode.FULL_REFRESH:
        return plan.rows > ROWS_IN_ONE_REFRESH and plan.start is None
    return plan.rows > ROWS_PER_WINDOW and bounds.end is not None and not (bounds.id_from or bounds.id_to)
