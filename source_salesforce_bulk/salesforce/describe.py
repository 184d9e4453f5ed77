"""An object as describe shows it: the fields that Bulk API can select, the cursor, the key, and the JSON Schema.

A field that Bulk API refuses would fail the object's whole job, so it is left out with a reason. An address or location
is left out and its components are kept (``BillingStreet`` instead of ``BillingAddress``), from which ``compounds``
builds it on request. ``Name``, a compound of person names, can be selected and is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from source_salesforce_bulk.salesforce.field_types import CellKind, field_type, is_known
from source_salesforce_bulk.salesforce.object_hints import filters_cursor, sees_only_new_rows
from source_salesforce_bulk.salesforce.soql import check_name
from source_salesforce_bulk.salesforce.wire import UnreadableBody

PRIMARY_KEY = "Id"

# Objects that have one of these may have the empty Id 000000000000000AAA in every row: event stores (LightningUriEvent)
# and metadata views (EntityDefinition).
IDENTIFIERS = ("EventIdentifier", "DurableId")

# In order of preference. The first two change with a row, the others only say when it was created.
_CHANGE_STAMPS = ("SystemModstamp", "LastModifiedDate")
_BIRTH_STAMPS = ("CreatedDate", "LoginTime")


class UnreadableDescribe(UnreadableBody):
    """The response to a describe request is not a description of an object. The message is a sentence."""


class UnusableOverride(ValueError):
    """The key, cursor or field selection in an override cannot be used. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """A key of a compound field's object, and the field of its value and its type; null where there is no field."""

    key: str
    field: str | None
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Field:
    """A field as describe shows it; ``type`` is Salesforce's name. ``formula`` is the text of a ``calculated`` one.

    No query selects a field that is ``added`` by this program, or that is built from ``parts``.
    """

    name: str
    type: str
    label: str = ""
    help_text: str | None = None
    nillable: bool = True
    filterable: bool = True
    calculated: bool = False
    length: int = 0
    precision: int = 0
    scale: int = 0
    compound_field_name: str | None = None
    added: bool = False
    reference_to: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that is not read, and why."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class SObject:
    """An object: every field that Bulk API can select, in describe's order, and the fields that it cannot.

    ``retrieveable`` is false for virtual objects, whose rows Salesforce computes on request. Deletions are logged for
    ``replicateable`` ones. ``unknown_types`` of ``fields`` are not in the table of field types; they are read as text.
    ``compounds`` are the addresses and locations that can be built from their parts; those to build are in ``fields``.
    ``folded`` are fields that are read only as parts of these.
    """

    name: str
    label: str
    custom: bool
    fields: tuple[Field, ...]
    left_out: tuple[LeftOut, ...] = ()
    unknown_types: tuple[str, ...] = ()
    retrieveable: bool = True
    replicateable: bool = False
    compounds: tuple[Field, ...] = ()
    folded: tuple[Field, ...] = ()

    def field(self, name: str) -> Field | None:
        """Return the field of this name; like SOQL, ignore case."""
        return next((field for field in self.fields if field.name.lower() == name.lower()), None)

    def spelled_as(self, names: Iterable[str]) -> SObject:
        """Return the object with its fields spelled as in ``names`` if they differ only in letter case.

        An admin may change a field's case (``Amount__c`` to ``AMOUNT__c``): to Salesforce it is the same field.
        """
        exact = set(names)
        spelling = {name.lower(): name for name in sorted(exact)}

        def spelled(field: Field) -> Field:
            return field if field.name in exact else replace(field, name=spelling.get(field.name.lower(), field.name))

        return replace(self, fields=tuple(map(spelled, self.fields)), folded=tuple(map(spelled, self.folded)))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The field that windows filter by. ``sees_updates`` is true if it changes with every change of a row."""

    field: str
    nillable: bool
    sees_updates: bool


def parse_describe(payload: object, asked_for: str | None = None) -> SObject:
    """Parse the response to a describe request. Unknown keys are ignored; missing ones get the value that loses no row.

    A response without the object's name describes ``asked_for``. Raises :class:`UnreadableDescribe`.
    """
    if not isinstance(payload, Mapping) or not isinstance(payload.get("fields"), list):
        raise UnreadableDescribe("The answer describes no object.")
    name = _name(payload if "name" in payload else {"name": asked_for})
    # A duplicate name could be selected only once.
    described = list({field.name.lower(): field for field in map(_parse_field, payload["fields"])}.values())
    fields = tuple(field for field in described if field_type(field.type).bulk)
    return SObject(
        name=name,
        label=_text(payload, "label") or name,
        custom=_flag(payload, "custom", default=False),
        fields=fields,
        left_out=_left_out(described),
        unknown_types=tuple(dict.fromkeys(field.type for field in fields if not is_known(field.type))),
        retrieveable=_flag(payload, "retrieveable", default=True),
        replicateable=_flag(payload, "replicateable", default=False),
        compounds=tuple(field for field in described if field_type(field.type).is_compound),
    )


def choose_cursor(sobject: SObject, override: str | None = None) -> Cursor | None:
    """Return the cursor: the user's choice, else the first filterable one of Salesforce's timestamps, else None.

    CreatedDate and LoginTime never change, so they are chosen only for objects whose rows never change either (history,
    feeds, logins, the audit trail). Raises :class:`UnusableOverride`.
    """
    if override is not None:
        return _overriding_cursor(sobject, override)
    if not filters_cursor(sobject.name):
        return None
    candidates = _CHANGE_STAMPS + (_BIRTH_STAMPS if sees_only_new_rows(sobject.name) else ())
    fields = (sobject.field(name) for name in candidates)
    return next((_cursor(field) for field in fields if field is not None and _can_be_cursor(field)), None)


def choose_primary_key(sobject: SObject, override: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the primary key: the user's choice, else the field that identifies a row, else none.

    That field is ``Id``, except in objects in which it may be empty: those have ``EventIdentifier`` or ``DurableId``.
    Raises :class:`UnusableOverride` if the choice names a field that the object does not have.
    """
    chosen = dict.fromkeys(_overriding_field(sobject, name, "primary_key").name for name in override or ())
    if chosen:
        return tuple(chosen)
    fields = (sobject.field(name) for name in (*IDENTIFIERS, PRIMARY_KEY))
    return next(((field.name,) for field in fields if field is not None), ())


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """The user's selection of an object's fields. If ``only`` is not empty, no other fields are read.

    Fields in ``never`` are not read. Fields in ``hashed`` are read, and replaced by a digest.
    """

    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()


DIGEST_LENGTH = 64
"""Length of a hashed value: SHA-256 in hexadecimal digits."""


def choose_fields(sobject: SObject, choice: FieldChoice, always: Collection[str]) -> SObject:
    """Return the object with the fields to read, hashed ones as text. The fields in ``always`` are always read.

    Raises :class:`UnusableOverride` for a field that the object does not have, for an excluded key or cursor, and for a
    hashed cursor or ``Id``.
    """
    named = {"fields": choice.only, "exclude_fields": choice.never, "hash_fields": choice.hashed}
    known = {key: {_overriding_field(sobject, name, key).name for name in names} for key, names in named.items()}
    for name in always:
        if name in known["exclude_fields"]:
            raise UnusableOverride(f"exclude_fields names {name}, without which {sobject.name} cannot be read.")
    for name in (PRIMARY_KEY, *always):
        if name in known["hash_fields"]:
            raise UnusableOverride(f"hash_fields names {name}, by which rows of {sobject.name} are told apart.")
    kept = [
        _hashed(field) if field.name in known["hash_fields"] else field
        for field in sobject.fields
        if field.name not in known["exclude_fields"]
        and (not choice.only or field.name in known["fields"] or field.name in always)
    ]
    return replace(sobject, fields=tuple(kept))


def _hashed(field: Field) -> Field:
    return replace(field, type="string", length=DIGEST_LENGTH, precision=0, scale=0, calculated=False, formula=None)


def json_schema(sobject: SObject, cursor: Cursor | None = None, lane: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of the object's records, every property nullable, in describe's order.

    ``lane`` says which API reads the object and why; None if that is not worth saying.

    Additional properties are allowed, because Salesforce admins may add fields at any time.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "description": stream_description(sobject, cursor, lane),
        "additionalProperties": True,
        "properties": {field.name: _property(field) for field in sobject.fields},
    }


def stream_description(sobject: SObject, cursor: Cursor | None, lane: str | None = None) -> str:
    """Describe the object for users: its label, what incremental syncs see, its lane, which fields are missing."""
    kind = "custom object" if sobject.custom else "standard object"
    sentences = [f"{' '.join(sobject.label.split())} ({kind}).", _cursor_sentence(cursor)]
    if lane is not None:
        sentences.append(f"Read through {lane}.")
    if sobject.left_out:
        missing = ", ".join(skipped.field for skipped in sobject.left_out)
        sentences.append(f"Not read, because Bulk queries cannot return it: {missing}.")
    return " ".join(sentences)


# Parsing.


def _parse_field(entry: object) -> Field:
    if not isinstance(entry, Mapping):
        raise UnreadableDescribe("The answer has an entry that is not a field.")
    name = _name(entry)
    return Field(
        name=name,
        type=_word(entry, "type"),
        label=_text(entry, "label") or name,
        help_text=_text(entry, "inlineHelpText"),
        nillable=_flag(entry, "nillable", default=True),
        filterable=_flag(entry, "filterable", default=True),
        calculated=_flag(entry, "calculated", default=False),
        length=_number(entry, "length"),
        precision=_number(entry, "precision"),
        scale=_number(entry, "scale"),
        compound_field_name=_text(entry, "compoundFieldName"),
        reference_to=_names(entry.get("referenceTo")),
        formula=_text(entry, "calculatedFormula"),
    )


def _left_out(described: Sequence[Field]) -> tuple[LeftOut, ...]:
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for field in described:
        if field.compound_field_name is not None and field_type(field.type).bulk:
            parts[field.compound_field_name.lower()].append(field.name)
    reasons = ((field.name, field_type(field.type).not_in_bulk) for field in described)
    return tuple(
        LeftOut(name, f"{reason}; read instead: {', '.join(parts[name.lower()])}" if name.lower() in parts else reason)
        for name, reason in reasons
        if reason is not None
    )


def _name(entry: Mapping[str, object]) -> str:
    name = entry.get("name")
    try:
        return check_name(name if isinstance(name, str) else "")
    except ValueError as error:
        raise UnreadableDescribe("The answer has an object or field without an API name.") from error


def _names(value: object) -> tuple[str, ...]:
    """Return the API names in a list; other entries are ignored."""
    entries = value if isinstance(value, list) else []
    return tuple(word for word in (_word({"name": entry}, "name") for entry in entries) if word)


def _text(entry: Mapping[str, object], key: str) -> str | None:
    """Return a text with printable characters only; None if it is blank."""
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        return None
    return "".join(char if char.isprintable() or char.isspace() else "\ufffd" for char in value)


def _word(entry: Mapping[str, object], key: str) -> str:
    """Return one of Salesforce's words; empty if the response has none."""
    try:
        return check_name(_text(entry, key) or "")
    except ValueError:
        return ""


def _flag(entry: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = entry.get(key)
    return value if isinstance(value, bool) else default


def _number(entry: Mapping[str, object], key: str) -> int:
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


# Cursor and key.


def _can_be_cursor(field: Field) -> bool:
    return field.filterable and field_type(field.type).kind is CellKind.DATETIME


def _cursor(field: Field) -> Cursor:
    return Cursor(field.name, field.nillable, sees_updates=_is_among(field.name, _CHANGE_STAMPS))


def _is_among(name: str, stamps: Sequence[str]) -> bool:
    return name.lower() in {stamp.lower() for stamp in stamps}


def _overriding_cursor(sobject: SObject, name: str) -> Cursor:
    field = _overriding_field(sobject, name, "cursor_field")
    if not _can_be_cursor(field):
        usable = ", ".join(field.name for field in sobject.fields if _can_be_cursor(field)) or "it has none"
        raise UnusableOverride(
            f"cursor_field {field.name} of {sobject.name} cannot be a cursor: that takes a datetime field that can be "
            f"filtered on ({usable})."
        )
    return _cursor(field)


def _overriding_field(sobject: SObject, name: str, key: str) -> Field:
    field = sobject.field(name)
    if field is None:
        near = get_close_matches(name.lower(), [existing.name.lower() for existing in sobject.fields], n=1)
        meant = sobject.field(near[0]) if near else None
        hint = f" Did you mean {meant.name}?" if meant else ""
        text = f"{key} names {name[:80]}, but {sobject.name} has no such field that Bulk can read.{hint}"
        raise UnusableOverride(f"{text} Correct the name, or give the user access to the field.")
    return field


# Words.


def _property(field: Field) -> dict[str, Any]:
    # A deep copy, because callers may change a schema.
    schema = _copied(field_type(field.type).json_schema)
    if field.parts:
        schema["properties"] = {part.key: _copied(field_type(part.type).json_schema) for part in field.parts}
    sentences = [_sentence(field.label or field.name)]
    if field.help_text:
        sentences.append(_sentence(field.help_text))
    if field.calculated:
        sentences.append("Calculated by Salesforce: when it changes, the row's cursor may not.")
    return schema | {"description": " ".join(sentences)}


def _copied(schema: Mapping[str, object]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, list) else value for key, value in schema.items()}


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _cursor_sentence(cursor: Cursor | None) -> str:
    if cursor is None:
        return "Full refresh only: it has no field that shows every change and can be filtered on."
    if cursor.sees_updates:
        return f"Incremental by {cursor.field}."
    if _is_among(cursor.field, _BIRTH_STAMPS):
        return f"Incremental by {cursor.field}, which sees new rows only: a later change of a row may not be read."
    # Only the user knows what changes a field of their own choice.
    return f"Incremental by {cursor.field}: a change of a row is read only where {cursor.field} moved with it."
