"""The contract between a page that arrives and whatever it becomes: RECORD lines, JSON lines, a Parquet file, batches.

    encoding = encoder.begin(arrival)       before the first byte
    encoding.feed(data)                     for the bytes as they arrive
    encoding.finish(rows announced)  ->     EncodedPage: the page is proven, and its product may leave
    encoding.close()                        in any case; a page that was not finished leaves nothing behind

A page is read once. It is proven and encoded in the same pass, so its product exists before the proof does; the product
is only reachable through the result of ``finish``.
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
    """A page whose bytes are about to come.

    ``at`` is the time, in milliseconds since 1970; RECORD lines carry it as ``emitted_at``.
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
    """The bytes that a page became: the file at ``path``, of ``size`` bytes, or ``blocks`` of lines, in order.

    RECORD lines come in blocks. Every other product is one file.
    """

    path: Path
    size: int
    blocks: Iterator[LineBlock] = field(default_factory=lambda: iter(()))


class PageProduct(Protocol):
    """The result of encoding a page. It exists as long as its page."""

    @property
    def stored(self) -> int:
        """The bytes that it takes on this machine, in memory and on disk."""
        ...

    def take(self) -> PageContent:
        """Return the bytes, to be handed on; called once."""
        ...

    def discard(self) -> None:
        """Give memory and disk back, whether or not the bytes were taken; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """A page that was proven whole, and its product.

    ``size`` counts the bytes of its text, ``ended`` says whether a line feed closed it, and ``digest`` is the same for
    two pages of one run exactly when their texts are. ``first_key`` is the first row's Id, None where there is none.
    By field, ``unreadable`` counts the cells that became null, ``inexact`` the values that were rounded.
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
    """One page on its way. Used by one thread at a time; a call that raised is its last but :meth:`close`."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they arrived.

        Raises ``PageRejected`` as soon as they cannot be a page, and OSError where the disk refuses.
        """
        ...

    def finish(self, expected: int | None) -> EncodedPage:
        """The page has come to its end; ``expected`` is the number of rows it should have, where that is known.

        Raises as :meth:`feed`.
        """
        ...

    def close(self) -> None:
        """Leave nothing of a page that was not finished; may be called twice, and after :meth:`finish`."""
        ...


class PageEncoder(Protocol):
    """Encodes the pages of one object. Immutable, used by any number of threads, and picklable."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The required columns of the pages, in the order of the product."""
        ...

    @property
    def remote(self) -> PageEncoder:
        """The encoder that does the same on another machine, whose product need not be the same."""
        ...

    def begin(self, arrival: Arrival) -> PageEncoding:
        """A page is about to come; raises OSError."""
        ...


def key_column(columns: tuple[Column, ...]) -> int | None:
    """Return the place of the Id among ``columns``."""
    return next((place for place, column in enumerate(columns) if column.name.lower() == "id"), None)
