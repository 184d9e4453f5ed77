"""Stored cells as REST JSON shows them: typed numbers, `+0000` instants, compounds as objects, parents nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.soql import CompiledQuery


def json_value(field: Field, cell: str | None) -> Any:
    """Give a cell's JSON value."""
    if cell is None:
        return None
    match field.kind:
        case "boolean":
            return cell == "true"
        case "number":
            return _number(field, cell)
        case "datetime":
            return cell[:-1] + "+0000" if cell.endswith("Z") else cell
        case "base64":
            return "/services/data/blob"
        case _:
            return cell


def _number(field: Field, cell: str) -> float | int:
    value = float(cell)
    if field.type in ("int", "long") and value.is_integer():
        return int(cell) if cell.lstrip("-").isdigit() else int(value)
    return value


def record(compiled: CompiledQuery, row: Sequence[str | None], version: str) -> dict[str, Any]:
    """Give one record of a query answer."""
    if compiled.aggregate:
        attributes: dict[str, Any] = {"type": "AggregateResult"}
        values = {
            column.header: json_value(column.field, _text(cell))
            for column, cell in zip(compiled.columns, row, strict=True)
        }
        return {"attributes": attributes, **values}
    body: dict[str, Any] = {"attributes": _attributes(compiled.declared, row, compiled, version)}
    for column, cell in zip(compiled.columns, row, strict=True):
        *parents, name = column.header.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {"attributes": {"type": parent}})
        place[name] = None if column.field.kind == "compound" else json_value(column.field, cell)
    return body


def _text(cell: object) -> str | None:
    return None if cell is None else str(cell)


def _attributes(declared: SObject, row: Sequence[str | None], compiled: CompiledQuery, version: str) -> dict[str, Any]:
    attributes = {"type": declared.name}
    for column, cell in zip(compiled.columns, row, strict=True):
        if column.header == "Id":
            attributes["url"] = f"/services/data/v{version}/sobjects/{declared.name}/{cell}"
    return attributes


def compound_value(compound: Field, components: dict[str, Any]) -> dict[str, Any] | None:
    """Give an address or location object from its components' JSON values, None when all are null."""
    prefix = compound.name.removesuffix("__c").removesuffix("Address") if compound.type == "address" else compound.name
    named = {}
    for name, value in components.items():
        short = name.removeprefix(prefix.removesuffix("__c") + "__").removeprefix(prefix)
        short = short.removesuffix("__s").removesuffix("__c")
        named[short[:1].lower() + short[1:]] = value
    return named if any(value is not None for value in named.values()) else None
