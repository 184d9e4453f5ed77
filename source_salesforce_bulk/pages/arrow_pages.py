"""A proven result page as Arrow record batches, value for value what :mod:`pages.records` makes of it.

    cells of a page ── pyarrow.csv, every column as bytes ──> one column ── cast as a whole ──────> typed column
        │ a row longer than a block                             │ a cell the cast refuses or might misread
        └── csv_page.read_rows, row by row ──────────────────── └── cells.READERS, cell by cell ──> typed column

The cast is only trusted where it cannot differ from ``cells.READERS``; the rules live there, this module is its speed.
Two values have no place in Arrow's types: an integer beyond 64 bits, and a number beyond float64's range, are
unreadable here (null, and counted). A number that float64 rounds is kept and counted as inexact.

Runs on Spark executors too: it needs pyarrow (17 or later) and the standard library, nothing else.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.pages.csv_page import read_rows
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import ARROW_TYPES, CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant

OpenPage = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a page's decompressed bytes from their beginning; may be called again."""

_INSTANTS = pa.timestamp("us", "UTC")
_TYPES: Mapping[str, Any] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date32": pa.date32(),
    "timestamp[us, tz=UTC]": _INSTANTS,
}
_BLOCK = 1 << 22  # bytes parsed at once; a row may be as long
_ROWS_AT_ONCE = 10_000  # on the path that goes row by row
_CR, _CR_STAND_IN = (
    b"\r",
    b"\xff",
)  # no byte of UTF-8 is 0xFF, so it can stand for a CR while pyarrow looks for line ends
_EXACT_DIGITS = 15  # see cells.number
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_YEAR_ONE = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class ArrowRows:
    """Some rows of a page. ``unreadable`` counts cells that became null, ``inexact`` values that were rounded."""

    batch: Any  # a pyarrow.RecordBatch; pyarrow has no types
    unreadable: Mapping[str, int]
    inexact: Mapping[str, int]


class ArrowPageReader:
    """Turns proven pages with ``columns`` into record batches of ``schema``. Keeps no row; may be shared by threads."""

    def __init__(self, columns: Sequence[Column], schema: Any = None) -> None:
        self._columns = tuple(columns)
        self.schema = schema if schema is not None else arrow_schema(columns)

    def read(self, open_page: OpenPage, rows: int) -> Iterator[ArrowRows]:
        """Yield the page's rows in order, in batches; memory is bounded by a few blocks, not by the page.

        ``rows`` is what the page was proven to hold. Raises ValueError where as many do not come out: the two readers
        of a page then disagree, and nothing of it may be kept.
        """
        seen = 0
        try:
            for part in self._by_pyarrow(open_page):
                seen += part.batch.num_rows
                yield part
        except pa.ArrowInvalid:  # a row is longer than a block: go on one by one behind what was handed on
            for part in self._row_by_row(open_page, seen):
                seen += part.batch.num_rows
                yield part
        if seen != rows:
            raise ValueError(f"a page of {rows} rows became {seen} rows of Arrow")

    def _by_pyarrow(self, open_page: OpenPage) -> Iterator[ArrowRows]:
        with open_page() as source:
            first = source.readline()
            header = next(csv.reader([first.decode("utf-8-sig")], strict=True), [])
            body = _Body(source, hide_cr=not first.endswith(b"\r\n"))
            if body.is_empty:
                return
            spelled = {name.lower(): name for name in header}
            order = [spelled[column.name.lower()] for column in self._columns]
            with _open_csv(body, header) as parsed:
                for batch in parsed:
                    yield self._typed([_restored(batch.column(name), body) for name in order])

    def _row_by_row(self, open_page: OpenPage, skip: int) -> Iterator[ArrowRows]:
        with open_page() as source:
            rows = read_rows(source, [column.name for column in self._columns])
            for _ in islice(rows, skip):
                pass
            while some := list(islice(rows, _ROWS_AT_ONCE)):
                cells = zip(*some, strict=True)
                yield self._typed([pa.array([cell or None for cell in column], pa.string()) for column in cells])

    def _typed(self, texts: Sequence[Any]) -> ArrowRows:
        unreadable: Counter[str] = Counter()
        inexact: Counter[str] = Counter()
        arrays = []
        for column, cells in zip(self._columns, texts, strict=True):
            typed = _read(column.kind, cells)
            arrays.append(typed.array)
            unreadable[column.name] += typed.unreadable
            inexact[column.name] += typed.inexact
        return ArrowRows(pa.RecordBatch.from_arrays(arrays, schema=self.schema), +unreadable, +inexact)


class _Body(io.RawIOBase):
    """The part of a page after its header, for pyarrow; with ``hide_cr`` every CR is replaced by its stand-in.

    To pyarrow a bare CR ends a row. On a page of LF lines it is data, quoted or not.
    """

    def __init__(self, source: BinaryIO, *, hide_cr: bool) -> None:
        self._source = source
        self._hide_cr = hide_cr
        self.has_stand_in = False
        self._ahead = source.read(_BLOCK)

    @property
    def is_empty(self) -> bool:
        return not self._ahead

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._ahead:
            self._ahead = self._source.read(_BLOCK)
        chunk, self._ahead = (self._ahead, b"") if size < 0 else (self._ahead[:size], self._ahead[size:])
        if self._hide_cr and _CR in chunk:
            self.has_stand_in = True
            return chunk.replace(_CR, _CR_STAND_IN)
        return chunk


@dataclass(frozen=True, slots=True)
class _Typed:
    array: Any
    unreadable: int = 0
    inexact: int = 0


def _open_csv(body: _Body, header: Sequence[str]) -> Any:
    """Return the body's cells as bytes, an empty one as null; everything else stays as it stands."""
    return arrow_csv.open_csv(
        pa.PythonFile(body, mode="r"),
        read_options=arrow_csv.ReadOptions(column_names=list(header), block_size=_BLOCK),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.binary() for name in header},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _restored(cells: Any, body: _Body) -> Any:
    """Bytes as text again. The page was proven to be UTF-8, and is so once more when every CR is back."""
    if body.has_stand_in:
        cells = pc.replace_substring(cells, _CR_STAND_IN, _CR)
    return cells.cast(pa.string())


def _read(kind: CellKind, cells: Any) -> _Typed:
    """Return a column of texts as the type of its kind: cast as a whole where that is sure to be right."""
    if kind in (CellKind.STRING, CellKind.TIME):
        return _Typed(cells) if kind is CellKind.STRING else _times(cells)
    if cells.null_count == len(cells):
        return _Typed(pa.nulls(len(cells), _TYPES[ARROW_TYPES[kind]]))
    try:
        typed = _CASTS[kind](cells)
    except pa.ArrowInvalid:
        typed = None
    return typed if typed is not None else _cell_by_cell(kind, cells)


def _times(cells: Any) -> _Typed:
    """Keep times of day as text; an invalid one becomes null."""
    usual = pc.match_substring_regex(cells, r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$")
    return _Typed(cells) if _all(usual) else _cell_by_cell(CellKind.TIME, cells)


def _booleans(cells: Any) -> _Typed | None:
    true = pc.equal(cells, "true")
    return _Typed(true) if _all(pc.or_(true, pc.equal(cells, "false"))) else None


def _integers(cells: Any) -> _Typed | None:
    # Arrow also reads hexadecimal.
    return None if _any(pc.match_substring(cells, "x", ignore_case=True)) else _Typed(cells.cast(pa.int64()))


def _numbers(cells: Any) -> _Typed | None:
    numbers = cells.cast(pa.float64())
    if not _all(pc.is_finite(numbers)):  # "nan" and "inf" are no numbers here, 1e999 does not fit
        return None
    doubtful = pc.or_(
        pc.greater(pc.binary_length(cells), _EXACT_DIGITS), pc.match_substring(cells, "e", ignore_case=True)
    )
    checked = cells.filter(doubtful).to_pylist()
    return _Typed(numbers, inexact=sum(isinstance(READERS[CellKind.NUMBER](cell), Decimal) for cell in checked))


def _dates(cells: Any) -> _Typed | None:
    dates = cells.cast(pa.date32())
    # Arrow has a year 0.
    return None if _any(pc.less(dates, pa.scalar(date.min, pa.date32()))) else _Typed(dates)


def _instants(cells: Any) -> _Typed | None:
    # Of what Arrow reads, 24 characters that end in Z and have no blank are always YYYY-MM-DDTHH:MM:SS.mmmZ.
    usual = pc.and_(pc.equal(pc.binary_length(cells), 24), pc.ends_with(cells, "Z"))
    if not _all(usual) or _any(pc.match_substring(cells, " ")):
        return None
    instants = cells.cast(_INSTANTS)
    return None if _any(pc.less(instants.cast(pa.int64()), _YEAR_ONE)) else _Typed(instants)


_CASTS: Mapping[CellKind, Callable[[Any], _Typed | None]] = {
    CellKind.BOOLEAN: _booleans,
    CellKind.INTEGER: _integers,
    CellKind.NUMBER: _numbers,
    CellKind.DATE: _dates,
    CellKind.DATETIME: _instants,
}


def _cell_by_cell(kind: CellKind, cells: Any) -> _Typed:
    """Return a column read by the rules themselves."""
    read, fit = READERS[kind], _FITS[kind]
    unreadable = inexact = 0
    values: list[object] = []
    for cell in cells.to_pylist():
        value = None if cell is None else read(cell)
        fitted, exact = (None, True) if value is None or value is UNREADABLE else fit(value)
        unreadable += cell is not None and fitted is None
        inexact += not exact
        values.append(fitted)
    return _Typed(pa.array(values, _TYPES[ARROW_TYPES[kind]]), unreadable, inexact)


def _fit_as_is(value: Value) -> tuple[object, bool]:
    return value, True


def _fit_int64(value: Value) -> tuple[object, bool]:
    return (value if isinstance(value, int) and -(1 << 63) <= value < 1 << 63 else None), True


def _fit_float64(value: Value) -> tuple[object, bool]:
    if not isinstance(value, Decimal):
        return value, True
    nearest = float(value)
    return (nearest, False) if math.isfinite(nearest) else (None, True)


def _fit_date(value: Value) -> tuple[object, bool]:
    return date.fromisoformat(str(value)), True


def _fit_instant(value: Value) -> tuple[object, bool]:
    """Microseconds since 1970, from a text that was read as an instant before: it has no finer digits."""
    return (parse_instant(str(value)) - _EPOCH) // _MICROSECOND, True


_FITS: Mapping[CellKind, Callable[[Value], tuple[object, bool]]] = {
    CellKind.BOOLEAN: _fit_as_is,
    CellKind.INTEGER: _fit_int64,
    CellKind.NUMBER: _fit_float64,
    CellKind.DATE: _fit_date,
    CellKind.DATETIME: _fit_instant,
    CellKind.TIME: _fit_as_is,
}


def _all(flags: Any) -> bool:
    """Return whether every flag that is not null is set."""
    return pc.all(flags, min_count=0).as_py() is not False


def _any(flags: Any) -> bool:
    return pc.any(flags, min_count=0).as_py() is True
