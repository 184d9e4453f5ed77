"""Convert a cell's text to a value of its field's type.

A cell that is not of its type is :data:`UNREADABLE`; callers replace it with null and report it. Numbers keep every
digit: if a double would lose one, the value is a ``Decimal``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final, Literal

from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant


class Unreadable(Enum):
    """The value of a cell that is not of its type."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE

Value = str | int | float | bool | Decimal | Unreadable

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EXACT_DIGITS = 15  # a double (IEEE 754) preserves every decimal of up to 15 significant digits
_LONGEST_INTEGER = 400  # digits; an exponent could ask for gigabytes of them


def text(cell: str) -> Value:
    """Return the cell unchanged."""
    return cell


def boolean(cell: str) -> Value:
    """Return the boolean for ``true`` or ``false`` in any letter case."""
    lowered = cell.lower()
    return True if lowered == "true" else False if lowered == "false" else UNREADABLE


def integer(cell: str) -> Value:
    """Return a whole number, which Salesforce may write as ``47.0`` or ``1.39E8``."""
    if _INTEGER.fullmatch(cell):
        return int(cell) if len(cell) <= _LONGEST_INTEGER else UNREADABLE
    if not _NUMBER.fullmatch(cell):
        return UNREADABLE
    value = _exact(cell)
    if value is UNREADABLE or value.adjusted() > _LONGEST_INTEGER or value != value.to_integral_value():
        return UNREADABLE
    return int(value)


def number(cell: str) -> Value:
    """Return a float if it reproduces every digit, otherwise a Decimal."""
    if not _NUMBER.fullmatch(cell):
        return UNREADABLE
    value = float(cell)
    if len(cell) <= _EXACT_DIGITS and "e" not in cell and "E" not in cell:
        return value
    exact = _exact(cell)
    return value if exact is not UNREADABLE and Decimal(repr(value)) == exact else exact


def calendar_date(cell: str) -> Value:
    """Return a date ``YYYY-MM-DD`` unchanged."""
    if not _DATE.fullmatch(cell):  # fromisoformat also accepts week dates
        return UNREADABLE
    try:
        date.fromisoformat(cell)
    except ValueError:
        return UNREADABLE
    return cell


def instant(cell: str) -> Value:
    """Return an ISO 8601 instant with a time zone unchanged."""
    try:
        parse_instant(cell)
    except ValueError:
        return UNREADABLE
    return cell


def time_of_day(cell: str) -> Value:
    """Return a time ``HH:MM:SS.mmmZ`` unchanged."""
    return cell if _TIME.fullmatch(cell) else UNREADABLE


def _exact(cell: str) -> Decimal | Literal[Unreadable.UNREADABLE]:
    """Return the number with every digit. An exponent of nineteen digits is too large for Decimal."""
    try:
        return Decimal(cell)
    except InvalidOperation:
        return UNREADABLE


READERS: dict[CellKind, Callable[[str], Value]] = {
    CellKind.STRING: text,
    CellKind.BOOLEAN: boolean,
    CellKind.INTEGER: integer,
    CellKind.NUMBER: number,
    CellKind.DATE: calendar_date,
    CellKind.DATETIME: instant,
    CellKind.TIME: time_of_day,
}
"""The reader of each kind of cell. They are not called for empty cells, which are null."""
