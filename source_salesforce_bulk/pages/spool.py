"""A page's file: looked at, or made into a file of lines.

Nothing else of this package is needed here, so that a process that does only this starts fast and stays small.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from source_salesforce_bulk.pages.csv_page import PageRejected, PageShape, inspect_page, page_digest, read_rows
from source_salesforce_bulk.pages.encoded_page import EncodedPage, PageEncoder


class EncodeFile(Protocol):
    """:func:`encode_file`, or something that has it done elsewhere."""

    def __call__(self, page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int, /) -> EncodedPage:
        """See :func:`encode_file`."""
        ...


def inspect_file(page: Path, gzipped: bool, columns: Sequence[str]) -> PageShape:
    """What a page's file holds; raises ``PageRejected``, also for a damaged encoding."""
    with _damage_rejected(), decoded(page, gzipped) as source:
        return inspect_page(source, columns)


def encode_file(page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int, /) -> EncodedPage:
    """Prove a page's file while writing ``lines``; raises ``PageRejected``, also for a damaged encoding."""
    with _damage_rejected(), decoded(page, gzipped) as source, lines.open("wb") as file:
        return encoder.encode(source, file, emitted_at)


def digest_of_file(page: Path, gzipped: bool) -> str:
    """The fingerprint of a proven page's text."""
    with decoded(page, gzipped) as source:
        return page_digest(source)


def first_id_in_file(page: Path, gzipped: bool, columns: Sequence[str]) -> str | None:
    """The Id in the first row of a proven page; None where it has no row, or no Id is among its ``columns``."""
    place = next((index for index, name in enumerate(columns) if name.lower() == "id"), None)
    if place is None:
        return None
    with decoded(page, gzipped) as source:
        row = next(read_rows(source, columns), None)
    return row[place] if row is not None else None


@contextmanager
def decoded(page: Path, gzipped: bool) -> Iterator[BinaryIO]:
    """The page's decompressed bytes."""
    with gzip.open(page, "rb") if gzipped else page.open("rb") as source:
        yield cast(BinaryIO, source)


@contextmanager
def _damage_rejected() -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PageRejected("its gzip encoding is damaged or cut") from error
