from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from source_salesforce_bulk.extraction.cuts import ROWS_IN_ONE_REFRESH, ROWS_PER_WINDOW
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.planner import (
    PROBE_SPAN,
    Beginning,
    begin,
    expected_rows,
    may_be_large,
    probe_pays,
    wants_count,
)
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, ReadState, ResumePoint, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow
from source_salesforce_bulk.salesforce.soql import Bounds, build_soql, format_instant, query_hash
from unit_tests.extraction_rig import object_plan

T = datetime(2026, 11, 23, 2, tzinfo=UTC)
READ_BEFORE = StreamState(mode=Mode.INCREMENTAL, cursor=T - timedelta(days=1))


def window(span: timedelta | None, **ids: str) -> Bounds:
    start = T - span if span is not None else None
    return Bounds(start=start, end=T, id_from=ids.get("id_from"), id_to=ids.get("id_to"))


# From a state to windows

POINT = ResumePoint(
    job="750old000000000AAA",
    locator="e",
    page=5,
    rows=500,
    bounds=Bounds(start=None, end=T, id_from=None, id_to=None),
    api_version="v58.0",
    page_size=100,
    query="",
)


def continued(plan: ObjectPlan, point: ResumePoint = POINT) -> ResumePoint:
    """The point of a job that was created for exactly the query that ``plan`` has."""
    return replace(point, query=query_hash(build_soql(plan.query, point.bounds), plan.query.operation))


def begun(plan: ObjectPlan, *points: ResumePoint, **changes: Any) -> Beginning:
    state = replace(plan.state, resume=points)
    incoming = ReadState(state, **changes)
    return begin(replace(plan, state=state), incoming, lambda: T, remedy="reset the stream")


def test_an_earlier_runs_job_of_the_same_query_is_continued():
    plan = object_plan("Account", Mode.INCREMENTAL)
    point = continued(plan)
    assert begun(plan, point).windows[0] == PlannedWindow(point.bounds, point)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_earlier_runs_job_of_another_query_is_abandoned_and_its_window_read_anew(mode):
    point = POINT if mode is Mode.INCREMENTAL else replace(POINT, bounds=WHOLE)
    beginning = begun(object_plan("Account", mode), point)
    assert beginning.windows[0] == PlannedWindow(point.bounds)
    assert beginning.abandoned == (point,)
    assert beginning.warnings == (f"Account: its query changed; the window of job {point.job} is read again",)


def test_a_window_that_ends_behind_the_orgs_clock_is_abandoned():
    plan = object_plan("Account", Mode.INCREMENTAL)
    ahead = continued(plan, replace(POINT, bounds=replace(POINT.bounds, end=T + timedelta(hours=1))))
    beginning = begun(plan, ahead)
    assert beginning.windows == (PlannedWindow(replace(WHOLE, end=T)),)
    assert (beginning.abandoned, beginning.plan.state.resume) == ((ahead,), ())


def test_what_the_state_says_of_itself_is_a_warning_and_its_jobs_are_abandoned():
    beginning = begun(object_plan("Account", Mode.INCREMENTAL), warning="It is old.", abandoned=(POINT,))
    assert beginning.warnings == ("Account: It is old.",)
    assert beginning.abandoned == (POINT,)


def test_the_orgs_clock_is_asked_only_where_a_window_ends_there():
    def never() -> datetime:
        raise AssertionError("asked")

    plan = object_plan("Account", Mode.FULL_REFRESH)
    assert begin(plan, ReadState(plan.state), never).windows == (PlannedWindow(WHOLE),)
    complete = replace(plan.state, complete=True)
    assert begin(plan, ReadState(complete), never).windows == ()


# Probes


@pytest.mark.parametrize("span", [timedelta(minutes=10), timedelta(days=1), PROBE_SPAN])
def test_a_short_window_behind_what_an_earlier_run_has_read_is_probed(span):
    assert probe_pays(READ_BEFORE, window(span))


def test_a_long_window_is_not():
    assert not probe_pays(READ_BEFORE, window(PROBE_SPAN + timedelta(seconds=1)))


def test_a_first_load_is_not_probed_however_short_its_window():
    assert not probe_pays(StreamState(mode=Mode.INCREMENTAL), window(timedelta(days=1)))


def test_a_window_that_is_open_or_a_range_of_ids_is_not_probed():
    assert not probe_pays(READ_BEFORE, window(None))
    assert not probe_pays(READ_BEFORE, Bounds(start=T, end=None, id_from=None, id_to=None))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_from="001A0000006Vm9r"))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_to="001A0000006Vm9r"))


# Whose rows are counted

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("blob", "wanted"),
    [
        ({}, True),
        (None, True),
        ({"SystemModstamp": format_instant(T - DAY), "scope": "sha256:s"}, False),
        ({"SystemModstamp": format_instant(T - 30 * DAY), "scope": "sha256:s"}, True),
        ({"SystemModstamp": format_instant(T - DAY), "resume": []}, True),
        ({"scope": "sha256:s"}, True),
        (dict(COMPLETE_MARKER), False),
        ({"mode": "full_refresh", "resume": []}, True),
        ({"SystemModstamp": 7}, True),
    ],
)
def test_a_count_is_wanted_unless_an_earlier_run_has_read_nearly_everything(blob, wanted):
    assert wants_count(blob, T) is wanted


# What is large


def plan(mode: Mode = Mode.INCREMENTAL, rows: int | None = None, **changes) -> ObjectPlan:
    return replace(object_plan("Account", mode), rows=rows, **changes)


@pytest.mark.parametrize(("rows", "large"), [(None, False), (ROWS_PER_WINDOW, False), (ROWS_PER_WINDOW + 1, True)])
def test_a_first_load_is_large_above_one_windows_rows(rows, large):
    assert may_be_large(plan(rows=rows), window(None)) is large


@pytest.mark.parametrize("rows", [ROWS_IN_ONE_REFRESH, ROWS_IN_ONE_REFRESH + 1])
def test_a_full_refresh_is_left_to_salesforces_own_chunks_for_longer(rows):
    assert may_be_large(plan(Mode.FULL_REFRESH, rows), WHOLE) is (rows > ROWS_IN_ONE_REFRESH)


def test_a_full_refresh_that_a_start_date_narrows_is_not_cut_because_its_rows_are_not_known():
    assert not may_be_large(plan(Mode.FULL_REFRESH, 10**9, start=T - DAY), replace(WHOLE, start=T - DAY))


def test_what_is_probed_or_a_range_of_ids_already_is_not_cut_by_date():
    assert not may_be_large(plan(rows=10**9, state=READ_BEFORE), window(DAY))
    assert not may_be_large(plan(rows=10**9), window(None, id_from="001A0000006Vm9r"))


def test_rows_are_expected_of_windows_that_take_in_the_whole_object():
    assert expected_rows(plan(rows=47), window(None)) == 47
    assert expected_rows(plan(Mode.FULL_REFRESH, 47), WHOLE) == 47
    assert expected_rows(plan(rows=47), window(DAY)) is None
    assert expected_rows(plan(rows=47), window(None, id_from="001A0000006Vm9r")) is None
