from __future__ import annotations

import io
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages import arrow_pages
from source_salesforce_bulk.pages.arrow_pages import ArrowPageReader, arrow_schema
from source_salesforce_bulk.pages.csv_page import read_rows
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant


def opener(page: bytes):
    @contextmanager
    def open_page():
        yield io.BytesIO(page)

    return open_page


def read(page: bytes, columns, rows):
    reader = ArrowPageReader(columns)
    parts = list(reader.read(opener(page), rows))
    table = pa.Table.from_batches([part.batch for part in parts], schema=reader.schema)
    unreadable, inexact = {}, {}
    for part in parts:
        for total, counts in ((unreadable, part.unreadable), (inexact, part.inexact)):
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
    return table, unreadable, inexact


def column_of(kind: CellKind, *cells: str):
    """One column of cells, quoted, behind a text column that is never empty."""
    lines = ["Id,X", *(f'a,"{cell}"' for cell in cells)]
    page = ("\n".join(lines) + "\n").encode()
    columns = [Column("Id", CellKind.STRING), Column("X", kind)]
    table, unreadable, inexact = read(page, columns, len(cells))
    return table["X"].to_pylist(), unreadable.get("X", 0), inexact.get("X", 0)


def as_arrow(value, kind):
    """What a record's value is in Arrow's types: written from docs/contracts.md, not from the module."""
    if kind is CellKind.NUMBER:
        number = float(value)
        return number if number not in (float("inf"), float("-inf")) else None
    if kind is CellKind.INTEGER:
        return value if -(2**63) <= value < 2**63 else None
    if kind is CellKind.DATE:
        return date.fromisoformat(value)
    if kind is CellKind.DATETIME:
        return parse_instant(value)
    return value


@pytest.mark.parametrize("text", ["NA", "N/A", "null", "NULL", "NaN", "None", " ", "  x  ", "-", "#N/A", "true", "0x1"])
def test_a_word_that_looks_like_null_is_text(text):
    assert column_of(CellKind.STRING, text) == ([text], 0, 0)


@pytest.mark.parametrize(
    "text", ["a\rb", "a\r\nb", "a\nb", "a\x00b", "\x1b[0m", "\x85", "\u2028", "ÿ", "\ufeff", "é\r"]
)
def test_line_breaks_and_control_characters_survive(text):
    assert column_of(CellKind.STRING, text, "plain") == ([text, "plain"], 0, 0)


def test_a_bare_cr_outside_quotes_is_data():
    columns = [Column("Id", CellKind.STRING), Column("X", CellKind.STRING)]
    table, _, _ = read(b"Id,X\na\rb,c\r\nd,e\n", columns, 2)
    assert table.to_pylist() == [{"Id": "a\rb", "X": "c\r"}, {"Id": "d", "X": "e"}]


def test_a_cr_that_ends_the_last_cell_of_a_row_is_data():
    """Nothing about it would look wrong to a reader that takes CRLF for a line end."""
    columns = [Column("Id", CellKind.STRING), Column("X", CellKind.STRING)]
    table, _, _ = read(b"Id,X\na,c\r\nd,e\n", columns, 2)
    assert table["X"].to_pylist() == ["c\r", "e"]


def test_lines_may_end_with_crlf():
    columns = [Column("Id", CellKind.STRING), Column("X", CellKind.STRING)]
    table, _, _ = read(b'Id,X\r\na,"b\rc\r\nd"\r\n', columns, 1)
    assert table.to_pylist() == [{"Id": "a", "X": "b\rc\r\nd"}]


def test_columns_are_found_by_name_in_any_order_and_case():
    columns = [Column("Id", CellKind.STRING), Column("Amount", CellKind.NUMBER)]
    table, _, _ = read(b"\xef\xbb\xbfAMOUNT,id\n1.5,a\n", columns, 1)
    assert table.to_pylist() == [{"Id": "a", "Amount": 1.5}]


@pytest.mark.parametrize("page", [b"", b"Id,X\n", b"Id,X"])
def test_a_page_without_rows_is_no_batch(page):
    table, unreadable, inexact = read(page, [Column("Id", CellKind.STRING), Column("X", CellKind.DATE)], 0)
    assert (table.num_rows, unreadable, inexact) == (0, {}, {})


def test_an_empty_cell_is_null_in_every_type():
    columns = [Column(kind.value, kind) for kind in CellKind]
    header = ",".join(kind.value for kind in CellKind)
    cells = '"",' * (len(CellKind) - 1) + '""'
    table, unreadable, _ = read(f"{header}\n{cells}\n".encode(), columns, 1)
    assert set(table.to_pylist()[0].values()) == {None}
    assert unreadable == {}


def test_an_empty_line_of_one_column_is_a_row():
    table, _, _ = read(b'Id\na\n\n""\n', [Column("Id", CellKind.STRING)], 3)
    assert table["Id"].to_pylist() == ["a", None, None]


@pytest.mark.parametrize(
    ("kind", "cells", "values", "unreadable", "inexact"),
    [
        (CellKind.INTEGER, ["47", "-1", "007"], [47, -1, 7], 0, 0),
        (CellKind.INTEGER, ["47.0", "1.39E8", "+5"], [47, 139000000, 5], 0, 0),
        (CellKind.INTEGER, ["0x1F", "4.5", "1_0", "9223372036854775807"], [None, None, None, 2**63 - 1], 3, 0),
        (CellKind.INTEGER, ["9223372036854775808"], [None], 1, 0),
        # Alone, so that nothing else in the column makes the whole cast fail.
        (CellKind.INTEGER, ["0x1F", "7"], [None, 7], 1, 0),
        (CellKind.NUMBER, ["nan", "2"], [None, 2.0], 1, 0),
        (CellKind.NUMBER, ["-inf", "2"], [None, 2.0], 1, 0),
        (CellKind.NUMBER, ["1e999", "2"], [None, 2.0], 1, 0),
        (CellKind.DATE, ["0000-01-01", "2024-01-01"], [None, date(2024, 1, 1)], 1, 0),
        (CellKind.DATETIME, ["2024-02-29 01:02:03.004Z"], [None], 1, 0),
        (CellKind.DATETIME, ["2024-02-29T01:02:03.0+00"], [None], 1, 0),
        (CellKind.DATETIME, ["0000-02-29T01:02:03.004Z"], [None], 1, 0),
        (CellKind.NUMBER, ["1.5", "-0.1", "1e3"], [1.5, -0.1, 1000.0], 0, 0),
        (CellKind.NUMBER, ["nan", "inf", "0x1p3", "2"], [None, None, None, 2.0], 3, 0),
        (CellKind.NUMBER, ["1e999", "1e-999"], [None, 0.0], 1, 1),
        (CellKind.NUMBER, ["12345678901234567.89", "0.12345678901234"], [12345678901234567.89, 0.12345678901234], 0, 1),
        (CellKind.BOOLEAN, ["true", "false"], [True, False], 0, 0),
        (CellKind.BOOLEAN, ["TRUE", "no", "1"], [True, None, None], 2, 0),
        (CellKind.DATE, ["2024-02-29"], [date(2024, 2, 29)], 0, 0),
        (CellKind.DATE, ["2023-02-29", "0000-01-01", "20240101", "0001-01-01"], [None, None, None, date.min], 3, 0),
        (CellKind.DATETIME, ["2024-02-29T01:02:03.004Z"], [datetime(2024, 2, 29, 1, 2, 3, 4000, UTC)], 0, 0),
        (CellKind.DATETIME, ["2024-02-29T01:02:03.000+0100"], [datetime(2024, 2, 29, 0, 2, 3, 0, UTC)], 0, 0),
        (CellKind.DATETIME, ["2024-02-29T01:02:03.0045Z"], [datetime(2024, 2, 29, 1, 2, 3, 4500, UTC)], 0, 0),
        (CellKind.DATETIME, ["2024-02-29 01:02:03.004Z", "2024-02-29T01:02:03.0+00"], [None, None], 2, 0),
        (CellKind.DATETIME, ["0000-02-29T01:02:03.004Z", "2024-02-29T01:02:03.004"], [None, None], 2, 0),
        (CellKind.TIME, ["13:14:15.000Z", "25:00:00.000Z", "13:14:15"], ["13:14:15.000Z", None, "13:14:15"], 1, 0),
    ],
)
def test_a_cell_is_its_type_or_null_and_counted(kind, cells, values, unreadable, inexact):
    assert column_of(kind, *cells) == (values, unreadable, inexact)


def test_a_row_longer_than_a_block_is_read_all_the_same(monkeypatch):
    monkeypatch.setattr(arrow_pages, "_BLOCK", 64)
    columns = [Column("Id", CellKind.STRING), Column("N", CellKind.INTEGER)]
    rows = [("short", 1), ("x" * 500, 2), ("end", 3)] * 5
    page = ("Id,N\n" + "".join(f'"{text}",{number}\n' for text, number in rows)).encode()
    table, _, _ = read(page, columns, len(rows))
    assert list(zip(table["Id"].to_pylist(), table["N"].to_pylist(), strict=True)) == rows


def test_a_page_that_comes_out_short_is_refused():
    with pytest.raises(ValueError, match="a page of 3 rows became 2 rows"):
        read(b"Id\na\nb\n", [Column("Id", CellKind.STRING)], 3)


def test_reading_may_stop_early():
    page = b"Id\n" + b"a\n" * 3_000_000
    parts = ArrowPageReader([Column("Id", CellKind.STRING)]).read(opener(page), 3_000_000)
    assert next(parts).batch.num_rows > 0
    parts.close()


def test_metadata_stands_with_its_field():
    schema = arrow_schema([Column("Id", CellKind.STRING), Column("X", CellKind.DATE)], {"X": {"label": "Ex"}})
    assert schema.field("X").metadata == {b"label": b"Ex"}
    assert not schema.field("Id").metadata


_CELLS = {
    CellKind.STRING: st.text(st.characters(exclude_categories=["Cs"])),
    CellKind.BOOLEAN: st.sampled_from(["true", "false", "True", "yes", ""]),
    CellKind.INTEGER: st.one_of(st.integers().map(str), st.sampled_from(["1.0", "0x1", "1e2", "x", ""])),
    CellKind.NUMBER: st.one_of(
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.sampled_from(["1e400", "nan", "", "+.5", "1."]),
    ),
    CellKind.DATE: st.one_of(st.dates().map(str), st.sampled_from(["0000-01-01", "2024-W01-1", ""])),
    CellKind.DATETIME: st.one_of(
        st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z".zfill(24)),
        st.datetimes().map(lambda at: at.isoformat() + "+00:00"),
        st.sampled_from(["2024-01-01T00:00:00.000+0530", "2024-01-01 00:00:00.000Z", "0000-01-01T00:00:00.000Z", ""]),
    ),
    CellKind.TIME: st.sampled_from(["01:02:03.000Z", "24:00:00.000Z", "x", ""]),
}


def _csv_cell(cell: str, quoted: bool) -> str:
    needs = any(character in cell for character in '",\n') or cell == ""
    return '"' + cell.replace('"', '""') + '"' if quoted or needs else cell


@given(st.data())
def test_every_page_says_what_its_records_say(data):
    kinds = data.draw(st.lists(st.sampled_from(list(CellKind)), min_size=2, max_size=4))
    columns = [Column(f"F{index}", kind) for index, kind in enumerate(kinds)]
    rows = data.draw(st.lists(st.tuples(*(_CELLS[kind] for kind in kinds)), max_size=6))
    quoted = data.draw(st.booleans())
    lines = [",".join(column.name for column in columns)]
    lines += [",".join(_csv_cell(cell, quoted) for cell in row) for row in rows]
    page = ("\n".join(lines) + "\n").encode()

    table, unreadable, _ = read(page, columns, len(rows))

    records = list(RecordReader(columns).records(read_rows(io.BytesIO(page), [column.name for column in columns])))
    expected = [
        {
            column.name: as_arrow(record.data[column.name], column.kind) if column.name in record.data else None
            for column in columns
        }
        for record in records
    ]
    assert table.to_pylist() == expected
    cells = sum(cell != "" for row in rows for cell in row)
    there = sum(value is not None for row in expected for value in row.values())
    assert sum(unreadable.values()) == cells - there


def test_the_count_of_inexact_numbers_is_of_those_that_are_rounded():
    cells = ["0.1", "123456789012345678", "1e22", "0.1234567890123456789", "5.0e-324"]
    values, _, inexact = column_of(CellKind.NUMBER, *cells)
    assert inexact == sum(Decimal(repr(value)) != Decimal(cell) for value, cell in zip(values, cells, strict=True))
    assert inexact == 2


def test_it_needs_neither_the_cdk_nor_pydantic_nor_boto3():
    script = (
        "import sys, source_salesforce_bulk.pages.arrow_pages; "
        "print([name for name in ('airbyte_cdk', 'pydantic', 'boto3', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
