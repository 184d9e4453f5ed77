"""A page's file: looked at, or made into a file of lines.

Nothing else of this package is needed here, so that a process that does only this starts fast and stays small.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from source_salesforce_bulk.pages.csv_page import (
    PageRejected,
    PageShape,
    PageTooLarge,
    inspect_page,
    page_digest,
    read_rows,
)
from source_salesforce_bulk.pages.encoded_page import EncodedPage, PageEncoder

LARGEST_PAGE = 2 << 30
"""Bytes of a page, decompressed, that are looked at. Salesforce's own files of results end at 1 GB."""


class EncodeFile(Protocol):
    """:func:`encode_file`, or something that has it done elsewhere."""

    def __call__(self, page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int, /) -> EncodedPage:
        """See :func:`encode_file`."""
        ...


def inspect_file(page: Path, gzipped: bool, columns: Sequence[str]) -> PageShape:
    """Inspect a page's file; raises ``PageRejected``, also for a damaged encoding."""
    with _damage_rejected(), decoded(page, gzipped) as source:
        return inspect_page(source, columns)


def encode_file(page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int, /) -> EncodedPage:
    """Prove a page's file while writing ``lines``; raises ``PageRejected``, also for a damaged encoding."""
    with _damage_rejected(), decoded(page, gzipped) as source, lines.open("wb") as file:
        return encoder.encode(source, file, emitted_at)


def digest_of_file(page: Path, gzipped: bool) -> str:
    """Return the fingerprint of a proven page's text."""
    with decoded(page, gzipped) as source:
        return page_digest(source)


def first_id_in_file(page: Path, gzipped: bool, columns: Sequence[str]) -> str | None:
    """Return the Id in the first row of a proven page; None where it has no row, or no Id is among its ``columns``."""
    place = next((index for index, name in enumerate(columns) if name.lower() == "id"), None)
    if place is None:
        return None
    with decoded(page, gzipped) as source:
        row = next(read_rows(source, columns), None)
    return row[place] if row is not None else None


@contextmanager
def decoded(page: Path, gzipped: bool) -> Iterator[BinaryIO]:
    """Yield the page's decompressed bytes; reading more than :data:`LARGEST_PAGE` of them raises ``PageTooLarge``."""
    with gzip.open(page, "rb") if gzipped else page.open("rb") as source:
        yield cast(BinaryIO, _Bounded(cast(BinaryIO, source), LARGEST_PAGE))


class _Bounded(io.RawIOBase):
    """Passes bytes through, up to a bound: a small gzip file may stand for more than fits into memory or disk."""

    def __init__(self, source: BinaryIO, bound: int) -> None:
        self._source = source
        self._bound = bound
        self._left = bound

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """See ``io.RawIOBase``."""
        return self._counted(self._source.read(size if size >= 0 else self._left + 1))

    def readline(self, size: int | None = -1) -> bytes:
        """See ``io.RawIOBase``."""
        return self._counted(self._source.readline(self._left + 1 if size is None or size < 0 else size))

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See ``io.RawIOBase``."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Begin again; nothing else is needed of a page."""
        if offset or whence:
            raise io.UnsupportedOperation("a page is read from its beginning")
        self._left = self._bound
        return self._source.seek(0)

    def _counted(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        if self._left < 0:
            raise PageTooLarge(f"it is longer than {self._bound:,} bytes")
        return chunk


@contextmanager
def _damage_rejected() -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PageRejected("its gzip encoding is damaged or cut") from error
