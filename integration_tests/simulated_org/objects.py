"""Objects and the org's schema, which can change while the org runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from integration_tests.simulated_org.errors import ErrorTemplate
from integration_tests.simulated_org.fields import Field, parse_fields
from integration_tests.simulated_org.ids import EMPTY_ID, record_id, uneven_id

Audit = Literal["full", "undeleted", "modified", "created", "login", "none"]

_FULL = """
IsDeleted boolean required
CreatedDate datetime required
CreatedById reference(User:CreatedBy) required
LastModifiedDate datetime required
LastModifiedById reference(User:LastModifiedBy) required
SystemModstamp datetime required
"""
_AUDIT: dict[Audit, str] = {
    "full": _FULL,
    "undeleted": _FULL.replace("IsDeleted boolean required\n", ""),
    "modified": "IsDeleted boolean required\nLastModifiedDate datetime required\n"
    "LastModifiedById reference(User:LastModifiedBy) required",
    "created": "IsDeleted boolean required\nCreatedDate datetime required\n"
    "CreatedById reference(User:CreatedBy) required",
    "login": "",
    "none": "",
}


@dataclass(frozen=True, slots=True)
class SObject:
    """One object as the catalog declares it; `volume` is its row count at scale 1."""

    name: str
    prefix: str
    fields: tuple[Field, ...]
    volume: int = 0
    planned: int | None = None  # only this number of rows is given: they are made up for each query
    label: str = ""
    queryable: bool = True
    replicateable: bool = True
    retrieveable: bool = True  # False with queryable: a virtual object
    hidden: bool = False  # deprecatedAndHidden
    custom_setting: bool = False
    associate: str | None = None  # History, Share, Feed, ChangeEvent
    parent: str | None = None
    soft_deletes: bool = True
    empty_ids: bool = False  # every row has the Id 000000000000000AAA
    uneven_ids: bool = False  # Ids lie in clumps and not in the order of creation
    chunkable: bool = True
    bulk_refusal: ErrorTemplate | None = None  # what job creation answers
    rest_refusal: ErrorTemplate | None = None  # what the query resource answers
    filter_required: tuple[str, ...] = ()  # one of these must stand in the WHERE
    filter_refusal: ErrorTemplate | None = None
    filter_with_others: tuple[str, ...] | None = None  # only `=` on one of these admits further conditions

    def row_id(self, n: int) -> str:
        """Return the Id of the n-th row ever made."""
        if self.empty_ids:
            return EMPTY_ID
        return uneven_id(self.prefix, n, self.volume) if self.uneven_ids else record_id(self.prefix, n)

    @property
    def custom(self) -> bool:
        """True for an object that a customer made."""
        return "__" in self.name

    def field(self, name: str) -> Field | None:
        """Find a field by its name in any case."""
        wanted = name.lower()
        return next((one for one in self.fields if one.name.lower() == wanted), None)


def declare(
    name: str, prefix: str, text: str, *, audit: Audit = "full", with_id: bool = True, **more: object
) -> SObject:
    """Declare an object from catalog lines; `Id` and the audit fields are added."""
    fields = parse_fields(("Id id required\n" if with_id else "") + text.replace(";", "\n") + "\n" + _AUDIT[audit])
    return replace(SObject(name, prefix, fields), **more)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Entry:
    declared: SObject
    changed: datetime
    hidden_fields: set[tuple[str | None, str]] = field(default_factory=set)  # of a login, None: of every login


class Schema:
    """The objects of the org by name, case-insensitive, as the connected user sees them."""

    def __init__(self, objects: Iterable[SObject], now: datetime) -> None:
        self._entries = {one.name.lower(): _Entry(one, now.replace(microsecond=0)) for one in objects}

    def __iter__(self) -> Iterator[SObject]:
        return iter([self._seen(entry) for entry in list(self._entries.values())])

    def find(self, name: str, login: str | None = None) -> SObject | None:
        """Return the object with only the fields that a login may see; None if it may see none."""
        entry = self._entries.get(name.lower())
        return None if entry is None else self._seen(entry, login)

    def declared(self, name: str) -> SObject:
        """Return the object with all its fields.

        :raises KeyError: there is no such object.
        """
        return self._entries[name.lower()].declared

    def changed(self, name: str) -> datetime:
        """Return the moment the object's metadata last changed."""
        return self._entries[name.lower()].changed

    def add_object(self, declared: SObject, now: datetime) -> None:
        """Add an object, or bring a removed one back."""
        self._entries[declared.name.lower()] = _Entry(declared, now)

    def remove_object(self, name: str) -> None:
        """Take an object away; queries on it then fail as on an unknown one."""
        del self._entries[name.lower()]

    def add_field(self, name: str, added: Field, now: datetime) -> None:
        """Add a field at the end, or replace the one of that name in place."""
        entry = self._entries[name.lower()]
        fields = list(entry.declared.fields)
        at = next((at for at, one in enumerate(fields) if one.name.lower() == added.name.lower()), len(fields))
        fields[at : at + 1] = [added]
        self._change(entry, replace(entry.declared, fields=tuple(fields)), now)

    def remove_field(self, name: str, field_name: str, now: datetime) -> None:
        """Take a field away."""
        entry = self._entries[name.lower()]
        fields = tuple(one for one in entry.declared.fields if one.name.lower() != field_name.lower())
        self._change(entry, replace(entry.declared, fields=fields), now)

    def rename_field(self, name: str, field_name: str, new_name: str, now: datetime) -> None:
        """Return a field another name, or another spelling of its name, in its place.

        :raises KeyError: there is no such field.
        """
        entry = self._entries[name.lower()]
        found = entry.declared.field(field_name)
        if found is None:
            raise KeyError(field_name)
        fields = [replace(one, name=new_name) if one is found else one for one in entry.declared.fields]
        self._change(entry, replace(entry.declared, fields=tuple(fields)), now)

    def hide_field(
        self, name: str, field_name: str, now: datetime, *, hidden: bool = True, login: str | None = None
    ) -> None:
        """Hide a field by field-level security, from a login or from all, or show it again."""
        entry = self._entries[name.lower()]
        (entry.hidden_fields.add if hidden else entry.hidden_fields.discard)((login, field_name.lower()))
        self._change(entry, entry.declared, now)

    def _change(self, entry: _Entry, declared: SObject, now: datetime) -> None:
        entry.declared = declared
        entry.changed = now.replace(microsecond=0)

    def _seen(self, entry: _Entry, login: str | None = None) -> SObject:
        hidden = {name for whom, name in entry.hidden_fields if whom in (None, login)}
        if not hidden:
            return entry.declared
        fields = tuple(one for one in entry.declared.fields if one.name.lower() not in hidden)
        return replace(entry.declared, fields=fields)
