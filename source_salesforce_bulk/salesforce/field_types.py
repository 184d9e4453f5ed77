"""The table of field types: everything that this connector derives from a ``type`` in describe. A new type is one row.

A row gives the field's JSON Schema, how its cell is read, and whether Bulk API can select it. The kind of cell
determines the column's Arrow type. Sources: Object Reference, "Field Types" and "Primitive Data Types"; for the CSV
format, Bulk API 2.0 guide.

Every type is nullable, regardless of describe: ``nillable`` only applies to writes. Field security, old rows and
formulas can make any field null on reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

JsonSchema = Mapping[str, object]


class CellKind(Enum):
    """The way in which a cell of a result page is read."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type in describe. ``not_in_bulk`` says why Bulk API cannot select it; None if it can."""

    name: str
    kind: CellKind
    json_schema: JsonSchema
    not_in_bulk: str | None = None

    @property
    def is_compound(self) -> bool:
        """Return whether it is an object that other fields are the parts of."""
        return self.not_in_bulk == _COMPOUND

    @property
    def bulk(self) -> bool:
        """Return whether a Bulk query may select a field of this type."""
        return self.not_in_bulk is None


def field_type(name: str) -> FieldType:
    """Return the row of a describe type. An unknown type is read as text, so that discovery does not fail."""
    return _TABLE.get(name.lower()) or _row(name, CellKind.STRING)


def is_known(name: str) -> bool:
    """Return whether the table has a row for this type."""
    return name.lower() in _TABLE


_SCHEMAS: Mapping[CellKind, JsonSchema] = MappingProxyType(
    {
        CellKind.STRING: MappingProxyType({"type": ["null", "string"]}),
        CellKind.BOOLEAN: MappingProxyType({"type": ["null", "boolean"]}),
        CellKind.INTEGER: MappingProxyType({"type": ["null", "integer"]}),
        CellKind.NUMBER: MappingProxyType({"type": ["null", "number"]}),
        CellKind.DATE: MappingProxyType({"type": ["null", "string"], "format": "date"}),
        CellKind.DATETIME: MappingProxyType(
            {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone"}
        ),
        # No format: Salesforce writes 13:14:15.000Z, and destinations that map `format: time` to TIME refuse the Z or
        # convert the hour to another zone.
        CellKind.TIME: MappingProxyType({"type": ["null", "string"]}),
    }
)

# A time stays text, for the reason above; double is the API's own number type (docs/contracts.md, "Export").
ARROW_TYPES: Mapping[CellKind, str] = MappingProxyType(
    {
        CellKind.STRING: "string",
        CellKind.BOOLEAN: "bool",
        CellKind.INTEGER: "int64",
        CellKind.NUMBER: "float64",
        CellKind.DATE: "date32",
        CellKind.DATETIME: "timestamp[us, tz=UTC]",
        CellKind.TIME: "string",
    }
)
"""The name of a column's Arrow type, by kind of cell. Names, so that this module does not need pyarrow."""

# Bulk API 2.0 guide, "Considerations": no compound fields, no base64, no list types in a query's result.
_BINARY = "Bulk queries cannot return binary content; the REST API's blob resource of the record has it"
_COMPOUND = "Bulk queries cannot return compound fields"
_LIST = "Bulk queries cannot return lists"
_STRUCTURE = "Bulk queries cannot return structured values"


_OBJECT: JsonSchema = MappingProxyType({"type": ["null", "object"]})


def _row(name: str, kind: CellKind, not_in_bulk: str | None = None) -> FieldType:
    return FieldType(name, kind, _SCHEMAS[kind], not_in_bulk)


_ROWS = (
    _row("id", CellKind.STRING),
    _row("reference", CellKind.STRING),
    _row("string", CellKind.STRING),
    _row("textarea", CellKind.STRING),
    _row("picklist", CellKind.STRING),
    # One text: the values joined by semicolons.
    _row("multipicklist", CellKind.STRING),
    _row("combobox", CellKind.STRING),
    _row("phone", CellKind.STRING),
    _row("url", CellKind.STRING),
    _row("email", CellKind.STRING),
    _row("encryptedstring", CellKind.STRING),
    _row("datacategorygroupreference", CellKind.STRING),
    _row("masterrecord", CellKind.STRING),
    # A formula's type is its result type; this old type says nothing more.
    _row("calculated", CellKind.STRING),
    # Old and new values of a history row: any type, written as text.
    _row("anyType", CellKind.STRING),
    _row("boolean", CellKind.BOOLEAN),
    _row("int", CellKind.INTEGER),
    _row("long", CellKind.INTEGER),
    _row("double", CellKind.NUMBER),
    _row("currency", CellKind.NUMBER),
    _row("percent", CellKind.NUMBER),
    _row("date", CellKind.DATE),
    _row("datetime", CellKind.DATETIME),
    _row("time", CellKind.TIME),
    _row("base64", CellKind.STRING, _BINARY),
    _row("byte", CellKind.STRING, _BINARY),
    # Objects in JSON, and their JSON text in tables.
    FieldType("address", CellKind.STRING, _OBJECT, _COMPOUND),
    FieldType("location", CellKind.STRING, _OBJECT, _COMPOUND),
    # Found only in metadata objects (EntityDefinition.RecordTypesSupported), where Bulk API refuses it. One such field
    # in a SELECT would make the whole object unreadable.
    _row("complexvalue", CellKind.STRING, _STRUCTURE),
    _row("json", CellKind.STRING, _STRUCTURE),
    _row("JunctionIdList", CellKind.STRING, _LIST),
    # Reserved by Salesforce.
    _row("floatarray", CellKind.STRING, _LIST),
    _row("textarray", CellKind.STRING, _LIST),
)
_TABLE: Mapping[str, FieldType] = MappingProxyType({row.name.lower(): row for row in _ROWS})
