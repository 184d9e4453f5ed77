"""The native page core, where it is installed, and the cells that it leaves to Python.

The core (``core/``, distribution ``source-salesforce-bulk-core``) proves and encodes pages many times faster than
Python can. It is certain of nearly every cell. The others come here: numbers with more digits than a double keeps or
with an exponent in their text, and instants that versions of Python disagree about. So :mod:`pages.cells` decides what
a cell is, with the core and without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE
from source_salesforce_bulk.pages.csv_page import LONGEST_ROW, PageRejected, PageTooLarge
from source_salesforce_bulk.pages.json_cells import json_number
from source_salesforce_bulk.pages.page_encoder import key_column
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant

API: Final = 2
"""The required value of the core's ``API``; an older or newer build is not used."""

try:
    import salesforce_bulk_core
except ImportError:
    HAS_CORE = False
else:
    HAS_CORE = getattr(salesforce_bulk_core, "API", None) == API

if TYPE_CHECKING:
    from salesforce_bulk_core import PageDecoder, Proof

_SLICE = 1 << 16  # bytes fed at once: compressed, they may stand for a thousand times as many

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIXTY_FOUR_BITS = 1 << 63


class ExactCells:
    """The core's ``ExactPath`` for pages with ``columns``. Immutable."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)

    def json(self, column: int, cell: str) -> bytes | None:
        """Return the cell's value as JSON, without quotes around it; None where it cannot be its type."""
        value = READERS[self._columns[column].kind](cell)
        if value is UNREADABLE:
            return None
        # Of texts the core only asks for instants, in which nothing is escaped.
        return value.encode() if isinstance(value, str) else json_number(value)

    def scalar(self, column: int, cell: str) -> tuple[int | float | None, bool]:
        """The cell's value as Arrow holds it, and whether that is another number; None where Arrow cannot hold it."""
        kind = self._columns[column].kind
        value = READERS[kind](cell)
        if value is UNREADABLE:
            return None, False
        if kind is CellKind.DATETIME:
            return (parse_instant(cell) - _EPOCH) // _MICROSECOND, False
        if isinstance(value, int):
            return (value if -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS else None), False
        nearest = float(value)
        return (nearest, isinstance(value, Decimal)) if math.isfinite(nearest) else (None, False)


class NativeDecoder:
    """The core's decoder of one page whose rows are taken as they come, with this package's exceptions."""

    def __init__(self, columns: tuple[Column, ...], *, gzipped: bool, most: int) -> None:
        self.core: PageDecoder = salesforce_bulk_core.PageDecoder(
            [column.name for column in columns],
            gzipped=gzipped,
            key=key_column(columns),
            most=most,
            longest_row=LONGEST_ROW,
            early=True,
        )

    def feed(self, data: bytes) -> Iterator[None]:
        """Take the next bytes, a slice for each step; raises ``PageRejected``."""
        for start in range(0, len(data), _SLICE):
            with _as_rejected():
                self.core.feed(data[start : start + _SLICE])
            yield

    def finish(self, expected: int | None) -> Proof:
        """The page has come to its end; raises ``PageRejected``."""
        with _as_rejected():
            return self.core.finish(expected)

    @property
    def kept_size(self) -> int:
        """Bytes of rows that have come and were not taken yet."""
        return self.core.kept_size


@contextmanager
def _as_rejected() -> Iterator[None]:
    try:
        yield
    except salesforce_bulk_core.PageTooLarge as rejected:
        raise PageTooLarge(str(rejected)) from rejected
    except salesforce_bulk_core.PageRejected as rejected:
        raise PageRejected(str(rejected)) from rejected
