"""Rows as lines of JSON: RECORD messages of the Airbyte protocol, or plain objects.

The lines equal those that the CDK would print, byte for byte. Nulls are left out, and numbers keep every digit.
Unreadable cells are null; RECORD messages name them in ``meta.changes``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from source_salesforce_bulk.pages.core import core_columns, core_shape
from source_salesforce_bulk.pages.json_text import exact_json, json_value
from source_salesforce_bulk.pages.records import Column, Record, RecordReader, page_columns
from source_salesforce_bulk.pages.row_form import Block

if TYPE_CHECKING:
    from salesforce_bulk_core import LineFormat, PageDecoder

LINES_AT_ONCE = 1 << 19
"""The approximate size of a block in bytes."""


@dataclass(frozen=True, slots=True)
class LineForm:
    """A ``Form``: one line with the values of ``fields`` for each row; RECORD messages if ``stream`` is given."""

    fields: tuple[Column, ...]
    stream: str | None = None
    text_at_once: int = LINES_AT_ONCE

    @property
    def columns(self) -> tuple[Column, ...]:
        """See ``Form``."""
        return page_columns(self.fields)

    def native(self, at: int, /) -> _NativeLines:
        """See ``Form``."""
        return _NativeLines(self, at)

    def block(self, rows: Sequence[Sequence[str]], at: int, /) -> Block[bytes | memoryview]:
        """See ``Form``."""
        unreadable: Counter[str] = Counter()
        lines: list[bytes] = []
        for record in RecordReader(self.fields).records(rows):
            unreadable.update(record.unreadable)
            lines.append(orjson.dumps(self._message(record, at), option=orjson.OPT_APPEND_NEWLINE))
        return Block(b"".join(lines), len(lines), unreadable)

    def _message(self, record: Record, at: int) -> dict[str, Any]:
        data = {name: json_value(value) for name, value in record.data.items()}
        if self.stream is None:
            return data
        message: dict[str, Any] = {"stream": self.stream, "data": data, "emitted_at": at}
        if record.unreadable:
            message["meta"] = {"changes": [_change(name) for name in record.unreadable]}
        return {"type": "RECORD", "record": message}


class _NativeLines:
    """See ``NativeForm``. Also the core's ``ExactPath``: Python reads the cells that the core leaves to it."""

    def __init__(self, form: LineForm, at: int) -> None:
        self._columns = form.columns
        self._format = _line_format(form)
        self._at = at

    def next(self, decoder: PageDecoder) -> Block[bytes | memoryview] | None:
        lines = decoder.lines(self._format, self, emitted_at=self._at, size=LINES_AT_ONCE)
        return None if lines is None else Block(memoryview(lines), lines.rows, lines.unreadable)

    def json(self, column: int, cell: str) -> bytes | None:
        """See ``ExactPath``."""
        return exact_json(self._columns[column].kind, cell)

    def scalar(self, column: int, cell: str) -> tuple[int | float | None, bool]:
        """Never called, because lines have no arrays."""
        raise NotImplementedError


def _line_format(form: LineForm) -> LineFormat:
    import salesforce_bulk_core  # noqa: PLC0415 - only where it is installed

    columns, shape = core_columns(form.fields), core_shape(form.fields)
    return salesforce_bulk_core.LineFormat(columns, form.stream, compounds=shape.compounds, hidden=shape.hidden)


def _change(name: str) -> dict[str, str]:
    return {"field": name, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"}
