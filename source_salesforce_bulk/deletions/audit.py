"""An audit: compare the Ids that the org has now with the remembered ones. Pure.

If a login sees fewer rows than before (sharing rules, a profile, field-level security), the others look deleted. So if
more than :data:`FEW` rows and more than a given share are missing at once, none is reported (:func:`is_too_much`), and
the user is asked to check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from source_salesforce_bulk.deletions.id_sketch import IdSketch, SketchFull
from source_salesforce_bulk.deletions.known_ids import KnownIds, SeenRow

FEW = 100
"""Up to this number of rows may vanish at once, whatever their share."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of an audit. ``vanished`` are the deleted Ids, sorted; None if they cannot be determined.

    ``known`` is the new memory.
    """

    vanished: tuple[str, ...] | None
    known: KnownIds


class Audit:
    """An audit in progress, which began at ``began`` by the org's clock.

    ``before`` is the memory so far, which is not changed; None makes it the first audit.
    """

    def __init__(self, before: KnownIds | None, began: datetime) -> None:
        self._before = before
        self._now = KnownIds(began)
        self._ids = set(before.ids) if before is not None else set()
        self._named = set(before.named) if before is not None else set()
        self._reported = set(before.reported) if before is not None else set()
        self._sketch: IdSketch | None = None
        self._full = False
        if before is not None and before.sketch is not None:
            self._sketch = before.sketch.copy()
            self._now.sketch = IdSketch(before.sketch.heads)

    def take(self, rows: Iterable[SeenRow]) -> None:
        """Add rows of the org, each exactly once."""
        until = self._before.until if self._before is not None else None
        for row in rows:
            self._now.see(row)
            self._ids.discard(row.id)
            self._named.discard(row.id)
            if self._sketch is not None and until is not None and (row.created is None or row.created < until):
                self._remove(self._sketch, row.id)

    def findings(self) -> Findings:
        """Return the result after every row was added."""
        gone = self._ids | self._named
        if self._full:
            return Findings(None, self._now)
        if self._sketch is not None:
            difference = self._sketch.difference()
            if difference is None:
                return Findings(None, self._now)
            gone |= difference.added - self._reported
        return Findings(tuple(sorted(gone)), self._now)

    def _remove(self, sketch: IdSketch, record_id: str) -> None:
        try:
            sketch.remove(record_id)
        except SketchFull:
            self._full = True


def is_due(known: KnownIds, now: datetime, every: timedelta) -> bool:
    """Return whether another audit is due, by the org's clock."""
    return now - known.audited >= every


def is_too_much(vanished: int, known: int, percent: int) -> bool:
    """Return whether so many of the ``known`` rows are missing that the login may have lost access to them.

    >>> is_too_much(101, 500, 20), is_too_much(100, 100, 20), is_too_much(101, 1000, 20)
    (True, False, False)
    """
    return vanished > FEW and vanished * 100 > known * percent
