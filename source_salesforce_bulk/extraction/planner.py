"""What a run reads of an object: from its state to windows, and what each window is worth.

:func:`begin` is the one place where a state becomes windows. The other functions say of a window whether to ask first
if it holds anything, how many rows to expect, and whether to cut it. Pure: what the org was asked comes as arguments.

A window of dates keeps Salesforce's own chunking, a range of Ids switches it off (docs/adr/0007), so a full refresh is
cut later than an incremental read. Neither ever has ORDER BY or LIMIT. The first window stays open below, because
stamps may be older than any that was asked for; the first range stays open below and the last open above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.cuts import ROWS_IN_ONE_REFRESH, ROWS_PER_WINDOW
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, ReadState, ResumePoint, StreamState
from source_salesforce_bulk.extraction.windows import PlannedWindow, plan_full_refresh, plan_incremental
from source_salesforce_bulk.salesforce.soql import Bounds, build_soql, parse_instant, query_hash

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and spares a create, some polls, a page and a delete where the window is empty: it pays where at
least one window in four is. Most objects of an org do not change within a few days; the longer the window, the fewer.
"""


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
    asked = query_hash(build_soql(plan.query, window.bounds), plan.query.operation)
    return window.resume is not None and window.resume.query == asked


def probe_pays(state: StreamState, bounds: Bounds) -> bool:
    """Whether to ask, before a job is created, if a window without one holds any row (docs/contracts.md, "Windows").

    Only where an earlier run has read up to the window: a first load is not likely to be empty.
    """
    if state.cursor is None or bounds.start is None or bounds.end is None or bounds.id_from or bounds.id_to:
        return False
    return bounds.end - bounds.start <= PROBE_SPAN


def wants_count(blob: Mapping[str, object] | None, now: datetime) -> bool:
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
    if plan.rows is None or probe_pays(plan.state, bounds):
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
