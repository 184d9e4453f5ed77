"""Find where to split a window, because its object is large or because its query was too large for Salesforce.

Rows are rarely distributed evenly. Ids come from several generators with wide gaps between them: of 2,086 recorded
accounts, the halves of the Id range held 13 and 2,073. A split outside the rows costs a job and does not help, so the
org is queried. For dates, two queries find the oldest and the newest timestamp. Ids are split as follows:

    count the rows
    while the pieces are too uneven: split the largest range in two, at an existing Id
        few rows      at the Id with the middle rank (OFFSET reaches 2,000 rows)
        else          at the first Id in the upper half of the range; count the rows below it
        lopsided      2,000 rows from the end with few rows
        join neighbouring ranges into the required number of pieces, with the largest one as small as possible

Without counts, ranges are weighted by their width. There are at most 3 + 6 * (pieces + 7) queries.
Splitting by date is preferred, because a window of dates moves the cursor when it closes. A full refresh, and rows of
one instant, are split by Id.

Does not retry. A failed query makes a split less even, not impossible.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import ROWS_IN_ONE_REFRESH, ROWS_PER_WINDOW, ObjectPlan
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import FIRST_STAMP, WHOLE, Halves, halve_by_date, halve_by_id
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError
from source_salesforce_bulk.salesforce.ids import id_15, id_range_width, is_id, split_id_range
from source_salesforce_bulk.salesforce.soql import Bounds

LOGGER = logging.getLogger("salesforce_bulk.extraction")

ROWS_PER_RANGE = 2_500_000
"""Target size of a range of Ids: smaller than a window, because Salesforce reads it without PK chunking."""

MOST_PIECES = 100
"""The maximum number of windows or ranges of an object."""

DATE_HALVINGS = 3
"""Halvings by date before splitting by Id is preferred; of six in total, enough are left for rows of one instant."""

LARGEST_OFFSET = 2_000
"""Salesforce's limit for OFFSET."""

UNEVEN = 1.25
"""The maximum ratio of the largest piece to its equal share."""

_SCALE = 1_000_000  # the total weight of all pieces
_EXTRA_CUTS = 8  # in addition to those that pieces of equal weight need
_LOPSIDED = 0.125

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A window, or a part of one, and its expected number of rows; None if unknown."""

    bounds: Bounds
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class CountRows:
    """A query for the number of rows within the bounds."""

    bounds: Bounds


@dataclass(frozen=True, slots=True)
class IdAt:
    """A query for the Id after ``offset`` others within the bounds, from the lowest or (``last``) the highest."""

    bounds: Bounds
    offset: int = 0
    last: bool = False


T = TypeVar("T")
Question = CountRows | IdAt
IdCuts = Generator[Question, int | str | None, tuple[Piece, ...]]
"""A generator that yields queries, is sent their results (None if a query failed), and returns the pieces."""


# Before the first job


def find_pieces(org: Org, plan: ObjectPlan, bounds: Bounds) -> tuple[Piece, ...]:
    """Return the pieces in which a window of a large object is read, in order; the window itself if it is not split.

    Blocks for a few short queries. Raises ``SalesforceError`` only for what stops the whole run.
    """
    if plan.mode is Mode.FULL_REFRESH:
        rows = plan.rows or 0
        pieces = _Asker(org, plan).lead(cut_by_id(WHOLE, count_ranges(rows)))
        return clip(tuple(replace(piece, rows=round(rows * (piece.rows or 0) / _SCALE)) for piece in pieces), bounds)
    stamps = _Asker(org, plan).instants(WHOLE)
    return cut_by_date(bounds, *stamps, plan.rows or 0) if stamps is not None else (Piece(bounds),)


def cut_by_date(bounds: Bounds, oldest: datetime, newest: datetime, rows: int) -> tuple[Piece, ...]:
    """Split a window by date, assuming that its ``rows`` are evenly distributed from ``oldest`` to ``newest``.

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


def clip(pieces: Sequence[Piece], bounds: Bounds) -> tuple[Piece, ...]:
    """Return the pieces within ``bounds``, which an interrupted refresh has not read; the outer ends do not change."""
    inside = [
        piece
        for piece in pieces
        if _below(piece.bounds.id_from, bounds.id_to) and _below(bounds.id_from, piece.bounds.id_to)
    ]
    edges = [bounds.id_from, *(piece.bounds.id_from for piece in inside[1:]), bounds.id_to]
    return tuple(
        replace(piece, bounds=replace(bounds, id_from=low, id_to=high))
        for piece, (low, high) in zip(inside, pairwise(edges), strict=True)
    )


def count_ranges(rows: int) -> int:
    """Return the number of Id ranges for a full refresh of ``rows`` rows."""
    return _parts(rows, ROWS_PER_RANGE) if rows > ROWS_IN_ONE_REFRESH else 1


def _below(low: str | None, high: str | None) -> bool:
    return low is None or high is None or id_15(low) < id_15(high)


def _parts(rows: int, each: int) -> int:
    return min(max(1, -(-rows // each)), MOST_PIECES)


# After a job that Salesforce could not answer


def find_halves(org: Org, plan: ObjectPlan, bounds: Bounds, halvings: int) -> Halves | None:
    """Return two halves of a window that was halved ``halvings`` times before; None if it cannot be split.

    Blocks for some short queries. Raises ``SalesforceError`` only for what stops the whole run.
    """
    ways: list[Callable[[Org, ObjectPlan, Bounds], Halves | None]] = [_halves_by_id]
    if plan.mode is Mode.INCREMENTAL:
        ways.insert(0 if halvings < DATE_HALVINGS else 1, _halves_by_date)
    return next((halves for way in ways if (halves := way(org, plan, bounds)) is not None), None)


def _halves_by_date(org: Org, plan: ObjectPlan, bounds: Bounds) -> Halves | None:
    if halve_by_date(bounds) is None:
        return None
    rows = _Asker(org, plan).instants(bounds)
    return halve_by_date(bounds, *rows) if rows is not None else halve_by_date(bounds)


def _halves_by_id(org: Org, plan: ObjectPlan, bounds: Bounds) -> Halves | None:
    """Split at the middle of the window's rows; if these queries take too long, at the middle of all rows."""
    if "id" not in {name.lower() for name in plan.query.fields}:
        return None
    for asked in dict.fromkeys((bounds, replace(bounds, start=None, end=None))):
        asker = _Asker(org, plan)
        pieces = asker.lead(cut_by_id(asked, 2))
        middle = pieces[-1].bounds.id_from
        if len(pieces) == 2 and middle is not None:
            return halve_by_id(bounds, middle)
        if not asker.failed:
            return None
    return None


# By Id


def cut_by_id(bounds: Bounds, parts: int, reach: int = LARGEST_OFFSET) -> IdCuts:
    """Split ``bounds`` into at most ``parts`` pieces, if possible none larger than :data:`UNEVEN` times its share.

    Pieces meet at existing Ids, and the outer ends are those of the window. Their rows are weights: shares of a
    million, by counts if the org returns them, else by the width of ranges. ``reach`` is the largest OFFSET.
    """
    uncut = (Piece(bounds, _SCALE),)
    if parts < 2:
        return uncut
    rows = yield CountRows(bounds)
    if isinstance(rows, int) and rows < 2:
        return uncut
    ranges = [_Range(bounds, float(rows) if isinstance(rows, int) else 1.0, counted=isinstance(rows, int))]
    for _ in range(parts - 1 + _EXTRA_CUTS):
        pieces = _joined(ranges, parts)
        if len(pieces) == parts and max(piece.rows or 0 for piece in pieces) * parts <= UNEVEN * _SCALE:
            break
        heaviest = max((part for part in ranges if not part.whole), key=lambda part: part.weight, default=None)
        if heaviest is None:
            break
        place = ranges.index(heaviest)
        ranges[place : place + 1] = yield from _cut_in_two(heaviest, reach)
    return _joined(ranges, parts)


@dataclass(frozen=True, slots=True)
class _Range:
    """A range of Ids. ``counted``: its weight is its number of rows. ``first`` and ``last`` are existing Ids, if known.

    ``jump``: one end has few rows (True: the last), and the split must be beyond them. ``whole``: it cannot be split.
    """

    bounds: Bounds
    weight: float
    counted: bool
    first: str | None = None
    last: str | None = None
    jump: bool | None = None
    whole: bool = False

    def cut(self, middle: str, below: float) -> tuple[_Range, _Range]:
        """Return the two ranges that meet at ``middle``, the lower one with the weight ``below``."""
        low, high = halve_by_id(self.bounds, middle)
        above = max(0.0, self.weight - below)
        return (
            _Range(low, below, self.counted, self.first, whole=below <= 1 and self.counted),
            _Range(high, above, self.counted, middle, self.last, whole=above <= 1 and self.counted),
        )


_Cut = Generator[Question, int | str | None, tuple[_Range, ...]]


def _cut_in_two(part: _Range, reach: int) -> _Cut:
    if part.counted and (part.weight <= 2 * reach or part.jump is not None):
        ranges = yield from _cut_by_rank(part, reach)
        if ranges:
            return ranges
    return (yield from _cut_by_width(part))


def _cut_by_rank(part: _Range, reach: int) -> _Cut:
    """Split after a number of rows that OFFSET reaches; no split if the org returns no Id inside the range."""
    if part.weight <= 2 * reach:
        below, question = part.weight // 2, IdAt(part.bounds, offset=int(part.weight // 2))
    elif part.jump:
        below, question = part.weight - reach, IdAt(part.bounds, offset=reach - 1, last=True)
    else:
        below, question = float(reach), IdAt(part.bounds, offset=reach)
    middle = yield question
    if not isinstance(middle, str) or not _is_inside(middle, part):
        return ()
    return part.cut(middle, below)


def _cut_by_width(part: _Range) -> _Cut:
    """Split at the first Id in the upper half of the range, and query the ends of both parts: Ids are clustered."""
    first = part.first if part.first is not None else (yield IdAt(part.bounds))
    last = part.last if part.last is not None else (yield IdAt(part.bounds, last=True))
    ordered = _are_ids(first, last) and str(first) < str(last)
    middle = next(iter(split_id_range(str(first), str(last), 2)), None) if ordered else None
    if middle is None:
        return (replace(part, whole=True),)
    below, above = halve_by_id(part.bounds, middle)
    left_end = yield IdAt(below, last=True)
    right_end = yield IdAt(above)
    if not _are_ids(left_end, right_end) or not _is_inside(str(right_end), part):
        return (replace(part, whole=True),)
    left, right = id_range_width(str(first), str(left_end)), id_range_width(str(right_end), str(last))
    rows = (yield CountRows(halve_by_id(part.bounds, str(right_end))[0])) if part.counted else None
    counted = isinstance(rows, int)
    weight = min(float(rows), part.weight) if isinstance(rows, int) else part.weight * left / (left + right)
    low, high = replace(part, counted=counted).cut(str(right_end), weight)
    light = min(low.weight, high.weight) < _LOPSIDED * part.weight
    return (
        replace(low, first=str(first), last=str(left_end), jump=True if light else None),
        replace(high, last=str(last), jump=False if light else None),
    )


def _joined(ranges: Sequence[_Range], parts: int) -> tuple[Piece, ...]:
    """Join neighbouring ranges into at most ``parts`` pieces, with the largest one as small as possible."""
    total = sum(part.weight for part in ranges) or 1.0
    low, high = max(part.weight for part in ranges), total
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if len(_packed(ranges, middle)) <= parts else (middle, high)
    return tuple(
        Piece(
            replace(group[0].bounds, id_to=group[-1].bounds.id_to),
            round(_SCALE * sum(part.weight for part in group) / total),
        )
        for group in _packed(ranges, high)
    )


def _packed(ranges: Sequence[_Range], capacity: float) -> list[list[_Range]]:
    """Join neighbours up to a total weight of ``capacity``."""
    groups: list[list[_Range]] = []
    held = 0.0
    for part in ranges:
        if groups and held + part.weight <= capacity:
            groups[-1].append(part)
            held += part.weight
        else:
            groups.append([part])
            held = part.weight
    return groups


def _are_ids(*answers: int | str | None) -> bool:
    return all(isinstance(answer, str) and is_id(answer) for answer in answers)


def _is_inside(cut: str, part: _Range) -> bool:
    """Return whether an Id splits a range; it may not, because rows can change between two queries."""
    low, high = part.first or part.bounds.id_from, part.bounds.id_to
    within = is_id(cut) and (low is None or id_15(cut) > id_15(low)) and _below(cut, high)
    return within and (part.last is None or id_15(cut) <= id_15(part.last))


# Asking


class _Asker:
    """Runs the queries on an org. ``failed``: a query has failed, for example because it took too long.

    Queries of that kind are not sent again.
    """

    def __init__(self, org: Org, plan: ObjectPlan) -> None:
        self._org, self._plan = org, plan
        self._given_up: set[tuple[type, bool]] = set()
        self.failed = False

    def lead(self, cuts: IdCuts) -> tuple[Piece, ...]:
        """Return the pieces that a generator returns. Raises ``SalesforceError`` only for what stops the whole run."""
        try:
            question = next(cuts)
            while True:
                question = cuts.send(self._answer(question))
        except StopIteration as end:
            pieces: tuple[Piece, ...] = end.value
            return pieces

    def instants(self, bounds: Bounds) -> tuple[datetime, datetime] | None:
        """Return the oldest and the newest timestamp in a window; None if unknown. Raises the same as :meth:`lead`."""
        return self._answered(lambda: self._org.instants(self._plan.query, bounds, self._plan.api_version))

    def _answer(self, question: Question) -> int | str | None:
        sort = type(question), isinstance(question, IdAt) and question.offset > 0
        if sort in self._given_up:
            return None
        failed_before, self.failed = self.failed, False
        answer = self._answered(lambda: self._asked(question))
        self._given_up |= {sort} if self.failed else set()
        self.failed |= failed_before
        return answer

    def _asked(self, question: Question) -> int | str | None:
        query, bounds, version = self._plan.query, question.bounds, self._plan.api_version
        if isinstance(question, CountRows):
            return self._org.count(query, bounds, version)
        return self._org.id_at(query, bounds, version, offset=question.offset, last=question.last)

    def _answered(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except SalesforceError as error:
            if error.failure.action is Action.STOP_RUN:
                raise
            LOGGER.info("%s: a query for where to split failed: %s", self._plan.object_name, error.failure.summary)
            self.failed = True
            return None
