"""Compare two lists of Ids and timestamps on disk, so that memory does not grow with the number of rows.

Of the exported rows, each key's newest counts. If that one marks a deletion, the key counts as deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self


class Stamped(NamedTuple):
    """A row: its Id, its timestamp in milliseconds since 1970, and whether it marks a deletion."""

    id: str
    stamp: int
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Differences:
    """Sorted Ids: only in the org, only in the exported rows, and in both with different timestamps.

    ``in_org`` and ``kept`` are the numbers of rows on both sides.
    """

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    stale: tuple[str, ...]
    in_org: int
    kept: int

    @property
    def equal(self) -> bool:
        """True if there is no difference."""
        return not (self.missing or self.extra or self.stale)


_TABLES = """
CREATE TABLE org (id TEXT PRIMARY KEY, stamp INTEGER) WITHOUT ROWID;
CREATE TABLE kept (id TEXT PRIMARY KEY, stamp INTEGER, gone INTEGER) WITHOUT ROWID;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
"""
_ADD_ORG = "INSERT OR REPLACE INTO org VALUES (?, ?)"
_ADD_KEPT = """
INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp, gone = excluded.gone
WHERE excluded.stamp > kept.stamp OR (excluded.stamp = kept.stamp AND excluded.gone >= kept.gone)
"""
_MISSING = "SELECT id FROM org WHERE id NOT IN (SELECT id FROM kept WHERE NOT gone) ORDER BY id"
_EXTRA = "SELECT id FROM kept WHERE NOT gone AND id NOT IN (SELECT id FROM org) ORDER BY id"
_STALE = "SELECT id FROM org JOIN kept USING (id) WHERE NOT gone AND kept.stamp {} org.stamp ORDER BY id"


class Comparison:
    """The rows of one object, in a database at ``path`` that the caller removes."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(_TABLES)

    def add_org(self, rows: Iterable[Stamped]) -> None:
        """Add rows of the org; a repeated row counts once."""
        self._database.executemany(_ADD_ORG, ((row.id, row.stamp) for row in rows))

    def add_kept(self, rows: Iterable[Stamped]) -> None:
        """Add exported rows, in any order."""
        self._database.executemany(_ADD_KEPT, ((row.id, row.stamp, row.gone) for row in rows))

    def differences(self, *, newer_is_equal: bool = False) -> Differences:
        """Return the differences. ``newer_is_equal``: an exported row that is newer than the org's was read later."""
        return Differences(
            missing=self._ids(_MISSING),
            extra=self._ids(_EXTRA),
            stale=self._ids(_STALE.format("<" if newer_is_equal else "<>")),
            in_org=self._count("SELECT COUNT(*) FROM org"),
            kept=self._count("SELECT COUNT(*) FROM kept WHERE NOT gone"),
        )

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ids(self, query: str) -> tuple[str, ...]:
        return tuple(str(row[0]) for row in self._database.execute(query))

    def _count(self, query: str) -> int:
        return int(self._database.execute(query).fetchone()[0])
