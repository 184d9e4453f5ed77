"""A row that has vanished, as it is told: its key, ``IsDeleted``, when its absence was seen, and the cursor. Pure.

All other fields are null. The cursor is the moment of the audit, because destinations and queries keep the row with the
newest cursor: with null there, the row as it was last read would win, and the deletion be lost. An undeleted row is
stamped later still, so it wins in its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.soql import format_instant

DELETED_AT = "_ab_cdc_deleted_at"
"""The field that Airbyte's destinations take for the mark of a deleted row."""

IS_DELETED = "IsDeleted"


@dataclass(frozen=True, slots=True)
class Vanished:
    """A row that the org does not have any more, as was ``seen`` then. A tombstone tells it."""

    record_id: str
    seen: datetime


def with_tombstone_fields(sobject: SObject) -> SObject:
    """Return the object with the fields that only tombstones have, which no query selects."""
    when = "When it was seen that the row is gone from the org: purged, deleted for good, or merged."
    flag = Field(IS_DELETED, "boolean", label="Deleted", help_text="True in a row that is gone.", added=True)
    added = [Field(DELETED_AT, "datetime", label="Deleted at", help_text=when, added=True)]
    if sobject.field(IS_DELETED) is None:
        added.insert(0, flag)
    return replace(sobject, fields=(*sobject.fields, *added))


def tombstone(record_id: str, seen: datetime, *, key: str, cursor: str) -> Mapping[str, str | bool]:
    """Return the row which says that ``record_id`` was gone when an audit began, at ``seen``."""
    moment = format_instant(seen)
    return {key: record_id, IS_DELETED: True, cursor: moment, DELETED_AT: moment}
