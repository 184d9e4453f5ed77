"""The optional native page core.

The core (``core/``, distribution ``source-salesforce-bulk-core``) verifies and encodes pages many times faster than
Python. It reads nearly every cell itself, and leaves some to its caller: numbers with an exponent or with more digits
than a double keeps, and instants that versions of Python read differently. So :mod:`pages.cells` defines every cell's
value, with and without the core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from source_salesforce_bulk.pages.csv_page import LONGEST_ROW, PageRejected, PageTooLarge
from source_salesforce_bulk.pages.page_encoder import key_column
from source_salesforce_bulk.pages.records import Column, page_columns

API: Final = 3
"""The required value of the core's ``API``; an older or newer build is not used."""

try:
    import salesforce_bulk_core
except ImportError:
    HAS_CORE = False
else:
    HAS_CORE = getattr(salesforce_bulk_core, "API", None) == API

if TYPE_CHECKING:
    from salesforce_bulk_core import PageDecoder, Proof

_SLICE = 1 << 16  # bytes fed at once; they may decompress to a thousand times as many


@dataclass(frozen=True, slots=True)
class CoreShape:
    """The compound fields, with the indexes of their parts among a page's columns, and the indexes not shown."""

    compounds: list[tuple[str, list[tuple[str, int | None]]]]
    hidden: list[int]


def core_columns(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Return the names and kinds of a page's columns."""
    return [(column.name, column.kind.value) for column in page_columns(columns)]


def core_shape(columns: Sequence[Column]) -> CoreShape:
    """Return the compound fields that the core builds and the columns that it does not show."""
    read = page_columns(columns)
    places = {column.name: place for place, column in enumerate(read)}
    compounds = [
        (column.name, [(key, None if part is None else places[part]) for key, part in column.parts])
        for column in columns
        if column.parts
    ]
    return CoreShape(compounds, [place for place, column in enumerate(read) if not column.shown])


class NativeDecoder:
    """The core's decoder of one page, with this package's exceptions."""

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
        """Feed the next bytes to the core, a slice at each step; raises ``PageRejected``."""
        for start in range(0, len(data), _SLICE):
            with _as_rejected():
                self.core.feed(data[start : start + _SLICE])
            yield

    def finish(self, expected: int | None) -> Proof:
        """Verify the page, which has arrived completely; raises ``PageRejected``."""
        with _as_rejected():
            return self.core.finish(expected)

    @property
    def kept_size(self) -> int:
        """The bytes of rows that have arrived and were not taken yet."""
        return self.core.kept_size


@contextmanager
def _as_rejected() -> Iterator[None]:
    try:
        yield
    except salesforce_bulk_core.PageTooLarge as rejected:
        raise PageTooLarge(str(rejected)) from rejected
    except salesforce_bulk_core.PageRejected as rejected:
        raise PageRejected(str(rejected)) from rejected
