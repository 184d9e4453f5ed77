from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from source_salesforce_bulk.export.forecast import (
    POLLS_PER_JOB,
    TOLERANCE,
    Ending,
    ObjectForecast,
    Use,
    Verdict,
    calls,
    calls_without_polls,
    least_calls,
    overall,
    plan_code,
    row_width,
    verdicts,
)
from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.rest_api import Limit

DOCS = Path(__file__).parents[1] / "docs"


def forecast(windows: int = 1, pages: int | None = 1) -> ObjectForecast:
    return ObjectForecast("Account", Mode.INCREMENTAL, ("Id",), "SystemModstamp", windows, None, pages, None)


def test_a_job_of_ten_minutes_takes_the_polls_that_the_docs_say():
    told = (DOCS / "api-calls.md").read_text(encoding="utf-8")
    (polls,) = re.findall(r"ten minutes (\d+),", told)
    assert (1, int(polls)) == POLLS_PER_JOB


@pytest.mark.parametrize("jobs", [1, 7, 100])
def test_a_number_of_calls_is_right_whether_jobs_are_done_at_once_or_in_ten_minutes(jobs):
    told = {without_polls: calls(without_polls, jobs) for without_polls in range(jobs, jobs * 300)}
    assert None in told.values()
    assert set(told.values()) != {None}
    for without_polls, number in told.items():
        for polls in POLLS_PER_JOB:
            actual = without_polls + jobs * polls
            assert number is None or abs(number - actual) <= TOLERANCE * actual


def test_calls_are_unknown_where_the_pages_are():
    assert calls_without_polls([forecast(), forecast(pages=None)], 5) is None
    assert calls(None, 2) is None


def test_an_export_creates_and_deletes_each_job_and_asks_for_each_page():
    assert calls_without_polls([forecast(windows=3, pages=8), forecast(windows=0, pages=0)], 5) == 5 + 3 * 2 + 8


def test_the_log_of_deletions_costs_one_call_or_two():
    watched = replace(forecast(windows=0, pages=0), log_calls=2)
    assert calls_without_polls([watched, watched], 5) == 9
    assert least_calls(watched) == 1


def test_a_row_is_as_wide_as_its_fields_and_what_stands_between_them():
    fields = (Field("Id", "id"), Field("IsDeleted", "boolean"))
    assert row_width(SObject(name="Account", label="Account", custom=False, fields=fields)) == 18 + 5 + 2 * 3


CALLS, JOBS = "DailyApiRequests", "DailyBulkV2QueryJobs"


def use(name: str, calls: float = 10, jobs: float = 1, refusal: str | None = None) -> Use:
    return Use(name, {CALLS: calls, JOBS: jobs}, refusal)


def endings(uses: list[Use], calls: Limit | None, jobs: Limit | None = None) -> list[Ending]:
    return [one.ending for one in verdicts(uses, {CALLS: calls, JOBS: jobs}, 5)]


def test_an_org_with_enough_left_would_finish():
    assert endings([use("Account"), use("Contact")], Limit(15_000, 14_000)) == [Ending.FINISH] * 2


def test_an_org_below_its_reserve_stops_every_object():
    (verdict,) = verdicts([use("Account")], {CALLS: Limit(15_000, 97), JOBS: None}, 5)
    assert verdict.ending is Ending.RESERVE
    assert str(verdict) == (
        "would stop at the reserve: 97 DailyApiRequests are left, 10 would be used, and 750 of 15,000 are kept "
        "in reserve (daily_limit_reserve_percent 5)"
    )


def test_what_earlier_objects_use_is_missing_for_later_ones():
    objects = [use("Account", 100), use("Contact", 100), use("Lead", 100)]
    assert endings(objects, Limit(1000, 250)) == [Ending.FINISH, Ending.FINISH, Ending.RESERVE]
    assert endings(objects, None, Limit(100, 7)) == [Ending.FINISH, Ending.FINISH, Ending.RESERVE]


def test_an_object_that_is_refused_uses_nothing():
    objects = [use("Account", 240, refusal="no"), use("Contact", 100)]
    assert endings(objects, Limit(1000, 250)) == [Ending.UNREADABLE, Ending.FINISH]


def test_an_org_that_does_not_count_stops_nothing():
    assert endings([use("Account", 10**6)], Limit(0, 0)) == [Ending.FINISH]
    assert endings([use("Account", 10**6)], None) == [Ending.FINISH]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], ExitCode.DONE),
        ([Ending.FINISH, Ending.UNREADABLE], ExitCode.SOME_FAILED),
        ([Ending.UNREADABLE, Ending.RESERVE, Ending.FINISH], ExitCode.RUN_AGAIN),
    ],
)
def test_the_run_ends_as_the_export_would(found, code):
    assert plan_code(overall([Verdict(one) for one in found])) is code
