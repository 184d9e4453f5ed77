"""The Ids and creation dates of rows that are about to be delivered, for the memory of delivered rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.soql import parse_instant


class SeenRows:
    """Finds the ``columns`` of an audit, the Id first, in finished lines."""

    def __init__(self, columns: Sequence[Column]) -> None:
        # Within a text every quote is escaped, so no value can look like a key.
        self._patterns = [re.compile(rb'[{,]"%b":"([^"\\]*)"' % column.name.encode()) for column in columns]

    def in_lines(self, lines: bytes | memoryview) -> Iterator[SeenRow]:
        """Yield the rows of RECORD lines, or of JSON lines."""
        for line in bytes(lines).splitlines():
            found = [match and match[1].decode() for match in (pattern.search(line) for pattern in self._patterns)]
            if found[0]:
                yield seen_row(found[0], found[1] if len(found) > 1 else None)


def seen_row(record_id: str, created: str | None = None) -> SeenRow:
    """Return a row for the memory, without a creation date if that is missing or unreadable."""
    try:
        return SeenRow(record_id, parse_instant(created) if created else None)
    except ValueError:
        return SeenRow(record_id, None)
