"""Convert records of a REST query to rows in Bulk's CSV form, so that both can be read in the same way. Pure.

Bulk and REST write some values differently. The row has Bulk's form:

    JSON value of REST                  cell of Bulk
    null, or an empty text              an empty cell
    true, false                         true, false
    a number                            the same digits
    2020-10-22T21:03:23.000+0000        2020-10-22T21:03:23.000Z
    {"Owner": {"Name": "Ada"}}          the column Owner.Name

Numbers must be parsed as their digits (``parse_json`` with ``digits=True``), because a float would lose some. Every
cell is quoted and every row ends with LF, as in the pages that are requested from Bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from source_salesforce_bulk.pages.csv_page import PageRejected
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind

_UTC_OFFSETS = ("+0000", "+00:00")


def header_line(columns: Sequence[Column]) -> bytes:
    """Return the header of a page with these columns."""
    return _line([column.name for column in columns])


def record_lines(records: Iterable[Mapping[str, object]], columns: Sequence[Column]) -> bytes:
    """Return the records as lines of a page, cells in the order of ``columns``.

    Raises ``PageRejected`` for a record that lacks a column or holds a structure where a value belongs.
    """
    return b"".join(
        _line([cell_of(_value(record, column.name), column.kind) for column in columns]) for record in records
    )


def cell_of(value: object, kind: CellKind) -> str:
    """Return a JSON value as the text of Bulk's cell.

    >>> cell_of("2020-10-22T21:03:23.000+0000", CellKind.DATETIME)
    '2020-10-22T21:03:23.000Z'
    >>> cell_of(True, CellKind.BOOLEAN), cell_of(None, CellKind.STRING)
    ('true', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() if kind is CellKind.DATETIME:
            return _in_utc(value)
        case str():
            return value
        case _:
            raise PageRejected("a field of a record holds a structure where a value belongs")


def _value(record: Mapping[str, object], name: str) -> object:
    """Return the value of a column, through the parents in its path; None if a parent is null."""
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    lowered = first.lower()
    found = [value for key, value in record.items() if key.lower() == lowered]
    if not found:
        raise PageRejected("a record lacks a selected field")
    if not rest or found[0] is None:
        return found[0]
    if not isinstance(found[0], Mapping):
        raise PageRejected("a record has a value where a parent belongs")
    return _value(found[0], rest)


def _in_utc(text: str) -> str:
    for offset in _UTC_OFFSETS:
        if text.endswith(offset):
            return f"{text.removesuffix(offset)}Z"
    return text


def _line(cells: Sequence[str]) -> bytes:
    joined = '","'.join([cell.replace('"', '""') if '"' in cell else cell for cell in cells])
    return f'"{joined}"\n'.encode()
