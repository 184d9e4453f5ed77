"""The findings of an audit, and when it reports that it cannot have any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from source_salesforce_bulk.deletions import known_ids
from source_salesforce_bulk.deletions.audit import Audit, is_due, is_too_much
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from unit_tests.test_id_sketch import ids_from

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_more_deletions_than_a_sketch_can_name_are_told_and_not_guessed(monkeypatch):
    monkeypatch.setattr(known_ids, "EXACT_MOST", 20)
    first = Audit(None, START)
    first.take([SeenRow(one, START - DAY) for one in ids_from("0015g00000AAAAA", 12_500)])
    second = Audit(first.findings().known, START + DAY)
    second.take([SeenRow("0015g00000ZZZZZAAA", START - DAY)])
    findings = second.findings()
    assert findings.vanished is None
    assert findings.known.count == 1


def test_the_first_audit_finds_nothing_gone():
    audit = Audit(None, START)
    audit.take([SeenRow(one, START - DAY) for one in ids_from("0015g00000AAAAA", 3)])
    findings = audit.findings()
    assert (findings.vanished, findings.known.count, findings.known.audited) == ((), 3, START)


def test_an_audit_changes_nothing_that_was_remembered():
    known = KnownIds(START)
    known.note([SeenRow("0015g00000AAAAAAAA", None)], START + DAY, DAY)
    before = known.to_json()
    audit = Audit(known, START + DAY)
    audit.take([SeenRow("0015g00000AAAAAAAA", None)])
    assert audit.findings().vanished == ()
    assert known.to_json() == before


def test_an_audit_is_due_when_the_org_says_that_the_last_is_old():
    known = KnownIds(START)
    assert not is_due(known, START + 6 * DAY, 7 * DAY)
    assert is_due(known, START + 7 * DAY, 7 * DAY)


def test_a_few_rows_or_a_small_share_may_vanish():
    assert not is_too_much(100, 100, 20)
    assert not is_too_much(200, 1000, 20)
    assert is_too_much(201, 1000, 20)
    assert is_too_much(101, 101, 99)
    assert not is_too_much(1000, 1000, 100)
