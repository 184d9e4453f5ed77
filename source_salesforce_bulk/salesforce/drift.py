"""The changes in an object since its schema was last registered, field by field. Pure.

A change is *breaking* if a reader that relies on the old schema can fail: a column is gone, has another type, holds
longer texts, bigger or finer numbers or nulls, or changes without the row's cursor. A new field, a tighter limit and
another field order break nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.field_types import ARROW_TYPES, field_type


class ChangeKind(Enum):
    """The ways in which a field can change."""

    ADDED = "added"
    REMOVED = "removed or hidden"
    RETYPED = "retyped"
    LENGTH = "length changed"
    PRECISION = "precision changed"
    SCALE = "scale changed"
    NILLABLE = "nillable changed"
    BECAME_FORMULA = "became a formula"
    NO_LONGER_FORMULA = "is no longer a formula"


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """The facts that a schema states about one field; ``type`` is Salesforce's word.

    ``id`` is the id of its column in files, assigned by ``registries.field_ids``; 0 if none is assigned yet.
    """

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    calculated: bool = False
    id: int = 0


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """An object's fields by name, in describe's order; ``last_id`` is the highest id that a field ever had."""

    name: str
    fields: tuple[FieldSchema, ...]
    last_id: int = 0

    @property
    def by_name(self) -> Mapping[str, FieldSchema]:
        """The fields by name in lower case: to Salesforce, names that differ in case alone are the same."""
        return {field.name.lower(): field for field in self.fields}

    def same_as(self, other: ObjectSchema) -> bool:
        """Return whether both have the same fields, ignoring order and case."""
        return not compare(self, other)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one field; ``before`` and ``after`` are Salesforce's names, empty if there is no such side."""

    field: str
    kind: ChangeKind
    before: str
    after: str
    breaking: bool

    def __str__(self) -> str:
        what = f"{self.field} {self.kind.value}"
        if self.before and self.after:
            what += f" ({self.before} -> {self.after})"
        elif self.before or self.after:
            what += f" ({self.before or self.after})"
        return f"{what}, breaking" if self.breaking else what


def object_schema(sobject: SObject) -> ObjectSchema:
    """Return the schema of the fields that Bulk API can read and this user can see."""
    return ObjectSchema(
        sobject.name,
        tuple(
            FieldSchema(
                name=field.name,
                type=field.type,
                length=field.length,
                precision=field.precision,
                scale=field.scale,
                nillable=field.nillable,
                calculated=field.calculated,
            )
            for field in sobject.fields
        ),
    )


def compare(before: ObjectSchema, after: ObjectSchema) -> tuple[Change, ...]:
    """Return every change from one schema to the next, by field name; empty if both state the same."""
    old, new = before.by_name, after.by_name
    return tuple(change for name in sorted({*old, *new}) for change in _changes(old.get(name), new.get(name)))


def compare_catalog(configured: Mapping[str, object], sobject: SObject) -> tuple[Change, ...]:
    """Return the changes since a stream's JSON Schema was configured, as far as it shows: added and retyped fields.

    A field of ``configured`` without a type is not compared, nor is a schema without properties.
    A field that is missing there may be new, or may never have been selected. (A field that the object no longer has is
    reported when the query is built.)
    """
    properties = configured.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return ()
    changes = []
    known = {str(name).lower(): schema for name, schema in properties.items()}
    for field in sorted(sobject.fields, key=lambda field: field.name):
        now = _kinds(field_type(field.type).json_schema)
        if field.name.lower() not in known:
            changes.append(Change(field.name, ChangeKind.ADDED, "", field.type, breaking=False))
        elif (was := _kinds(known[field.name.lower()])) and was != now:
            changes.append(Change(field.name, ChangeKind.RETYPED, " ".join(was), " ".join(now), breaking=True))
    return tuple(changes)


def _kinds(schema: object) -> tuple[str, ...]:
    """Return the types of a JSON Schema except null, with its format: ``("string", "date-time")``."""
    if not isinstance(schema, Mapping):
        return ()
    types = schema.get("type", [])
    named = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    extra = [str(schema["format"])] if named and "format" in schema else []
    return (*sorted(str(value) for value in named if value != "null"), *extra)


def _changes(old: FieldSchema | None, new: FieldSchema | None) -> Iterator[Change]:
    if old is None and new is not None:
        yield Change(new.name, ChangeKind.ADDED, "", new.type, breaking=False)
    elif new is None and old is not None:
        # Describe does not show whether it was deleted or hidden by field-level security. Standard fields can disappear
        # too: with a feature that is switched off, or with a release.
        yield Change(old.name, ChangeKind.REMOVED, old.type, "", breaking=True)
    elif old is not None and new is not None:
        yield from _field_changes(old, new)


def _field_changes(old: FieldSchema, new: FieldSchema) -> Iterator[Change]:
    name = old.name
    if old.type.lower() != new.type.lower():
        yield Change(name, ChangeKind.RETYPED, old.type, new.type, breaking=stored_as(old) != stored_as(new))
    sizes = (
        (ChangeKind.LENGTH, old.length, new.length),
        (ChangeKind.PRECISION, old.precision, new.precision),
        (ChangeKind.SCALE, old.scale, new.scale),
    )
    for kind, was, now in sizes:
        if was != now:
            yield Change(name, kind, str(was), str(now), breaking=now > was)
    if old.nillable != new.nillable:
        before, after = ("nillable" if schema.nillable else "required" for schema in (old, new))
        yield Change(name, ChangeKind.NILLABLE, before, after, breaking=new.nillable)
    if old.calculated != new.calculated:
        kind = ChangeKind.BECAME_FORMULA if new.calculated else ChangeKind.NO_LONGER_FORMULA
        # When a formula's value changes, the row's SystemModstamp does not.
        yield Change(name, kind, "", "", breaking=new.calculated)


def stored_as(field: FieldSchema) -> str:
    """Return the type name of a field's column."""
    return ARROW_TYPES[field_type(field.type).kind]
