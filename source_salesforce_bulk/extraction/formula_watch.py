"""Detect moved formulas of one object: when to read their values, and which rows to read again.

``formulas.value_ranges`` compares. In a run, on the time line of the org:

    first load only                             each run
    values | windows, every row in full   ...   windows, changed rows | values: what has moved? | moved ranges in full

The first values are read before the first row: whatever moves while the rows are read differs from them afterwards.
Where rows were delivered without any values (the option is new, or other formulas are selected), all rows are read
again. Each row that is delivered again is read after the values with which its range will be compared next time.

A row that was delivered after the last comparison, by a run that was killed before its own, is delivered again: its
formulas may have moved in between and back, which no comparison shows. The same within one run, between a row and its
comparison a few minutes later, is not noticed, and not in a first load that was interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime

from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.policies import RefreshPolicy, remembered_values, values_are_due
from source_salesforce_bulk.extraction.side_read import narrowed, read_aside
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.formulas.value_ranges import (
    MOST_RANGES,
    MOST_ROWS,
    KnownValues,
    TooManyRows,
    ValueRange,
    compare,
    windows_again,
)
from source_salesforce_bulk.formulas.value_rows import ValueRows
from source_salesforce_bulk.salesforce.soql import Bounds

LOGGER = logging.getLogger("salesforce_bulk.formulas")

Ranges = tuple[ValueRange, ...]


@dataclass(frozen=True, slots=True)
class _Values:
    """What was read at ``began``: the ranges, None where the object has too many rows, and how many there are."""

    began: datetime
    ranges: Ranges | None
    rows: int


class FormulaWatch:
    """One object's memory of some formulas during a run. ``org_now`` returns the org's time.

    Raises ``StateError`` if the memory in the plan's state cannot be read.
    """

    def __init__(
        self, plan: ObjectPlan, policy: RefreshPolicy, extraction: Extraction, org_now: Callable[[], datetime]
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._extraction = extraction
        self._org_now = org_now
        self._known = remembered_values(plan.state, policy)
        self._shown_of: KnownValues | None = None
        self._shown: dict[str, object] | None = None
        self._again_until = plan.state.cursor
        begun = any(point.page for point in plan.state.resume)
        self._interrupted = self._known is not None and (begun or self._known.since != plan.state.cursor)

    @property
    def name(self) -> str:
        """The name of the policy, and of its windows."""
        return self._policy.name

    @property
    def memory(self) -> dict[str, object] | None:
        """Return the memory in the form used in the state; made anew only where it has changed."""
        if self._known is not self._shown_of:
            self._shown_of = self._known
            self._shown = None if self._known is None else self._known.to_json()
        return self._shown

    def comes_first(self, beginning: Beginning) -> bool:
        """Return whether values have to be read before the first row, because none of the object was delivered yet."""
        state = beginning.plan.state
        return self._known is None and state.cursor is None and not any(point.page for point in state.resume)

    @property
    def due(self) -> bool:
        """Return whether the values are to be compared after the rows of this run; warns where they cannot be."""
        if self._known is not None and self._known.ranges is None:
            self._warn_of_size()
        return values_are_due(self._known, self._policy, self._org_now())

    def first(self) -> Generator[TurnOver, None, None]:
        """Read the values of all rows, none of which was delivered; lets others have their turns."""
        values = yield from self._values(None)
        ranges = None if values.ranges is None else tuple(replace(one, pending=False) for one in values.ranges)
        self._known = KnownValues(self._policy.fields, values.began, ranges)

    def moved(self, cursor: datetime | None) -> Generator[TurnOver, None, tuple[PlannedWindow, ...]]:
        """Read the values of all rows and return the windows in which rows have to be read again.

        Rows that were stamped from ``cursor`` on are not among them: the next run reads them anyway.
        """
        known = self._known
        values = yield from self._values(None if known is None else known.ranges)
        since = None if known is None else known.since
        self._known = KnownValues(self._policy.fields, values.began, values.ranges, since)
        self._again_until = cursor
        if values.ranges is None:
            self._warn_of_size()
            return ()
        windows = windows_again(values.ranges, cursor)
        whole = Bounds(start=None, end=cursor, id_from=None, id_to=None)
        if self._interrupted and since is not None and whole not in windows:
            windows.insert(0, replace(whole, start=since - self._plan.lookback))
        moved = sum(one.pending for one in values.ranges)
        LOGGER.info(
            "%s: the formulas of %d rows were compared; %d of %d ranges are read again, in %d windows",
            self._plan.object_name,
            values.rows,
            moved,
            len(values.ranges),
            len(windows),
        )
        return tuple(PlannedWindow(bounds, extra=self.name) for bounds in windows)

    def delivered(self, bounds: Bounds) -> None:
        """The rows of one of the windows were delivered. A window that was split by date does not count."""
        if self._known is not None and bounds.start is None and bounds.end == self._again_until:
            self._known = self._known.delivered(bounds)

    def settle(self, cursor: datetime | None) -> None:
        """All of the windows were delivered, or there were none; the rows up to ``cursor`` are right."""
        if self._known is not None:
            whole = Bounds(start=None, end=None, id_from=None, id_to=None)
            self._known = replace(self._known.delivered(whole), since=cursor)
            self._interrupted = False

    def _values(self, before: Ranges | None) -> Generator[TurnOver, None, _Values]:
        began = self._org_now()
        key = self._policy.columns[0].name
        plan = narrowed(self._plan, self._policy.columns)
        with (yield from read_aside(self._extraction, plan, lambda: ValueRows(key))) as rows:
            try:
                return _Values(began, compare(before, rows, rows.count), rows.count)
            except TooManyRows:
                return _Values(began, None, rows.count)

    def _warn_of_size(self) -> None:
        LOGGER.warning(
            "%s: its formulas are not refreshed, because it has more than %d rows; they are read as they stand when "
            "their row changes",
            self._plan.object_name,
            MOST_RANGES * MOST_ROWS,
            extra={"event": "formulas_not_refreshed"},
        )
