"""Detect the deleted rows of one object: decide when to read all Ids, and read them. ``deletions`` compares them.

An audit is a query job for all Ids, which is read separately (``side_read``). In runs without one, Salesforce's log of
deletions is read, and a query shows which of its rows have vanished (``delete_log``): two calls at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from source_salesforce_bulk.deletions.audit import Audit, Findings, is_due, is_too_much
from source_salesforce_bulk.deletions.delete_log import (
    audit_comes_early,
    covered_by,
    is_current,
    is_plausible,
    leaves_gap,
    span_since,
    to_look_up,
)
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from source_salesforce_bulk.deletions.tombstones import Vanished
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.policies import AuditPolicy
from source_salesforce_bulk.extraction.seen_rows import SeenRows
from source_salesforce_bulk.extraction.side_read import ask_aside, narrowed, read_aside
from source_salesforce_bulk.extraction.stream_state import StateError, StreamState
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.deletions")

T = TypeVar("T")


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

    def audited(self) -> Iterator[TurnOver | Vanished]:
        """Read all Ids and yield each row that was deleted; yields turns.

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
            yield Vanished(record_id, known.audited)

    def found(self) -> Iterator[TurnOver | Vanished]:
        """Yield each row that was deleted, after all rows of the run: found by an audit if it is due, else in the log.

        Raises ``SalesforceError`` as :meth:`audited` does.
        """
        if self.due:
            yield from self.audited()
        elif self._known is not None and self._policy.logged:
            enough = yield from self._logged(self._known)
            if not enough and audit_comes_early(self._known, self._org_now()):
                yield from self.audited()

    def _logged(self, known: KnownIds) -> Generator[TurnOver | Vanished, None, bool]:
        """Yield the vanished rows of the log of deletions; return False if only an audit can find them."""
        plan, now = self._plan, self._org_now()
        if is_current(known, now):
            return True
        span = span_since(known, now, plan.lookback)
        if span is None:
            return False
        try:
            answer = yield from self._ask(lambda org: org.deleted(plan.object_name, *span, plan.api_version))
            vanished = yield from self._vanished(known, to_look_up(known, span, answer))
        except SalesforceError as error:
            return self._without_log(error.failure)
        if vanished is None:
            return False
        for record_id in sorted(vanished):
            yield Vanished(record_id, now)
        known.report(vanished, covered_by(known, span, answer))
        return True

    def _vanished(
        self, known: KnownIds, logged: frozenset[str] | None
    ) -> Generator[TurnOver, None, frozenset[str] | None]:
        """Return the logged rows that a query no longer returns; None if they cannot be reported."""
        if not logged:
            return logged
        plan = self._plan
        existing = yield from self._ask(lambda org: org.existing(plan.query, logged, plan.api_version))
        vanished = logged - existing
        LOGGER.info(
            "%s: the log of deletions names %d rows, of which %d have vanished",
            plan.object_name,
            len(logged),
            len(vanished),
        )
        return vanished if is_plausible(known, len(vanished), self._policy.most_percent) else None

    def _ask(self, call: Callable[[Org], T]) -> Generator[TurnOver, None, T]:
        org = self._extraction.org
        return (yield from ask_aside(self._extraction, lambda: call(org)))

    def _without_log(self, failure: Failure) -> bool:
        """Return whether deletions can wait for a later run, although the log was not read; raise if stopped."""
        if self._extraction.stop_failure is not None:
            raise SalesforceError(self._extraction.stop_failure)
        LOGGER.info(
            "%s: the log of deletions was not read, so the next comparison of all Ids finds deleted rows: %s",
            self._plan.object_name,
            failure.summary,
        )
        return not leaves_gap(failure.error_codes)

    def _findings(self, before: KnownIds | None) -> Generator[TurnOver, None, Findings]:
        plan = narrowed(self._plan, self._policy.columns)
        # A row that no longer matches the user's filter was not deleted.
        plan = replace(plan, query=replace(plan.query, where=None))
        counted = yield from read_aside(self._extraction, plan, partial(self._audit, before))
        return counted.audit.findings()

    def _audit(self, before: KnownIds | None) -> _AuditedRows:
        return _AuditedRows(Audit(before, self._org_now()), SeenRows(self._policy.columns))


@dataclass(frozen=True, slots=True)
class _AuditedRows:
    """Takes lines into an audit."""

    audit: Audit
    rows: SeenRows

    def add(self, lines: bytes | memoryview) -> None:
        """Take rows of the org."""
        self.audit.take(self.rows.in_lines(lines))


def _remembered(state: StreamState) -> KnownIds | None:
    if state.deletes is None:
        return None
    try:
        return KnownIds.from_json(state.deletes)
    except ValueError as error:
        raise StateError("its deletes is not a memory of delivered rows") from error
