"""The memory of delivered rows is correct whatever is delivered, and however often."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.deletions import known_ids
from source_salesforce_bulk.deletions.audit import Audit
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from source_salesforce_bulk.salesforce.ids import id_18
from unit_tests.test_id_sketch import ids_from

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARGIN = timedelta(minutes=10)
LATER = id_18("0015g00000ZZZZZ")


@pytest.fixture(params=["exact", "sketch"])
def kind(request, monkeypatch):
    """A memory as a plain set, and one that becomes a sketch at once."""
    if request.param == "sketch":
        monkeypatch.setattr(known_ids, "EXACT_MOST", 20)
    return request.param


def audited(before, rows, began):
    audit = Audit(before, began)
    audit.take(rows)
    return audit.findings()


def test_only_what_the_org_has_no_more_has_vanished(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    assert (known.sketch is not None) == (kind == "sketch")
    findings = audited(known, rows[5:], START + HOUR)
    assert findings.vanished == tuple(sorted(row.id for row in rows[:5]))
    assert audited(findings.known, rows[5:], START + 2 * HOUR).vanished == ()


def test_rows_that_are_delivered_again_and_again_are_remembered_once(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    new = [SeenRow(one, START + HOUR / 2) for one in ids_from("0015g00000BBBBB", 40)]
    known = audited(None, rows, START).known
    known.note([*rows[:30], *new], START + HOUR, MARGIN)
    # The next window repeats them: changed again, or within the look-back.
    known.note([*rows[:30], *new], START + 2 * HOUR, MARGIN)
    assert audited(known, [*rows, *new], START + 3 * HOUR).vanished == ()
    gone = {new[0].id, rows[0].id}
    left = [row for row in [*rows, *new] if row.id not in gone]
    assert set(audited(known, left, START + 3 * HOUR).vanished) == gone


def test_a_row_that_became_visible_late_is_remembered_by_name(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    known.note([], START + HOUR, MARGIN)
    (late,) = (SeenRow(one, START + HOUR - MARGIN / 2) for one in ids_from("0015g00000CCCCC", 1))
    known.note([late], START + 2 * HOUR, MARGIN)
    assert audited(known, rows, START + 3 * HOUR).vanished == (late.id,)
    assert audited(known, [*rows, late], START + 3 * HOUR).vanished == ()


def test_a_row_that_was_never_delivered_is_no_deletion(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    backdated = SeenRow(LATER, START - 9 * HOUR)
    assert audited(known, [*rows, backdated], START + HOUR).vanished == ()


def test_rows_without_a_creation_date(kind):
    rows = [SeenRow(one, None) for one in ids_from("00r5g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    new = [SeenRow(one, None) for one in ids_from("00r5g00000BBBBB", 5)]
    known.note([*new, *new], START + HOUR, MARGIN)
    assert audited(known, [*rows[1:], *new[1:]], START + 2 * HOUR).vanished == (rows[0].id, new[0].id)


def test_a_memory_comes_back_from_json(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    known.note([SeenRow(LATER, START + 2 * HOUR)], START + HOUR, MARGIN)
    again = KnownIds.from_json(json.loads(json.dumps(known.to_json())))
    assert again.to_json() == known.to_json()
    assert audited(again, rows[1:], START + 2 * HOUR).vanished == (rows[0].id, LATER)


def test_any_history_ends_with_the_right_answer(kind):
    """Windows of an hour in which rows are made, changed and purged; each audit must find exactly what was purged."""
    chance = random.Random(7)
    fresh = iter(ids_from("0015g00000AAAAA", 5_000, step=3))
    org = {next(fresh): START - HOUR for _ in range(100)}
    known = audited(None, [SeenRow(*row) for row in org.items()], START).known
    delivered, now = set(org), START
    for hour in range(1, 60):
        end = now + HOUR
        made = {next(fresh): now + chance.random() * HOUR for _ in range(chance.randrange(30))}
        org |= made
        touched = chance.sample(sorted(org), min(len(org), 40))
        batch = dict.fromkeys([*made, *touched])
        known.note([SeenRow(one, org[one]) for one in batch], end, MARGIN)
        delivered |= set(batch)
        for one in chance.sample(sorted(org), min(len(org), chance.randrange(12))):
            del org[one]
        now = end
        if hour % 5 == 0:
            findings = audited(known, [SeenRow(*row) for row in org.items()], now)
            assert set(findings.vanished) == delivered - set(org)
            known, delivered = KnownIds.from_json(findings.known.to_json()), set(org)


def test_a_row_reported_between_two_audits_is_not_reported_again(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    known.report([rows[0].id, LATER], START + HOUR)  # LATER was never delivered
    assert [known.may_have(one) for one in (rows[0].id, rows[1].id)] == [False, True]
    again = KnownIds.from_json(json.loads(json.dumps(known.to_json())))
    assert (again.reported, again.covered) == (known.reported, START + HOUR)
    for memory in (known, again):
        memory.report([rows[0].id, LATER], START + HOUR)
        assert audited(memory, rows[2:], START + 2 * HOUR).vanished == (rows[1].id,)


def test_a_restored_row_is_no_longer_a_reported_one(kind):
    rows = [SeenRow(one, START - HOUR) for one in ids_from("0015g00000AAAAA", 60)]
    known = audited(None, rows, START).known
    known.report([rows[0].id], START + HOUR)
    known.note([rows[0]], START + HOUR, MARGIN)
    assert known.may_have(rows[0].id)
    assert audited(known, rows[1:], START + 2 * HOUR).vanished == (rows[0].id,)


def test_a_memory_from_before_the_log_was_read_begins_at_its_audit():
    blob = KnownIds(START).to_json()
    del blob["covered"]
    assert KnownIds.from_json(blob).covered == START


def test_what_finds_no_room_is_counted(monkeypatch):
    monkeypatch.setattr(known_ids, "NAMED_MOST", 3)
    monkeypatch.setattr(known_ids, "EXACT_MOST", 1)
    known = audited(None, [SeenRow(one, None) for one in ids_from("00r5g00000AAAAA", 5)], START).known
    known.note([SeenRow(one, None) for one in ids_from("00r5g00000BBBBB", 5)], START + HOUR, MARGIN)
    assert known.forgotten == 2


def test_a_full_memory_stays_within_256_kib():
    known = KnownIds(START)
    chance = random.Random(3)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for number in range(known_ids.EXACT_MOST):
        known.see(SeenRow("001" + "".join(chance.choices(digits, k=12)) + "AAA", START - HOUR))
        if number < known_ids.NAMED_MOST:
            known.see(SeenRow("001000" + "".join(chance.choices(digits, k=9)) + "AAA", START + HOUR))
    assert len(json.dumps(known.to_json())) < 256 * 1024
    known.see(SeenRow(id_18("0015g00000AAAAA"), START - HOUR))
    assert known.sketch is not None
    assert len(json.dumps(known.to_json())) < 256 * 1024
    half = sorted(known.named)[::2]
    known.report(half, START)
    known.note([SeenRow(one[:5] + "9" + one[6:], None) for one in half], START + HOUR, MARGIN)
    assert len(known.named) + len(known.reported) == known_ids.NAMED_MOST
    assert len(json.dumps(known.to_json())) < 256 * 1024


SOUND = KnownIds(START).to_json()


@pytest.mark.parametrize(
    "blob",
    [
        None,
        {},
        {"audited": "x"},
        SOUND | {"ids": "?"},
        SOUND | {"ids": 3},
        SOUND | {"covered": 3},
        SOUND | {"reported": []},
    ],
)
def test_another_blob_is_refused(blob):
    with pytest.raises(ValueError, match=r"not a|base85|an instant"):
        KnownIds.from_json(blob)
