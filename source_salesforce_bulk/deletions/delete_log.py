"""Salesforce's log of deletions (getDeleted): what to ask it between two audits, and when only an audit helps. Pure.

The log names the rows deleted since a given minute, whether they are in the recycle bin or purged. Those that a query
still returns are in the bin, or were restored; the others have vanished. It does not say when a row leaves the bin, so
rows that were deleted earlier and purged since are found by the next audit. The log is not enough, and an audit is
needed, if

- it does not reach back to the last answer: it covers 15 days, and less after many deletions;
- it names more rows than one query can ask for, or than the memory can keep;
- so many have vanished that the user must decide (:func:`~source_salesforce_bulk.deletions.audit.is_too_much`).

If its transaction took long, a deletion may be logged with a time that an earlier answer has already covered.
``latestDateCovered`` allows for that; in addition, each request begins earlier by a margin. Rows that were reported
before are not reported again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from source_salesforce_bulk.deletions.audit import is_too_much
from source_salesforce_bulk.deletions.known_ids import KnownIds
from source_salesforce_bulk.salesforce.rest_api import DeletedRows
from source_salesforce_bulk.salesforce.rest_query import IDS_IN_ONE_QUERY

REACH = timedelta(days=15)
"""How far back the log reaches (REST API Developer Guide, "sObject Get Deleted")."""

PAUSE = timedelta(minutes=5)
"""The log is not read more often than this (SOAP API Developer Guide, "Polling for Changes")."""

SOON = timedelta(days=1)
"""If the log is not enough, an audit is made this long after the last one, even if it is not due yet."""


_GAP_CODES = frozenset({"INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"})


class LogSpan(NamedTuple):
    """The deletions to ask for: from one whole minute to another, which is excluded."""

    start: datetime
    end: datetime


def is_current(known: KnownIds, now: datetime) -> bool:
    """Return whether the log was read, or an audit made, so recently that there is nothing to ask."""
    return now - known.covered < PAUSE


def span_since(known: KnownIds, now: datetime, margin: timedelta) -> LogSpan | None:
    """Return what to ask the log for; None if it does not reach back to the last answer."""
    span = LogSpan(_minute(known.covered - margin), _minute(now))
    return span if span.start > now - REACH else None


def to_look_up(known: KnownIds, span: LogSpan, answer: DeletedRows) -> frozenset[str] | None:
    """Return the logged rows whose deletion may have to be reported; None if the log is not enough."""
    if answer.earliest is not None and _minute(answer.earliest) > span.start:
        return None
    rows = frozenset(filter(known.may_have, answer.ids))
    return rows if len(rows) <= IDS_IN_ONE_QUERY else None


def is_plausible(known: KnownIds, vanished: int, percent: int) -> bool:
    """Return whether this many rows can be reported without an audit."""
    rows = max(known.count, len(known.ids))
    return known.has_room_for(vanished) and not is_too_much(vanished, rows, percent)


def covered_by(known: KnownIds, span: LogSpan, answer: DeletedRows) -> datetime:
    """Return the time up to which every deletion is known; never earlier than before."""
    return max(known.covered, min(span.end, answer.covered))


def leaves_gap(error_codes: Iterable[str]) -> bool:
    """Return whether a refusal says that the log lacks some deletions, and not that this user cannot read it."""
    return not _GAP_CODES.isdisjoint(code.upper() for code in error_codes)


def audit_comes_early(known: KnownIds, now: datetime) -> bool:
    """Return whether the last audit is old enough for another one, if the log is not enough."""
    return now - known.audited >= SOON


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
