"""The native core's Arrow batches against the exact path: the same values, nulls and counts, whatever the page."""

from __future__ import annotations

import gc
import io
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings

from source_salesforce_bulk.pages.core import ExactCells
from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant
from unit_tests.any_pages import DOUBTFUL, csv_of, damaged_pages, pages, pieces, splits

core = pytest.importorskip("salesforce_bulk_core", reason="the page core is not built here (make core)")

EXAMPLES = 200
PIECE = 256 * 1024  # the core looks at so many bytes together
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    CellKind.STRING: pa.string(),
    CellKind.BOOLEAN: pa.bool_(),
    CellKind.INTEGER: pa.int64(),
    CellKind.NUMBER: pa.float64(),
    CellKind.DATE: pa.date32(),
    CellKind.DATETIME: pa.timestamp("us", "UTC"),
    CellKind.TIME: pa.string(),
}


def as_arrow(value, kind):
    """A record's value in Arrow's types, and whether it is another number. Written from the contract, not from code."""
    if kind is CellKind.NUMBER:
        number = float(value)
        return (number, isinstance(value, Decimal)) if math.isfinite(number) else (None, False)
    if kind is CellKind.INTEGER:
        return (value if -(2**63) <= value < 2**63 else None), False
    if kind is CellKind.DATE:
        return date.fromisoformat(value), False
    if kind is CellKind.DATETIME:
        return (parse_instant(value) - EPOCH) // timedelta(microseconds=1), False
    return value, False


def exact_table(page: bytes, columns: Sequence[Column]) -> tuple[list[dict[str, object]], Counter, Counter]:
    """Rows, unreadable and inexact counts by the exact path."""
    kinds = {column.name: column.kind for column in columns}
    rows, unreadable, inexact = [], Counter(), Counter()
    names = list(kinds)
    for record in RecordReader(columns).records(read_rows(io.BytesIO(page), names)):
        unreadable.update(record.unreadable)
        row = dict.fromkeys(names)
        for name, value in record.data.items():
            row[name], differs = as_arrow(value, kinds[name])
            unreadable[name] += row[name] is None
            inexact[name] += differs
        rows.append(row)
    return rows, +unreadable, +inexact


def core_batches(page: bytes, columns: Sequence[Column], sizes: Sequence[int] = (PIECE,), size: int = 1 << 20) -> list:
    decoder = core.PageDecoder([column.name for column in columns], gzipped=False, keep=1 << 40)
    for piece in pieces(page, sizes):
        decoder.feed(piece)
    decoder.finish()
    form = core.ArrayFormat([(column.name, column.kind.value) for column in columns])
    batches = []
    while (batch := decoder.batch(form, ExactCells(columns), size=size)) is not None:
        batches.append(batch)
    return batches


def core_table(page: bytes, columns: Sequence[Column], **how) -> tuple[list[dict[str, object]], Counter, Counter]:
    rows, unreadable, inexact = [], Counter(), Counter()
    for taken in core_batches(page, columns, **how):
        batch = pa.record_batch(taken)
        batch.validate(full=True)
        assert batch.schema == pa.schema([(column.name, TYPES[column.kind]) for column in columns])
        assert batch.num_rows == taken.rows
        instants = [index for index, column in enumerate(columns) if column.kind is CellKind.DATETIME]
        for index in instants:  # Python's datetime cannot hold every instant that is next to its ends
            batch = batch.set_column(index, columns[index].name, batch.column(index).cast(pa.int64()))
        rows += batch.to_pylist()
        unreadable.update(taken.unreadable)
        inexact.update(taken.inexact)
    return rows, unreadable, inexact


def spelled(table):
    """Comparable to the bit: -0.0 is not 0.0 here."""
    rows, unreadable, inexact = table
    return [{name: repr(value) for name, value in row.items()} for row in rows], unreadable, inexact


def assert_alike(page: bytes, columns: Sequence[Column], **how) -> None:
    assert spelled(core_table(page, columns, **how)) == spelled(exact_table(page, columns))


@given(pages(), splits())
@settings(max_examples=EXAMPLES)
def test_any_page_becomes_the_values_of_the_exact_path(made, sizes):
    columns, page = made
    assert_alike(page, columns, sizes=sizes)


@given(damaged_pages())
@settings(max_examples=EXAMPLES)
def test_a_page_with_damage_becomes_the_same_values_or_none(made):
    columns, page = made
    try:
        expected = exact_table(page, columns)
    except PageRejected:
        with pytest.raises(core.PageRejected):
            core_table(page, columns)
    else:
        assert spelled(core_table(page, columns)) == spelled(expected)


@pytest.mark.parametrize("kind", CellKind)
def test_a_cell_of_doubt_is_what_its_reader_says(kind):
    columns = [Column("Id", CellKind.STRING), Column("Value", kind)]
    rows = [[str(number), cell] for number, cell in enumerate(DOUBTFUL[kind])]
    for quoting in ("all", "minimal"):
        assert_alike(csv_of([["Id", "Value"], *rows], quoting), columns)


def test_batches_hold_about_as_many_bytes_as_were_asked_for():
    columns = [Column("Id", CellKind.STRING), Column("Name", CellKind.STRING)]
    page = csv_of([["Id", "Name"], *[[str(number), "x" * 50] for number in range(40_000)]])
    small, large = core_batches(page, columns, size=PIECE), core_batches(page, columns, size=1 << 30)
    assert (len(large), large[0].rows) == (1, 40_000)
    assert len(small) > 3
    assert sum(batch.rows for batch in small) == 40_000
    assert large[0].size >= 40_000 * 50


def test_a_batch_lives_as_long_as_what_was_made_of_it():
    columns = [Column("Id", CellKind.STRING)]
    (taken,) = core_batches(b"Id\na\nb\n", columns)
    first, second = pa.record_batch(taken), pa.record_batch(taken)
    taken.__arrow_c_array__()  # capsules that nothing takes give their memory back
    del taken
    gc.collect()
    assert first.equals(second)
    assert first.column(0).to_pylist() == ["a", "b"]


def test_lines_and_batches_may_be_taken_in_turn():
    columns = [Column("Id", CellKind.STRING)]
    decoder = core.PageDecoder(["Id"], gzipped=False, keep=1 << 30)
    decoder.feed(b"Id\n" + b"a\n" * PIECE)
    decoder.finish()
    batch = decoder.batch(core.ArrayFormat([("Id", "string")]), ExactCells(columns), size=1)
    lines = decoder.lines(core.LineFormat([("Id", "string")]), ExactCells(columns), size=1 << 30)
    assert batch.rows + lines.rows == PIECE


def test_a_column_of_another_type_from_the_exact_path_is_unreadable():
    class Wrong:
        def scalar(self, column, cell):
            return 0.5, False

    decoder = core.PageDecoder(["Id"], gzipped=False, keep=100)
    decoder.feed(b"Id\n1e18\n")
    decoder.finish()
    batch = decoder.batch(core.ArrayFormat([("Id", "integer")]), Wrong())
    assert (pa.record_batch(batch).column(0).to_pylist(), batch.unreadable) == ([None], {"Id": 1})
