"""Compound fields: addresses and locations as objects, which are built from their parts. Pure.

Bulk queries cannot return a compound field, but each of its values is also a separate field. So the parts are queried,
through both APIs, and the object is built from them. It has the keys of REST's object, in alphabetical order; a value
without a field (the country's name in a custom address) is null.

A person's ``Name`` is not built, because it is text in both APIs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum

from source_salesforce_bulk.salesforce.describe import (
    Field,
    FieldChoice,
    Part,
    SObject,
    UnusableOverride,
    choose_fields,
)


class CompoundFields(Enum):
    """The user's choice for addresses and locations: their parts, objects, or both."""

    PARTS = "parts"
    OBJECT = "object"
    BOTH = "both"


_ADDRESS = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")
_CODES = ("countryCode", "stateCode")  # only where the org has picklists for them
_KEYS: Mapping[str, tuple[str, ...]] = {"address": _ADDRESS, "location": ("latitude", "longitude")}
_CUSTOM = "__s"


def choose_with_compounds(
    sobject: SObject, choice: FieldChoice, always: Collection[str], compounds: CompoundFields
) -> SObject:
    """Return the object like :func:`choose_fields`, with the compound fields to build.

    A compound field that the user chose includes its parts; excluded parts are null in it. Also raises
    :class:`UnusableOverride` for a compound field in ``hash_fields``.
    """
    if compounds is CompoundFields.PARTS:
        return choose_fields(sobject, choice, always)
    offered = _with_compounds(sobject)
    parts = {field.name.lower(): tuple(names_of_parts(field)) for field in offered.fields if field.parts}
    for name in choice.hashed:
        if name.lower() in parts:
            listed = ", ".join(parts[name.lower()])
            raise UnusableOverride(f"hash_fields names {name}, which is built from other fields: name {listed}.")
    asked = replace(choice, only=_and_parts(choice.only, parts))
    if compounds is CompoundFields.OBJECT:
        # The user does not see the parts, so excluding an address also excludes its parts.
        asked = replace(asked, never=_and_parts(choice.never, parts))
        return _folded(choose_fields(offered, asked, always), shown=always)
    chosen = choose_fields(offered, asked, always)
    return _folded(chosen, shown=(*choice.only, *always) if choice.only else [field.name for field in chosen.fields])


def _and_parts(names: tuple[str, ...], parts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return (*names, *(part for name in names for part in parts.get(name.lower(), ())))


def _with_compounds(sobject: SObject) -> SObject:
    """Return the object with every compound field that can be built, each after the last of its parts."""
    fields = list(sobject.fields)
    for compound in sobject.compounds:
        own = [field for field in sobject.fields if _is_part(field, compound)]
        if own:
            fields.insert(fields.index(own[-1]) + 1, replace(compound, parts=tuple(_parts(compound, own))))
    built = {field.name for field in fields if field.parts}
    left_out = tuple(skipped for skipped in sobject.left_out if skipped.field not in built)
    return replace(sobject, fields=tuple(fields), left_out=left_out)


def _is_part(field: Field, compound: Field) -> bool:
    return (field.compound_field_name or "").lower() == compound.name.lower()


def _parts(compound: Field, own: Iterable[Field]) -> Iterator[Part]:
    """Yield the keys of a compound field. A part's name ends with its key: ``BillingCity``, ``Office__City__s``."""
    by_key = {
        key: field
        for key in (*_KEYS[compound.type.lower()], *_CODES)
        for field in own
        if field.name.lower().removesuffix(_CUSTOM).endswith(key.lower())
    }
    for key in sorted({*_KEYS[compound.type.lower()], *by_key}):
        field = by_key.get(key)
        yield Part(key, field.name if field else None)


def _folded(chosen: SObject, shown: Collection[str]) -> SObject:
    """Return the object with the fields that are ``shown``, and those that are not part of a compound field."""
    read = {field.name: field for field in chosen.fields if not field.parts}
    built = {field.name: _narrowed(field, read) for field in chosen.fields if field.parts}
    parts = {name for field in built.values() for name in names_of_parts(field)}
    visible = {name.lower() for name in shown}
    hidden = [field for name, field in read.items() if name in parts and name.lower() not in visible]
    fields = [
        built.get(field.name, field)
        for field in chosen.fields
        if field not in hidden and (not field.parts or any(names_of_parts(built[field.name])))
    ]
    return replace(chosen, fields=tuple(fields), folded=tuple(hidden))


def _narrowed(field: Field, read: Mapping[str, Field]) -> Field:
    """Return a compound field with the types of the parts that are read; the other parts are null."""
    parts = (
        replace(part, type=read[part.field].type) if part.field and part.field in read else replace(part, field=None)
        for part in field.parts
    )
    return replace(field, parts=tuple(parts))


def names_of_parts(field: Field) -> Iterator[str]:
    """Yield the names of the fields from which a compound field is built."""
    return (part.field for part in field.parts if part.field is not None)
