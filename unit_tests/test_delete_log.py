"""The questions to the log of deletions, and when its answers are not enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.deletions import known_ids
from source_salesforce_bulk.deletions.delete_log import (
    LogSpan,
    audit_comes_early,
    covered_by,
    is_current,
    is_plausible,
    span_since,
    to_look_up,
)
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow
from source_salesforce_bulk.salesforce.rest_api import DeletedRows
from source_salesforce_bulk.salesforce.rest_query import IDS_IN_ONE_QUERY
from unit_tests.test_id_sketch import ids_from

START = datetime(2026, 11, 1, 8, 0, 30, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MARGIN = 10 * MINUTE
SPAN = LogSpan(datetime(2026, 11, 1, 7, 50, tzinfo=UTC), datetime(2026, 11, 1, 9, 0, tzinfo=UTC))


def memory(*ids: str) -> KnownIds:
    known = KnownIds(START)
    for one in ids:
        known.see(SeenRow(one, START - DAY))
    return known


def answer(*ids: str, covered: datetime = SPAN.end, earliest: datetime | None = None) -> DeletedRows:
    return DeletedRows(frozenset(ids), covered, earliest)


def test_the_log_is_asked_from_the_last_answer_and_a_margin_before_it_in_whole_minutes():
    assert span_since(memory(), START + 59 * MINUTE + MINUTE / 2, MARGIN) == SPAN


def test_the_log_is_left_alone_for_five_minutes():
    known = memory()
    assert is_current(known, START + 4 * MINUTE)
    assert not is_current(known, START + 5 * MINUTE)
    known.report((), START + 2 * MINUTE)
    assert is_current(known, START + 6 * MINUTE)


def test_the_log_reaches_back_fifteen_days():
    assert span_since(memory(), START + 15 * DAY - 11 * MINUTE, MARGIN) is not None
    assert span_since(memory(), START + 15 * DAY - 10 * MINUTE, MARGIN) is None


def test_an_answer_that_begins_later_than_asked_is_not_enough():
    assert to_look_up(memory(), SPAN, answer(earliest=SPAN.start)) == frozenset()
    assert to_look_up(memory(), SPAN, answer(earliest=SPAN.start + MINUTE)) is None


def test_only_rows_that_may_have_been_delivered_are_looked_up():
    delivered, unknown = ids_from("0015g00000AAAAA", 2)
    assert to_look_up(memory(delivered), SPAN, answer(delivered, unknown)) == {delivered}


def test_a_sketch_may_have_every_row_but_those_already_reported(monkeypatch):
    monkeypatch.setattr(known_ids, "EXACT_MOST", 1)
    delivered, gone, unknown = ids_from("0015g00000AAAAA", 3)
    known = memory(delivered, gone)
    known.report([gone], START)
    assert to_look_up(known, SPAN, answer(delivered, gone, unknown)) == {delivered, unknown}


def test_more_rows_than_one_query_can_ask_for_are_not_looked_up():
    ids = list(ids_from("0015g00000AAAAA", IDS_IN_ONE_QUERY + 1))
    assert to_look_up(memory(*ids), SPAN, answer(*ids)) is None
    assert len(to_look_up(memory(*ids[1:]), SPAN, answer(*ids)) or ()) == IDS_IN_ONE_QUERY


def test_too_many_deletions_are_not_believed():
    known = memory(*ids_from("0015g00000AAAAA", 500))
    assert is_plausible(known, 100, 0)
    assert is_plausible(known, 101, 21)
    assert not is_plausible(known, 101, 20)


def test_deletions_that_the_memory_cannot_keep_are_not_believed(monkeypatch):
    monkeypatch.setattr(known_ids, "EXACT_MOST", 1)
    monkeypatch.setattr(known_ids, "NAMED_MOST", 3)
    known = memory(*ids_from("0015g00000AAAAA", 9))
    known.report(list(ids_from("0015g00000AAAAA", 2)), START)
    assert is_plausible(known, 1, 100)
    assert not is_plausible(known, 2, 100)


@pytest.mark.parametrize(
    ("said", "covered"),
    [(-30, START), (20, START + 20 * MINUTE), (900, SPAN.end)],
    ids=["behind", "within", "ahead of the question"],
)
def test_deletions_are_known_up_to_what_was_asked_and_answered(said, covered):
    assert covered_by(memory(), SPAN, answer(covered=START + said * MINUTE)) == covered


def test_an_audit_comes_early_a_day_after_the_last():
    assert not audit_comes_early(memory(), START + DAY - MINUTE)
    assert audit_comes_early(memory(), START + DAY)
