"""Tombstones: the rows that report deletions, with key, ``IsDeleted``, the time of detection and the cursor. Pure.

All other fields are null. The cursor is the time of the audit, because destinations and queries keep the row with the
newest cursor: with null, the last version of the row would win, and the deletion would be lost. An undeleted row has a
later timestamp, so it wins again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.soql import format_instant

DELETED_AT = "_ab_cdc_deleted_at"
"""The field that Airbyte's destinations interpret as the mark of a deleted row."""

IS_DELETED = "IsDeleted"


@dataclass(frozen=True, slots=True)
class Vanished:
    """A row that was deleted from the org, as detected at ``seen``. A tombstone reports it."""

    record_id: str
    seen: datetime


def with_tombstone_fields(sobject: SObject) -> SObject:
    """Return the object with the fields that only tombstones have, which no query selects."""
    when = "When it was detected that the row is gone from the org: purged, permanently deleted, or merged."
    flag = Field(IS_DELETED, "boolean", label="Deleted", help_text="True if the row is gone.", added=True)
    added = [Field(DELETED_AT, "datetime", label="Deleted at", help_text=when, added=True)]
    if sobject.field(IS_DELETED) is None:
        added.insert(0, flag)
    return replace(sobject, fields=(*sobject.fields, *added))


def tombstone(record_id: str, seen: datetime, *, key: str, cursor: str) -> Mapping[str, str | bool]:
    """Return the row that reports the deletion of ``record_id``; the audit began at ``seen``."""
    moment = format_instant(seen)
    return {key: record_id, IS_DELETED: True, cursor: moment, DELETED_AT: moment}
