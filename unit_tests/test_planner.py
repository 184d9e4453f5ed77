from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.planner import (
    PROBE_SPAN,
    ROWS_IN_ONE_REFRESH,
    ROWS_PER_WINDOW,
    expected_rows,
    may_be_large,
    probe_pays,
    wants_count,
)
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant
from unit_tests.extraction_rig import object_plan

T = datetime(2026, 11, 23, 2, tzinfo=UTC)
READ_BEFORE = StreamState(mode=Mode.INCREMENTAL, cursor=T - timedelta(days=1))


def window(span: timedelta | None, **ids: str) -> Bounds:
    start = T - span if span is not None else None
    return Bounds(start=start, end=T, id_from=ids.get("id_from"), id_to=ids.get("id_to"))


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
