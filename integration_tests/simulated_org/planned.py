"""Objects of which only the number of rows is given: a billion rows, for a client that plans and probes.

The n-th row has a fixed Id and a fixed stamp, both growing with n, so a condition on either is a range of n. A count
is the width of that range; a query with a small LIMIT is answered with rows made up for it. A condition on anything
else is taken to hold for every row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from integration_tests.simulated_org.clock import csv_stamp, parse_stamp, record_stamp
from integration_tests.simulated_org.generator import Row, RowMaker
from integration_tests.simulated_org.ids import simple_id, to_18
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.soql.syntax import Both, Comparison, Condition, Membership, Not, Path, Query

MOST_ROWS = 20_000  # that one query is answered with; more take longer than a query may
_SPAN = timedelta(days=4 * 365)
_STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


@dataclass(frozen=True, slots=True)
class _Rows(Sequence[str]):
    """A growing text of every row, for bisection: nothing is held."""

    number: int
    text: Callable[[int], str]

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, n: int) -> str:  # type: ignore[override]
        return self.text(n)


class PlannedRows:
    """The rows of one planned object."""

    def __init__(self, declared: SObject, settings: OrgSettings, targets: Callable[[str], SObject | None]) -> None:
        self._declared = declared
        self._count = declared.planned or 0
        self._until = parse_stamp(settings.data_until)
        self._maker = RowMaker(replace(declared, volume=self._count), settings, targets)

    def span(self, query: Query) -> tuple[int, int]:
        """Return the first row that a query finds and the one after the last, LIMIT and OFFSET left aside."""
        low, high = (0, self._count) if query.where is None else self._range(query.where)
        return low, max(low, high)

    def wanted(self, query: Query) -> range | None:
        """Return the rows that a query with its LIMIT and OFFSET answers; None: too many."""
        low, high = self.span(query)
        first = query.order[0] if query.order else None
        offset = query.offset or 0
        rows = range(high - 1, low - 1, -1) if first is not None and first.descending else range(low, high)
        rows = rows[offset : None if query.limit is None else offset + query.limit]
        return rows if len(rows) <= MOST_ROWS else None

    def make(self, rows: Sequence[int]) -> Iterator[Row]:
        """Make rows by their numbers; none of them is in the recycle bin."""
        for n in rows:
            row = self._maker.row(n) | {"Id": self._id(n), "IsDeleted": "false", "IsArchived": "false"}
            stamp = record_stamp(self._moment(n))
            yield row | {name: stamp for name in _STAMPS if name in row}

    def _id(self, n: int) -> str:
        return simple_id(self._declared.prefix, "5g", 1_000 + 3 * n)

    def _moment(self, n: int) -> datetime:
        return self._until - _SPAN * (1 - n / max(1, self._count))

    def _range(self, condition: Condition) -> tuple[int, int]:
        match condition:
            case Both("AND", parts):
                ranges = [self._range(part) for part in parts]
                return max(low for low, _ in ranges), min(high for _, high in ranges)
            case Both(_, parts):
                found = [(low, high) for low, high in map(self._range, parts) if low < high]
                return (min(low for low, _ in found), max(high for _, high in found)) if found else (0, 0)
            case Comparison():
                return self._compared(condition)
            case Membership() | Not():
                return 0, self._count
            case _:
                assert_never(condition)

    def _compared(self, condition: Comparison) -> tuple[int, int]:
        name = str(condition.left).lower() if isinstance(condition.left, Path) else ""
        stamped, value = name in map(str.lower, _STAMPS), condition.value
        if value.kind == "null" and condition.operator == "=" and (stamped or name == "id"):
            return 0, 0
        if name == "id" and value.kind == "string":
            return self._bounded(condition.operator, self._id, to_18(value.text) or "")
        if stamped and value.kind == "datetime":
            return self._bounded(condition.operator, self._stamp, csv_stamp(parse_stamp(value.text)))
        return 0, self._count

    def _stamp(self, n: int) -> str:
        return record_stamp(self._moment(n))

    def _bounded(self, operator: str, text: Callable[[int], str], value: str) -> tuple[int, int]:
        """Return the rows that a comparison of a growing text with a value finds."""
        texts = _Rows(self._count, text)
        first, after = bisect_left(texts, value), bisect_right(texts, value)
        return {
            ">=": (first, self._count),
            ">": (after, self._count),
            "<": (0, first),
            "<=": (0, after),
            "=": (first, after),
        }.get(operator, (0, self._count))
