"""The ids of an object's columns, by which readers of its files identify a column regardless of its name. Pure.

An id belongs to a field and the type of its column. A new field, or a field whose column changes its type, gets the
next id. The id of a removed field is never used again. So a reader never confuses two columns, even if a field was
deleted and another one was created under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from source_salesforce_bulk.salesforce.drift import ObjectSchema, stored_as


def numbered(schema: ObjectSchema, before: ObjectSchema | None) -> ObjectSchema:
    """Return ``schema`` with its columns' ids; ``before`` is the version that was registered last.

    A version without ids, written by 0.1.0, gets ids in the order of its fields.
    """
    known = _by_order(before) if before is not None else ObjectSchema(schema.name, ())
    old, last = known.by_name, known.last_id
    fields = []
    for field in schema.fields:
        kept = old.get(field.name.lower())
        if kept is not None and kept.id and stored_as(kept) == stored_as(field):
            fields.append(replace(field, id=kept.id))
        else:
            last += 1
            fields.append(replace(field, id=last))
    return ObjectSchema(schema.name, tuple(fields), last)


def ids_by_name(schema: ObjectSchema) -> Mapping[str, int]:
    """Return the ids of the columns by their fields' names."""
    return {field.name: field.id for field in schema.fields}


def checked_ids(schema: ObjectSchema) -> ObjectSchema:
    """Return ``schema``, which others may have modified; raises ValueError for invalid ids."""
    ids = [field.id for field in schema.fields if field.id]
    if type(schema.last_id) is not int:
        raise TypeError("the last id is not a number")
    if len(set(ids)) < len(ids) or not all(0 < number <= schema.last_id for number in ids):
        raise ValueError("the ids of its columns are not distinct numbers up to the last one")
    return schema


def _by_order(schema: ObjectSchema) -> ObjectSchema:
    if schema.last_id:
        return schema
    fields = tuple(replace(field, id=at) for at, field in enumerate(schema.fields, start=1))
    return ObjectSchema(schema.name, fields, len(fields))
