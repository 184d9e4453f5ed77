"""Ids and creation dates are found in records and in finished lines, and in no other field's value."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import orjson

from source_salesforce_bulk.airbyte.seen_rows import SeenRows
from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.records import Column, RecordReader
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


def test_rows_are_found_in_lines():
    page = (
        "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [list(NAMES), *ROWS]) + "\n"
    )
    lines = io.BytesIO()
    LineEncoder("Account", COLUMNS).encode(io.BytesIO(page.encode()), lines, 0)
    assert len([orjson.loads(line) for line in lines.getvalue().splitlines()]) == 2
    assert list(SeenRows(COLUMNS[1:]).in_lines(lines.getvalue())) == SEEN


def test_rows_are_found_in_records():
    seen = SeenRows(COLUMNS[1:])
    assert [row for record in RecordReader(COLUMNS).records(ROWS) for row in seen.in_record(record)] == SEEN


def test_an_object_may_have_no_creation_date():
    seen = SeenRows(COLUMNS[1:2])
    assert [row for record in RecordReader(COLUMNS).records(ROWS) for row in seen.in_record(record)] == [
        SeenRow(row.id, None) for row in SEEN
    ]
