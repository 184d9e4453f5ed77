"""Rows as Arrow record batches, and the Arrow schemas of columns.

Two values do not fit Arrow's types: an integer beyond 64 bits, and a number beyond a double's range. They become null
and are counted as unreadable. A number that a double rounds is kept and counted as inexact.

Also runs on Spark executors: it needs only pyarrow (17 or later), orjson and the standard library.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.pages.core import core_columns, core_shape
from source_salesforce_bulk.pages.json_text import exact_json, json_value
from source_salesforce_bulk.pages.records import Column, Compound, RecordReader, page_columns, product_columns
from source_salesforce_bulk.pages.row_form import Block
from source_salesforce_bulk.salesforce.field_types import ARROW_TYPES, CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant

if TYPE_CHECKING:
    from salesforce_bulk_core import ArrayFormat, PageDecoder

TEXT_AT_ONCE = 4 << 20
"""About how many bytes of a page's text make a batch."""

Scalar = str | int | float | bool | None

_BY_NAME: Mapping[str, Any] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date32": pa.date32(),
    "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"),
}
_TYPES: Mapping[CellKind, Any] = {kind: _BY_NAME[name] for kind, name in ARROW_TYPES.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_SIXTY_FOUR_BITS = 1 << 63


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """A ``Form``: record batches with the types of :func:`arrow_schema`."""

    fields: tuple[Column, ...]
    text_at_once: int = TEXT_AT_ONCE

    @property
    def columns(self) -> tuple[Column, ...]:
        """See ``Form``."""
        return page_columns(self.fields)

    def native(self, _at: int, /) -> _NativeArrays:
        """See ``Form``."""
        return _NativeArrays(self)

    def block(self, rows: Sequence[Sequence[str]], _at: int, /) -> Block[Any]:
        """See ``Form``."""
        unreadable: Counter[str] = Counter()
        inexact: Counter[str] = Counter()
        arrays = []
        for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True):
            if not column.shown:
                continue
            values: list[Scalar] = []
            for cell in cells:
                value, differs = arrow_value(column.kind, cell) if cell else (None, False)
                unreadable[column.name] += bool(cell) and value is None
                inexact[column.name] += differs
                values.append(value)
            arrays.append(_array(column.kind, values))
        arrays += self._compounds(rows, unreadable)
        batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(product_columns(self.fields)))
        return Block(batch, len(rows), +unreadable, +inexact)

    def _compounds(self, rows: Sequence[Sequence[str]], unreadable: Counter[str]) -> list[Any]:
        """Return the columns of compound fields, with the same JSON text as in lines.

        Unreadable parts are counted here only if they are hidden; the others have their own columns.
        """
        built = [column for column in self.fields if column.parts]
        hidden = {column.name for column in self.fields if not column.shown}
        records = list(RecordReader(self.fields).records(rows)) if built else []
        for record in records:
            unreadable.update(hidden.intersection(record.unreadable))
        return [
            _array(column.kind, [_json_text(record.data.get(column.name)) for record in records]) for column in built
        ]


def _json_text(value: Value | Compound | None) -> str | None:
    return None if value is None else orjson.dumps(json_value(value)).decode()


class _NativeArrays:
    """See ``NativeForm``. Also the core's ``ExactPath``: Python reads the cells that the core leaves to it."""

    def __init__(self, form: ArrayForm) -> None:
        self._form = form
        self._format = _array_format(form)

    def next(self, decoder: PageDecoder) -> Block[Any] | None:
        batch = decoder.batch(self._format, self, size=self._form.text_at_once)
        return None if batch is None else Block(pa.record_batch(batch), batch.rows, batch.unreadable, batch.inexact)

    def json(self, column: int, cell: str) -> bytes | None:
        """See ``ExactPath``. Called for parts of compound fields, which are JSON text as in lines."""
        return exact_json(self._form.columns[column].kind, cell)

    def scalar(self, column: int, cell: str) -> tuple[int | float | None, bool]:
        """See ``ExactPath``."""
        value, differs = arrow_value(self._form.columns[column].kind, cell)
        return (None if isinstance(value, str) else value), differs


def arrow_schema(columns: Sequence[Column], metadata: Mapping[str, Mapping[str, str]] | None = None) -> Any:
    """Return the Arrow schema of ``columns``, every field nullable, with the ``metadata`` of each field name."""
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in columns]
    return pa.schema([field.with_metadata(dict((metadata or {}).get(field.name, {})) or None) for field in fields])


def arrow_value(kind: CellKind, cell: str) -> tuple[Scalar, bool]:
    """Return a cell's value for Arrow, dates in days and instants in microseconds since 1970; None if it does not fit.

    The second value is true if the number differs from the cell's.
    """
    value = READERS[kind](cell)
    return (None, False) if value is UNREADABLE else _FITS[kind](value)


def _as_it_is(value: Value) -> tuple[Scalar, bool]:
    return value, False  # type: ignore[return-value]  # text and booleans only


def _in_64_bits(value: Value) -> tuple[Scalar, bool]:
    return (value if isinstance(value, int) and -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS else None), False


def _as_double(value: Value) -> tuple[Scalar, bool]:
    nearest = float(str(value))
    return (nearest, isinstance(value, Decimal)) if math.isfinite(nearest) else (None, False)


def _in_days(value: Value) -> tuple[Scalar, bool]:
    return date.fromisoformat(str(value)).toordinal() - _FIRST_DAY, False


def _in_microseconds(value: Value) -> tuple[Scalar, bool]:
    return (parse_instant(str(value)) - _EPOCH) // _MICROSECOND, False


_FITS: Mapping[CellKind, Callable[[Value], tuple[Scalar, bool]]] = {
    CellKind.STRING: _as_it_is,
    CellKind.BOOLEAN: _as_it_is,
    CellKind.INTEGER: _in_64_bits,
    CellKind.NUMBER: _as_double,
    CellKind.DATE: _in_days,
    CellKind.DATETIME: _in_microseconds,
    CellKind.TIME: _as_it_is,
}

# Arrow's memory layout of values that have a fixed size.
_LAYOUTS: Mapping[CellKind, str] = {
    CellKind.INTEGER: "q",
    CellKind.NUMBER: "d",
    CellKind.DATE: "i",
    CellKind.DATETIME: "q",
}


def _array(kind: CellKind, values: Sequence[Any]) -> Any:
    """Return an array from its buffers. ``pyarrow.array`` would import pandas if that is installed."""
    valid = _bits([value is not None for value in values])
    if kind is CellKind.BOOLEAN:
        buffers = [valid, _bits([value is True for value in values])]
    elif kind in _LAYOUTS:
        buffers = [valid, pa.py_buffer(array(_LAYOUTS[kind], [0 if value is None else value for value in values]))]
    else:
        texts = [b"" if value is None else value.encode() for value in values]
        offsets = array("i", accumulate(map(len, texts), initial=0))
        buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(_TYPES[kind], len(values), buffers)


def _bits(flags: Sequence[bool]) -> Any:
    """Return a bitmap, the first flag in the lowest bit."""
    digits = "".join("1" if flag else "0" for flag in reversed(flags))
    return pa.py_buffer(int(digits or "0", 2).to_bytes((len(flags) + 7) // 8, "little"))


def _array_format(form: ArrayForm) -> ArrayFormat:
    import salesforce_bulk_core  # noqa: PLC0415 - only where it is installed

    shape = core_shape(form.fields)
    return salesforce_bulk_core.ArrayFormat(core_columns(form.fields), compounds=shape.compounds, hidden=shape.hidden)
