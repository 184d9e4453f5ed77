from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.quota import (
    RECENT,
    RecentUsage,
    check_limits,
    check_usage,
    compute_quota,
    jobs_used_up,
)
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Kind
from source_salesforce_bulk.salesforce.rest_api import Limit, Limits
from source_salesforce_bulk.salesforce.wire import ApiUsage

PLENTY = Limit(maximum=1000, remaining=900)
SCARCE = Limit(maximum=1000, remaining=49)
LIMITS = Limits(api_requests=PLENTY, query_jobs=PLENTY, query_result_mb=PLENTY)


def test_a_run_goes_on_while_the_reserve_is_there():
    assert check_limits(LIMITS, 5) is None


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("api_requests", Kind.API_CALLS_EXHAUSTED, "DailyApiRequests"),
        ("query_jobs", Kind.QUERY_JOBS_EXHAUSTED, "DailyBulkV2QueryJobs"),
        ("query_result_mb", Kind.RESULT_VOLUME_EXHAUSTED, "DailyBulkV2QueryFileStorageMB"),
    ],
)
def test_each_limit_that_falls_below_the_reserve_stops_the_run_and_says_so(name, kind, words):
    failure = check_limits(replace(LIMITS, **{name: SCARCE}), 5)
    assert failure is not None
    assert (failure.kind, failure.action, failure.consequence) == (kind, Action.STOP_RUN, Consequence.TRANSIENT)
    assert f"49 of 1,000 {words} are left, less than the 5 %" in failure.summary
    assert "daily_limit_reserve_percent" in failure.summary


@pytest.mark.parametrize(("remaining", "stops"), [(51, False), (50, False), (49, True), (0, True)])
def test_the_reserve_itself_may_be_left(remaining, stops):
    limits = replace(LIMITS, query_jobs=Limit(maximum=1000, remaining=remaining))
    assert (check_limits(limits, 5) is not None) is stops
    usage = ApiUsage(used=1000 - remaining, maximum=1000)
    assert (check_usage(usage, 5) is not None) is stops


def test_the_first_of_several_scarce_limits_is_named():
    failure = check_limits(Limits(api_requests=PLENTY, query_jobs=SCARCE, query_result_mb=SCARCE), 5)
    assert failure is not None
    assert failure.kind is Kind.QUERY_JOBS_EXHAUSTED


def test_without_a_reserve_everything_may_be_used():
    assert check_limits(replace(LIMITS, query_jobs=Limit(maximum=1000, remaining=0)), 0) is None
    assert check_usage(ApiUsage(used=1000, maximum=1000), 0) is None


def test_a_limit_that_an_org_does_not_report_stops_no_run():
    assert check_limits(Limits(api_requests=None, query_jobs=None, query_result_mb=None), 99) is None
    assert check_usage(None, 99) is None


def test_a_limit_of_zero_is_an_org_that_does_not_count():
    assert check_limits(replace(LIMITS, query_result_mb=Limit(maximum=0, remaining=0)), 5) is None
    assert check_usage(ApiUsage(used=0, maximum=0), 5) is None


def test_an_org_that_has_overshot_its_limit_has_nothing_left():
    failure = check_usage(ApiUsage(used=1200, maximum=1000), 5)
    assert failure is not None
    assert "0 of 1,000" in failure.summary


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 99))
def test_the_header_and_the_limits_resource_are_judged_alike(maximum, used, percent):
    remaining = max(0, maximum - used)
    by_header = check_usage(ApiUsage(used=used, maximum=maximum), percent)
    by_limits = check_limits(Limits(Limit(maximum=maximum, remaining=remaining), None, None), percent)
    assert by_header == by_limits
    assert (by_header is not None) == (Fraction(remaining, maximum) < Fraction(percent, 100))


@pytest.mark.parametrize(
    ("remaining", "percent", "jobs"), [(900, 5, 850), (51, 5, 1), (50, 5, 0), (3, 5, 0), (900, 0, 900)]
)
def test_a_run_may_create_the_jobs_above_the_reserve(remaining, percent, jobs):
    limits = replace(LIMITS, query_jobs=Limit(maximum=1000, remaining=remaining))
    assert compute_quota(limits, percent).jobs == jobs


def test_the_reserve_is_rounded_in_favour_of_the_others():
    assert compute_quota(replace(LIMITS, query_jobs=Limit(maximum=101, remaining=101)), 5).jobs == 95


@pytest.mark.parametrize("jobs", [None, Limit(maximum=0, remaining=0)])
def test_jobs_that_are_not_counted_are_not_bounded(jobs):
    assert compute_quota(replace(LIMITS, query_jobs=jobs), 5).jobs is None


def test_a_quota_carries_the_failure_of_any_limit():
    assert compute_quota(LIMITS, 5).failure is None
    failure = compute_quota(replace(LIMITS, api_requests=SCARCE), 5).failure
    assert failure is not None
    assert failure.kind is Kind.API_CALLS_EXHAUSTED


def test_an_object_without_a_job_left_for_it_fails_alone_and_may_be_read_by_a_later_run():
    failure = jobs_used_up()
    assert (failure.kind, failure.action) == (Kind.QUERY_JOBS_EXHAUSTED, Action.FAIL_STREAM)
    assert failure.consequence is Consequence.TRANSIENT
    assert "daily_limit_reserve_percent" in failure.summary


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
