"""What a run reports by the log of deletions, and when it leaves deleted rows to an audit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from source_salesforce_bulk.deletions.tombstones import Vanished
from source_salesforce_bulk.extraction.deletion_watch import DeletionWatch
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.policies import AuditPolicy
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.rest_api import DeletedRows
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from unit_tests.test_id_sketch import ids_from

AUDITED = datetime(2026, 8, 1, 12, tzinfo=UTC)
NOW = AUDITED + timedelta(hours=1)
GONE, BINNED, ALIVE = ids_from("0015g00000AAAAA", 3)
QUERY = ObjectQuery("Account", ("Id", "Name"), "queryAll", "SystemModstamp")


class Org:
    """An extraction and its org, which answers at once. ``failure`` is raised by the log."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.org = self
        self.failure = failure
        self.stop_failure: Failure | None = None
        self.asked: list[object] = []
        self.audits = 0

    def ask(self, call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            done(call())
        except (SalesforceError, Stopped) as error:
            failed(error)

    def deleted(self, name: str, start: datetime, end: datetime, version: str) -> DeletedRows:
        self.asked.append((name, start, end, version))
        if self.failure is not None:
            raise self.failure
        return DeletedRows(frozenset({GONE, BINNED}), end, None)

    def existing(self, query: ObjectQuery, ids: Collection[str], version: str) -> frozenset[str]:
        self.asked.append((query.object_name, frozenset(ids), version))
        return frozenset({BINNED})

    def begin(self, *_: Any) -> Any:
        self.audits += 1
        raise SalesforceError(Failure.of(Kind.JOB_FAILED))


def watch(org: Org, now: datetime = NOW, *, logged: bool = True) -> DeletionWatch:
    known = KnownIds(AUDITED)
    for one in (GONE, BINNED, ALIVE):
        known.see(SeenRow(one, AUDITED - timedelta(days=1)))
    state = StreamState(Mode.INCREMENTAL, cursor=AUDITED, deletes=known.to_json())
    policy = AuditPolicy((Column("Id", CellKind.STRING),), timedelta(days=7), 20, logged)
    plan = ObjectPlan(QUERY, (), Mode.INCREMENTAL, state, None, timedelta(minutes=10), "v66.0", 100, ("Id",))
    return DeletionWatch(plan, policy, org, lambda: now)  # type: ignore[arg-type]


def refused(kind: Kind, *codes: str) -> SalesforceError:
    return SalesforceError(replace(Failure.of(kind), error_codes=codes))


def test_rows_that_the_log_names_and_no_query_returns_have_vanished():
    org = Org()
    watched = watch(org)
    assert list(watched.found()) == [Vanished(GONE, NOW)]
    assert org.asked == [
        ("Account", AUDITED - timedelta(minutes=10), NOW, "v66.0"),
        ("Account", frozenset({GONE, BINNED}), "v66.0"),
    ]
    known = KnownIds.from_json(watched.memory)
    assert (known.covered, known.ids) == (NOW, {BINNED, ALIVE})


def test_the_memory_changes_after_the_last_row_was_taken():
    watched = watch(Org())
    found = watched.found()
    next(found)
    assert KnownIds.from_json(watched.memory).covered == AUDITED
    assert list(found) == []
    assert KnownIds.from_json(watched.memory).covered == NOW


def test_an_object_without_a_log_is_not_asked():
    org = Org()
    assert list(watch(org, logged=False).found()) == []
    assert org.asked == []


@pytest.mark.parametrize(
    ("hours", "failure", "audits"),
    [
        (23, refused(Kind.QUERY_REFUSED, "INVALID_REPLICATION_DATE"), 0),
        (24, refused(Kind.QUERY_REFUSED, "INVALID_REPLICATION_DATE"), 1),
        (24, refused(Kind.QUERY_TOO_LARGE, "EXCEEDED_ID_LIMIT"), 1),
        (24, refused(Kind.QUERY_REFUSED, "INSUFFICIENT_ACCESS"), 0),
        (24, refused(Kind.UNAVAILABLE), 0),
    ],
    ids=["trimmed, audited today", "trimmed", "too many", "refused to this user", "unavailable"],
)
def test_a_log_that_lacks_deletions_is_replaced_by_an_audit_a_day_after_the_last(hours, failure, audits):
    org = Org(failure)
    watched = watch(org, AUDITED + timedelta(hours=hours))
    if audits:
        with pytest.raises(SalesforceError):
            list(watched.found())
    else:
        assert list(watched.found()) == []
    assert org.audits == audits
    assert KnownIds.from_json(watched.memory).covered == AUDITED


def test_a_run_that_is_stopped_does_not_go_on_without_the_log():
    org = Org(Stopped())
    org.stop_failure = Failure.of(Kind.INTERRUPTED)
    with pytest.raises(SalesforceError) as caught:
        list(watch(org).found())
    assert caught.value.failure.kind is Kind.INTERRUPTED
