"""Find the objects that can be read, with their keys, cursors and schemas."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from source_salesforce_bulk.config import Config, DetectDeletes, ObjectOverride
from source_salesforce_bulk.deletions.tombstones import with_tombstone_fields
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.compounds import choose_with_compounds
from source_salesforce_bulk.salesforce.describe import (
    Cursor,
    FieldChoice,
    SObject,
    choose_cursor,
    choose_primary_key,
    json_schema,
)
from source_salesforce_bulk.salesforce.discovery import Discovery, LeftOutObject
from source_salesforce_bulk.salesforce.failures import Consequence, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind, field_type
from source_salesforce_bulk.salesforce.formulas import NO_FORMULAS, Formulas, sort_formulas
from source_salesforce_bulk.salesforce.lanes import BULK, Api, Lane, choose_lane
from source_salesforce_bulk.salesforce.object_hints import Reason, is_named, patterns_without_match

LOGGER = logging.getLogger("salesforce_bulk.catalog")

_ID = "id"
_CREATED = "CreatedDate"
_NOT_OFFERED = "Not offered: %s: %s"
_EXCLUDE = "If this continues, leave the object out with exclude_objects."


@dataclass(frozen=True, slots=True)
class ReadableObject:
    """An object with its primary key and cursor.

    ``audited`` are the columns with which deleted rows are detected; empty if they are not detected. ``formulas`` are
    the formulas that are refreshed, and ``refreshed_by`` is the Id's column; None if none are.
    """

    sobject: SObject
    primary_key: tuple[str, ...]
    cursor: Cursor | None
    where: str | None
    hashing: Hashing | None = None
    audited: tuple[Column, ...] = ()
    formulas: Formulas = NO_FORMULAS
    refreshed_by: Column | None = None
    lane: Lane = BULK

    @property
    def cursor_field(self) -> str | None:
        """The cursor's name; None if the object supports full refresh only."""
        return self.cursor.field if self.cursor else None

    @property
    def json_schema(self) -> Mapping[str, Any]:
        """The object's JSON Schema with its descriptions."""
        notable = self.lane.rest or self.lane.chosen
        return json_schema(self.sobject, self.cursor, str(self.lane) if notable else None)

    def lane_after(self, *, refused: bool) -> Lane:
        """Return the lane; ``refused`` is true if an earlier run has found that Bulk refuses the object."""
        chosen = self.lane.rest or self.lane.chosen or not refused
        return self.lane if chosen else choose_lane(self.sobject, where=self.where, refused=True)


def readable_object(sobject: SObject, config: Config) -> ReadableObject:
    """Apply the configuration to an object; raises ValueError with a sentence for an invalid override."""
    override = config.override_for(sobject.name) or ObjectOverride(sobject.name)
    primary_key = choose_primary_key(sobject, override.primary_key or ())
    lane = choose_lane(sobject, Api(override.api), where=override.where)
    if lane.parents is not None:
        _check_no_cursor(override)
    cursor = choose_cursor(sobject, override.cursor_field) if lane.parents is None else None
    choice = FieldChoice(override.fields, override.exclude_fields, override.hash_fields)
    described, sobject = sobject, _without_formulas(sobject, config, choice, {*primary_key, *_names(cursor)})
    audited = _audited(sobject, primary_key, cursor, choice) if config.detect_deletes is DetectDeletes.ALL else ()
    always = {*primary_key, *_names(cursor), *(column.name for column in audited)}
    chosen = choose_with_compounds(sobject, choice, always, override.compound_fields or config.compound_fields)
    key = _refreshed_by(chosen, cursor, config)
    return ReadableObject(
        sobject=with_tombstone_fields(chosen) if audited else chosen,
        primary_key=primary_key,
        cursor=cursor,
        where=override.where,
        hashing=Hashing(override.hash_fields, config.hash_key or "") if override.hash_fields else None,
        audited=audited,
        formulas=_refreshed(described, chosen, config) if key is not None else NO_FORMULAS,
        refreshed_by=key,
        lane=lane,
    )


def _names(cursor: Cursor | None) -> tuple[str, ...]:
    return (cursor.field,) if cursor is not None else ()


def _without_formulas(sobject: SObject, config: Config, choice: FieldChoice, always: Collection[str]) -> SObject:
    """Leave out formulas where they are not to be read, except those that the user named and those in ``always``."""
    if config.formula_fields != "leave_out":
        return sobject
    named = {name.lower() for name in (*choice.only, *choice.never, *choice.hashed, *always)}
    left = {field.name for field in sobject.fields if field.calculated and field.name.lower() not in named}
    if left:
        LOGGER.info("%s: %d formula fields are not read (formula_fields is leave_out)", sobject.name, len(left))
    return replace(sobject, fields=tuple(field for field in sobject.fields if field.name not in left))


def _refreshed_by(sobject: SObject, cursor: Cursor | None, config: Config) -> Column | None:
    """Return the Id if formulas are refreshed; None if not, and for objects without an Id or always read in full."""
    key = sobject.field(_ID)
    if config.formula_fields != "refresh" or cursor is None or key is None:
        return None
    return Column(key.name, CellKind.STRING)


def _refreshed(described: SObject, chosen: SObject, config: Config) -> Formulas:
    """Return the formulas to refresh among the ``chosen`` fields, and log the others.

    The texts of all formulas are used, even of those that are not read, because other formulas may name them.
    """
    read = {field.name for field in chosen.fields}
    found = sort_formulas(described.fields)
    steady, clock, unsure = (
        tuple(name for name in names if name in read) for names in (found.steady, found.clock, found.unsure)
    )
    if clock and config.clock_formulas == "leave_out":
        LOGGER.info(
            "%s: %s follow the clock; their values are those of the moment at which the row was read. To refresh them "
            "once a day, set clock_formulas to daily",
            described.name,
            ", ".join(clock),
        )
        clock = ()
    if unsure:
        LOGGER.info(
            "%s: it cannot be told from describe if %s follow the clock; they are refreshed in each run",
            described.name,
            ", ".join(unsure),
        )
    return Formulas(steady, clock, unsure)


def _audited(
    sobject: SObject, primary_key: tuple[str, ...], cursor: Cursor | None, choice: FieldChoice
) -> tuple[Column, ...]:
    """Return Id and creation date; empty if the object is always read in full, or its key is not its Id.

    The creation date is left out if the user has excluded or hashed it.
    """
    if cursor is None or [name.lower() for name in primary_key] != [_ID]:
        return ()
    created = sobject.field(_CREATED)
    changed = {name.lower() for name in (*choice.never, *choice.hashed)}
    kept = created is not None and created.name.lower() not in changed
    return (
        Column(primary_key[0], CellKind.STRING),
        *((Column(created.name, field_type(created.type).kind),) if created is not None and kept else ()),
    )


def _check_no_cursor(override: ObjectOverride) -> None:
    """Raise ValueError for a cursor of an object that is read by its parents: it takes no other filter."""
    if override.cursor_field is not None:
        raise ValueError(
            f"cursor_field: {override.object} is read in full, by its parents, because Salesforce takes no other "
            "filter. Leave cursor_field out, or give the object a where."
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """The objects that match the configuration's patterns: those that can be read, by name, and the others.

    ``known`` are the names of all objects that the user can see.
    """

    objects: tuple[ReadableObject, ...]
    left_out: tuple[LeftOutObject, ...]
    known: tuple[str, ...] = ()

    @property
    def missed(self) -> tuple[LeftOutObject, ...]:
        """The objects that the user named and that cannot be read."""
        return tuple(skipped for skipped in self.left_out if skipped.wanted)


def discover_objects(discovery: Discovery, config: Config) -> list[ReadableObject]:
    """Return every object that matches the configuration's patterns and that Bulk API should be able to read, by name.

    Objects that are left out are logged with the reason. Raises ``SalesforceError`` if the org cannot be described at
    all, and ValueError for an invalid override.
    """
    survey = find_objects(discovery, config)
    for missing in survey.missed:
        LOGGER.warning(_NOT_OFFERED, missing.name, missing.reason)
    return list(survey.objects)


def survey_objects(discovery: Discovery, config: Config) -> Survey:
    """Like :func:`discover_objects`, for commands that read the objects and report missing ones themselves.

    Also raises the ValueError of :func:`check_overrides`.
    """
    survey = find_objects(discovery, config)
    check_overrides(config, survey.missed)
    return survey


def check_overrides(config: Config, missed: Iterable[LeftOutObject]) -> None:
    """Raise ValueError for an override of a misspelt object, whose name resembles an existing one.

    Otherwise the existing object would be read without its override.
    """
    for missing in missed:
        if missing.meant and config.override_for(missing.name):
            raise ValueError(f"{missing.name}: {missing.reason}")


def find_objects(discovery: Discovery, config: Config) -> Survey:
    """Like :func:`survey_objects`, for commands that only list objects: misspelt overrides are not an error."""
    overridden = [override.object for override in config.overrides.values()]
    listing = discovery.list_objects(config.objects, config.exclude_objects, overridden)
    named = [*config.objects, *overridden]
    left_out: list[LeftOutObject] = []

    def leave_out(skipped: LeftOutObject, level: int = logging.INFO) -> None:
        left_out.append(skipped)
        if not skipped.wanted:
            LOGGER.log(level, _NOT_OFFERED, skipped.name, skipped.reason)

    for skipped in listing.left_out:
        leave_out(skipped)
    objects = []
    for name, result in sorted(_described(discovery, [selected.name for selected in listing.selected]).items()):
        if isinstance(result, SalesforceError):
            failure, wanted = result.failure, is_named(name, named)
            if failure.consequence is Consequence.CONFIG:
                leave_out(LeftOutObject(name, failure.summary, wanted), logging.WARNING)
            else:
                reason = f"Salesforce describes other objects, but not this one: {failure.summary} {_EXCLUDE}"
                leave_out(LeftOutObject(name, reason, wanted=True))
        elif not result.fields:
            leave_out(LeftOutObject(name, Reason.NO_FIELDS, is_named(name, named)))
        else:
            for unknown in result.unknown_types:
                LOGGER.info("%s has fields of the unknown type %s; they are read as text", name, unknown)
            objects.append(readable_object(result, config))
    for pattern in patterns_without_match(config.objects, [readable.sobject.name for readable in objects]):
        LOGGER.warning("%s matches no object that can be read", pattern)
    return Survey(tuple(objects), tuple(left_out), listing.known)


def _described(discovery: Discovery, names: Sequence[str]) -> Mapping[str, SObject | SalesforceError]:
    """Describe the objects; a failure in the result concerns only its object.

    An outage must not look like an org with fewer objects. So failed describes are requested once more, together with
    one that succeeded. If that one fails now, the first failure is raised.
    """
    described = discovery.describe(names)
    failed = {name: error for name, error in described.items() if _unanswered(error)}
    if not failed:
        return described
    witness = next((name for name in described if name not in failed), None)
    again = discovery.describe([witness, *failed]) if witness else {}
    if witness is None or _unanswered(again[witness]):
        name, error = next(iter(failed.items()))
        raise SalesforceError(replace(error.failure, summary=f"{name}: {error.failure.summary}")) from error
    return {**described, **again}


def _unanswered(result: SObject | SalesforceError) -> TypeGuard[SalesforceError]:
    return isinstance(result, SalesforceError) and result.failure.consequence is not Consequence.CONFIG
