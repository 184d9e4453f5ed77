"""One cell's text as the value its field's type promises.

A cell that cannot be its type is :data:`UNREADABLE`; callers make it null and say so. Numbers keep every digit: where a
double would lose one, the digits travel as they came.
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
    """The one value that stands for a cell which cannot be its type."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE

Value = str | int | float | bool | Decimal | Unreadable

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EXACT_DIGITS = 15  # every decimal of up to 15 significant digits survives the way through a double (IEEE 754)
_LONGEST_INTEGER = 400  # digits; an exponent could ask for gigabytes of them


def text(cell: str) -> Value:
    """Return the cell as it stands."""
    return cell


def boolean(cell: str) -> Value:
    """Return ``true`` and ``false`` in any letter case."""
    lowered = cell.lower()
    return True if lowered == "true" else False if lowered == "false" else UNREADABLE


def integer(cell: str) -> Value:
    """Return a whole number, also where Salesforce writes ``47.0`` or ``1.39E8`` for one."""
    if _INTEGER.fullmatch(cell):
        return int(cell) if len(cell) <= _LONGEST_INTEGER else UNREADABLE
    if not _NUMBER.fullmatch(cell):
        return UNREADABLE
    value = _exact(cell)
    if value is UNREADABLE or value.adjusted() > _LONGEST_INTEGER or value != value.to_integral_value():
        return UNREADABLE
    return int(value)


def number(cell: str) -> Value:
    """Return a float where it reproduces every digit, else a Decimal."""
    if not _NUMBER.fullmatch(cell):
        return UNREADABLE
    value = float(cell)
    if len(cell) <= _EXACT_DIGITS and "e" not in cell and "E" not in cell:
        return value
    exact = _exact(cell)
    return value if exact is not UNREADABLE and Decimal(repr(value)) == exact else exact


def calendar_date(cell: str) -> Value:
    """Return ``YYYY-MM-DD``, left as it stands."""
    if not _DATE.fullmatch(cell):  # fromisoformat takes week dates, too
        return UNREADABLE
    try:
        date.fromisoformat(cell)
    except ValueError:
        return UNREADABLE
    return cell


def instant(cell: str) -> Value:
    """Return an ISO 8601 instant with a zone, left as it stands."""
    try:
        parse_instant(cell)
    except ValueError:
        return UNREADABLE
    return cell


def time_of_day(cell: str) -> Value:
    """Return ``HH:MM:SS.mmmZ``, left as it stands."""
    return cell if _TIME.fullmatch(cell) else UNREADABLE


def _exact(cell: str) -> Decimal | Literal[Unreadable.UNREADABLE]:
    """Return the number with every digit; exponents of nineteen digits are beyond what Decimal holds."""
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
"""How a cell of each kind is read; an empty cell is null and is never handed to one of these."""
