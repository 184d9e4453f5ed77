"""The Ids of delivered rows, kept so that an audit can tell which of them have vanished from the org. Pure.

An audit reads every Id that the org has now. What was delivered and is not among them has vanished: it was purged,
deleted for good, or merged and purged. The memory of what was delivered is

    everything that the last audit saw, and every row that was delivered since.

Up to :data:`EXACT_MOST` Ids it is a plain set. Beyond, it is a sketch (``id_sketch``), which needs every Id to be added
exactly once although rows are delivered again and again: after each change, within the look-back, after a failure. Two
facts decide it, and neither asks the sketch for a membership that it cannot know. CreatedDate never changes, and a row
stamped in a window was created before the window's end. So with windows that end at A < B < C ...

    created   ...  A - margin  |   A .................. B   |   B ...
    in a row of the window that ends at B:
              old: known       |   new: added to the sketch |   kept by name
                   kept by name within the margin

- A row created from A to B cannot have been delivered by an earlier window, and within a window each row comes once.
- A row that was created before A and was not visible then is old by its date, though new. Within the margin (the
  look-back) it is kept by name; names are a set, and a row in both is no error.
- A window whose pages were handed on and that has to be read again would add its rows twice. Whoever reads must first
  make a new audit, whose end then lies behind them all (:attr:`KnownIds.until`).
- Rows without CreatedDate are kept by name. The names are bounded; those that found no room are counted
  (:attr:`KnownIds.forgotten`).

An audit removes from a copy of the sketch each row it sees that was created before :attr:`KnownIds.until`. What remains
added has vanished. What remains removed was never delivered or was backdated, which is no deletion. The first audit
comes before the first row is read, so that a row purged in between is remembered, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from source_salesforce_bulk.deletions.id_sketch import IdSketch, SketchFull
from source_salesforce_bulk.deletions.packed_ids import pack_ids, unpack_ids
from source_salesforce_bulk.salesforce.soql import format_instant, parse_instant

EXACT_MOST = 20_000
"""Ids that are kept as a plain set. At most 7 bytes each in the state, as a rule 2."""

NAMED_MOST = 5_000
"""Ids that are kept by name beside a sketch; with it they stay below 256 KiB."""


class SeenRow(NamedTuple):
    """A row's Id, and when it was created; None where its object does not say."""

    id: str
    created: datetime | None


@dataclass(slots=True)
class KnownIds:
    """The memory of one object. ``audited`` is when the last audit began, by the org's clock.

    ``count`` is the number of rows that the last audit saw. Rows created from ``since`` to ``until`` are new to the
    window being read, which is ``begun`` where any row of it was delivered. ``named`` are Ids that are kept by name,
    ``forgotten`` those for which no room was left.
    """

    audited: datetime
    count: int = 0
    since: datetime = field(init=False)
    until: datetime = field(init=False)
    begun: bool = field(init=False, default=False)
    ids: set[str] = field(default_factory=set)
    sketch: IdSketch | None = None
    named: set[str] = field(default_factory=set)
    forgotten: int = 0

    def __post_init__(self) -> None:
        self.since = self.until = self.audited

    def note(self, rows: Iterable[SeenRow], window_end: datetime, margin: timedelta) -> None:
        """Remember rows that are about to be delivered, of the window that ends at ``window_end``."""
        if window_end > self.until:
            self.since, self.until, self.begun = self.until, window_end, False
        for row in rows:
            self.begun = True
            if row.created is None:
                self._keep(row.id, by_name=self.sketch is not None)
            elif row.created >= self.until:
                self._keep(row.id, by_name=True)
            elif row.created >= self.since or self.sketch is None:
                self._keep(row.id, by_name=False)
            elif row.created >= self.since - margin:
                self._keep(row.id, by_name=True)

    def see(self, row: SeenRow) -> None:
        """Remember a row that an audit sees, which began at :attr:`audited`."""
        self.count += 1
        self._keep(row.id, by_name=row.created is not None and row.created >= self.audited)

    def forget(self, ids: Iterable[str]) -> None:
        """The rows are known to be gone, and their deletion has been delivered."""
        for one in ids:
            self.ids.discard(one)
            self.named.discard(one)

    def to_json(self) -> dict[str, object]:
        """Return the memory as it stands in a state; at most 256 KiB."""
        blob: dict[str, object] = {
            "audited": format_instant(self.audited),
            "count": self.count,
            "since": format_instant(self.since),
            "until": format_instant(self.until),
            "begun": self.begun,
            "named": pack_ids(self.named),
        }
        if self.forgotten:
            blob["forgotten"] = self.forgotten
        if self.sketch is None:
            return blob | {"ids": pack_ids(self.ids)}
        return blob | {"sketch": self.sketch.to_text(), "heads": "".join(self.sketch.heads)}

    @classmethod
    def from_json(cls, blob: object) -> Self:
        """Return the inverse of :meth:`to_json`; raises ValueError for anything else."""
        match blob:
            case {
                "audited": str(audited),
                "count": int(count),
                "since": str(since),
                "until": str(until),
                "begun": bool(begun),
                "named": str(named),
                **rest,
            }:
                known = cls(parse_instant(audited), count, *_kept(rest), unpack_ids(named), _forgotten(rest))
                known.since, known.until = parse_instant(since), parse_instant(until)
                known.begun = begun
                return known
            case _:
                raise ValueError("not a memory of delivered rows")

    def _keep(self, record_id: str, *, by_name: bool) -> None:
        if by_name:
            if len(self.named) < NAMED_MOST:
                self.named.add(record_id)
            elif record_id not in self.named:
                self.forgotten += 1
        elif self.sketch is not None:
            self._sketched(self.sketch, record_id)
        else:
            self.ids.add(record_id)
            if len(self.ids) > EXACT_MOST:
                self.sketch = IdSketch()
                for one in self.ids:
                    self._sketched(self.sketch, one)
                self.ids = set()

    def _sketched(self, sketch: IdSketch, record_id: str) -> None:
        try:
            sketch.add(record_id)
        except SketchFull:
            self.forgotten += 1


_HEAD = 6


def _kept(blob: Mapping[object, object]) -> tuple[set[str], IdSketch | None]:
    match blob:
        case {"ids": str(ids)}:
            return unpack_ids(ids), None
        case {"sketch": str(sketch), "heads": str(heads)}:
            return set(), IdSketch.from_text(sketch, (heads[at : at + _HEAD] for at in range(0, len(heads), _HEAD)))
        case _:
            raise ValueError("not a memory of delivered rows")


def _forgotten(blob: Mapping[object, object]) -> int:
    match blob.get("forgotten", 0):
        case int(forgotten):
            return forgotten
        case _:
            raise ValueError("not a memory of delivered rows")
