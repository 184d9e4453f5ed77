"""Which of an object's fields are read, and how its query follows from what the user asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL
from source_salesforce_bulk.salesforce.describe import Cursor, SObject
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.soql import ObjectQuery

_IS_DELETED = "IsDeleted"
_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields of a SELECT in describe's order; ``vanished`` were asked for and the object no longer has them."""

    columns: tuple[Column, ...]
    vanished: tuple[str, ...]


def select_fields(sobject: SObject, wanted: Collection[str] | None, always: Collection[str]) -> Selection:
    """The wanted fields that the object has (None: all), with those that are ``always`` read: key and cursor.

    Names are compared as Salesforce does, ignoring case; a column bears the name by which it was asked for. Raises
    ``SalesforceError`` where none is left: a SELECT of nothing is no query.
    """
    spelled = sobject.spelled_as(wanted or ())
    asked_for = {name.lower() for name in (*(wanted or ()), *always)}
    chosen = [field for field in spelled.fields if wanted is None or field.name.lower() in asked_for]
    if not chosen:
        raise SalesforceError(_nothing_left(wanted))
    known = {field.name.lower() for field in sobject.fields}
    return Selection(
        columns=tuple(Column(field.name, field_type(field.type).kind) for field in chosen),
        vanished=tuple(sorted(name for name in wanted or () if name.lower() not in known)),
    )


def _nothing_left(wanted: Collection[str] | None) -> Failure:
    if wanted is None:
        return Failure.of(Kind.OBJECT_NOT_SUPPORTED, detail="none of its fields can be selected")
    names = sorted(wanted)
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return Failure.of(
        Kind.FIELD_GONE,
        detail=f"of all that are selected ({shown}{more}) the object has none any more",
        guidance="{Look_again} and select fields that the object has, or grant the integration user Read "
        "Access under Setup > Object Manager > the object > Fields & Relationships > Set Field-Level Security.",
    )


def object_query(
    sobject: SObject, columns: Collection[Column], cursor: Cursor | None, *, where: str | None, include_deleted: bool
) -> ObjectQuery:
    """The query of an object. Where deleted rows come along but ``IsDeleted`` does not, they are filtered out.

    A deleted row never arrives looking alive.
    """
    fields = tuple(column.name for column in columns)
    flag = sobject.field(_IS_DELETED)
    read = {name.lower() for name in fields}
    return ObjectQuery(
        object_name=sobject.name,
        fields=fields,
        operation=QUERY_ALL if include_deleted else QUERY,
        cursor_field=cursor.field if cursor else None,
        cursor_nillable=cursor.nillable if cursor else False,
        where=where,
        exclude_deleted=include_deleted and flag is not None and flag.name.lower() not in read,
    )
