"""What a window is worth: whether to ask first if it holds anything, how many rows to expect, where to cut it.

Pure: what the org was asked comes in as arguments. ``sizing`` asks.

A window of dates keeps Salesforce's own chunking, a range of Ids switches it off (docs/adr/0007), so a full refresh is
cut later than an incremental read. Neither ever has ORDER BY or LIMIT. The first window stays open below, because
stamps may be older than any that was asked for; the first range stays open below and the last open above (design 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, StreamState
from source_salesforce_bulk.extraction.windows import FIRST_STAMP
from source_salesforce_bulk.salesforce.ids import id_15
from source_salesforce_bulk.salesforce.soql import Bounds, parse_instant

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and spares a create, some polls, a page and a delete where the window is empty: it pays where at
least one window in four is. Most objects of an org do not change within a few days; the longer the window, the fewer.
"""

ROWS_PER_WINDOW = 5_000_000
"""Rows a window of dates is meant for: a job of some minutes, so that one which fails costs minutes, not a night.

An org may create 10,000 jobs a day: at this size a thousand million rows take two hundred of them.
"""

ROWS_IN_ONE_REFRESH = 10_000_000
"""Up to here a full refresh is one job, which Salesforce chunks by itself."""

ROWS_PER_RANGE = 2_500_000
"""Rows a range of Ids is meant for: less than a window, because Salesforce reads it without its own chunks."""

MOST_PIECES = 100
"""No object is cut into more windows or ranges, however many rows it has."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A window, or a part of one, and the rows to expect in it; None: nothing is known of them."""

    bounds: Bounds
    rows: int | None = None


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


def cut_by_date(bounds: Bounds, oldest: datetime, newest: datetime, rows: int) -> tuple[Piece, ...]:
    """A window's pieces by date, where ``rows`` lie about evenly from the object's ``oldest`` to its ``newest`` stamp.

    Pieces meet at whole seconds; the outer ends are the window's own.
    """
    first, last = max(oldest, FIRST_STAMP), newest + _SECOND
    begin = max(first, bounds.start or first)
    end = min(last, bounds.end or last)
    if begin >= end:
        return (Piece(bounds),)
    held = round(rows * ((end - begin) / max(last - first, _SECOND)))
    parts = _parts(held, ROWS_PER_WINDOW)
    cuts = {(begin + (end - begin) * part / parts).replace(microsecond=0) for part in range(1, parts)}
    edges = [bounds.start, *sorted(cut for cut in cuts if begin < cut < end), bounds.end]
    return tuple(Piece(replace(bounds, start=low, end=high), held // (len(edges) - 1)) for low, high in pairwise(edges))


def ranges_of(rows: int) -> int:
    """Into how many ranges of Ids a full refresh of ``rows`` rows is cut."""
    return _parts(rows, ROWS_PER_RANGE) if rows > ROWS_IN_ONE_REFRESH else 1


def cut_by_id(bounds: Bounds, cuts: Sequence[str], rows: int) -> tuple[Piece, ...]:
    """A range's pieces at those of the object's ascending ``cuts`` that lie inside it; its ends stay as they are."""
    inside = [cut for cut in cuts if _is_inside(cut, bounds)]
    edges = [bounds.id_from, *inside, bounds.id_to]
    each = rows // (len(cuts) + 1)
    return tuple(Piece(replace(bounds, id_from=low, id_to=high), each) for low, high in pairwise(edges))


def _parts(rows: int, each: int) -> int:
    return min(max(1, -(-rows // each)), MOST_PIECES)


def _is_inside(cut: str, bounds: Bounds) -> bool:
    above = bounds.id_from is None or id_15(cut) > id_15(bounds.id_from)
    return above and (bounds.id_to is None or id_15(cut) < id_15(bounds.id_to))


def _instants(blob: Mapping[str, object]) -> list[datetime]:
    found = []
    for value in blob.values():
        if isinstance(value, str):
            try:
                found.append(parse_instant(value))
            except ValueError:
                continue
    return found
