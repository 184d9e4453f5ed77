"""Ids and creation dates are found in finished lines, but never inside another field's value."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.extraction.seen_rows import SeenRows
from source_salesforce_bulk.pages.lines import LineForm
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind

CREATED = "2026-11-20T00:00:00.000Z"
NAMES = ("Name", "Id", "CreatedDate")
COLUMNS = tuple(Column(name, CellKind.STRING) for name in NAMES)
ROWS = [
    ['a","Id":"0015g00000ZZZZZAAA","b":"', "0015g00000AAAAAAA0", CREATED],
    ['{"Id":"0015g00000ZZZZZAAA"}', "0015g00000AAAABAA0", ""],
]
SEEN = [
    SeenRow("0015g00000AAAAAAA0", datetime(2026, 11, 20, tzinfo=UTC)),
    SeenRow("0015g00000AAAABAA0", None),
]


def lines_of(stream: str | None) -> bytes:
    return LineForm(COLUMNS, stream).block(ROWS, 0).content


@pytest.mark.parametrize("stream", ["Account", None])
def test_rows_are_found_in_record_lines_and_in_json_lines(stream):
    assert len([orjson.loads(line) for line in lines_of(stream).splitlines()]) == 2
    assert list(SeenRows(COLUMNS[1:]).in_lines(memoryview(lines_of(stream)))) == SEEN


def test_an_object_may_have_no_creation_date():
    assert list(SeenRows(COLUMNS[1:2]).in_lines(lines_of("Account"))) == [SeenRow(row.id, None) for row in SEEN]
