from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.salesforce.field_types import CellKind


def read(kind: CellKind, cell: str) -> Value:
    return READERS[kind](cell)


def exact(value: Value) -> Decimal:
    """The number as a reader of the JSON that it becomes sees it."""
    text = str(value) if isinstance(value, Decimal) else orjson.dumps(value).decode()
    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert isinstance(parsed, Decimal)
    return parsed


def test_every_kind_has_a_reader():
    assert set(READERS) == set(CellKind)


@pytest.mark.parametrize("cell", ["", " ", "NA", "null", "NaN", "a\x00b", "\r\n", "=1", "047", "true", "東京\u2028"])
def test_text_is_left_as_it_stands(cell):
    assert read(CellKind.STRING, cell) == cell


@pytest.mark.parametrize(
    ("cell", "value"), [("true", True), ("false", False), ("TRUE", True), ("False", False), ("tRuE", True)]
)
def test_booleans_are_read_in_any_letter_case(cell, value):
    assert read(CellKind.BOOLEAN, cell) is value


@pytest.mark.parametrize("cell", ["1", "0", "yes", "t", " true", "true\n", "null", "NaN"])
def test_what_is_no_boolean_is_unreadable(cell):
    assert read(CellKind.BOOLEAN, cell) is UNREADABLE


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", 0),
        ("47", 47),
        ("-47", -47),
        ("+47", 47),
        ("-0", 0),
        ("007", 7),
        ("47.0", 47),
        ("47.", 47),
        ("-47.000", -47),
        ("0.0", 0),
        ("1.39E8", 139_000_000),
        ("1.39e+8", 139_000_000),
        ("4700E-2", 47),
        ("9007199254740993", 9007199254740993),
        ("9007199254740993.0", 9007199254740993),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_whole_numbers_are_read_however_they_are_written(cell, value):
    found = read(CellKind.INTEGER, cell)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize(
    "cell",
    [
        "47.5",
        "1E-1",
        "1E999999",
        "1E9999999999999999999999",
        "1E-9999999999999999999999",
        "9" * 401,
        "9" * 5000,
        "9" * 5000 + ".0",
        "",
        " 47",
        "47 ",
        "47\n",
        "4_7",
        "1,000",
        "0x2F",
        "٤٧",
        "NaN",
        "Infinity",
        "-",
        ".",
        "E5",
        "true",
    ],
    ids=lambda cell: repr(cell)[:30],
)
def test_what_is_no_whole_number_is_unreadable(cell):
    assert read(CellKind.INTEGER, cell) is UNREADABLE


@pytest.mark.parametrize(
    "cell",
    [
        "0",
        "-0",
        "0.0",
        "47",
        "47.0",
        "-47.25",
        "+47.25",
        ".5",
        "5.",
        "0.1",
        "1.10",
        "1.39E8",
        "1.39e-8",
        "123456789012345",
        "1234567890123456",
        "9007199254740993",
        "12345678901234567890",
        "0.12345678901234567890123456789",
        "0.1000000000000000055511151231257827",
        "99999999999999.99",
        "999999999999999.99",
        "1E308",
        "1E400",
        "-1E400",
        "5E-324",
        "1E-400",
        "4.9406564584124654E-324",
        "1" + "0" * 60,
        "9" * 5000,
    ],
    ids=lambda cell: cell[:40],
)
def test_a_number_keeps_every_digit_on_its_way_to_json(cell):
    assert exact(read(CellKind.NUMBER, cell)) == Decimal(cell)


@pytest.mark.parametrize("cell", ["0.1", "1.39E8", "47", "9999999999999.99"])
def test_a_number_that_a_float_reproduces_is_a_float(cell):
    assert type(read(CellKind.NUMBER, cell)) is float


@pytest.mark.parametrize("cell", ["12345678901234567890", "0.12345678901234567", "1E400", "1E-400"])
def test_a_number_that_a_float_would_change_is_a_decimal(cell):
    assert type(read(CellKind.NUMBER, cell)) is Decimal


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "1,5",
        "1_0",
        "$5",
        "5%",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "٤٧",
        "1e",
        "--1",
        "1.2.3",
        "0x1p3",
        "1E9999999999999999999999",
        "1E-9999999999999999999999",
        "true",
    ],
    ids=repr,
)
def test_what_is_no_number_is_unreadable(cell):
    assert read(CellKind.NUMBER, cell) is UNREADABLE


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_keeps_every_digit(number):
    assert exact(read(CellKind.NUMBER, str(number))) == Decimal(str(number))


@given(st.integers())
def test_any_whole_number_keeps_every_digit(number):
    assert read(CellKind.INTEGER, str(number)) == number
    assert exact(read(CellKind.NUMBER, str(number))) == number


@pytest.mark.parametrize("cell", ["2024-02-29", "0001-01-01", "9999-12-31", "1700-01-01", "4000-12-31"])
def test_dates_are_left_as_they_stand(cell):
    assert read(CellKind.DATE, cell) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-1-1",
        "24-01-01",
        "20240101",
        "2024-01-01 ",
        "2024-01-01T00:00:00Z",
        "2024-W01-1",
        "2024-W01-01",
        "01/02/2024",
        "0000-00-00",
        "٢٠٢٤-01-01",
        "12024-01-01",
        "today",
    ],
)
def test_what_is_no_date_is_unreadable(cell):
    assert read(CellKind.DATE, cell) is UNREADABLE


@pytest.mark.parametrize(
    "cell",
    [
        "2021-11-08T16:16:00.000Z",
        "2021-11-08T16:16:00Z",
        "2020-10-22T21:03:23.000+0000",
        "2020-10-22T21:03:23.000+00:00",
        "2020-10-22T21:03:23.123456-09:30",
        "1700-01-01T00:00:00.000Z",
        "4000-12-31T23:59:59.999Z",
    ],
)
def test_instants_with_a_zone_are_left_as_they_stand(cell):
    assert read(CellKind.DATETIME, cell) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "2021-11-08",
        "2021-11-08T16:16:00.000",
        "2021-11-08 16:16:00Z",
        "2021-11-08t16:16:00z",
        "2021-11-08T24:01:00Z",
        "2021-11-08T16:60:00Z",
        "2021-02-29T00:00:00Z",
        "2021-11-08T16:16:00+99:99",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "1636388160000",
        "2021-11-08T16:16:00Z\n",
        "20211108T161600Z",
        "now",
    ],
)
def test_what_is_no_instant_is_unreadable(cell):
    assert read(CellKind.DATETIME, cell) is UNREADABLE


@pytest.mark.parametrize("cell", ["13:14:15.000Z", "00:00:00", "23:59:60.5Z", "13:14:15+0100", "13:14:15.1-09:30"])
def test_times_are_left_as_they_stand(cell):
    assert read(CellKind.TIME, cell) == cell


@pytest.mark.parametrize("cell", ["24:00:00Z", "13:60:00Z", "1:02:03Z", "13:14Z", "noon", "13:14:15.Z", "13:14:15Z\n"])
def test_what_is_no_time_is_unreadable(cell):
    assert read(CellKind.TIME, cell) is UNREADABLE


@given(
    st.sampled_from(CellKind),
    st.text(min_size=1) | st.text("0123456789.-+eE:TZ ", min_size=1) | st.datetimes().map(datetime.isoformat),
)
def test_any_cell_is_read_or_unreadable_and_never_raises(kind, cell):
    value = read(kind, cell)
    if kind in (CellKind.STRING, CellKind.DATE, CellKind.DATETIME, CellKind.TIME):
        assert value in (cell, UNREADABLE)
    if kind is CellKind.DATE and value is not UNREADABLE:
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell, re.ASCII)


@pytest.mark.parametrize("kind", [CellKind.NUMBER, CellKind.INTEGER, CellKind.TIME, CellKind.DATE, CellKind.DATETIME])
@pytest.mark.parametrize("cell", ["1" * 131_072 + "x", "1" * 65_536 + "." + "1" * 65_535 + "e", "." * 131_072])
def test_the_longest_cell_that_is_nearly_a_number_is_unreadable(kind, cell):
    """It took a minute once, and the process could not be stopped; the steps are counted in ``test_patterns``."""
    assert READERS[kind](cell) is UNREADABLE
