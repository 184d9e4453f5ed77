"""What a window is worth: whether to ask first if it holds anything, how many rows to expect, whether to cut it.

Pure: what the org was asked comes in as arguments.

A window of dates keeps Salesforce's own chunking, a range of Ids switches it off (docs/adr/0007), so a full refresh is
cut later than an incremental read. Neither ever has ORDER BY or LIMIT. The first window stays open below, because
stamps may be older than any that was asked for; the first range stays open below and the last open above.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.cuts import ROWS_IN_ONE_REFRESH, ROWS_PER_WINDOW
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, StreamState
from source_salesforce_bulk.salesforce.soql import Bounds, parse_instant

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and spares a create, some polls, a page and a delete where the window is empty: it pays where at
least one window in four is. Most objects of an org do not change within a few days; the longer the window, the fewer.
"""


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
