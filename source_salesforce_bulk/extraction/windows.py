"""Which windows a stream reads, in which order, and how one is halved.

An incremental run, on the time line of the cursor:

    ... emitted by earlier runs ...|<- cursor                          T (the org's clock before the first create)
                        |<-lookback->|                                 |
                        [--------------- this run's window ------------)

A window is closed-open, ``cursor >= from AND cursor < to``. One that begins where an earlier run's window ended begins
``lookback`` before it, because rows stamped before that end may have become visible after it (airbyte #27146). Inside
one run, windows meet without overlap.

A full refresh has no upper cursor bound, so that a row that changes while it is read cannot move out of its window; it
is split by Id ranges, the first open below and the last open above.
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
"""No date is cut earlier: Salesforce is no older, and stamps that are were set by an importer.

That goes for CreatedDate and LastModifiedDate, not for SystemModstamp. Such rows are few, and none is lost: what lies
below the first cut stays open below.
"""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window to be read, and the point at which an earlier run left it, if it did."""

    bounds: Bounds
    resume: ResumePoint | None = None


@dataclass(frozen=True, slots=True)
class IncrementalPlan:
    """What an incremental run reads, ascending, and what its state says of the time after T, the org's clock.

    ``ahead`` are the points of windows that end after T: there when somebody changed the state, or set the org's clock
    back. Closing such a window would move the cursor over rows that have yet to come, so ``state`` is without them, and
    their rows are read as if never begun. ``cursor_ahead`` says that the cursor itself lies there, and nothing new is
    read until T has passed it.
    """

    windows: tuple[PlannedWindow, ...]
    state: StreamState
    ahead: tuple[ResumePoint, ...]
    cursor_ahead: bool

    def warnings(self, name: str, upper: datetime, remedy: str) -> Iterator[str]:
        """A sentence on each thing that lies in the future; ``remedy`` is what to do if a cursor is wrong."""
        clock = f"in the future of the org's clock ({format_instant(upper)})"
        if self.cursor_ahead:
            until = "nothing is read until the clock has passed it"
            yield f"{name}: the saved cursor lies {clock}; {until}. If the cursor is wrong, {remedy}."
        for point in self.ahead:
            yield f"{name}: the window of job {point.job} in the state ends {clock}; it is read again."


def plan_incremental(
    state: StreamState, *, upper: datetime, start: datetime | None, lookback: timedelta
) -> IncrementalPlan:
    """The windows of an incremental run: what an earlier run left open, what it had not begun, what is new.

    ``upper`` is T. Where the cursor lies after T nothing new is planned, but what an earlier run left open.
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
    """The windows of a full refresh: everything, or what an interrupted one has left."""
    if state.resume:
        return tuple(_with_id_gaps(sorted(state.resume, key=_by_window), in_front=True))
    return (PlannedWindow(replace(WHOLE, start=start)),)


def halve_by_date(bounds: Bounds, first: datetime | None = None, last: datetime | None = None) -> Halves | None:
    """Two windows that meet at a whole second; None where the window is not bounded above or cannot be cut so.

    ``first`` and ``last`` are the stamps of its oldest and its newest row, where known: both halves then hold rows, and
    rows of one second cannot be told apart by date. Else the middle is that of the window itself.

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
    """How long a window is; None where it is a range of Ids or open."""
    if bounds.start is None or bounds.end is None or bounds.id_from is not None or bounds.id_to is not None:
        return None
    return bounds.end - bounds.start


def same_dates(first: Bounds, other: Bounds) -> bool:
    """Whether both are ranges of one window, or the window itself: the cursor moves when the last of them is read."""
    return (first.start, first.end) == (other.start, other.end)


def halve_by_id(bounds: Bounds, middle: str) -> Halves:
    """The same window below ``middle`` and from it on; the outer ends stay as open as they were."""
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
    """The points of one window, and between and behind them the Id ranges that had no job yet.

    Of the window ``in_front``, what lies before the first point was read: ranges are read in ascending order, and a
    range that is being read is always in the state. Of a later window nothing was read.
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
    """By end, then start: a window whose look-back reaches behind an unfinished short one still comes after it."""
    bounds = point.bounds
    return bounds.end or _LATEST, bounds.start or _EARLIEST, bounds.id_from or ""
