"""How far the files of an object have been stored. Pure.

Rows are listed in passes. A pass lists the rows that changed since the last pass, in the order of their Ids, and ends
when it has listed them all. After each page of rows, the progress is committed, and a killed run continues there.

    reached                 until
    |--- rows of the pass ---|      in the order of their Ids, a page at a time
    [ pages stored .... after ]

Files that could not be stored are remembered by their rows' Ids, and tried again at the beginning of the next pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from source_salesforce_bulk.export.blob_entries import ROWS
from source_salesforce_bulk.registries.state import UnreadableProgress, is_run_name
from source_salesforce_bulk.salesforce.ids import is_id
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant, parse_instant

MOST_REMEMBERED = 1_000
"""Maximum number of Ids to try again, so that the progress stays small. The index names the others."""


@dataclass(frozen=True, slots=True)
class BlobProgress:
    """The progress of one object. ``until`` is the end of the pass that is under way; None if there is none.

    ``run`` began that pass. ``number`` is the number of the last pass, from 0; ``page`` counts its pages. ``again`` are
    the Ids that the pass still has to try again; ``missed`` those whose files could not be stored in it.
    """

    reached: datetime | None = None
    until: datetime | None = None
    run: str = ""
    number: int = -1
    page: int = 0
    after: str | None = None
    again: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()

    def begun(self, now: datetime, run: str) -> BlobProgress:
        """Return the progress with a pass up to ``now``, unless one is under way."""
        if self.until is not None:
            return self
        return replace(self, until=now, run=run, number=self.number + 1, page=0, after=None)

    def bounds(self, start: datetime | None, lookback: timedelta) -> Bounds:
        """Return the rows of the pass that is under way, or those to try again; none changed before ``start``.

        The pass begins ``lookback`` earlier, because a transaction may commit later than its rows' timestamps.
        """
        if self.again:
            listed = ", ".join(f"'{one}'" for one in self.again[:ROWS])
            return Bounds(None, None, None, None, only=f"Id IN ({listed})")
        since = [instant for instant in (start, self.reached and self.reached - lookback) if instant is not None]
        return Bounds(max(since, default=None), self.until, None, None)

    def page_stored(self, ids: Sequence[str], missed: Sequence[str]) -> BlobProgress:
        """Return the progress after a page with the rows ``ids``, of which ``missed`` are to be tried again."""
        remembered = tuple(dict.fromkeys((*self.missed, *missed)))[:MOST_REMEMBERED]
        if self.again:
            return replace(self, page=self.page + 1, again=self.again[ROWS:], missed=remembered)
        return replace(self, page=self.page + 1, after=ids[-1] if ids else self.after, missed=remembered)

    def finished(self) -> BlobProgress:
        """Return the progress after the last page of the pass."""
        return BlobProgress(self.until, number=self.number, again=self.missed)

    def to_json(self) -> dict[str, object]:
        """Return the form used in registries."""
        kept: dict[str, object] = {} if self.reached is None else {"reached": format_instant(self.reached)}
        kept |= {"passes": self.number + 1, "again": list(self.again)}
        if self.until is None:
            return kept
        under_way: dict[str, object] = {"until": format_instant(self.until), "run": self.run, "page": self.page}
        under_way |= {"after": self.after, "missed": list(self.missed)}
        return kept | {"pass": under_way}

    @classmethod
    def from_json(cls, blob: Mapping[str, object]) -> Self:
        """Return the inverse of :meth:`to_json`; raises ``UnreadableProgress``, because users can edit a state."""
        if not blob:
            return cls()
        match blob:
            case {"passes": int(passes), "again": list(again)} if passes >= 0:
                kept = cls(_instant(blob.get("reached")), number=passes - 1, again=_ids(again))
                return kept if "pass" not in blob else kept._with_pass(blob["pass"])
            case _:
                raise UnreadableProgress("the progress of its files has no passes, or no list of Ids to try again")

    def _with_pass(self, under_way: object) -> Self:
        match under_way:
            case {
                "until": str(until),
                "run": str(run),
                "page": int(page),
                "after": None | str() as after,
                "missed": list(missed),
            } if is_run_name(run) and page >= 0:
                _ids([] if after is None else [after])
                return replace(self, until=_instant(until), run=run, page=page, after=after, missed=_ids(missed))
            case _:
                raise UnreadableProgress("the progress of its files has a pass with an impossible run, page or Id")


def registry_entry(object_name: str) -> str:
    """Return the name of the entry in the state registry for the files of an object; its rows have another."""
    return f"{object_name}-files"


def _ids(listed: list[object]) -> tuple[str, ...]:
    ids = tuple(one for one in listed if isinstance(one, str) and is_id(one))
    if len(ids) != len(listed):
        raise UnreadableProgress("the progress of its files lists something that is not an Id")
    return ids


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_instant(str(value))
    except ValueError as error:
        raise UnreadableProgress("the progress of its files has a time that is not an instant") from error
