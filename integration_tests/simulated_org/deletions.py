"""The delete log of an org: which rows were deleted when, for as long as the log reaches back.

A row in the recycle bin is also in its table; one that was purged or deleted for good is only here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

KEPT_UNTRIMMED = timedelta(hours=2)


class DeleteLog:
    """The time at which each row of an object was deleted, by its Id."""

    def __init__(self) -> None:
        self._moments: dict[str, dict[str, datetime]] = {}
        self._trimmed: dict[str, datetime] = {}

    def add(self, name: str, ids: Iterable[str], moment: datetime) -> None:
        """Note that rows are deleted; the first note of a row counts."""
        moments = self._moments.setdefault(name, {})
        for one in ids:
            moments.setdefault(one, moment)

    def remove(self, name: str, ids: Iterable[str]) -> None:
        """Forget rows that are back."""
        for one in ids:
            self._moments.get(name, {}).pop(one, None)

    def moments(self, name: str) -> dict[str, datetime]:
        """Return the Ids of an object's deleted rows with the moments of their deletion."""
        return dict(self._moments.get(name, {}))

    def trimmed_until(self, name: str) -> datetime | None:
        """Return the moment before which the log of an object is gone, None when it never was trimmed."""
        return self._trimmed.get(name)

    def trim(self, name: str, until: datetime) -> int:
        """Purge an object's log up to a moment; return how many rows were in that part."""
        moments = self._moments.get(name, {})
        gone = [one for one, moment in moments.items() if moment < until]
        for one in gone:
            del moments[one]
        self._trimmed[name] = max(until, self._trimmed.get(name, until))
        return len(gone)

    def keep_within(self, name: str, rows: int | None, now: datetime) -> None:
        """Trim an object's log to its last two hours when it holds more rows than it may."""
        if rows is not None and len(self._moments.get(name, {})) > rows:
            self.trim(name, now - KEPT_UNTRIMMED)
