"""Pages that are stored on disk as they arrive, and read once they are complete."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from source_salesforce_bulk.pages.csv_page import PageRejected, PageTooLarge
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage


class SpooledEncoding:
    """A ``PageEncoding`` that stores the page; ``read`` is then called with its file and announced number of rows."""

    def __init__(self, arrival: Arrival, read: Callable[[Path, int | None], EncodedPage]) -> None:
        self._file = arrival.workspace.new_file(".csv")
        self._read = read

    def feed(self, data: bytes) -> None:
        """See ``PageEncoding``."""
        self._file.write(data)

    def finish(self, expected: int | None) -> EncodedPage:
        """See ``PageEncoding``."""
        self._file.close()
        return self._read(Path(self._file.name), expected)

    def close(self) -> None:
        """See ``PageEncoding``."""
        try:
            self._file.close()
        finally:
            Path(self._file.name).unlink(missing_ok=True)


class PageText(io.RawIOBase):
    """A page's decompressed bytes, counted and fingerprinted while they are read; raises ``PageRejected``."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source = source
        self._most = most
        self._digest = hashlib.blake2b(digest_size=16)
        self._last = b"\n"
        self.size = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See ``io.RawIOBase``."""
        try:
            chunk = self._source.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise PageRejected("its gzip encoding is damaged or cut") from error
        if not chunk:
            return 0
        self._last = chunk[-1:]
        self._digest.update(chunk)
        self.size += len(chunk)
        if self.size > self._most:
            raise PageTooLarge(f"it is longer than {self._most} bytes")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    @property
    def ended(self) -> bool:
        """True if the last byte so far was a line feed, or if there was no byte."""
        return self._last == b"\n"

    @property
    def digest(self) -> str:
        """The digest of the bytes read so far."""
        return self._digest.hexdigest()


@contextmanager
def page_text(path: Path, arrival: Arrival) -> Iterator[PageText]:
    """Open the text of a page's file."""
    with gzip.open(path, "rb") if arrival.gzipped else path.open("rb") as source:
        yield PageText(cast(BinaryIO, source), arrival.workspace.largest_page)
