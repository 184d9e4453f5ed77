"""The rows of a comparison of formulas, in the order of their Ids, on disk, so that memory does not grow."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Self

from source_salesforce_bulk.formulas.value_ranges import DIGEST_BYTES, Row

_SET_UP = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE rows (id TEXT, digest INTEGER);
"""
_STEM = 15


class ValueRows:
    """Rows with the Id in the column ``key``, and formulas. Add each row once, as JSON lines with equal columns.

    The database is a temporary SQLite file, which is removed when it is closed.
    """

    def __init__(self, key: str) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SET_UP)
        # Within a text every quote is escaped, so no value can look like the key.
        self._id = re.compile(rb'[{,]"%b":"([^"\\]*)"' % key.encode())
        self.count = 0

    def add(self, lines: bytes | memoryview) -> None:
        """Add rows of the org; rows without an Id are left out."""
        found = ((self._id.search(line), line) for line in bytes(lines).splitlines())
        rows = [(match[1][:_STEM].decode(), _digest(line)) for match, line in found if match]
        self.count += len(rows)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO rows VALUES (?, ?)", rows)
        self._database.execute("COMMIT")

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows in the order of their Ids."""
        yield from self._database.execute("SELECT id, digest FROM rows ORDER BY id")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _digest(line: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(line, digest_size=DIGEST_BYTES).digest(), "little")
