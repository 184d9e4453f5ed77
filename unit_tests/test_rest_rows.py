"""Values of REST become the cells that Bulk would write."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.pages.rest_rows import cell_of, header_line, record_lines
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.wire import parse_json

COLUMNS = (Column("Id", CellKind.STRING), Column("Amount", CellKind.NUMBER), Column("Closed", CellKind.DATETIME))


def rows_of(columns, *records):
    page = header_line(columns) + record_lines(records, columns)
    return list(read_rows(io.BytesIO(page), [column.name for column in columns]))


@pytest.mark.parametrize(
    ("json", "kind", "cell"),
    [
        ("null", CellKind.STRING, ""),
        ('""', CellKind.STRING, ""),
        ("true", CellKind.BOOLEAN, "true"),
        ("false", CellKind.BOOLEAN, "false"),
        ("47", CellKind.INTEGER, "47"),
        ("47.0", CellKind.NUMBER, "47.0"),
        ("1.39E8", CellKind.NUMBER, "1.39E8"),
        ("12345678901234567890.12345678901234567890", CellKind.NUMBER, "12345678901234567890.12345678901234567890"),
        ('"2020-10-22T21:03:23.000+0000"', CellKind.DATETIME, "2020-10-22T21:03:23.000Z"),
        ('"2020-10-22T21:03:23.000+00:00"', CellKind.DATETIME, "2020-10-22T21:03:23.000Z"),
        ('"2020-10-22T21:03:23.000Z"', CellKind.DATETIME, "2020-10-22T21:03:23.000Z"),
        ('"2020-10-22T21:03:23.000+0000"', CellKind.STRING, "2020-10-22T21:03:23.000+0000"),
        ('"13:14:15.000Z"', CellKind.TIME, "13:14:15.000Z"),
        ('"a;b"', CellKind.STRING, "a;b"),
        ('"NA"', CellKind.STRING, "NA"),
    ],
)
def test_a_value_is_written_as_bulk_writes_it(json, kind, cell):
    assert cell_of(parse_json(json.encode(), digits=True), kind) == cell


def test_a_field_is_found_in_any_letter_case_and_through_parents():
    columns = (Column("id", CellKind.STRING), Column("Owner.Name", CellKind.STRING))
    assert rows_of(columns, {"Id": "1", "owner": {"NAME": "Ada"}}, {"Id": "2", "Owner": None}) == [
        ["1", "Ada"],
        ["2", ""],
    ]


@pytest.mark.parametrize("record", [{"Amount": "1", "Closed": None}, {"Id": ["1"], "Amount": None, "Closed": None}])
def test_a_record_that_is_no_row_is_rejected(record):
    with pytest.raises(PageRejected):
        rows_of(COLUMNS, record)


def test_a_value_where_a_parent_belongs_is_rejected():
    with pytest.raises(PageRejected):
        rows_of((Column("Owner.Name", CellKind.STRING),), {"Owner": "005"})


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=2, max_size=2))
def test_any_text_comes_back_as_it_was(texts):
    columns = (Column("A", CellKind.STRING), Column("B", CellKind.STRING))
    assert rows_of(columns, dict(zip("AB", texts, strict=True))) == [texts]


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_digits(number):
    text = f"{number:f}" if number == number.to_integral_value() else str(number)
    records = parse_json(f'[{{"Id": "1", "Amount": {text}, "Closed": null}}]'.encode(), digits=True)
    (row,) = rows_of(COLUMNS, *records)
    (record,) = RecordReader(COLUMNS).records([row])
    assert (row[1], Decimal(str(record.data["Amount"]))) == (text, number)
