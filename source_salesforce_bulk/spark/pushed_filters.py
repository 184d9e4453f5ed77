"""Spark's filters as conditions in SOQL. Pure.

Spark evaluates every filter again after the scan, so a condition may let more rows through than its filter, but never
fewer. That decides what can be pushed:

- Text: SOQL's ``=``, IN and LIKE ignore letter case, so they let more through. ``!=``, ``<`` and ``>`` would let fewer
  through, or use another sort order. An empty text is null in Salesforce.
- Numbers: Spark compares the nearest doubles and SOQL the decimal digits, so a bound is moved to the next double.
  Amounts of money are compared in the user's currency, and are left to Spark.
- Instants: Salesforce keeps whole seconds, so bounds are moved to whole seconds, outwards.
- Null: a value that does not fit Spark's type is null in Spark only, so IS NULL is pushed for text alone.

Fields that are hashed or that cannot be filtered are not in ``types``, so their filters are left to Spark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from source_salesforce_bulk.salesforce.ids import id_18, is_id
from source_salesforce_bulk.salesforce.soql import format_instant

MOST_VALUES = 200
"""Maximum number of values in a pushed IN, because the length of a query is limited."""

_LONGEST_TEXT = 1000
_YEARS = range(1700, 4000)  # Salesforce's own dates
_LARGEST_INTEGER = 2**31
_NUMBERS = (1e-9, 1e15)  # absolute values that are written without an exponent and within SOQL's digits

_TEXT = frozenset({"string", "picklist", "email", "url"})
_SEARCHED = frozenset({"string", "email", "url"})
_IDS = frozenset({"id", "reference"})
_MIRRORED: Mapping[str, str] = MappingProxyType(
    {"GreaterThan": ">=", "GreaterThanOrEqual": ">=", "LessThan": "<=", "LessThanOrEqual": "<="}
)
_SPECIAL = re.compile(r"[\\']")
_WILD = re.compile(r"[\\'%_]")


def conditions(filters: Iterable[Any], types: Mapping[str, str]) -> tuple[str, ...]:
    """Return SOQL conditions that are true for every row that passes all of pyspark's ``filters``.

    ``types`` are the fields that may be filtered, by name, with describe's types.
    """
    found = (_condition(pushed, types) for pushed in filters)
    return tuple(condition for condition in found if condition is not None)


def _condition(one: Any, types: Mapping[str, str]) -> str | None:
    path: tuple[str, ...] = getattr(one, "attribute", ())
    if len(path) != 1 or path[0] not in types:
        return None
    name, kind = path[0], types[path[0]].lower()
    match type(one).__name__:
        case "IsNotNull":
            return None if kind == "boolean" else f"{name} != null"
        case "IsNull":
            return f"{name} = null" if kind in _TEXT | _IDS else None
        case "EqualNullSafe" if one.value is None:
            return f"{name} = null" if kind in _TEXT | _IDS else None
        case "EqualTo" | "EqualNullSafe":
            return _equal(name, kind, one.value)
        case "In":
            return _among(name, kind, one.value)
        case "StringStartsWith" | "StringContains" | "StringEndsWith" as how:
            return _like(name, kind, one.value, how)
        case how if how in _MIRRORED:
            return _bounded(name, kind, one.value, _MIRRORED[how])
        case _:
            return None


def _equal(name: str, kind: str, value: object) -> str | None:
    if kind in ("double", "percent", "datetime"):
        lower, upper = _bounded(name, kind, value, ">="), _bounded(name, kind, value, "<=")
        return f"{lower} AND {upper}" if lower and upper else None
    literal = _literal(kind, value)
    return None if literal is None else f"{name} = {literal}"


def _among(name: str, kind: str, values: Iterable[object]) -> str | None:
    literals = {_literal(kind, value) for value in values if value is not None}
    if None in literals or not 0 < len(literals) <= MOST_VALUES:
        return None
    return f"{name} IN ({', '.join(sorted(literal for literal in literals if literal))})"


def _like(name: str, kind: str, value: object, how: str) -> str | None:
    if kind not in _SEARCHED or not _is_plain(value):
        return None
    text = _WILD.sub(r"\\\g<0>", str(value))
    before, behind = "" if how == "StringStartsWith" else "%", "" if how == "StringEndsWith" else "%"
    return f"{name} LIKE '{before}{text}{behind}'"


def _bounded(name: str, kind: str, value: object, sign: str) -> str | None:
    literal = _BOUNDS[kind](value, sign) if kind in _BOUNDS else None
    return None if literal is None else f"{name} {sign} {literal}"


def _literal(kind: str, value: object) -> str | None:
    """Return the SOQL literal of a value that is compared for equality; None if it is left to Spark."""
    match value:
        case bool():
            return str(value).lower() if kind == "boolean" else None
        case int():
            return _whole(value, "=") if kind == "int" else None
        case str() if kind in _TEXT and _is_plain(value):
            return "'" + _SPECIAL.sub(r"\\\g<0>", value) + "'"
        case str() if kind in _IDS and is_id(value) and value == id_18(value):
            return f"'{value}'"
        case date():
            return _day(value, "=") if kind == "date" else None
        case _:
            return None


def _is_plain(value: object) -> bool:
    """Return whether only quotes need escaping in a text, and it has no blanks that a comparison may ignore."""
    return isinstance(value, str) and value.isprintable() and value == value.strip() and 0 < len(value) <= _LONGEST_TEXT


def _whole(value: object, _sign: str) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_INTEGER
    return str(value) if fits else None


def _number(value: object, sign: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    outwards = math.nextafter(float(value), math.inf if sign == "<=" else -math.inf)
    least, most = _NUMBERS
    if value == 0:
        return "0.000000001" if sign == "<=" else "-0.000000001"
    return format(Decimal(repr(outwards)), "f") if least < abs(value) < most else None


def _day(value: object, _sign: str) -> str | None:
    fits = isinstance(value, date) and not isinstance(value, datetime) and value.year in _YEARS
    return value.isoformat() if fits and isinstance(value, date) else None


def _second(value: object, sign: str) -> str | None:
    if not isinstance(value, datetime) or value.tzinfo is None or value.year not in _YEARS:
        return None
    utc = value.astimezone(UTC)
    whole = utc.replace(microsecond=0)
    return format_instant(whole + timedelta(seconds=1) if sign == "<=" and whole < utc else whole)


_BOUNDS: Mapping[str, Callable[[object, str], str | None]] = MappingProxyType(
    {"int": _whole, "double": _number, "percent": _number, "date": _day, "datetime": _second}
)
