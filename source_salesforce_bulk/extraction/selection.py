"""Which of an object's fields are read, and how its query follows from what the user asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from source_salesforce_bulk.encoding.records import Column
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL
from source_salesforce_bulk.salesforce.describe import Cursor, SObject
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.soql import ObjectQuery

_IS_DELETED = "IsDeleted"


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields of a SELECT in describe's order; ``vanished`` were asked for and the object has them no more."""

    columns: tuple[Column, ...]
    vanished: tuple[str, ...]


def select_fields(sobject: SObject, wanted: Collection[str] | None, always: Collection[str]) -> Selection:
    """The wanted fields that the object has (None: all), with those that are ``always`` read: key and cursor."""
    chosen = [field for field in sobject.fields if wanted is None or field.name in wanted or field.name in always]
    known = {field.name for field in sobject.fields}
    return Selection(
        columns=tuple(Column(field.name, field_type(field.type).kind) for field in chosen),
        vanished=tuple(sorted(name for name in wanted or () if name not in known)),
    )


def object_query(
    sobject: SObject, columns: Collection[Column], cursor: Cursor | None, *, where: str | None, include_deleted: bool
) -> ObjectQuery:
    """The query of an object. Where deleted rows come along but ``IsDeleted`` does not, they are filtered out.

    A deleted row never arrives looking alive.
    """
    fields = tuple(column.name for column in columns)
    has_flag = any(field.name == _IS_DELETED for field in sobject.fields)
    return ObjectQuery(
        object_name=sobject.name,
        fields=fields,
        operation=QUERY_ALL if include_deleted else QUERY,
        cursor_field=cursor.field if cursor else None,
        cursor_nillable=cursor.nillable if cursor else False,
        where=where,
        exclude_deleted=include_deleted and has_flag and _IS_DELETED not in fields,
    )
