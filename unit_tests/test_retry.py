from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.retry import (
    BODY_DEADLINE,
    MAX_RETRY_AFTER,
    PAGE_RETRIES,
    REQUEST_RETRIES,
    Backoff,
    RetryPolicy,
    parse_retry_after,
)

BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=30.0, jitter=0.25)
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def test_pauses_double_up_to_the_maximum():
    assert [BACKOFF.delay(attempt, 0.0) for attempt in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_jitter_takes_at_most_its_share_off():
    assert BACKOFF.delay(2, 1.0) == 3.0


@given(st.integers(-5, 10**9), st.floats(0, 1))
def test_a_pause_is_always_positive_and_never_above_the_maximum(attempt, random01):
    assert 0 < BACKOFF.delay(attempt, random01) <= 30.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("86400", MAX_RETRY_AFTER),
        ("9" * 400, MAX_RETRY_AFTER),
        ("Mon, 23 Nov 2026 02:00:09 GMT", 9.0),
        ("Mon, 23 Nov 2026 01:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 02:00:00 GMT", MAX_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(text, seconds):
    assert parse_retry_after({"retry-after": text}, NOW) == seconds


def test_without_the_header_or_without_a_now_nothing_is_asked_for():
    assert parse_retry_after({}, NOW) is None
    assert parse_retry_after({"retry-after": "Mon, 23 Nov 2026 02:00:09 GMT"}, None) is None


@given(st.text(max_size=40))
def test_any_header_is_read_without_raising(text):
    seconds = parse_retry_after({"retry-after": text}, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


def state(attempt: int, error: Exception | None = None, upcoming: float = 0.0):
    outcome = SimpleNamespace(exception=lambda: error)
    return SimpleNamespace(attempt_number=attempt, outcome=outcome, upcoming_sleep=upcoming)


def test_the_longer_of_backoff_and_what_was_asked_for_is_waited():
    wait = REQUEST_RETRIES.wait(lambda: 0.0, lambda error: error.args[0])
    assert wait(state(1, ValueError(7.0))) == 7.0
    assert wait(state(4, ValueError(7.0))) == 8.0
    assert wait(state(1, ValueError(None))) == 1.0


def test_a_policy_stops_after_its_attempts_and_before_its_budget():
    policy = RetryPolicy(attempts=3, backoff=BACKOFF, budget=10.0)
    assert not policy.stop(lambda: 0.0)(state(2))
    assert policy.stop(lambda: 0.0)(state(3))
    assert not policy.stop(lambda: 6.0)(state(1, upcoming=4.0))
    assert policy.stop(lambda: 6.0)(state(1, upcoming=4.1))


def test_budgets_follow_from_each_other():
    assert REQUEST_RETRIES.attempts == 5
    assert REQUEST_RETRIES.budget == REQUEST_RETRIES.attempts * MAX_RETRY_AFTER
    assert PAGE_RETRIES.budget == PAGE_RETRIES.attempts * (REQUEST_RETRIES.budget + BODY_DEADLINE)
    assert BODY_DEADLINE < 20 * 60  # Salesforce's own bound on a download
