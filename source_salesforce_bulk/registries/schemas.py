"""The schema registry: every version of every object's schema, as JSON Schema.

A version is the object as describe showed it to a run's user. Properties that JSON Schema cannot express (Salesforce's
type, length, precision, scale, formula) are stored under ``x-salesforce``, so that two versions can be compared field
by field. The columns' ids have keys of their own, which 0.1.0 neither writes nor reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from source_salesforce_bulk.registries.durable_files import NotARegularFile, create_file, read_whole
from source_salesforce_bulk.registries.field_ids import checked_ids
from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.soql import check_name

_EXTRA = "x-salesforce"
_ID = "x-salesforce-id"
_LAST_ID = "x-salesforce-last-id"
LONGEST = 16 << 20
"""Maximum size of a schema file in bytes. The widest objects have 900 fields of about 200 bytes each."""
_DEFAULTS: Mapping[str, Any] = {attribute.name: attribute.default for attribute in fields(FieldSchema)}


class UnreadableSchema(ValueError):
    """The stored schema was not written by an export. The message is a sentence."""


class SchemaRefused(Exception):
    """The registry refused the schema. The message says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of an object's schema; the first version is 1."""

    version: int
    schema: ObjectSchema


class SchemaRegistry(Protocol):
    """Stores schemas."""

    def latest(self, organization_id: str, object_name: str) -> Registered | None:
        """Return the newest version of an object's schema; raises :class:`UnreadableSchema`."""
        ...

    def register(self, organization_id: str, schema: ObjectSchema, after: Registered | None) -> Registered:
        """Store a schema that differs from ``after``, the newest version; raises :class:`SchemaRefused`."""
        ...


def to_json_schema(schema: ObjectSchema) -> str:
    """Return the schema as compact JSON; equal schemas give equal text."""
    properties = {}
    for described in sorted(schema.fields, key=lambda field: field.name):
        extra = {
            name: value
            for name, value in asdict(described).items()
            if name not in ("name", "id") and value != _DEFAULTS[name]
        }
        column = {_ID: described.id} if described.id else {}
        properties[described.name] = {**field_type(described.type).json_schema, _EXTRA: extra, **column}
    document: dict[str, object] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": schema.name,
        "type": "object",
        "properties": properties,
    }
    if schema.last_id:
        document[_LAST_ID] = schema.last_id
    return json.dumps(document, separators=(",", ":"))


def from_json_schema(text: str | bytes) -> ObjectSchema:
    """Invert :func:`to_json_schema`, except for the order of fields; raises :class:`UnreadableSchema`."""
    try:
        document = json.loads(text)
        fields = tuple(_field(name, entry) for name, entry in document["properties"].items())
        return checked_ids(ObjectSchema(check_name(document["title"]), fields, document.get(_LAST_ID, 0)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableSchema("it is not a schema that an export has written") from error


def _field(name: str, entry: Mapping[str, Any]) -> FieldSchema:
    """Return the field; raises ValueError or TypeError for a value of the wrong type or an invalid text."""
    check_name(name.removeprefix("_"))  # fields of our own begin with an underscore
    field = FieldSchema(name, **entry[_EXTRA], id=entry.get(_ID, 0))
    if field.type != "":
        check_name(field.type)
    for fact, default in _DEFAULTS.items():
        if default is not MISSING and type(getattr(field, fact)) is not type(default):
            raise TypeError(f"{fact} has the wrong type")
    return field


class LocalSchemas:
    """Stores schemas in ``<organization id>/<object>/<version>.json``. A written version never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def latest(self, organization_id: str, object_name: str) -> Registered | None:
        """See :class:`SchemaRegistry`."""
        folder = self._folder / organization_id / object_name
        stems = (path.stem for path in folder.glob("*.json"))
        version = max((int(stem) for stem in stems if stem.isascii() and stem.isdecimal()), default=None)
        if version is None:
            return None
        path = folder / f"{version}.json"
        try:
            return Registered(version, from_json_schema(read_whole(path, LONGEST)))
        except (ValueError, NotARegularFile) as error:
            raise UnreadableSchema(f"The schema file {path} cannot be read: {error}.") from error

    def register(self, organization_id: str, schema: ObjectSchema, after: Registered | None) -> Registered:
        """See :class:`SchemaRegistry`."""
        version = after.version + 1 if after else 1
        path = self._folder / organization_id / schema.name / f"{version}.json"
        try:
            create_file(path, to_json_schema(schema).encode())
        except FileExistsError as error:
            raise SchemaRefused(f"another run has registered version {version} of {schema.name} meanwhile") from error
        return Registered(version, schema)
