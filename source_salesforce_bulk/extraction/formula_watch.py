"""Detect changed formulas of one object: decide when to read their values, and which rows to read again.

``formulas.value_ranges`` compares the values. A run, on the timeline of the org:

    first load only                             each run
    values | windows, every row in full   ...   windows, changed rows | values: any changed? | changed ranges in full

The first values are read before the first row, so a value that changes while the rows are read differs afterwards. If
rows were delivered without any values (the option is new, or other formulas are selected), all rows are read again. A
row that is delivered again is always read after the values with which its range will be compared next time.

If a run was killed before its comparison, its rows are delivered again: their formulas may have changed and changed
back in between, which no comparison shows. Such a change within one run, in the minutes between a row and its
comparison, or in an interrupted first load, is not detected.
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
    """The values read at ``began``: the ranges, None if the object has too many rows, and the number of rows."""

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
        """Return the memory in the form used in the state; computed only when it has changed."""
        if self._known is not self._shown_of:
            self._shown_of = self._known
            self._shown = None if self._known is None else self._known.to_json()
        return self._shown

    def comes_first(self, beginning: Beginning) -> bool:
        """Return whether to read values before the first row, because no row of the object was delivered yet."""
        state = beginning.plan.state
        return self._known is None and state.cursor is None and not any(point.page for point in state.resume)

    @property
    def due(self) -> bool:
        """Return whether to compare the values after the rows of this run; warns if there are too many."""
        if self._known is not None and self._known.ranges is None:
            self._warn_of_size()
        return values_are_due(self._known, self._policy, self._org_now())

    def first(self) -> Generator[TurnOver, None, None]:
        """Read the values of all rows before any was delivered; yields turns."""
        values = yield from self._values(None)
        ranges = None if values.ranges is None else tuple(replace(known, pending=False) for known in values.ranges)
        self._known = KnownValues(self._policy.fields, values.began, ranges)

    def moved(self, cursor: datetime | None) -> Generator[TurnOver, None, tuple[PlannedWindow, ...]]:
        """Read the values of all rows and return the windows in which rows must be read again; yields turns.

        Rows with a timestamp from ``cursor`` on are left out, because the next run reads them anyway.
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
        moved = sum(value_range.pending for value_range in values.ranges)
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
        """Note that the rows of one of the windows were delivered. A window that was split by date does not count."""
        if self._known is not None and bounds.start is None and bounds.end == self._again_until:
            self._known = self._known.delivered(bounds)

    def settle(self, cursor: datetime | None) -> None:
        """Note that all windows, if any, were delivered, so that the rows up to ``cursor`` are correct."""
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
            "%s: its formulas are not refreshed, because it has more than %d rows; their values are those of the "
            "moment at which their row last changed",
            self._plan.object_name,
            MOST_RANGES * MOST_ROWS,
            extra={"event": "formulas_not_refreshed"},
        )
