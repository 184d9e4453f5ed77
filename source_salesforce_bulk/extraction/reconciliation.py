"""The order of everything that a run reads of one object, so that the delivered rows equal the org afterwards.

    left over     windows that a killed run was reading again
    before        the first list of Ids and the first values of formulas, if there is no memory of them
    windows       those of the cursor; if one was lost, another audit, and the rest from the start (``known_ids``)
    deletions     an audit, if it is due; else the log of deletions
    formulas      the values of all rows; then, in extra windows, the rows of ranges that have changed
    new fields    in an extra window, the rows with a value in a field that is new

A runner takes the :meth:`Reconciliation.steps` one by one, and reads each ``Beginning`` to its end before it takes the
next step. For each page, it calls ``note`` and ``noted``, and after the page was handed on, ``handed_on``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.deletions.tombstones import Vanished
from source_salesforce_bulk.extraction.deletion_watch import DeletionWatch
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.formula_watch import FormulaWatch
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.new_fields import NewFieldsWatch
from source_salesforce_bulk.extraction.object_read import Memories, ObjectRead
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan, begin
from source_salesforce_bulk.extraction.stream_state import ReadState, StreamState
from source_salesforce_bulk.extraction.window_read import WindowRead
from source_salesforce_bulk.pages.walk import End, Onward

Step = TurnOver | Vanished | Beginning
"""Yield control to other objects, deliver a tombstone, or read windows to their end."""


class Reconciliation:
    """The reads of one object in one run, beginning with ``beginning``. ``org_now`` returns the org's time.

    Raises ``StateError`` if a memory in the plan's state cannot be read.
    """

    def __init__(self, beginning: Beginning, extraction: Extraction, org_now: Callable[[], datetime]) -> None:
        self._beginning = beginning
        self._org_now = org_now
        self._read: ObjectRead | None = None
        plan = beginning.plan
        self._deletions = None
        if plan.audit is not None:
            self._deletions = DeletionWatch(plan, plan.audit, extraction, org_now)
        self._formulas = [FormulaWatch(plan, policy, extraction, org_now) for policy in plan.refresh]
        self._new_fields = None
        if plan.backfill is not None:
            self._new_fields = NewFieldsWatch(plan.object_name, plan.backfill, plan.state, plan.start)
        watches = (*self._formulas, self._new_fields)
        self._watches = {watch.name: watch for watch in watches if watch is not None}

    @property
    def sees_rows(self) -> bool:
        """True if :meth:`note` needs the rows of each page."""
        return self._deletions is not None

    def steps(self) -> Iterator[Step]:
        """Yield the steps of the run. Raises ``SalesforceError``, after which there are no more."""
        beginning = self._beginning
        if beginning.extra:
            yield replace(beginning, plan=replace(beginning.plan, state=beginning.state), windows=beginning.extra)
            beginning = Beginning(replace(beginning.plan, state=replace(self._state, resume=())), beginning.windows)
        if not beginning.windows:
            yield beginning  # its warnings are logged, and jobs that nothing continues are ended
            return
        yield from self._before(beginning)
        while True:
            yield beginning
            if not self.over_again:
                break
            beginning = self._anew()
            yield from self._audited()
        if self._deletions is not None:
            yield from self._deletions.found()
            self._remember(at_once=True)
        for watch in self._formulas:
            yield from self._refreshed(watch, beginning.plan)
        if self._new_fields is not None:
            yield from self._filled(self._new_fields, beginning.plan)

    @property
    def over_again(self) -> bool:
        """True if the read must end here, because delivered rows are repeated (see ``known_ids``)."""
        read = self._read
        return self._deletions is not None and read is not None and not read.finished and _repeats(read)

    def begun(self, read: ObjectRead) -> None:
        """Let the read of the last step begin with the current memories."""
        self._read = read
        self._remember(at_once=True)

    def note(self, rows: Iterable[SeenRow], window: WindowRead) -> None:
        """Remember rows that are about to be delivered, of ``window``."""
        if self._deletions is not None and window.extra is None:
            self._deletions.note(rows, window.bounds.end)

    def noted(self) -> None:
        """Include the noted rows of a page in the state that covers the page."""
        if self._deletions is not None:
            self._remember()

    def handed_on(self, window: WindowRead, after: Onward | End) -> None:
        """Note that a page of ``window`` was delivered; ``after`` is the position after it."""
        watch = self._watches.get(window.extra or "")
        if watch is not None and isinstance(after, End):
            watch.delivered(window.bounds)
            self._remember(at_once=True)

    @property
    def _state(self) -> StreamState:
        return self._beginning.plan.state if self._read is None else self._read.state

    def _before(self, beginning: Beginning) -> Iterator[Step]:
        if self._deletions is not None and self._deletions.comes_first(beginning):
            yield from self._audited()
        for watch in self._formulas:
            if watch.comes_first(beginning):
                yield from watch.first()

    def _audited(self) -> Iterator[Step]:
        assert self._deletions is not None
        yield from self._deletions.audited()
        self._remember(at_once=True)

    def _refreshed(self, watch: FormulaWatch, plan: ObjectPlan) -> Iterator[Step]:
        if not watch.due:
            return
        windows = yield from watch.moved(self._state.cursor)
        self._remember(at_once=True)
        if windows:
            yield Beginning(replace(plan, state=self._state), windows)
        watch.settle(self._state.cursor)
        self._remember(at_once=True)

    def _filled(self, watch: NewFieldsWatch, plan: ObjectPlan) -> Iterator[Step]:
        windows = watch.windows(self._state.cursor)
        if windows:
            yield Beginning(replace(plan, state=self._state), windows)
            watch.settle()
            self._remember(at_once=True)

    def _anew(self) -> Beginning:
        """Return the remaining windows, from their start and without earlier jobs."""
        state = replace(self._state, resume=())
        return begin(replace(self._beginning.plan, state=state), ReadState(state), self._org_now)

    def _remember(self, *, at_once: bool = False) -> None:
        if self._read is None or not (self._deletions or self._formulas or self._new_fields):
            return
        values = {watch.name: memory for watch in self._formulas if (memory := watch.memory) is not None}
        deletes = None if self._deletions is None else self._deletions.memory
        fields = None if self._new_fields is None else self._new_fields.memory
        self._read.remember(Memories(deletes, values or None, fields), at_once=at_once)


def _repeats(read: ObjectRead) -> bool:
    """Return whether remembered rows are repeated; those of an extra window are not remembered."""
    return read.repeated_rows > 0 and read.front is not None and read.front.extra is None
