"""The expected records, from the org's own rows. Built from the facts about the API, not from the connector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import SimulatedOrg

# Object Reference, "Field Types": what is a number, what a truth value; all else is text.
_WHOLE = {"int", "long"}
_DECIMAL = {"double", "currency", "percent"}
_NOT_IN_BULK = {"base64", "byte", "address", "location", "complexvalue", "json", "junctionidlist"}

PARENTS = {
    "ContentDocumentLink": ("ContentDocumentId", "ContentDocument"),
    "ContentFolderItem": ("ParentContentFolderId", "Account"),
    "ContentFolderMember": ("ParentContentFolderId", "Account"),
    "IdeaComment": ("IdeaId", "Account"),
}
"""The objects that want a filter, with the field of their parent and the parent's object."""

Row = Mapping[str, Any]


class GroundTruth:
    """An org's rows as records."""

    def __init__(self, org: SimulatedOrg) -> None:
        self._org = org
        self._client = OrgClient(org)

    def types(self, name: str) -> dict[str, str]:
        """The fields of an object that Bulk can return, with their describe types."""
        fields = self._client.get(f"sobjects/{name}/describe").json()["fields"]
        return {field["name"]: field["type"] for field in fields if field["type"].lower() not in _NOT_IN_BULK}

    def records(
        self, name: str, *, operation: str = "queryAll", fields: Sequence[str] | None = None, where: str | None = None
    ) -> list[Row]:
        """The rows of an object as they should be emitted: nulls absent, numbers exact."""
        types = self.types(name)
        wanted = [field for field in types if fields is None or field in fields]
        return as_records(self._org.control.rows(name, operation=operation, fields=wanted, where=where), types)

    def readable(self, name: str) -> list[Row]:
        """The records of any object; of one that wants a filter, those that have a parent."""
        if name not in PARENTS:
            return self.records(name)
        field, parent = PARENTS[name]
        listed = ", ".join(f"'{row['Id']}'" for row in self._org.control.rows(parent, fields=["Id"]))
        return self.records(name, where=f"{field} IN ({listed})")


def as_records(rows: Iterable[Mapping[str, str | None]], types: Mapping[str, str]) -> list[Row]:
    """Rows of cells as they should be emitted; ``types`` are describe's."""
    return [
        {field: value for field, cell in row.items() if (value := _value(cell, types[field])) is not None}
        for row in rows
    ]


def _value(cell: str | None, field_type: str) -> Any:
    if not cell:
        return None
    if field_type == "boolean":
        return cell == "true"
    if field_type in _WHOLE or field_type in _DECIMAL:
        try:
            number = Decimal(cell)
        except InvalidOperation:
            return None
        return None if field_type in _WHOLE and number != number.to_integral_value() else number
    return cell


def normal(row: Row) -> tuple[tuple[str, Any], ...]:
    """A row that compares by value: ``47``, ``47.0`` and ``Decimal("47.00")`` are one number, ``True`` is not 1."""
    return tuple(sorted((name, _normal(value)) for name, value in row.items()))


def _normal(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value)
    return Decimal(value) if isinstance(value, (int, Decimal)) else value


def assert_same_rows(emitted: Iterable[Row], expected: Iterable[Row]) -> None:
    """The same rows the same number of times, in any order; says how they differ without printing them all."""
    got, want = Counter(map(normal, emitted)), Counter(map(normal, expected))
    missing, surplus = want - got, got - want
    assert missing == surplus, (
        f"{missing.total()} rows are missing, {surplus.total()} should not be there; "
        f"first missing {next(iter(missing), None)}, first surplus {next(iter(surplus), None)}"
    )
