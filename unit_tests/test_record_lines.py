from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.airbyte.streams import record_message
from source_salesforce_bulk.pages.csv_page import PageRejected, inspect_page, read_rows
from source_salesforce_bulk.pages.encoded_page import EncodedPage, LineBlock
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.salesforce.field_types import CellKind
from unit_tests.any_pages import AWKWARD

NOW = 1_795_600_000_000
COLUMNS = (
    Column("Id", CellKind.STRING),
    Column("Name", CellKind.STRING),
    Column("IsDeleted", CellKind.BOOLEAN),
    Column("Employees", CellKind.INTEGER),
    Column("Revenue", CellKind.NUMBER),
    Column("Birthdate", CellKind.DATE),
    Column("SystemModstamp", CellKind.DATETIME),
    Column("Opens", CellKind.TIME),
)
SOUND = ["001", "Acme", "false", "47", "1.5", "1980-02-28", "2026-11-23T02:00:00.000Z", "13:14:15.000Z"]


def page_of(*rows: Sequence[str], columns: Sequence[Column] = COLUMNS, quoting=csv.QUOTE_ALL) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    writer.writerows([[column.name for column in columns], *rows])
    return text.getvalue().encode()


def expected(page: bytes, columns: Sequence[Column] = COLUMNS, stream: str = "Account") -> list[bytes]:
    """The lines that a stock CDK entrypoint prints for the records of this page."""
    names = [column.name for column in columns]
    return [
        AirbyteEntrypoint.airbyte_message_to_string(record_message(stream, record, NOW)).encode()
        for record in RecordReader(columns).records(read_rows(io.BytesIO(page), names))
    ]


def encoded(
    page: bytes, columns: Sequence[Column] = COLUMNS, size: int | None = None
) -> tuple[EncodedPage, list[bytes]]:
    sink = io.BytesIO()
    shape = LineEncoder("Account", columns, size).encode(io.BytesIO(page), sink, NOW)
    lines = sink.getvalue()
    assert [len(lines)] == [sum(block.size for block in shape.blocks)]
    at = 0
    for block in shape.blocks:
        assert lines[at : at + block.size].count(b"\n") == block.rows
        at += block.size
        assert lines[at - 1 : at] == b"\n"
    assert shape.shape == inspect_page(io.BytesIO(page), [column.name for column in columns])
    return shape, lines.split(b"\n")[:-1]


def assert_as_the_cdk_writes_it(page: bytes, columns: Sequence[Column] = COLUMNS) -> EncodedPage:
    """Whatever the size of the blocks; the shape with the usual one."""
    lines = expected(page, columns)
    for size in (1, 40, 1000):
        assert encoded(page, columns, size)[1] == lines
    shape, usual = encoded(page, columns)
    assert usual == lines
    return shape


def test_a_page_becomes_the_lines_that_the_cdk_would_print():
    page = page_of(SOUND, [*SOUND[:1], *[""] * 7], SOUND)
    shape = assert_as_the_cdk_writes_it(page)
    assert (shape.shape.rows, shape.shape.ended, shape.exact, shape.unreadable) == (3, True, 0, {})
    _, lines = encoded(page)
    assert json.loads(lines[1])["record"] == {"stream": "Account", "data": {"Id": "001"}, "emitted_at": NOW}


def test_nothing_but_an_empty_cell_is_null():
    words = ["NA", "null", "None", "nan", " ", "\t", "0", "\u00a0", "-", '""'[:0]]
    shape = assert_as_the_cdk_writes_it(page_of(*[["001", word, *SOUND[2:]] for word in words]))
    assert shape.shape.rows == len(words)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (2, ["true", "TRUE", "False", "maybe", "1", ""]),
        (
            3,
            [
                "0",
                "-0",
                "00",
                "47.0",
                "0.0",
                "-0.0",
                ".0",
                "1.39E8",
                "1e5.0",
                "12345678901234567",
                "9" * 30,
                "1.5",
                "x",
            ],
        ),
        (3, ["47.0", "12", "", "-3.0"]),
        (4, ["0.1", "100", "100.0", "1.50", "0.00001", "-0.0", "1E7", "9999999999999999.99", "0.30", "00.5", ".5"]),
        (4, ["1234567890.1234", "12345678901234.5", "5.", "NaN", "Infinity", "-1.25", "+1.5", ""]),
        (5, ["2024-02-29", "2023-02-29", "2023-04-31", "2023-12-31", "0000-01-01", "2023-00-10", "2023-13-10", ""]),
        (5, ["2023-01-00", "2023-01-32", "2023-W01-1", "1-1-1", "9999-12-31", "0001-01-01"]),
        (6, ["2024-02-29T00:00:00.000Z", "2023-01-01T24:00:00.000Z", "2023-01-01T23:60:00.000Z", "2023-01-01"]),
        (6, ["2023-01-01T00:00:00Z", "2023-01-01T00:00:00.000+0000", "2023-01-01T00:00:60.000Z", ""]),
        (7, ["24:00:00.000Z", "19:00:00.000Z", "23:59:60Z", "12:00", ""]),
    ],
)
def test_a_cell_of_doubt_is_what_its_reader_says(column, cells):
    """Alone in its page, among sound ones, and all together."""
    rows = [[*SOUND[:column], cell, *SOUND[column + 1 :]] for cell in cells]
    assert_as_the_cdk_writes_it(page_of(*rows))
    for row in rows:
        assert_as_the_cdk_writes_it(page_of(row))
        assert_as_the_cdk_writes_it(page_of(SOUND, row, SOUND))


def test_what_cannot_be_read_is_counted_by_field():
    bad = [*SOUND[:2], "maybe", "x", *SOUND[4:]]
    shape = assert_as_the_cdk_writes_it(page_of(SOUND, bad, [*SOUND[:2], "", "y", *SOUND[4:]]))
    assert shape.unreadable == {"IsDeleted": 1, "Employees": 2}


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL], ids=["all", "minimal"])
def test_awkward_text_comes_through(quoting):
    columns = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING), Column("Notes", CellKind.STRING))
    rows = [[str(index), text, text] for index, text in enumerate(AWKWARD)]
    for some in ([rows[i], rows[j]] for i in range(len(rows)) for j in range(0, len(rows), 5)):
        assert_as_the_cdk_writes_it(page_of(*some, columns=columns, quoting=quoting), columns)
    assert_as_the_cdk_writes_it(page_of(*rows, columns=columns, quoting=quoting), columns)


def test_rows_that_the_csv_module_had_to_read_are_counted():
    columns = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING))
    plain, quoted = ["1", "plain\nhere"], ["2", 'a "quote"']
    shape, _ = encoded(page_of(plain, quoted, plain, columns=columns), columns)
    assert (shape.shape.rows, shape.exact) == (3, 1)
    reading_all, _ = encoded(page_of(plain, quoted, columns=columns).removesuffix(b"\n"), columns)
    assert (reading_all.shape.rows, reading_all.exact, reading_all.shape.ended) == (2, 2, False)


def test_a_first_column_may_be_null():
    columns = (Column("Name", CellKind.STRING), Column("Size", CellKind.INTEGER), Column("Id", CellKind.STRING))
    rows = [["", "", "1"], ["a", "", "2"], ["", "3", "3"], ["", "", "4"]]
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
        assert_as_the_cdk_writes_it(page_of(*rows, columns=columns, quoting=quoting), columns)
        assert_as_the_cdk_writes_it(page_of(["", "", ""], columns=columns, quoting=quoting), columns)


def test_a_single_column_may_be_null():
    columns = (Column("Name", CellKind.STRING),)
    for page in (b'"Name"\n"a"\n""\n"b"\n', b"Name\na\n\nb\n", b'"Name"\n"a"\n\n"b"\n', b"Name\n\n"):
        assert_as_the_cdk_writes_it(page, columns)


def test_columns_are_found_by_name_in_any_order_and_letter_case():
    page = page_of(SOUND, ["002", 'a "b"', *SOUND[2:]])
    head, _, body = page.partition(b"\n")
    assert_as_the_cdk_writes_it(head.lower() + b"\n" + body)
    turned = page_of(*[SOUND[::-1]] * 3, columns=COLUMNS[::-1])
    assert_as_the_cdk_writes_it(turned)


@pytest.mark.parametrize(
    "page",
    [b"", b'"Id","Name"\n', b'\xef\xbb\xbf"Id","Name"\n"1","a"\n', b'"Id","Name"\r\n"1","a"\r\n', b"Id,Name\n1,a"],
    ids=["nothing", "no row", "byte order mark", "CRLF", "no final line end"],
)
def test_pages_with_odd_ends_are_what_csv_page_says(page):
    assert_as_the_cdk_writes_it(page, COLUMNS[:2])


@pytest.mark.parametrize(
    "page",
    [
        b'"Id","Nom"\n"1","a"\n',
        b'"Id","Name"\n"1","a"\n"2"\n',
        b'"Id","Name"\n"1","a","b"\n"2"\n',
        b'"Id","Name"\n"1","a"\n"Id","Name"\n"2","b"\n',
        b'"Id","Name"\n"1","a"\n"2","open\n"3","c"\n',
        b'"Id","Name"\n"1","a"b"\n',
        b'"Id","Name"\n"1","\xff"\n',
        b'"Id","Name"\n"1","a"\n\n\n',
        b"Id,Name\n1,a\n\n",
        b"<html><body>Down for maintenance</body></html>\n",
    ],
)
def test_a_damaged_page_is_rejected_and_says_why(page):
    with pytest.raises(PageRejected) as exact:
        expected(page, COLUMNS[:2])
    for size in (1, 20, None):
        with pytest.raises(PageRejected) as rejected:
            encoded(page, COLUMNS[:2], size)
        assert str(rejected.value) == str(exact.value)


def test_an_open_quote_does_not_fill_the_memory():
    page = b'"Id","Name"\n"1","open\n' + b'"2","a"\n' * 1_000_000
    with pytest.raises(PageRejected):
        encoded(page, COLUMNS[:2])


def test_a_row_longer_than_a_block_comes_whole():
    columns = tuple(Column(f"F{number}__c", CellKind.STRING) for number in range(40))
    row = ["x" * 131_072] * 40
    shape, lines = encoded(page_of(row, columns=columns), columns)
    assert (shape.shape.rows, len(json.loads(lines[0])["record"]["data"])) == (1, 40)


def test_blocks_are_whole_lines():
    shape, lines = encoded(page_of(*[SOUND] * 100), size=1000)
    assert len(shape.blocks) > 5
    assert shape.blocks[0] == LineBlock(shape.blocks[0].rows, shape.blocks[0].rows * (len(lines[0]) + 1))


# Pages nobody thought of

CELL = {
    CellKind.STRING: st.one_of(
        st.sampled_from(["", *AWKWARD]), st.text(alphabet='ab",\n\r\\\x00\x1fé東🎉', max_size=6), st.text(max_size=5)
    ),
    CellKind.BOOLEAN: st.sampled_from(["", "true", "false", "True", "0", "tru\ne"]),
    CellKind.INTEGER: st.one_of(st.integers().map(str), st.sampled_from(["", "47.0", "-0", "007", "1E3", "x", '"'])),
    CellKind.NUMBER: st.one_of(
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.from_regex(r"-?[0-9]{1,11}(\.[0-9]{0,5})?", fullmatch=True),
        st.sampled_from(["", "x", "1,5"]),
    ),
    CellKind.DATE: st.one_of(
        st.dates().map(str), st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", fullmatch=True), st.just("")
    ),
    CellKind.DATETIME: st.one_of(
        st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.000Z".rjust(24, "0")),
        st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.000)?Z", fullmatch=True),
        st.just(""),
    ),
    CellKind.TIME: st.one_of(st.times().map(str), st.sampled_from(["", "13:14:15.000Z", "25:00:00.000Z"])),
}


@st.composite
def pages(draw) -> tuple[tuple[Column, ...], bytes, int]:
    """Columns, a page of them, and a block size; cells are quoted all, where they must be, or as chance has it."""
    kinds = draw(st.lists(st.sampled_from(CellKind), min_size=1, max_size=5))
    columns = tuple(Column(f"F{index}__c", kind) for index, kind in enumerate(kinds))
    rows = draw(st.lists(st.tuples(*[CELL[kind] for kind in kinds]), max_size=6))
    lines = [[column.name for column in columns], *rows]
    quoting = draw(st.sampled_from(["all", "minimal", "mixed"]))
    chance = draw(st.randoms(use_true_random=False))

    def cell(text: str) -> str:
        must = any(character in text for character in '",\n')
        if must or quoting == "all" or (quoting == "mixed" and chance.random() < 0.5):
            return '"' + text.replace('"', '""') + '"'
        return text

    page = "".join(",".join(map(cell, line)) + "\n" for line in lines).encode()
    return columns, page, draw(st.integers(min_value=1, max_value=200))


@given(pages())
@settings(max_examples=400, deadline=None)
def test_any_page_becomes_the_lines_that_the_cdk_would_print(made):
    columns, page, size = made
    assert encoded(page, columns, size)[1] == expected(page, columns)


@given(pages(), st.data())
@settings(max_examples=400, deadline=None)
def test_any_damage_is_seen_exactly_when_csv_page_sees_it(made, data):
    columns, page, size = made
    at = data.draw(st.integers(min_value=0, max_value=len(page)))
    cut = data.draw(st.integers(min_value=0, max_value=4))
    page = (
        page[:at]
        + data.draw(st.sampled_from([b"", b'"', b",", b"\n", b"\r", b'""', b'","', b"\xff"]))
        + page[at + cut :]
    )
    assert verdict(lambda: encoded(page, columns, size)[1]) == verdict(lambda: expected(page, columns))


def verdict(read) -> object:
    """What comes out, or why nothing does."""
    try:
        return read()
    except PageRejected as rejected:
        return str(rejected)
