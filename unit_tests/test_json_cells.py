from __future__ import annotations

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE
from source_salesforce_bulk.pages.json_cells import CellProver, JsonColumn, json_number, json_value
from source_salesforce_bulk.salesforce.field_types import CellKind

BARE = {CellKind.BOOLEAN, CellKind.INTEGER, CellKind.NUMBER}


def column(kind: CellKind, *cells: str) -> JsonColumn:
    return CellProver(kind).column([orjson.dumps(cell)[1:-1] for cell in cells])


def one_by_one(kind: CellKind, *cells: str) -> tuple[list[bytes], list[int]]:
    """What the reader of this kind and orjson make of each cell; a null and what cannot be read are empty."""
    finished, unreadable = [], []
    for index, cell in enumerate(cells):
        value = READERS[kind](cell) if cell else ""
        if value is UNREADABLE:
            unreadable.append(index)
        text = b"" if value in ("", UNREADABLE) else orjson.dumps(json_value(value))
        finished.append(text if kind in BARE or not text else text[1:-1])
    return finished, unreadable


# What a whole column shows at once


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (CellKind.STRING, [b"any", b"", b"\\n"]),
        (CellKind.BOOLEAN, [b"true", b"", b"false"]),
        (CellKind.INTEGER, [b"0", b"-12", b"", b"12345678901234567"]),
        (CellKind.NUMBER, [b"0.1", b"-1234567890.1234", b"", b"100.0", b"0.0"]),
        (CellKind.DATE, [b"2026-11-23", b""]),
        (CellKind.DATETIME, [b"2026-11-23T02:00:00.000Z", b""]),
        (CellKind.DATETIME, [b"", b""]),
        (CellKind.TIME, [b"13:14:15.000Z", b"", b"09:00:00.000Z"]),
    ],
)
def test_cells_that_are_plainly_their_type_are_handed_on_as_they_are(kind, cells):
    made = CellProver(kind).column(cells)
    assert made.cells is cells
    assert made.unreadable == ()


def test_whole_numbers_lose_their_point_together():
    cells = [b"47.0", b"", b"-3.0", b"12"]
    assert CellProver(CellKind.INTEGER).column(cells) == JsonColumn([b"47", b"", b"-3", b"12"])


def test_only_numbers_and_booleans_stand_without_quotes():
    assert {kind for kind in CellKind if CellProver(kind).quote == b""} == BARE
    assert {CellProver(kind).quote for kind in set(CellKind) - BARE} == {b'"'}


# Doubts


@pytest.mark.parametrize(
    ("kind", "cell", "text"),
    [
        (CellKind.BOOLEAN, "TRUE", b"true"),
        (CellKind.INTEGER, "007", b"7"),
        (CellKind.INTEGER, "-0", b"0"),
        (CellKind.INTEGER, "1.39E8", b"139000000"),
        (CellKind.INTEGER, "9" * 30, b"9" * 30),
        (CellKind.NUMBER, "1.50", b"1.5"),
        (CellKind.NUMBER, "00.5", b"0.5"),
        (CellKind.NUMBER, "9999999999999999.99", b"9999999999999999.99"),
        (CellKind.NUMBER, "0.00001", b"0.00001"),
        (CellKind.DATE, "2024-02-29", b"2024-02-29"),
        (CellKind.DATETIME, "2026-11-23T02:00:00.000+0000", b"2026-11-23T02:00:00.000+0000"),
        (CellKind.TIME, "24:00:00.000Z", None),
        (CellKind.BOOLEAN, "1", None),
        (CellKind.INTEGER, "1.5", None),
        (CellKind.NUMBER, "1,5", None),
        (CellKind.NUMBER, "NaN", None),
        (CellKind.DATE, "2023-02-29", None),
        (CellKind.DATETIME, "2026-11-23", None),
        (CellKind.DATE, 'say "when"\n', None),
    ],
)
def test_a_doubtful_cell_is_read_by_itself_and_its_place_is_told_if_it_cannot_be(kind, cell, text):
    assert column(kind, "", cell).cells[0] == b""
    made = column(kind, cell, "")
    if text is None:
        assert (made.cells, list(made.unreadable)) == ([b"", b""], [0])
    elif kind is CellKind.NUMBER:
        assert json.loads(made.cells[0], parse_float=Decimal) == Decimal(text.decode())
        assert not made.unreadable
    else:
        assert (made.cells, list(made.unreadable)) == ([text, b""], [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, b"true"),
        ((1 << 63) - 1, b"9223372036854775807"),
        (1 << 63, b"9223372036854775808"),
        (-(1 << 63) - 1, b"-9223372036854775809"),
        (Decimal("0.1234567890123456789"), b"0.1234567890123456789"),
        (1.5, b"1.5"),
    ],
)
def test_a_number_keeps_every_digit(value, text):
    assert json_number(value) == text


# Columns nobody thought of

CELLS = {
    CellKind.STRING: st.text(max_size=6),
    CellKind.BOOLEAN: st.sampled_from(["true", "false", "TRUE", "0", " true", "truefalse"]),
    CellKind.INTEGER: st.from_regex(r"-?[0-9]{1,19}(\.0)?|[-.+0-9eE]{1,5}", fullmatch=True),
    CellKind.NUMBER: st.from_regex(r"-?[0-9]{1,11}\.[0-9]{1,5}|[-.+0-9eE]{1,5}", fullmatch=True),
    CellKind.DATE: st.from_regex(r"[0-9]{4}-[0-3][0-9]-[0-3][0-9]|[-0-9W]{8,10}", fullmatch=True),
    CellKind.DATETIME: st.from_regex(
        r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.000)?(Z|\+0000)?", fullmatch=True
    ),
    CellKind.TIME: st.from_regex(r"[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{3})?Z?", fullmatch=True),
}


@pytest.mark.parametrize("kind", list(CellKind))
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_column_is_what_its_cells_are_one_by_one(kind, data):
    cells = data.draw(st.lists(st.one_of(st.just(""), CELLS[kind]), max_size=5))
    made = column(kind, *cells)
    assert (list(made.cells), list(made.unreadable)) == one_by_one(kind, *cells)
