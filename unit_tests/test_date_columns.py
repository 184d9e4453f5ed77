from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages.cells import UNREADABLE, calendar_date, instant
from source_salesforce_bulk.pages.date_columns import are_dates, are_instants

DAY = b"2026-11-23"
MOMENT = b"2026-11-23T02:00:00.000Z"
YEAR = [str(date(2023, 1, 1) + timedelta(days=day)).encode() for day in range(365)]


def test_every_day_of_a_year_is_a_date_alone_and_together():
    assert are_dates(YEAR)
    assert all(are_dates([day]) for day in YEAR)


def test_no_other_two_digits_are_a_month_and_a_day():
    known = set(YEAR)
    for month in range(100):
        for day in range(100):
            cell = b"2023-%02d-%02d" % (month, day)
            assert are_dates([DAY, cell, DAY]) == (cell in known), cell


@pytest.mark.parametrize("place", [11, 14, 17], ids=["hour", "minute", "second"])
def test_no_other_two_digits_are_a_time(place):
    for number in range(100):
        cell = MOMENT[:place] + b"%02d" % number + MOMENT[place + 2 :]
        assert are_instants([MOMENT, cell, MOMENT]) == (number < (24 if place == 11 else 60)), cell


@pytest.mark.parametrize("cells", [[MOMENT], [MOMENT] * 1000, [b"2026-11-23T02:00:00Z"] * 3, [b"9999-12-31T23:59:59Z"]])
def test_instants_of_one_spelling_are_seen(cells):
    assert are_instants(cells)


@pytest.mark.parametrize(
    "odd",
    [
        b"2026-11-23T02:00:00Z",
        b"2026-11-23T02:00:00.000+0000",
        b"2026-11-23T02:00:00.001Z",
        b"2026-11-23 02:00:00.000Z",
        b"2026-11-23",
        b"0000-11-23T02:00:00.000Z",
        b"2026-13-23T02:00:00.000Z",
        b"",
        MOMENT + b"\x1f" + MOMENT,
    ],
)
def test_one_odd_instant_is_a_doubt_about_all(odd):
    alone_it_is_one = odd in (b"2026-11-23T02:00:00Z", b"2026-11-23T02:00:00.001Z")
    assert are_instants([odd]) == alone_it_is_one
    for cells in ([odd, MOMENT], [MOMENT, odd], [MOMENT, odd, MOMENT]):
        assert are_instants(cells) == (odd == b"2026-11-23T02:00:00.001Z")


@pytest.mark.parametrize(
    "odd", [b"2026-1-1", b"2026-11-233", b"2026/11/23", b"20261123", b"0000-01-01", b"", b"2026-W47-1", MOMENT]
)
def test_one_odd_date_is_a_doubt_about_all(odd):
    for cells in ([odd], [odd, DAY], [DAY, odd], [DAY, odd, DAY]):
        assert not are_dates(cells)


DIGITS = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True)
MOMENTS = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\.000Z", fullmatch=True)


@given(st.lists(st.one_of(DIGITS, st.dates().map(str)), min_size=1, max_size=4))
def test_what_are_called_dates_the_reader_of_dates_reads(cells):
    if are_dates([cell.encode() for cell in cells]):
        assert UNREADABLE not in [calendar_date(cell) for cell in cells]


@given(st.lists(MOMENTS, min_size=1, max_size=4))
def test_what_are_called_instants_the_reader_of_instants_reads(cells):
    if are_instants([cell.encode() for cell in cells]):
        assert UNREADABLE not in [instant(cell) for cell in cells]


@given(st.lists(st.dates().filter(lambda day: (day.month, day.day) != (2, 29)), min_size=1))
def test_dates_are_no_doubt_but_for_leap_days(days):
    assert are_dates([str(day).encode() for day in days])
