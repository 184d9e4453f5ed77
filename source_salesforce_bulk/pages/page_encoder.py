"""The contract for turning a page into a product: RECORD lines, JSON lines, a Parquet file, or record batches.

    encoding = encoder.begin(arrival)       before the first byte
    encoding.feed(data)                     for the bytes as they arrive
    encoding.finish(rows announced)  ->     EncodedPage: the page is verified, and its product may be handed on
    encoding.close()                        in any case; an unfinished page leaves nothing behind

A page is read once. It is verified and encoded in the same pass, so the product exists before the page is verified, but
only the result of ``finish`` gives access to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Arrival:
    """A page that is about to arrive.

    ``at`` is the time in milliseconds since 1970, the ``emitted_at`` of RECORD lines.
    """

    gzipped: bool
    at: int
    workspace: Workspace


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Whole lines, one for each of ``rows``."""

    lines: bytes | memoryview
    rows: int


@dataclass(frozen=True, slots=True)
class PageContent:
    """The bytes of a product: the file at ``path``, of ``size`` bytes, or ``blocks`` of lines, in order.

    RECORD lines come in blocks. Every other product is one file.
    """

    path: Path
    size: int
    blocks: Iterator[LineBlock] = field(default_factory=lambda: iter(()))


class PageProduct(Protocol):
    """The output of encoding a page. It exists as long as its page."""

    @property
    def stored(self) -> int:
        """The bytes that it occupies on this machine, in memory and on disk."""
        ...

    def take(self) -> PageContent:
        """Return its content; called once."""
        ...

    def discard(self) -> None:
        """Free its memory and disk space, whether or not it was taken; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """A verified page and its product.

    ``size`` is the length of its text in bytes; ``ended`` is true if the text ends with a line feed. ``digest`` is
    equal for two pages of one run if and only if their texts are equal. ``first_key`` is the first row's Id, or None.
    By field, ``unreadable`` counts the cells that became null, and ``inexact`` the values that were rounded.
    """

    rows: int
    size: int
    ended: bool
    digest: str
    first_key: str | None
    unreadable: Mapping[str, int]
    inexact: Mapping[str, int]
    product: PageProduct


class PageEncoding(Protocol):
    """A page being encoded, by one thread at a time. After a call that raised, only :meth:`close` may be called."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they arrived.

        Raises ``PageRejected`` as soon as they cannot be part of a page, and OSError if they cannot be written.
        """
        ...

    def finish(self, expected: int | None) -> EncodedPage:
        """Verify the page, which has arrived completely, and return it; ``expected`` is its announced number of rows.

        Raises the same as :meth:`feed`.
        """
        ...

    def close(self) -> None:
        """Remove what is left of an unfinished page; may be called twice, and after :meth:`finish`."""
        ...


class PageEncoder(Protocol):
    """Encodes the pages of one object. Immutable, used by any number of threads, and picklable."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The required columns of the pages."""
        ...

    @property
    def product_columns(self) -> tuple[Column, ...]:
        """The columns of the products, in order."""
        ...

    @property
    def remote(self) -> PageEncoder:
        """The encoder to use on another machine; its product may differ."""
        ...

    def begin(self, arrival: Arrival) -> PageEncoding:
        """Begin to encode a page; raises OSError."""
        ...


def key_column(columns: tuple[Column, ...]) -> int | None:
    """Return the index of the Id among ``columns``."""
    return next((place for place, column in enumerate(columns) if column.name.lower() == "id"), None)
