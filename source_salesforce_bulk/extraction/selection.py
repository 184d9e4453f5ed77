"""The fields of an object that are read, and the query that selects them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from source_salesforce_bulk.pages.records import Column, page_columns
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL
from source_salesforce_bulk.salesforce.compounds import names_of_parts
from source_salesforce_bulk.salesforce.describe import Cursor, Field, SObject
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.soql import ObjectQuery

_IS_DELETED = "IsDeleted"
_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields to read in describe's order; ``vanished`` were requested but no longer exist in the object.

    A field that is only read as a part of a requested compound field follows the others.
    """

    columns: tuple[Column, ...]
    vanished: tuple[str, ...]


def select_fields(sobject: SObject, wanted: Collection[str] | None, always: Collection[str]) -> Selection:
    """Return the wanted fields that the object has (None: all), plus the fields in ``always`` (key and cursor).

    Names are compared ignoring case, like in Salesforce; a column has the name by which it was requested. Raises
    ``SalesforceError`` if no field is left, because a query needs one.
    """
    spelled = sobject.spelled_as(wanted or ())
    asked_for = {name.lower() for name in (*(wanted or ()), *always)}
    real = [field for field in (*spelled.fields, *spelled.folded) if not field.added]
    chosen = [
        field for field in real if (field not in spelled.folded if wanted is None else field.name.lower() in asked_for)
    ]
    if not chosen:
        raise SalesforceError(_nothing_left(wanted))
    parts = {name.lower() for field in chosen for name in names_of_parts(field)}
    hidden = [field for field in real if field.name.lower() in parts and field not in chosen]
    names = {field.name.lower(): field.name for field in (*chosen, *hidden)}
    known = {field.name.lower() for field in real} | {field.name.lower() for field in sobject.fields}
    return Selection(
        columns=(
            *(_column(field, names) for field in chosen),
            *(replace(_column(field, names), shown=False) for field in hidden),
        ),
        vanished=tuple(sorted(name for name in wanted or () if name.lower() not in known)),
    )


def _column(field: Field, names: Mapping[str, str]) -> Column:
    """Return the column of a field; ``names`` are those of the other columns, by name in lower case."""
    parts = tuple((part.key, names[part.field.lower()] if part.field else None) for part in field.parts)
    return Column(field.name, field_type(field.type).kind, parts)


def _nothing_left(wanted: Collection[str] | None) -> Failure:
    if wanted is None:
        return Failure.of(Kind.OBJECT_NOT_SUPPORTED, detail="none of its fields can be selected")
    names = sorted(wanted)
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return Failure.of(
        Kind.FIELD_GONE,
        detail=f"the object no longer has any of the selected fields ({shown}{more})",
        guidance="{Look_again} and select fields that the object has, or grant the integration user Read "
        "Access under Setup > Object Manager > the object > Fields & Relationships > Set Field-Level Security.",
    )


def object_query(
    sobject: SObject, columns: Collection[Column], cursor: Cursor | None, *, where: str | None, include_deleted: bool
) -> ObjectQuery:
    """Build the query of an object. If deleted rows are read but ``IsDeleted`` is not selected, they are filtered out.

    So a deleted row never looks alive.
    """
    fields = tuple(column.name for column in page_columns(columns))
    flag = sobject.field(_IS_DELETED)
    read = {name.lower() for name in fields}
    return ObjectQuery(
        object_name=sobject.name,
        fields=fields,
        operation=QUERY_ALL if include_deleted else QUERY,
        cursor_field=cursor.field if cursor else None,
        cursor_nillable=cursor.nillable if cursor else False,
        where=where,
        exclude_deleted=include_deleted and flag is not None and not flag.added and flag.name.lower() not in read,
    )


def selected_fields(configured_schema: Mapping[str, Any] | None) -> Collection[str] | None:
    """Return the fields that a configured catalog selects; None for all (missing or empty ``properties``)."""
    properties = (configured_schema or {}).get("properties")
    return set(properties) if isinstance(properties, Mapping) and properties else None
