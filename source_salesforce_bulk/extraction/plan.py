"""What a run reads of one object: its fields, its query, its windows, and what each window is worth.

A :class:`Planner` makes the plan, from describe, the configuration and the incoming state. :func:`begin` is the one
place where a state becomes windows. The other functions say of a window whether to ask first if it holds anything, how
many rows to expect, and whether to cut it. Pure but for its log: the org's answers come as arguments.

A window of dates keeps Salesforce's own chunking, a range of Ids switches it off (docs/adr/0007), so a full refresh is
cut later than an incremental read. Neither ever has ORDER BY or LIMIT. The first window stays open below, because
stamps may be older than any that was asked for; the first range stays open below and the last open above.
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
from source_salesforce_bulk.extraction.stream_state import (
    COMPLETE_MARKER,
    Mode,
    ReadState,
    ResumePoint,
    StreamState,
    is_refused,
    read_state,
    scope_hash,
)
from source_salesforce_bulk.extraction.windows import PlannedWindow, plan_full_refresh, plan_incremental
from source_salesforce_bulk.pages.encoded_page import PageEncoder
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL
from source_salesforce_bulk.salesforce.describe import (
    Cursor,
    SObject,
)
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.lanes import BULK, Lane
from source_salesforce_bulk.salesforce.rest_query import ROWS_IN_ONE_ANSWER, RestQuestion
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, parse_instant, query_hash

LOGGER = logging.getLogger("salesforce_bulk.plan")

ROWS_PER_WINDOW = 5_000_000
"""Rows a window of dates is meant for: a job of some minutes, so that one which fails costs minutes, not a night."""

ROWS_IN_ONE_REFRESH = 10_000_000
"""Up to here a full refresh is one job, which Salesforce chunks by itself."""

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and spares a create, some polls, a page and a delete where the window is empty: it pays where at
least one window in four is. Most objects of an org do not change within a few days; the longer the window, the fewer.
"""

_IS_DELETED = "IsDeleted"
_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """How rows that vanish are noticed: by which columns (the Id first), how often, and how many at most at once."""

    columns: tuple[Column, ...]
    every: timedelta
    most_percent: int


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """One object's read. ``columns`` are the SELECT's fields in order; ``state`` is the incoming one, checked.

    ``primary_key`` names a row; it is empty where nothing does.

    ``rows`` is Salesforce's estimate for the whole object; None where it is not known or says nothing, because a filter
    of the user's leaves rows out.

    ``audit`` says how rows that vanish are noticed; None where they are not. ``delivers`` is false of a read that is an
    audit itself, whose rows go nowhere.

    ``encoder`` makes lines of the object's pages while they are proven; None where whoever reads wants their rows.
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
    encoder: PageEncoder | None = None
    audit: AuditPolicy | None = None
    delivers: bool = True
    lane: Lane = BULK

    @property
    def object_name(self) -> str:
        """The object, which is also the stream's name."""
        return self.query.object_name

    @property
    def cursor_field(self) -> str | None:
        """The field that windows are cut along; None in a stream without one."""
        return self.query.cursor_field

    def rest_question(self, bounds: Bounds) -> RestQuestion:
        """How a window is asked for through REST. An object without Ids is asked for as a whole in its own lane."""
        limited = self.lane.keyed or not self.lane.rest
        rows = min(self.page_size, ROWS_IN_ONE_ANSWER)
        return RestQuestion(self.query, bounds, rows, self.lane.keyed, self.lane.parents, limited)

    def query_hash(self, bounds: Bounds) -> str:
        """What a window's query is known by in a state: the same only for the same query in the same lane."""
        operation = f"rest {self.query.operation}" if self.lane.rest else self.query.operation
        return query_hash(build_soql(self.query, bounds), operation)


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields of a SELECT in describe's order; ``vanished`` were asked for and the object no longer has them."""

    columns: tuple[Column, ...]
    vanished: tuple[str, ...]


def select_fields(sobject: SObject, wanted: Collection[str] | None, always: Collection[str]) -> Selection:
    """The wanted fields that the object has (None: all), with those that are ``always`` read: key and cursor.

    Names are compared as Salesforce does, ignoring case; a column bears the name by which it was asked for. Raises
    ``SalesforceError`` where none is left: a SELECT of nothing is no query.
    """
    spelled = sobject.spelled_as(wanted or ())
    asked_for = {name.lower() for name in (*(wanted or ()), *always)}
    real = [field for field in spelled.fields if not field.added]
    chosen = [field for field in real if wanted is None or field.name.lower() in asked_for]
    if not chosen:
        raise SalesforceError(_nothing_left(wanted))
    known = {field.name.lower() for field in sobject.fields}
    return Selection(
        columns=tuple(Column(field.name, field_type(field.type).kind) for field in chosen),
        vanished=tuple(sorted(name for name in wanted or () if name.lower() not in known)),
    )


def _nothing_left(wanted: Collection[str] | None) -> Failure:
    if wanted is None:
        return Failure.of(Kind.OBJECT_NOT_SUPPORTED, detail="none of its fields can be selected")
    names = sorted(wanted)
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return Failure.of(
        Kind.FIELD_GONE,
        detail=f"of all that are selected ({shown}{more}) the object has none any more",
        guidance="{Look_again} and select fields that the object has, or grant the integration user Read "
        "Access under Setup > Object Manager > the object > Fields & Relationships > Set Field-Level Security.",
    )


def object_query(
    sobject: SObject, columns: Collection[Column], cursor: Cursor | None, *, where: str | None, include_deleted: bool
) -> ObjectQuery:
    """The query of an object. Where deleted rows come along but ``IsDeleted`` does not, they are filtered out.

    A deleted row never arrives looking alive.
    """
    fields = tuple(column.name for column in columns)
    flag = sobject.field(_IS_DELETED)
    read = {name.lower() for name in fields}
    return ObjectQuery(
        object_name=sobject.name,
        fields=fields,
        operation=QUERY_ALL if include_deleted else QUERY,
        cursor_field=cursor.field if cursor else None,
        cursor_nillable=cursor.nillable if cursor else False,
        where=where,
        exclude_deleted=include_deleted and flag is not None and not flag.added and flag.name.lower() not in read,
    )


def selected_fields(configured_schema: Mapping[str, Any] | None) -> Collection[str] | None:
    """The fields a configured catalog selects; None where it selects every one (missing or empty ``properties``)."""
    properties = (configured_schema or {}).get("properties")
    return set(properties) if isinstance(properties, Mapping) and properties else None


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """An object that is to be read. ``fields`` are those that the user selected; None: all.

    ``rows`` is Salesforce's estimate of the object's rows, where it was asked for.
    """

    readable: ReadableObject
    fields: Collection[str] | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes the plans of one run: of this configuration, in this org (None: the login did not say which)."""

    config: Config
    organization_id: str | None

    def plan(self, request: ObjectRequest, mode: Mode, blob: Mapping[str, Any]) -> tuple[ObjectPlan, ReadState]:
        """How an object is read from an incoming state; raises ``StateError`` where the state is not this stream's.

        Raises ``SalesforceError`` where the object has none of the selected fields.
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
        incoming = read_state(_spelled(blob, readable.cursor_field, scope), mode, readable.cursor_field, scope())
        audit = None
        if readable.audited and mode is Mode.INCREMENTAL:
            audit = AuditPolicy(readable.audited, config.full_audit_every, config.max_deletes)
        elif incoming.state.deletes is not None:
            # Rows that are delivered meanwhile are not remembered, so the memory would be wrong later.
            incoming = replace(incoming, state=replace(incoming.state, deletes=None))
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
            audit=audit,
            rows=request.rows if readable.where is None else None,
            lane=lane,
        )
        return plan, incoming

    def begin_in_full(self, request: ObjectRequest) -> Beginning | None:
        """How an object is read whose cursor Salesforce refuses in a WHERE: whole, the cursor a field like any other.

        None where the user has chosen that cursor, or wants no rows before a start_date: then it takes another choice.
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
            f"{name}: Salesforce does not let it be filtered by its cursor {cursor.field}, so every run reads it in "
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


def _spelled(blob: Mapping[str, Any], cursor_field: str | None, scope: Callable[..., str]) -> Mapping[str, Any]:
    """The state with its cursor under the field's present spelling, where only the letter case has changed since."""
    if cursor_field is None or cursor_field in blob:
        return blob
    was = next((key for key in blob if key.lower() == cursor_field.lower()), None)
    if was is None:
        return blob
    renamed = {cursor_field if key == was else key: value for key, value in blob.items()}
    return renamed | ({"scope": scope()} if blob.get("scope") == scope(cursor_field=was) else {})


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run reads of one object: ``windows``, ascending, by ``plan``, whose state is what the run goes on from.

    ``warnings`` are sentences for the log, ``abandoned`` the jobs of earlier runs that nothing continues.
    """

    plan: ObjectPlan
    windows: tuple[PlannedWindow, ...]
    warnings: tuple[str, ...] = ()
    abandoned: tuple[ResumePoint, ...] = ()


def begin(plan: ObjectPlan, incoming: ReadState, upper_bound: Callable[[], datetime], *, remedy: str = "") -> Beginning:
    """What is to be read from an ``incoming`` state; no window where an earlier run has read it all.

    ``upper_bound`` gives T, and is asked where windows have one. ``remedy`` is what to do about a wrong cursor. An
    earlier run's job is continued only where it was created for exactly the query that its window has now.
    """
    warnings = [f"{plan.object_name}: {incoming.warning}"] if incoming.warning else []
    abandoned = list(incoming.abandoned)
    if incoming.state.complete:
        return Beginning(plan, (), tuple(warnings), tuple(abandoned))
    if plan.mode is Mode.FULL_REFRESH:
        planned = plan_full_refresh(incoming.state, start=plan.start)
    else:
        upper = upper_bound()
        incremental = plan_incremental(incoming.state, upper=upper, start=plan.start, lookback=plan.lookback)
        planned, plan = incremental.windows, replace(plan, state=incremental.state)
        warnings += incremental.warnings(plan.object_name, upper, remedy)
        abandoned += incremental.ahead
    stale = [window.resume for window in planned if window.resume is not None and not _continues(plan, window)]
    warnings += [
        f"{plan.object_name}: its query changed; the window of job {point.job} is read again" for point in stale
    ]
    windows = tuple(window if _continues(plan, window) else PlannedWindow(window.bounds) for window in planned)
    return Beginning(plan, windows, tuple(warnings), (*abandoned, *stale))


def _continues(plan: ObjectPlan, window: PlannedWindow) -> bool:
    return window.resume is not None and window.resume.query == plan.query_hash(window.bounds)


def probe_pays(state: StreamState, bounds: Bounds) -> bool:
    """Whether to ask for a window's rows synchronously before a job is created for it (docs/contracts.md, "Windows").

    Only where an earlier run has read up to the window: a first load is not likely to be empty.
    """
    if state.cursor is None or bounds.start is None or bounds.end is None or bounds.id_from or bounds.id_to:
        return False
    return bounds.end - bounds.start <= PROBE_SPAN


def needs_count(blob: Mapping[str, object] | None, now: datetime) -> bool:
    """Whether an object's row count may matter, as far as its incoming state shows before the object is described.

    Not where an earlier run has read nearly up to ``now``: so a run with nothing to do asks for no count.
    """
    if not blob or "resume" in blob:
        return True
    if blob == COMPLETE_MARKER:
        return False
    return not any(now - instant <= PROBE_SPAN for instant in _instants(blob))


def expected_rows(plan: ObjectPlan, bounds: Bounds) -> int | None:
    """The rows of a window that is not cut, where it takes in the whole object; None elsewhere."""
    whole = bounds.start is None and bounds.id_from is None and bounds.id_to is None
    return plan.rows if whole else None


def may_be_large(plan: ObjectPlan, bounds: Bounds) -> bool:
    """Whether a window without a job may hold so much that the org should be asked where to cut it."""
    if plan.lane.rest or plan.rows is None or probe_pays(plan.state, bounds):
        return False
    if plan.mode is Mode.FULL_REFRESH:
        return plan.rows > ROWS_IN_ONE_REFRESH and plan.start is None
    return plan.rows > ROWS_PER_WINDOW and bounds.end is not None and not (bounds.id_from or bounds.id_to)


def _instants(blob: Mapping[str, object]) -> list[datetime]:
    found = []
    for value in blob.values():
        if isinstance(value, str):
            try:
                found.append(parse_instant(value))
            except ValueError:
                continue
    return found
