"""Detect the deleted rows of one object: decide when to read all Ids, and read them. ``deletions`` compares them.

An audit is a query job for all Ids, read by the same extraction as everything else; a later run does not continue it.
If a page would be counted twice because its job was lost, the audit begins again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from source_salesforce_bulk.deletions.audit import Audit, Findings, is_due, is_too_much
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import AuditPolicy, Beginning, ObjectPlan, begin
from source_salesforce_bulk.extraction.seen_rows import SeenRows
from source_salesforce_bulk.extraction.stream_state import Mode, ReadState, StateError, StreamState
from source_salesforce_bulk.extraction.windows import plan_full_refresh
from source_salesforce_bulk.pages.encoders import object_lines
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.deletions")

_TRIES = 3


class DeletionWatch:
    """One object's memory of delivered rows during a run. ``org_now`` returns the org's time.

    Raises ``StateError`` if the memory in the plan's state cannot be read.
    """

    def __init__(
        self, plan: ObjectPlan, policy: AuditPolicy, extraction: Extraction, org_now: Callable[[], datetime]
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._extraction = extraction
        self._org_now = org_now
        self._known = _remembered(plan.state)

    def comes_first(self, beginning: Beginning) -> bool:
        """Return whether an audit must come before the first row.

        It must if there is no memory yet, or if a window whose pages an earlier run has delivered is read again
        (``known_ids`` says why).
        """
        known, cursor = self._known, self._plan.state.cursor
        if known is None:
            return True
        continued = bool(beginning.windows) and beginning.windows[0].resume is not None
        closed = cursor is not None and cursor >= known.until
        return known.begun and not closed and not continued

    @property
    def due(self) -> bool:
        """Return whether an audit is due after all rows of the run."""
        return self._known is not None and is_due(self._known, self._org_now(), self._policy.every)

    @property
    def memory(self) -> dict[str, object] | None:
        """Return the memory in the form used in the state."""
        return None if self._known is None else self._known.to_json()

    def note(self, rows: Iterable[SeenRow], window_end: datetime | None) -> None:
        """Remember rows that are about to be delivered, of the window that ends at ``window_end``."""
        if self._known is not None and window_end is not None:
            self._known.note(rows, window_end, self._plan.lookback)

    def audited(self) -> Iterator[tuple[str, datetime] | None]:
        """Read all Ids and yield each deleted one with the time of the audit; None ends a turn.

        Raises ``SalesforceError`` if too many are missing, or if it is uncertain which: then the memory does not
        change, and nothing is yielded.
        """
        before = self._known
        findings = yield from self._findings(before)
        vanished, known = findings.vanished, findings.known
        if before is not None:
            if vanished is None or before.forgotten:
                raise SalesforceError(Failure.of(Kind.DELETIONS_UNKNOWN))
            rows = max(before.count, known.count + len(vanished))
            if is_too_much(len(vanished), rows, self._policy.most_percent):
                detail = f"{len(vanished):,} of about {rows:,} rows"
                raise SalesforceError(Failure.of(Kind.TOO_MANY_DELETIONS, detail=detail))
        LOGGER.info(
            "%s: all %d Ids were compared; rows that have vanished: %d",
            self._plan.object_name,
            known.count,
            len(vanished or ()),
        )
        self._known = known
        for record_id in vanished or ():
            yield record_id, known.audited

    def _findings(self, before: KnownIds | None) -> Generator[None, None, Findings]:
        for _ in range(_TRIES):
            audit = Audit(before, self._org_now())
            read = self._extraction.begin(self._beginning(), object_lines)
            try:
                yield from self._taken(read, audit)
            finally:
                self._extraction.drop(read)
            if read.finished and not read.repeated_rows:
                return audit.findings()
        raise SalesforceError(Failure.of(Kind.JOB_GONE, detail="the comparison of all Ids was lost several times"))

    def _taken(self, read: ObjectRead, audit: Audit) -> Iterator[None]:
        while not read.finished and not read.repeated_rows:
            ready = self._extraction.next_page(read)
            if ready is not None and not read.repeated_rows:
                audit.take(self._rows_in(ready.page))
                self._extraction.handed_on(read, ready)
            yield None

    def _rows_in(self, page: Page) -> Iterator[SeenRow]:
        rows = SeenRows(self._policy.columns)
        for block in page.encoded.product.take().blocks:
            yield from rows.in_lines(block.lines)

    def _beginning(self) -> Beginning:
        plan, columns = self._plan, self._policy.columns
        query = replace(plan.query, fields=tuple(column.name for column in columns), where=None)
        state = StreamState(Mode.FULL_REFRESH)
        audit = replace(
            plan,
            query=query,
            columns=columns,
            mode=Mode.FULL_REFRESH,
            state=state,
            hashing=None,
            audit=None,
            delivers=False,
        )
        return Beginning(audit, plan_full_refresh(state, start=plan.start))


def begin_again(read: ObjectRead, upper_bound: Callable[[], datetime]) -> Beginning:
    """Return the remaining windows of a read, from their start and without earlier jobs."""
    state = replace(read.state, resume=())
    return begin(replace(read.plan, state=state), ReadState(state), upper_bound)


def _remembered(state: StreamState) -> KnownIds | None:
    if state.deletes is None:
        return None
    try:
        return KnownIds.from_json(state.deletes)
    except ValueError as error:
        raise StateError("its deletes is not a memory of delivered rows") from error
