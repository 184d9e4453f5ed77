"""The memory of delivered Ids, with which an audit determines the rows that were deleted from the org. Pure.

An audit reads every Id that the org has now. A delivered row that is not among them was purged, permanently deleted, or
merged and purged. The memory consists of

    every row that the last audit saw, and every row that was delivered since.

Up to :data:`EXACT_MOST` Ids, it is a plain set. Above that, it is a sketch (``id_sketch``), to which every Id must be
added exactly once, although rows are delivered repeatedly: after each change, within the look-back, after a failure. A
sketch cannot tell whether it has an Id, so two facts decide whether a row is new: CreatedDate never changes, and a row
with a timestamp in a window was created before the window's end. So with windows that end at A < B < C ...

    created   ...  A - margin  |   A .................. B   |   B ...
    in a row of the window that ends at B:
              old: known       |   new: added to the sketch |   kept by name
                   kept by name within the margin

- A row created from A to B cannot have been delivered by an earlier window, and a window delivers each row once.
- A row that was created before A but became visible later looks old. Within the margin (the look-back), it is kept by
  name. Names are a set, so a row may be in both.
- If a window is read again after some of its pages were delivered, its rows would be added twice. So a new audit must
  come first, which ends after all of them (:attr:`KnownIds.until`).
- Rows without CreatedDate are kept by name. The number of names is limited; further ones are only counted
  (:attr:`KnownIds.forgotten`).

An audit removes each row that was created before :attr:`KnownIds.until` from a copy of the sketch. The Ids that remain
added were deleted. Those that remain removed were never delivered or were backdated, which is not a deletion. The first
audit comes before the first row is read, so that a row purged in between is remembered as well.

Between audits, the log of deletions names some deleted rows (``delete_log``). They leave the set. They cannot leave the
sketch, in which they may never have been, so they are kept by name as :attr:`KnownIds.reported`, and the next audit
does not report them again. A row that is delivered after all, because it was restored, is no longer among them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from source_salesforce_bulk.deletions.id_sketch import IdSketch, SketchFull
from source_salesforce_bulk.deletions.packed_ids import pack_ids, unpack_ids
from source_salesforce_bulk.salesforce.soql import format_instant, parse_instant

EXACT_MOST = 20_000
"""Maximum size of a plain set. Each Id takes 2 to 7 bytes in the state, usually 2."""

NAMED_MOST = 5_000
"""Maximum number of names in addition to a sketch, reported ones included; together they take less than 256 KiB."""


class SeenRow(NamedTuple):
    """A row's Id and creation time; None if its object has none."""

    id: str
    created: datetime | None


@dataclass(slots=True)
class KnownIds:
    """The memory of one object. ``audited`` is the start of the last audit, by the org's clock.

    ``count`` is the number of rows that the last audit saw. Rows created from ``since`` to ``until`` are new in the
    window being read, which is ``begun`` if any of its rows was delivered. ``named`` are the Ids that are kept by name;
    ``forgotten`` is the number of those that did not fit. Deletions logged before ``covered`` were looked for.
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
    reported: set[str] = field(default_factory=set)
    covered: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.until = self.covered = self.audited

    def note(self, rows: Iterable[SeenRow], window_end: datetime, margin: timedelta) -> None:
        """Remember rows that are about to be delivered, of the window that ends at ``window_end``."""
        if window_end > self.until:
            self.since, self.until, self.begun = self.until, window_end, False
        for row in rows:
            self.begun = True
            self.reported.discard(row.id)
            if row.created is None:
                self._keep(row.id, by_name=self.sketch is not None)
            elif row.created >= self.until:
                self._keep(row.id, by_name=True)
            elif row.created >= self.since or self.sketch is None:
                self._keep(row.id, by_name=False)
            elif row.created >= self.since - margin:
                self._keep(row.id, by_name=True)

    def see(self, row: SeenRow) -> None:
        """Remember a row seen by the audit that began at :attr:`audited`."""
        self.count += 1
        self._keep(row.id, by_name=row.created is not None and row.created >= self.audited)

    def may_have(self, record_id: str) -> bool:
        """Return whether the row may have been delivered and was not reported as deleted since."""
        if record_id in self.reported:
            return False
        return self.sketch is not None or self.forgotten > 0 or record_id in self.ids or record_id in self.named

    def has_room_for(self, deleted: int) -> bool:
        """Return whether this many rows can be reported between two audits."""
        return self.sketch is None or len(self.named) + len(self.reported) + deleted <= NAMED_MOST

    def report(self, deleted: Collection[str], covered: datetime) -> None:
        """Remember that these rows were reported as deleted, and that the log was read up to ``covered``."""
        self.ids.difference_update(deleted)
        self.named.difference_update(deleted)
        if self.sketch is not None:
            self.reported.update(deleted)
        self.covered = covered

    def to_json(self) -> dict[str, object]:
        """Return the memory as JSON for a state; at most 256 KiB."""
        blob: dict[str, object] = {
            "audited": format_instant(self.audited),
            "count": self.count,
            "since": format_instant(self.since),
            "until": format_instant(self.until),
            "begun": self.begun,
            "covered": format_instant(self.covered),
            "named": pack_ids(self.named),
        }
        if self.reported:
            blob["reported"] = pack_ids(self.reported)
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
                known.covered = parse_instant(str(rest.get("covered", audited)))
                known.reported = unpack_ids(str(rest["reported"])) if "reported" in rest else set()
                return known
            case _:
                raise ValueError("not a memory of delivered rows")

    def _keep(self, record_id: str, *, by_name: bool) -> None:
        if by_name:
            if len(self.named) + len(self.reported) < NAMED_MOST:
                self.named.add(record_id)
            elif record_id not in self.named:
                self.forgotten += 1
        elif self.sketch is not None:
            self._sketched(self.sketch, record_id)
        else:
            self.ids.add(record_id)
            if len(self.ids) > EXACT_MOST:
                self.sketch = IdSketch()
                for known_id in self.ids:
                    self._sketched(self.sketch, known_id)
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
