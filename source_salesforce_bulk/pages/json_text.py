"""Values as JSON text, digit for digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from source_salesforce_bulk.pages.cells import Value, number

_SIXTY_FOUR_BITS = 1 << 63


def json_value(value: Value) -> Any:
    """Return a value that orjson writes digit for digit: numbers beyond a double or 64 bits as raw text."""
    digits = _exact_digits(value)
    return value if digits is None else orjson.Fragment(digits)


def json_number(value: Value) -> bytes:
    """Return a number or a boolean as JSON, digit for digit."""
    return orjson.dumps(json_value(value))


def parse_line(line: bytes) -> Any:
    """Parse a line of JSON; its numbers keep every digit, as in ``cells``."""
    return json.loads(line, parse_float=number)


def _exact_digits(value: Value) -> str | None:
    """Return the text of a number that fits neither a double nor 64 bits; None for any other value."""
    if isinstance(value, Decimal):
        return str(value)
    if type(value) is int and not -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS:
        return str(value)
    return None
