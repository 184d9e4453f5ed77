"""The result of a query job: rendered once into a spool, then served in pages of any size."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import threading
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from integration_tests.simulated_org.csv_text import CsvForm

_KEEP_IN_MEMORY = 4_000_000
_CACHE_ABOVE = 256_000
_GZIP_LEVEL = 1


class Snapshot:
    """The header and rows of one finished query as bytes, row boundaries known.

    A gzip page above 256 kB is compressed once and kept in the directory, because benches ask for the same page often.
    """

    def __init__(self, header: bytes, directory: Path) -> None:
        self.header = header
        self._directory = directory
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - lives as long as the job
            _KEEP_IN_MEMORY, dir=str(directory)
        )
        self._ends = array("Q", [0])
        self._lock = threading.Lock()
        self._compressed: dict[tuple[int, int], Path] = {}

    @classmethod
    def render(
        cls, names: Sequence[str], batches: Iterable[Iterable[Sequence[str | None]]], form: CsvForm, directory: Path
    ) -> Snapshot:
        """Write rows, given in batches, as CSV."""
        snapshot = cls(form.line(names), directory)
        for rows in batches:
            snapshot.append([form.line(row) for row in rows])
        return snapshot

    def close(self) -> None:
        """Let go of the spool; the files go with the directory."""
        self._spool.close()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self._ends) - 1

    @property
    def size(self) -> int:
        """The size of the rows in bytes, without the header."""
        return self._ends[-1]

    def append(self, lines: Sequence[bytes]) -> None:
        """Add finished lines."""
        end = self._ends[-1]
        ends = []
        for line in lines:
            end += len(line)
            ends.append(end)
        with self._lock:
            self._spool.seek(0, io.SEEK_END)
            self._spool.write(b"".join(lines))
            self._ends.extend(ends)

    def fitting(self, start: int, count: int, max_bytes: int | None) -> int:
        """Return the row after the last of a page that starts at `start`: at least one row, if there is one."""
        stop = min(start + count, self.rows)
        while max_bytes is not None and stop > start + 1 and self._ends[stop] - self._ends[start] > max_bytes:
            stop -= max(1, (stop - start) // 2)
        return stop

    def page(self, start: int, stop: int) -> bytes:
        """Return header and rows `start` to `stop` as one CSV text."""
        return self.header + self._read(self._ends[start], self._ends[stop])

    def lines(self, start: int, stop: int) -> list[bytes]:
        """Return the rows `start` to `stop`, each with its line ending."""
        body, offset = self._read(self._ends[start], self._ends[stop]), self._ends[start]
        return [body[self._ends[at] - offset : self._ends[at + 1] - offset] for at in range(start, stop)]

    def is_large(self, start: int, stop: int) -> bool:
        """Return True for a page large enough that its compressed form is kept."""
        return self._ends[stop] - self._ends[start] >= _CACHE_ABOVE

    def gzip_page(self, start: int, stop: int) -> bytes:
        """Return the page as one gzip member."""
        if not self.is_large(start, stop):
            return gzip.compress(self.page(start, stop), _GZIP_LEVEL, mtime=0)
        cached = self._compressed.get((start, stop))
        if cached is None:
            handle, name = tempfile.mkstemp(suffix=".csv.gz", dir=self._directory)
            cached = Path(name)
            os.close(handle)
            cached.write_bytes(gzip.compress(self.page(start, stop), _GZIP_LEVEL, mtime=0))
            self._compressed[start, stop] = cached
        return cached.read_bytes()

    def _read(self, first: int, last: int) -> bytes:
        with self._lock:
            self._spool.seek(first)
            return self._spool.read(last - first)
