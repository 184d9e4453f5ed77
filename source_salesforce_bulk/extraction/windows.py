"""The windows of a stream, their order, and how a window is halved.

An incremental run, on the timeline of the cursor:

    ... emitted by earlier runs ...|<- cursor                          T (the org's clock before the first create)
                        |<-lookback->|                                 |
                        [--------------- this run's window ------------)

A window includes its lower bound and excludes its upper bound: ``cursor >= from AND cursor < to``. If it begins where
an earlier run's window ended, it begins ``lookback`` before that end, because rows with earlier timestamps may have
become visible later (airbyte #27146). Within one run, windows meet without overlap.

Some rows are read again although the cursor has passed them, because one of their formulas has changed, or because
they have a value in a field that is new. Such an *extra* window has its own bounds or condition. It is read after the
others, or before them if an earlier run has left it open; a run with the same query continues it. The state names only
extra windows with jobs; the others follow from the memories of formulas and fields.

A full refresh has no upper cursor bound, so that a row that changes while it is read cannot move out of its window; it
is split into Id ranges, the first without a lower and the last without an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from source_salesforce_bulk.extraction.stream_state import ResumePoint, StreamState
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant

WHOLE = Bounds(start=None, end=None, id_from=None, id_to=None)
"""Every row of an object."""

Halves = tuple[Bounds, Bounds]

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_SECOND = timedelta(seconds=1)

FIRST_STAMP = datetime(1999, 1, 1, tzinfo=UTC)
"""No window is split before this date: Salesforce did not exist earlier, so an importer set any older timestamp.

Importers can set CreatedDate and LastModifiedDate, but not SystemModstamp. Such rows are few, and none is lost, because
the first window has no lower bound.
"""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window to read, and the point at which an earlier run left it, if it did.

    An ``extra`` window reads rows again that were already delivered; its value names the reason. Closing it moves no
    cursor.
    """

    bounds: Bounds
    resume: ResumePoint | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class IncrementalPlan:
    """The windows of an incremental run, ascending, and the parts of its state that are after T, the org's clock.

    ``ahead`` are the points of windows that end after T, which happens if the state was edited or the org's clock was
    set back. Closing such a window would move the cursor past future rows, so ``state`` does not contain them, and
    their rows are read as if never begun. ``cursor_ahead``: the cursor itself is after T, and nothing new is read until
    T has passed it.
    """

    windows: tuple[PlannedWindow, ...]
    state: StreamState
    ahead: tuple[ResumePoint, ...]
    cursor_ahead: bool

    def warnings(self, name: str, upper: datetime, remedy: str) -> Iterator[str]:
        """Yield a sentence about each value in the future; ``remedy`` says what to do if a cursor is wrong."""
        clock = f"later than the org's clock ({format_instant(upper)})"
        if self.cursor_ahead:
            until = "nothing is read until the clock has passed it"
            yield f"{name}: the saved cursor is {clock}; {until}. If the cursor is wrong, {remedy}."
        for point in self.ahead:
            yield f"{name}: the window of job {point.job} in the state ends {clock}; it is read again."


def plan_incremental(
    state: StreamState, *, upper: datetime, start: datetime | None, lookback: timedelta
) -> IncrementalPlan:
    """Plan the windows of an incremental run: those that an earlier run left open or did not begin, and a new one.

    ``upper`` is T. If the cursor is after T, only the windows that an earlier run left open are planned.
    """
    ahead = tuple(point for point in state.resume if point.bounds.end is not None and point.bounds.end > upper)
    believed = replace(state, resume=tuple(point for point in state.resume if point not in ahead))
    return IncrementalPlan(
        windows=_incremental_windows(believed, upper, start, lookback),
        state=believed,
        ahead=ahead,
        cursor_ahead=believed.cursor is not None and believed.cursor > upper,
    )


def _incremental_windows(
    state: StreamState, upper: datetime, start: datetime | None, lookback: timedelta
) -> tuple[PlannedWindow, ...]:
    planned: list[PlannedWindow] = []
    reached = state.cursor
    points = sorted(state.resume, key=_by_window)
    for (begin, end), group in groupby(points, key=lambda point: (point.bounds.start, point.bounds.end)):
        lower = _lower(reached, start, lookback)
        if begin is not None and (reached is None or begin > reached) and (lower is None or begin > lower):
            planned.append(PlannedWindow(Bounds(start=lower, end=begin, id_from=None, id_to=None)))
        planned.extend(_with_id_gaps(list(group), in_front=not planned))
        reached = end if reached is None or (end is not None and end > reached) else reached
    lower = _lower(reached, start, lookback)
    future = reached is not None and reached > upper
    if not future and (lower is None or lower < upper):
        planned.append(PlannedWindow(Bounds(start=lower, end=upper, id_from=None, id_to=None)))
    return tuple(planned)


def plan_full_refresh(state: StreamState, *, start: datetime | None) -> tuple[PlannedWindow, ...]:
    """Plan the windows of a full refresh: everything, or the rest of an interrupted one."""
    if state.resume:
        return tuple(_with_id_gaps(sorted(state.resume, key=_by_window), in_front=True))
    return (PlannedWindow(replace(WHOLE, start=start)),)


def halve_by_date(bounds: Bounds, first: datetime | None = None, last: datetime | None = None) -> Halves | None:
    """Split a window at a whole second; None if it has no upper bound or cannot be split in this way.

    ``first`` and ``last`` are the timestamps of its oldest and newest row, if known: then both halves have rows. Rows
    of one second cannot be split by date. Without them, the window is split at its middle.

    >>> halve_by_date(WHOLE) is None
    True
    """
    if bounds.end is None or bounds.id_from is not None or bounds.id_to is not None:
        return None
    if first is not None and last is not None:
        middle = _next_second(first + (last - first) / 2)
        return _cut(bounds, middle) if first < middle <= last else None
    begin = bounds.start or min(FIRST_STAMP, bounds.end)
    middle = (begin + (bounds.end - begin) / 2).replace(microsecond=0)
    if middle <= begin or bounds.end - begin < 2 * _SECOND:
        return None
    return _cut(bounds, middle)


def date_span(bounds: Bounds) -> timedelta | None:
    """Return the length of a window; None if it is a range of Ids or has no bound."""
    if bounds.start is None or bounds.end is None or bounds.id_from is not None or bounds.id_to is not None:
        return None
    return bounds.end - bounds.start


def same_dates(first: Bounds, other: Bounds) -> bool:
    """Return whether both belong to the same window; the cursor moves after its last range was read."""
    return (first.start, first.end) == (other.start, other.end)


def halve_by_id(bounds: Bounds, middle: str) -> Halves:
    """Split a window at the Id ``middle``; the outer bounds do not change."""
    return replace(bounds, id_to=middle), replace(bounds, id_from=middle)


def _cut(bounds: Bounds, middle: datetime) -> Halves:
    return replace(bounds, end=middle), replace(bounds, start=middle)


def _next_second(instant: datetime) -> datetime:
    whole = instant.replace(microsecond=0)
    return whole if whole == instant else whole + _SECOND


def _lower(reached: datetime | None, start: datetime | None, lookback: timedelta) -> datetime | None:
    if reached is None:
        return start
    lower = reached - min(lookback, reached - _EARLIEST)
    return max(lower, start) if start is not None else lower


def _with_id_gaps(points: Sequence[ResumePoint], *, in_front: bool) -> Iterator[PlannedWindow]:
    """Yield the points of one window, and the Id ranges between and after them that had no job yet.

    In the window ``in_front``, everything before the first point was read: ranges are read in ascending order, and the
    current range is always in the state. Nothing was read of a later window.
    """
    first = points[0].bounds
    if not in_front and first.id_from is not None:
        yield PlannedWindow(replace(first, id_from=None, id_to=first.id_from))
    reached: str | None = None
    for index, point in enumerate(points):
        bounds = point.bounds
        if index and bounds.id_from is not None and reached is not None and bounds.id_from > reached:
            yield PlannedWindow(replace(bounds, id_from=reached, id_to=bounds.id_from))
        yield PlannedWindow(bounds, point)
        reached = bounds.id_to
    if reached is not None:
        yield PlannedWindow(replace(points[-1].bounds, id_from=reached, id_to=None))


def _by_window(point: ResumePoint) -> tuple[datetime, datetime, str]:
    """Sort key: end, then start, so that a window whose look-back overlaps an unfinished one still comes after it."""
    bounds = point.bounds
    return bounds.end or _LATEST, bounds.start or _EARLIEST, bounds.id_from or ""
