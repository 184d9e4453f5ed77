"""Rows as tests change and read them: timestamps from the org's clock, cells as a correct reader sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from integration_tests.simulated_org.clock import csv_stamp, parse_stamp, record_stamp
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.ids import EMPTY_ID, record_id
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.org import Org

Operation = Literal["query", "queryAll"]
Touch = Literal["all", "system", "none"]
_STAMPS = ("CreatedDate", "LastModifiedDate", "SystemModstamp", "LoginTime", "EventDate")


class RowChanges:
    """Changes and reads the rows of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._inserted: dict[str, int] = {}

    def insert(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, stamp: str | None = None, visible_at: str | None = None
    ) -> list[str]:
        """Add rows and return their ids. Stamps are the clock's, or `stamp`; cells that are given win over both."""
        declared = self._org.object(name)
        stamped = record_stamp(parse_stamp(stamp)) if stamp else record_stamp(self._org.clock.now())
        finished = [self._complete(declared, row, stamped) for row in rows]
        if visible_at is not None:
            self._org.store.late.add(declared.name)
            finished = [row | {"_visible_from": csv_stamp(parse_stamp(visible_at))} for row in finished]
        self._org.store.insert(declared, finished)
        return [str(row["Id"]) for row in finished]

    def insert_late(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, stamped_ago: float, visible_in: float = 0.0
    ) -> list[str]:
        """Add rows stamped `stamped_ago` seconds in the past that become visible only in `visible_in` seconds."""
        now = self._org.clock.now()
        return self.insert(
            name,
            rows,
            stamp=csv_stamp(now - timedelta(seconds=stamped_ago)),
            visible_at=csv_stamp(now + timedelta(seconds=visible_in)) if visible_in > 0 else None,
        )

    def update(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        ids: Sequence[str] | None = None,
        where: str | None = None,
        stamp: str | None = None,
        touch: Touch = "all",
    ) -> int:
        """Set cells of the rows with these ids, or of those a SOQL condition finds; return how many.

        `touch` says which stamps move: all of them, SystemModstamp alone as automated processes do, or none.
        """
        declared = self._org.object(name)
        cells = {self._field(declared, key).name: _cell(value) for key, value in values.items()}
        moment = record_stamp(parse_stamp(stamp)) if stamp else record_stamp(self._org.clock.now())
        moving = {"all": ("LastModifiedDate", "SystemModstamp"), "system": ("SystemModstamp",), "none": ()}[touch]
        for column in moving:
            if declared.field(column) is not None:
                cells.setdefault(column, moment)
        return self._org.store.update(declared, self.chosen(declared, ids, where), cells)

    def soft_delete(
        self, name: str, *, ids: Sequence[str] | None = None, where: str | None = None, stamp: str | None = None
    ) -> int:
        """Move rows to the recycle bin: IsDeleted is true and the stamps move."""
        declared = self._org.object(name)
        if not declared.soft_deletes:
            raise ValueError(f"{declared.name} has no recycle bin")
        found = self.chosen(declared, ids, where)
        self._org.store.update(declared, found, {"IsDeleted": "true"})
        self._log(declared, found, parse_stamp(stamp) if stamp else self._org.clock.now())
        return self.update(name, {}, ids=found, stamp=stamp)

    def undelete(self, name: str, ids: Sequence[str]) -> int:
        """Bring rows back from the recycle bin; a row that was merged away is its own master again."""
        declared = self._org.object(name)
        back = {"IsDeleted": "false"} | ({"MasterRecordId": None} if declared.field("MasterRecordId") else {})
        self._org.store.update(declared, list(ids), back)
        self._org.deletions.remove(declared.name, ids)
        return self.update(name, {}, ids=ids)

    def hard_delete(
        self, name: str, *, ids: Sequence[str] | None = None, where: str | None = None, logged: bool = True
    ) -> int:
        """Remove rows for good; SOQL shows no trace, the delete log does unless it is not `logged`."""
        declared = self._org.object(name)
        found = self.chosen(declared, ids, where)
        if logged:
            self._log(declared, found, self._org.clock.now())
        return self._org.store.delete(declared, found)

    def purge(self, name: str, *, ids: Sequence[str] | None = None, older_than: float | None = None) -> int:
        """Remove rows from the recycle bin for good: these, those deleted `older_than` seconds ago, or all.

        The delete log keeps the moment of their deletion.
        """
        declared = self._org.object(name)
        binned = {str(row["Id"]): row for row in self.read(name, where="IsDeleted = true")}
        moments = self._org.deletions.moments(declared.name)
        for one, row in binned.items():
            stamp = row.get("SystemModstamp") or row.get("LastModifiedDate") or row.get("CreatedDate")
            moments.setdefault(one, parse_stamp(stamp) if stamp else self._org.clock.now())
        wanted = set(binned if ids is None else ids) & set(binned)
        if older_than is not None:
            limit = self._org.clock.now() - timedelta(seconds=older_than)
            wanted = {one for one in wanted if moments[one] < limit}
        for one in wanted:
            self._log(declared, [one], moments[one])
        return self._org.store.delete(declared, sorted(wanted))

    def _log(self, declared: SObject, ids: Sequence[str], moment: datetime) -> None:
        if declared.name not in self._org.settings.unlogged_deletes:
            self._org.deletions.add(declared.name, ids, moment.replace(microsecond=0))

    def read(
        self,
        name: str,
        *,
        operation: Operation = "queryAll",
        fields: Sequence[str] | None = None,
        where: str | None = None,
        login: str | None = None,
    ) -> list[dict[str, str | None]]:
        """Return the rows as a correct reader of Bulk CSV sees them now, ordered by Id.

        Without `fields` every field that the login sees and Bulk can select is given; without a login, all rows and
        fields that are not hidden from every login.
        """
        declared = self._org.schema.find(name, login) or self._org.object(name)
        names = list(fields) if fields is not None else [one.name for one in declared.fields if self._selectable(one)]
        condition = f" WHERE {where}" if where else ""
        order = " ORDER BY Id" if declared.field("Id") else ""
        compiled = self._org.compile(
            f"SELECT {','.join(names)} FROM {declared.name}{condition}{order}",
            all_rows=operation == "queryAll",
            dialect="rest",
            login=login,
        )
        headers = [column.header for column in compiled.columns]
        rows = self._org.select(compiled)
        return [{key: cell or None for key, cell in zip(headers, row, strict=True)} for row in rows]

    def _selectable(self, field: Field) -> bool:
        if field.kind == "complex":
            return self._org.settings.complexvalue_in_bulk == "text"
        return field.kind not in ("compound", "base64")

    def _complete(self, declared: SObject, row: Mapping[str, Any], stamp: str) -> dict[str, str | None]:
        number = declared.volume + self._inserted.get(declared.name, 0)
        self._inserted[declared.name] = self._inserted.get(declared.name, 0) + 1
        new_id = EMPTY_ID if declared.empty_ids else record_id(declared.prefix, number)
        complete: dict[str, str | None] = {"Id": new_id}
        for field in declared.fields:
            if field.formula is not None:
                continue
            if field.kind == "boolean" and not field.nillable:
                complete[field.name] = "false"
            elif field.name in _STAMPS:
                complete[field.name] = stamp
            elif field.name in ("CreatedById", "LastModifiedById", "OwnerId"):
                complete[field.name] = self._org.user_id
        given = {self._field(declared, key).name: _cell(value) for key, value in row.items()}
        return complete | given

    def _field(self, declared: SObject, name: str) -> Field:
        field = declared.field(name)
        if field is None:
            raise ValueError(f"{declared.name} has no field {name}")
        if field.formula is not None:
            raise ValueError(f"{declared.name}.{field.name} is calculated")
        return field

    def chosen(self, declared: SObject, ids: Sequence[str] | None, where: str | None) -> list[str]:
        """Return the Ids that are given, or those that a SOQL condition finds."""
        if ids is not None:
            return list(ids)
        if where is None:
            raise ValueError("give ids, or a SOQL condition as where")
        return [str(row["Id"]) for row in self.read(declared.name, fields=["Id"], where=where)]


def _cell(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
