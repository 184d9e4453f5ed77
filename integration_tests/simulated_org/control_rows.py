"""The control methods that change and read rows."""

# ruff: noqa: A002 - `object` is the vendor's word, and the key on the wire
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration_tests.simulated_org.clock import parse_stamp
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.rows import Operation, RowChanges, Touch


class RowControl:
    """The part of the control API that changes and reads rows."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._rows = RowChanges(org)

    def insert(
        self, object: str, rows: Sequence[Mapping[str, Any]], stamp: str | None = None, visible_at: str | None = None
    ) -> list[str]:
        """Add rows and return their ids; stamps are the org's clock, or `stamp`, or what the row itself says."""
        return self._rows.insert(object, rows, stamp=stamp, visible_at=visible_at)

    def insert_late(
        self, object: str, rows: Sequence[Mapping[str, Any]], stamped_ago: float, visible_in: float = 0.0
    ) -> list[str]:
        """Add rows whose stamps lie in the past: they become visible now, or in `visible_in` seconds."""
        return self._rows.insert_late(object, rows, stamped_ago=stamped_ago, visible_in=visible_in)

    def update(
        self,
        object: str,
        values: Mapping[str, Any],
        ids: Sequence[str] | None = None,
        where: str | None = None,
        stamp: str | None = None,
        touch: Touch = "all",
    ) -> int:
        """Change rows given by ids or a SOQL condition; `touch`: all, system or none of the stamps move."""
        return self._rows.update(object, values, ids=ids, where=where, stamp=stamp, touch=touch)

    def soft_delete(
        self, object: str, ids: Sequence[str] | None = None, where: str | None = None, stamp: str | None = None
    ) -> int:
        """Move rows to the recycle bin."""
        return self._rows.soft_delete(object, ids=ids, where=where, stamp=stamp)

    def undelete(self, object: str, ids: Sequence[str]) -> int:
        """Bring rows back from the recycle bin."""
        return self._rows.undelete(object, ids)

    def hard_delete(
        self, object: str, ids: Sequence[str] | None = None, where: str | None = None, logged: bool = True
    ) -> int:
        """Remove rows past the recycle bin: SOQL shows no trace, the delete log does unless it is not `logged`."""
        return self._rows.hard_delete(object, ids=ids, where=where, logged=logged)

    def purge(self, object: str, ids: Sequence[str] | None = None, older_than: float | None = None) -> int:
        """Remove rows from the recycle bin for good: these, those deleted `older_than` seconds ago, or all."""
        return self._rows.purge(object, ids=ids, older_than=older_than)

    def empty_recycle_bin(self, older_than: float | None = None) -> int:
        """Purge the recycle bin of every object; return how many rows went."""
        bins = [one.name for one in self._org.schema if one.soft_deletes and one.field("IsDeleted") and one.volume]
        return sum(self._rows.purge(name, older_than=older_than) for name in bins)

    def trim_delete_log(self, object: str, until: str) -> int:
        """Purge an object's delete log up to an instant; return how many rows it lost."""
        return self._org.deletions.trim(self._org.object(object).name, parse_stamp(until))

    def hide_rows(
        self,
        object: str,
        ids: Sequence[str] | None = None,
        where: str | None = None,
        login: str | None = None,
    ) -> int:
        """Hide rows by sharing, from one login (a flow such as refresh_token) or from all; return how many."""
        declared = self._org.object(object)
        found = (
            [str(row["Id"]) for row in self._rows.read(object, fields=["Id"], where=where)]
            if where
            else list(ids or ())
        )
        self._org.store.hide(declared, found, login)
        return len(found)

    def show_rows(self, object: str, login: str | None = None) -> None:
        """Show every row of an object again that was hidden from a login, or from all."""
        self._org.store.show(self._org.object(object), login)

    def merge(self, object: str, winner: str, loser: str) -> None:
        """Merge two rows: the loser is soft-deleted and names the winner in MasterRecordId."""
        self._rows.update(object, {"MasterRecordId": winner}, ids=[loser])
        self._rows.soft_delete(object, ids=[loser])
        self._rows.update(object, {}, ids=[winner])

    def rows(
        self,
        object: str,
        operation: Operation = "queryAll",
        fields: Sequence[str] | None = None,
        where: str | None = None,
        login: str | None = None,
    ) -> list[dict[str, str | None]]:
        """Return the ground truth: rows as a correct reader of Bulk CSV sees them now, ordered by Id."""
        return self._rows.read(object, operation=operation, fields=fields, where=where, login=login)
