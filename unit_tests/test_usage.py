from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.quota import check_usage
from source_salesforce_bulk.extraction.usage import RECENT, RecentUsage
from source_salesforce_bulk.salesforce.wire import ApiUsage


def after(*counts: int | None) -> RecentUsage:
    recent = RecentUsage()
    for used in counts:
        recent = recent.seen(None if used is None else ApiUsage(used, 1000))
    return recent


@pytest.mark.parametrize(
    ("counts", "believed"),
    [
        ([18], 18),
        ([18, 19], 19),
        ([19, 18], 19),
        ([17, 18, 19], 18),
        ([19, 19, 3], 19),
        ([500, 501, 2, 3, 501], 501),
        ([500, 501, 999_999, 502], 502),
        ([None, 18, None, None], 18),
    ],
)
def test_a_late_answer_does_not_lower_the_count_and_a_wild_one_does_not_raise_it(counts, believed):
    usage = after(*counts).believed
    assert usage is not None
    assert usage.used == believed


def test_before_any_answer_nothing_is_believed():
    assert RecentUsage().believed is None
    assert after(None).believed is None


def test_calls_that_came_back_are_believed_once_enough_answers_say_so():
    assert after(*[900] * 5, *[100] * RECENT).believed == ApiUsage(100, 1000)


def test_a_decision_at_the_reserve_does_not_flap():
    recent, stopped = after(940, 945, 951, 952), []
    for used in (949, 953, 940, 954, 930, 955):
        recent = recent.seen(ApiUsage(used, 1000))
        stopped.append(check_usage(recent.believed, 5) is not None)
    assert stopped == [True] * 6


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=60))
def test_the_believed_count_is_one_that_was_said_and_another_is_at_least_as_large(counts):
    believed = after(*counts).believed
    assert believed is not None
    recent = counts[-RECENT:]
    assert believed.used in recent
    assert sum(used >= believed.used for used in recent) >= 2
