"""The columns of a log, and their changes with the object's schema. Pure, except for pyiceberg's types.

    a new field             a new optional column, null in earlier rows
    a removed field         its column stays, and is null from then on
    a field that returns    its old column, if the type is the same
    a changed type          a new column, ``Amount__string``; the old one stays
    a changed label         the column's comment

No column is ever dropped, and no type is changed: no table format supports all the changes that Salesforce allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DoubleType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)

from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema, stored_as

RUN_ID, READ_AT, DELETED = "_run_id", "_read_at", "_deleted"
MARKS: Mapping[str, tuple[PrimitiveType, str]] = {
    RUN_ID: (StringType(), "the run that read the row"),
    READ_AT: (TimestamptzType(), "the org's clock when the run began to read"),
    DELETED: (BooleanType(), "whether the row only says that its key is gone"),
}
"""The columns of a log in addition to the object's fields."""

TYPES: Mapping[str, PrimitiveType] = {
    "string": StringType(),
    "bool": BooleanType(),
    "int64": LongType(),
    "float64": DoubleType(),
    "date32": DateType(),
    "timestamp[us, tz=UTC]": TimestamptzType(),
}
_WORDS: Mapping[str, str] = {
    "bool": "boolean",
    "int64": "long",
    "float64": "double",
    "date32": "date",
    "timestamp[us, tz=UTC]": "timestamp",
}


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to add, in this order; ``id`` is the id that it will get."""

    id: int
    name: str
    type: PrimitiveType


def first_columns(schema: ObjectSchema) -> tuple[Schema, ObjectSchema]:
    """Return the columns of a new log, and ``schema`` with their ids."""
    fields = tuple(replace(field, id=at) for at, field in enumerate(schema.fields, start=1))
    columns = [NestedField(field.id, field.name, type_of(field), required=False) for field in fields]
    last = len(fields)
    for name, (kind, comment) in MARKS.items():
        last += 1
        columns.append(NestedField(last, name, kind, required=False, doc=comment))
    return Schema(*columns), ObjectSchema(schema.name, fields, last)


def grown(table: Schema, last_id: int, before: ObjectSchema, now: ObjectSchema) -> tuple[list[NewColumn], ObjectSchema]:
    """Return the columns that a log lacks for the schema ``now``, and ``now`` with its columns' ids.

    ``before`` is the schema of the log so far, ``last_id`` the highest id that its columns ever had.
    """
    taken = {field.name.lower(): field for field in table.fields}
    known, added, fields = before.by_name, list[NewColumn](), []
    for field in now.fields:
        kept = known.get(field.name.lower())
        if kept is not None and kept.id and stored_as(kept) == stored_as(field):
            fields.append(replace(field, id=kept.id))
            continue
        name, column = _place(field, taken)
        if column is None:
            last_id += 1
            added.append(NewColumn(last_id, name, type_of(field)))
            column = taken[name.lower()] = NestedField(last_id, name, type_of(field), required=False)
        fields.append(replace(field, id=column.field_id))
    return added, ObjectSchema(now.name, tuple(fields), last_id)


def _place(field: FieldSchema, taken: Mapping[str, NestedField]) -> tuple[str, NestedField | None]:
    """Return the name of a field's column, and the column if it exists with the right type."""
    word = _WORDS.get(stored_as(field), stored_as(field))
    names = [field.name, f"{field.name}__{word}", *(f"{field.name}__{word}_{again}" for again in range(2, 1000))]
    for name in names:
        column = taken.get(name.lower())
        if column is None or column.field_type == type_of(field):
            return name, column
    raise ValueError(f"{field.name} has too many columns")


def type_of(field: FieldSchema) -> PrimitiveType:
    """Return the type of a field's column."""
    return TYPES[stored_as(field)]
