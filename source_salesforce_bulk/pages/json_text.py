"""Values as JSON text, digit for digit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value, number
from source_salesforce_bulk.salesforce.field_types import CellKind

_SIXTY_FOUR_BITS = 1 << 63


def json_value(value: Value | Mapping[str, Value | None] | None) -> Any:
    """Return a value that orjson writes digit for digit: numbers beyond a double or 64 bits as raw text."""
    if isinstance(value, Mapping):
        return {key: json_value(part) for key, part in value.items()}
    digits = _exact_digits(value)
    return value if digits is None else orjson.Fragment(digits)


def json_number(value: Value) -> bytes:
    """Return a number or a boolean as JSON, digit for digit."""
    return orjson.dumps(json_value(value))


def exact_json(kind: CellKind, cell: str) -> bytes | None:
    """Return a cell that the core leaves to Python as JSON without quotes around it; None if it cannot be read.

    The only texts that the core asks for are instants, which need no escaping.
    """
    value = READERS[kind](cell)
    if value is UNREADABLE:
        return None
    return value.encode() if isinstance(value, str) else json_number(value)


def parse_line(line: bytes) -> Any:
    """Parse a line of JSON; its numbers keep every digit, as in ``cells``."""
    return json.loads(line, parse_float=number)


def _exact_digits(value: Value | None) -> str | None:
    """Return the text of a number that fits neither a double nor 64 bits; None for any other value."""
    if isinstance(value, Decimal):
        return str(value)
    if type(value) is int and not -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS:
        return str(value)
    return None
