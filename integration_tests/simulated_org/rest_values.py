"""Stored cells as REST JSON shows them: numbers digit by digit, `+0000` instants, compounds as objects, parents nested,
binary fields as the address of their bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.soql import CompiledQuery
from integration_tests.simulated_org.soql.resolve import Resolved

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
# A number is carried as marked text, so that its digits reach the wire as they are stored.
_FIRST, _LAST = "\ue000", "\ue001"
_ADDRESS_KEYS = ("street", "city", "state", "postalCode", "country", "latitude", "longitude", "geocodeAccuracy")


def dump_json(value: Any) -> bytes:
    """Write an answer's JSON, numbers with the digits they were stored with."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace(f'"{_FIRST}', "").replace(f'{_LAST}"', "").encode()


def json_value(field: Field, cell: str | None) -> Any:
    """Return a cell's JSON value."""
    if cell is None:
        return None
    match field.kind:
        case "boolean":
            return cell == "true"
        case "number":
            return _number(field, cell)
        case "datetime":
            return cell[:-1] + "+0000" if cell.endswith("Z") else cell
        case "complex":
            return json.loads(cell)
        case _:
            return cell


def _number(field: Field, cell: str) -> float | int | str:
    if field.type in ("int", "long") and (value := float(cell)).is_integer():
        return int(cell) if cell.lstrip("-").isdigit() else int(value)
    return f"{_FIRST}{cell}{_LAST}" if _JSON_NUMBER.match(cell) else float(cell)


def record(compiled: CompiledQuery, row: Sequence[str | None], version: str) -> dict[str, Any]:
    """Return one record of a query answer."""
    if compiled.aggregate:
        values = {
            column.header: json_value(column.field, _text(cell))
            for column, cell in zip(compiled.columns, row, strict=True)
        }
        return {"attributes": {"type": "AggregateResult"}, **values}
    cells = iter(row)
    shown = [(column, next(cells)) for column in compiled.columns]
    places = _places(compiled, cells, f"/services/data/v{version}/sobjects")
    parts = [(part, next(cells)) for part in compiled.parts]
    for column, cell in shown:
        place = places[column.parent]
        if place is not None:
            place[column.field.name] = _shown(column, cell, place, parts)
    body = places[""]
    assert body is not None
    return body


def _shown(column: Resolved, cell: str | None, place: dict[str, Any], parts: list[tuple[Resolved, str | None]]) -> Any:
    """Return the JSON value of a selected field; `parts` are the cells that compounds consist of."""
    field = column.field
    if field.kind == "base64":
        return None if cell is None else f"{place['attributes']['url']}/{field.name}"
    if field.kind != "compound":
        return json_value(field, cell)
    own = [(one.field, value) for one, value in parts if one.parent == column.parent]
    return compound_value(
        field, {part.name: json_value(part, value) for part, value in own if part.compound == field.name}
    )


def _places(compiled: CompiledQuery, cells: Iterator[str | None], base: str) -> dict[str, dict[str, Any] | None]:
    """Return the objects of the record and of its parents by path, nested; a missing parent is null."""
    places: dict[str, dict[str, Any] | None] = {}
    for path, type_name in compiled.parents:
        identifier = next(cells)
        place = (
            None
            if identifier is None and path
            else {"attributes": {"type": type_name, "url": f"{base}/{type_name}/{identifier}"}}
        )
        places[path] = place
        above, _, own = path.rpartition(".")
        holder = places[above] if path else None
        if holder is not None:
            holder[own] = place
    return places


def _text(cell: object) -> str | None:
    return None if cell is None else str(cell)


def compound_value(compound: Field, components: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an address or location object from its components' JSON values, None when all are null."""
    address = compound.type == "address"
    prefix = compound.name.removesuffix("__c").removesuffix("Address") if address else compound.name
    named: dict[str, Any] = dict.fromkeys(_ADDRESS_KEYS) if address else {}
    for name, value in components.items():
        short = name.removeprefix(prefix.removesuffix("__c") + "__").removeprefix(prefix)
        short = short.removesuffix("__s").removesuffix("__c")
        named[short[:1].lower() + short[1:]] = value
    return named if any(value is not None for value in named.values()) else None
