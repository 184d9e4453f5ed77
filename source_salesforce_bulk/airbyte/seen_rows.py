"""The Ids and creation dates in records that are about to be emitted, for the memory of delivered rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.extraction.deletion_watch import seen_row
from source_salesforce_bulk.pages.records import Column, Record


class SeenRows:
    """Finds the ``columns`` of an audit, the Id first, in records and in finished RECORD lines."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        # Within a text every quote is escaped, so no value can look like a key.
        self._patterns = [re.compile(rb'[{,]"%b":"([^"\\]*)"' % name.encode()) for name in self._names]

    def in_lines(self, lines: bytes) -> Iterator[SeenRow]:
        """Yield the rows of RECORD lines."""
        for line in lines.splitlines():
            found = [match and match[1].decode() for match in (pattern.search(line) for pattern in self._patterns)]
            if found[0]:
                yield seen_row(found[0], found[1] if len(found) > 1 else None)

    def in_record(self, record: Record) -> Iterator[SeenRow]:
        """Yield the row of a record."""
        found = [record.data.get(name) for name in self._names]
        if found[0]:
            yield seen_row(str(found[0]), str(found[1]) if len(found) > 1 and found[1] else None)
