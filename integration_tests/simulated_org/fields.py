"""Fields: their entries in describe and the kinds of their values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from integration_tests.simulated_org.formulas import Formula

Kind = Literal["text", "id", "boolean", "number", "date", "datetime", "time", "compound", "base64", "complex"]


@dataclass(frozen=True, slots=True)
class FieldType:
    """One describe type: its soapType, how SOQL compares it and whether one may filter and sort by it."""

    soap_type: str
    kind: Kind
    filterable: bool = True
    sortable: bool = True


TYPES: dict[str, FieldType] = {
    "id": FieldType("tns:ID", "id"),
    "reference": FieldType("tns:ID", "id"),
    "string": FieldType("xsd:string", "text"),
    "picklist": FieldType("xsd:string", "text"),
    "multipicklist": FieldType("xsd:string", "text", sortable=False),
    "combobox": FieldType("xsd:string", "text"),
    "textarea": FieldType("xsd:string", "text"),
    "phone": FieldType("xsd:string", "text"),
    "url": FieldType("xsd:string", "text"),
    "email": FieldType("xsd:string", "text"),
    "encryptedstring": FieldType("xsd:string", "text", filterable=False, sortable=False),
    "datacategorygroupreference": FieldType("xsd:string", "text"),
    "boolean": FieldType("xsd:boolean", "boolean"),
    "int": FieldType("xsd:int", "number"),
    "long": FieldType("xsd:long", "number"),
    "double": FieldType("xsd:double", "number"),
    "currency": FieldType("xsd:double", "number"),
    "percent": FieldType("xsd:double", "number"),
    "date": FieldType("xsd:date", "date"),
    "datetime": FieldType("xsd:dateTime", "datetime"),
    "time": FieldType("xsd:time", "time"),
    "base64": FieldType("xsd:base64Binary", "base64", filterable=False, sortable=False),
    "address": FieldType("urn:address", "compound", sortable=False),
    "location": FieldType("urn:location", "compound", sortable=False),
    "complexvalue": FieldType("urn:RecordTypesSupported", "complex", filterable=False, sortable=False),
    "anyType": FieldType("xsd:anyType", "text", filterable=False, sortable=False),
    "json": FieldType("tns:json", "text", filterable=False, sortable=False),
    "hologram": FieldType("urn:Hologram", "text", filterable=False, sortable=False),  # a type that no document names
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object, as describe shows it."""

    name: str
    type: str = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    filterable: bool = True
    sortable: bool = True
    calculated: bool = False
    name_field: bool = False
    compound: str | None = None
    choices: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    relationship: str | None = None
    formula: Formula | None = None  # worked out at every read; else a calculated field is as static as the others
    filter_lies: bool = False  # describe says filterable, but the query is refused

    @property
    def kind(self) -> Kind:
        """The family of values that SOQL and the serializers care about."""
        return TYPES[self.type].kind

    @property
    def stored(self) -> bool:
        """True when rows hold a cell of the field."""
        return self.kind != "compound" and self.formula is None

    @property
    def custom(self) -> bool:
        """True for a field that a customer made."""
        return self.name.endswith(("__c", "__s", "__pc"))


_DECLARATION = re.compile(r"^\s*(?P<name>\w+)\s+(?P<type>\w+)(?:\((?P<args>[^)]*)\))?(?P<words>(?:\s+\S+)*)\s*$")


def parse_field(line: str) -> Field:
    """Read one catalog line: `Name type(args) word…`.

    The arguments are a length (`string(80)`), precision and scale (`currency(18,2)`), picklist values joined by `|`,
    or target objects joined by `|` and, after a colon, the relationship name. Words: `required`, `name`, `formula`,
    `nofilter`, `nosort`, `liesfilter`, `of=Compound`.
    """
    found = _DECLARATION.match(line)
    if found is None:
        raise ValueError(f"not a field declaration: {line!r}")
    kind, args = found["type"], found["args"] or ""
    field = _with_arguments(
        Field(found["name"], kind, filterable=TYPES[kind].filterable, sortable=TYPES[kind].sortable), args
    )
    if field.type == "textarea" and field.length > 255:
        field = replace(field, filterable=False, sortable=False)
    for word in found["words"].split():
        field = _with_word(field, word)
    return field


def _with_arguments(field: Field, args: str) -> Field:
    if field.type in ("picklist", "multipicklist", "combobox"):
        return replace(field, length=255, choices=tuple(args.split("|")) if args else ("One", "Two", "Three"))
    if field.type in ("reference", "id"):
        targets, _, relationship = args.partition(":")
        return replace(
            field, length=18, targets=tuple(filter(None, targets.split("|"))), relationship=relationship or None
        )
    if field.kind == "number":
        precision, _, scale = (args or "18,2").partition(",")
        return replace(field, precision=int(precision), scale=int(scale or 0))
    return replace(field, length=int(args) if args else _default_length(field))


def _default_length(field: Field) -> int:
    return {"phone": 40, "email": 80, "url": 255, "string": 255, "textarea": 255}.get(field.type, 0)


def _with_word(field: Field, word: str) -> Field:
    if word.startswith("of="):
        return replace(field, compound=word[3:])
    changes: dict[str, Field] = {
        "required": replace(field, nillable=False),
        "name": replace(field, name_field=True),
        "formula": replace(field, calculated=True),
        "nofilter": replace(field, filterable=False, sortable=False),
        "nosort": replace(field, sortable=False),
        "liesfilter": replace(field, filter_lies=True),
    }
    return changes[word]


@cache
def parse_fields(text: str) -> tuple[Field, ...]:
    """Read catalog lines, one field each; blank lines are skipped."""
    return tuple(parse_field(line) for line in text.splitlines() if line.strip())
