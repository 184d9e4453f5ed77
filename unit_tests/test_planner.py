from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.planner import (
    MOST_PIECES,
    PROBE_SPAN,
    ROWS_IN_ONE_REFRESH,
    ROWS_PER_RANGE,
    ROWS_PER_WINDOW,
    Piece,
    cut_by_date,
    cut_by_id,
    expected_rows,
    may_be_large,
    probe_pays,
    ranges_of,
    wants_count,
)
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.salesforce.ids import id_15, id_18
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


# Cuts by date


def test_a_large_object_is_cut_into_windows_of_equal_length_between_its_oldest_and_newest_row():
    pieces = cut_by_date(window(None), T - 100 * DAY, T - DAY, 4 * ROWS_PER_WINDOW)
    assert [piece.rows for piece in pieces] == [ROWS_PER_WINDOW] * 4
    spans = [piece.bounds.end - piece.bounds.start for piece in pieces[1:-1]]
    assert all(abs(span - timedelta(days=24.75)) <= timedelta(seconds=1) for span in spans)


def test_a_window_is_cut_for_the_share_of_the_rows_that_it_holds():
    """What an earlier run has read is not expected again."""
    pieces = cut_by_date(window(50 * DAY), T - 100 * DAY, T, 8 * ROWS_PER_WINDOW)
    assert len(pieces) == 4


def test_a_window_beside_all_rows_stays_whole():
    late = Bounds(start=T - DAY, end=T, id_from=None, id_to=None)
    assert cut_by_date(late, T - 100 * DAY, T - 50 * DAY, 10**9) == (Piece(late),)


def test_stamps_that_importers_set_do_not_stretch_the_windows():
    pieces = cut_by_date(window(None), datetime(1903, 1, 1, tzinfo=UTC), T, 3 * ROWS_PER_WINDOW)
    assert pieces[0].bounds.start is None
    assert pieces[0].bounds.end is not None
    assert pieces[0].bounds.end.year > 2005


instants = st.integers(0, 67 * 365 * 86_400).map(lambda seconds: T - timedelta(seconds=seconds))


@given(st.none() | instants, instants, instants, st.integers(0, 10**11))
def test_the_pieces_of_a_window_meet_without_gap_or_overlap_at_whole_seconds(start, one, other, rows):
    whole = Bounds(start=start, end=T, id_from=None, id_to=None)
    pieces = [piece.bounds for piece in cut_by_date(whole, min(one, other), max(one, other), rows)]
    assert (pieces[0].start, pieces[-1].end) == (start, T)
    assert all(low.end == high.start for low, high in pairwise(pieces))
    cuts = [piece.end for piece in pieces[:-1]]
    assert all(cut is not None and not cut.microsecond for cut in cuts)
    assert cuts == sorted(set(cuts))  # type: ignore[type-var]
    assert len(pieces) <= MOST_PIECES


# Cuts by Id

CUTS = [id_18(f"001A000000{number:05d}") for number in (10, 20, 30)]


def test_a_full_refresh_is_cut_into_ranges_the_first_open_below_and_the_last_open_above():
    pieces = cut_by_id(WHOLE, CUTS, 4 * ROWS_PER_RANGE)
    assert [(piece.bounds.id_from, piece.bounds.id_to) for piece in pieces] == [
        (None, CUTS[0]),
        (CUTS[0], CUTS[1]),
        (CUTS[1], CUTS[2]),
        (CUTS[2], None),
    ]
    assert all((piece.bounds.start, piece.bounds.end) == (None, None) for piece in pieces)
    assert [piece.rows for piece in pieces] == [ROWS_PER_RANGE] * 4


def test_what_an_interrupted_refresh_has_left_is_cut_where_the_whole_object_is():
    rest = replace(WHOLE, id_from=CUTS[1][:15])
    pieces = cut_by_id(rest, CUTS, 4 * ROWS_PER_RANGE)
    assert [(piece.bounds.id_from, piece.bounds.id_to) for piece in pieces] == [
        (id_15(CUTS[1]), CUTS[2]),
        (CUTS[2], None),
    ]
    assert [piece.rows for piece in pieces] == [ROWS_PER_RANGE] * 2


def test_no_object_is_cut_into_thousands_of_jobs():
    assert ranges_of(10**12) == MOST_PIECES
    assert len(cut_by_date(window(None), T - 9000 * DAY, T, 10**12)) == MOST_PIECES
    assert (ranges_of(ROWS_IN_ONE_REFRESH), ranges_of(ROWS_IN_ONE_REFRESH + 1)) == (1, 5)
