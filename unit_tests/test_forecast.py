from __future__ import annotations

import re
from pathlib import Path

import pytest

from source_salesforce_bulk.export.forecast import (
    POLLS_PER_JOB,
    TOLERANCE,
    ObjectForecast,
    calls,
    calls_without_polls,
    row_width,
)
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.salesforce.describe import Field, SObject

DOCS = Path(__file__).parents[1] / "docs"


def forecast(windows: int = 1, pages: int | None = 1) -> ObjectForecast:
    return ObjectForecast("Account", Mode.INCREMENTAL, ("Id",), "SystemModstamp", windows, None, pages, None)


def test_a_job_of_ten_minutes_takes_the_polls_that_the_docs_say():
    told = (DOCS / "api-calls.md").read_text(encoding="utf-8")
    (polls,) = re.findall(r"of ten minutes (\d+),", told)
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


def test_a_row_is_as_wide_as_its_fields_and_what_stands_between_them():
    fields = (Field("Id", "id"), Field("IsDeleted", "boolean"))
    assert row_width(SObject(name="Account", label="Account", custom=False, fields=fields)) == 18 + 5 + 2 * 3
