"""The rows that mark deletions, and the fields that only they have."""

from __future__ import annotations

from datetime import UTC, datetime

from source_salesforce_bulk.deletions.tombstones import DELETED_AT, tombstone, with_tombstone_fields
from source_salesforce_bulk.salesforce.describe import Field, SObject, json_schema

SEEN = datetime(2026, 11, 23, 2, tzinfo=UTC)


def test_a_tombstone_wins_by_its_cursor():
    told = tombstone("001A", SEEN, key="Id", cursor="SystemModstamp")
    moment = "2026-11-23T02:00:00.000Z"
    assert told == {"Id": "001A", "IsDeleted": True, "SystemModstamp": moment, DELETED_AT: moment}


def test_the_schema_gets_what_it_lacks():
    plain = SObject("Account", "Account", custom=False, fields=(Field("Id", "id"), Field("IsDeleted", "boolean")))
    assert [field.name for field in with_tombstone_fields(plain).fields if field.added] == [DELETED_AT]
    bare = SObject("LoginHistory", "Login", custom=False, fields=(Field("Id", "id"),))
    added = with_tombstone_fields(bare)
    assert [field.name for field in added.fields if field.added] == ["IsDeleted", DELETED_AT]
    assert json_schema(added)["properties"][DELETED_AT]["format"] == "date-time"
