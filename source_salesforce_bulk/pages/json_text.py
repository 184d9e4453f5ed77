"""Values as JSON text, digit for digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from source_salesforce_bulk.pages.cells import Value, number

_SIXTY_FOUR_BITS = 1 << 63


def json_value(value: Value) -> Any:
    """A value as orjson writes it digit for digit: what a double or 64 bits cannot hold travels as its own text."""
    digits = _exact_digits(value)
    return value if digits is None else orjson.Fragment(digits)


def json_number(value: Value) -> bytes:
    """Return a number or a boolean as JSON, digit for digit."""
    return orjson.dumps(json_value(value))


def parse_line(line: bytes) -> Any:
    """A line of JSON, its numbers as ``cells`` reads them: with every digit."""
    return json.loads(line, parse_float=number)


def _exact_digits(value: Value) -> str | None:
    """The text of a number that neither a double nor 64 bits hold, so that it has to travel as it is; else None."""
    if isinstance(value, Decimal):
        return str(value)
    if type(value) is int and not -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS:
        return str(value)
    return None
