"""A column of cells as JSON values: most of them stand in a page as JSON writes them, and need only be proven.

A whole column is looked at at once. Where that leaves a doubt, its cells are read one by one, by the reader of their
kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.pages.date_columns import are_dates, are_instants
from source_salesforce_bulk.salesforce.field_types import CellKind

_CELL_END = b"\x1f"
_SIXTY_FOUR_BITS = 1 << 63

_BOOLEANS: Final = frozenset({b"true", b"false", b""})
# The end of a cell behind which none of the kind follows, nor an empty one, nor the end. Looking for that remembers
# nothing, where a match of thousands of cells would remember at each where it could turn back; possessive quantifiers,
# made against that, match what they should not before Python 3.11.5 (python/cpython issue 106052). No alternatives: the
# regular expression engine is slow with them. Seventeen digits fit 64 bits; fourteen survive the way through a double,
# and with four of them behind the point orjson writes no exponent.
_NOR_EMPTY_NOR_END: Final = rb"(?!\x1f)(?!\Z)"
_NO_INTEGER: Final = re.compile(rb"\x1f(?!-?\d{1,17}\x1f)" + _NOR_EMPTY_NOR_END)
_NO_NUMBER: Final = re.compile(rb"\x1f(?!-?\d{1,10}\.\d{1,4}\x1f)" + _NOR_EMPTY_NOR_END)
_NO_TIME: Final = re.compile(rb"\x1f(?![01]\d:[0-5]\d:[0-5]\d\.\d{3}Z\x1f)" + _NOR_EMPTY_NOR_END)

_BARE = frozenset({CellKind.BOOLEAN, CellKind.INTEGER, CellKind.NUMBER})


def _are_booleans(cells: Sequence[bytes]) -> bool:
    return _BOOLEANS.issuperset(cells)


def _are_integers(cells: Sequence[bytes]) -> bool:
    joined = _joined(cells)
    return _NO_INTEGER.search(joined) is None and b"-0" not in joined and joined.count(b"\x1f0") == cells.count(b"0")


def _are_numbers(cells: Sequence[bytes]) -> bool:
    joined = _joined(cells)
    return (
        _NO_NUMBER.search(joined) is None
        and b"-0" not in joined
        and joined.count(b"\x1f0") == joined.count(b"\x1f0.")
        and joined.count(b"0\x1f") == joined.count(b".0\x1f")
    )


def _are_times(cells: Sequence[bytes]) -> bool:
    return _NO_TIME.search(_joined(cells)) is None


def _where_filled(are_plain: Callable[[Sequence[bytes]], bool], cells: Sequence[bytes]) -> bool:
    filled = cells if all(cells) else [cell for cell in cells if cell]
    return not filled or are_plain(filled)


def _joined(cells: Sequence[bytes]) -> bytes:
    return _CELL_END + _CELL_END.join(cells) + _CELL_END


# Checks that the text of every cell is already its JSON form, as its reader and orjson would write it. False is
# undecided.
_SELF_EVIDENT: Final[Mapping[CellKind, Callable[[Sequence[bytes]], bool]]] = {
    CellKind.BOOLEAN: _are_booleans,
    CellKind.INTEGER: _are_integers,
    CellKind.NUMBER: _are_numbers,
    CellKind.DATE: lambda cells: _where_filled(are_dates, cells),
    CellKind.DATETIME: lambda cells: _where_filled(are_instants, cells),
    CellKind.TIME: _are_times,
}


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """Cells as JSON text without its quotes, and where one could not be read. Null and unreadable cells are empty."""

    cells: Sequence[bytes]
    unreadable: Sequence[int] = ()


class CellProver:
    """The properties of a column's kind: ``quote`` surrounds its values in JSON."""

    def __init__(self, kind: CellKind) -> None:
        self.quote = b"" if kind in _BARE else b'"'
        self._kind = kind
        self._self_evident = _SELF_EVIDENT.get(kind)
        self._read = READERS[kind]

    def column(self, cells: Sequence[bytes]) -> JsonColumn:
        """Return the cells as JSON."""
        if self._self_evident is None or self._self_evident(cells):
            return JsonColumn(cells)
        if self._kind is CellKind.INTEGER:
            whole = [cell[:-2] if cell[-2:] == b".0" and len(cell) > 2 else cell for cell in cells]
            if _are_integers(whole):
                return JsonColumn(whole)
        return self._one_by_one(cells)

    def _one_by_one(self, cells: Sequence[bytes]) -> JsonColumn:
        finished, unreadable = list(cells), []
        for index, cell in enumerate(cells):
            if cell:
                value = self._read(_text(cell))
                if value is UNREADABLE:
                    unreadable.append(index)
                    finished[index] = b""
                elif not self.quote:
                    finished[index] = json_number(value)
        return JsonColumn(finished, unreadable)


def json_value(value: Value) -> Any:
    """A value as orjson writes it digit for digit: what a double or 64 bits cannot hold travels as its own text."""
    digits = _exact_digits(value)
    return value if digits is None else orjson.Fragment(digits)


def json_number(value: Value) -> bytes:
    """Return a number or a boolean as JSON, digit for digit."""
    return orjson.dumps(json_value(value))


def _exact_digits(value: Value) -> str | None:
    """The text of a number that neither a double nor 64 bits hold, so that it has to travel as it is; else None."""
    if isinstance(value, Decimal):
        return str(value)
    if type(value) is int and not -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS:
        return str(value)
    return None


def _text(cell: bytes) -> str:
    """Return a cell as it stood in the page."""
    text: str = orjson.loads(b'"%b"' % cell)
    return text
