"""Which fields are new to a destination, and which rows are read again for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.extraction.new_fields import (
    MOST_CONDITIONS,
    NEW_FIELDS,
    BackfillPolicy,
    NewFieldsWatch,
    backfill_policy,
    new_fields,
)
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import Bounds

START, CURSOR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 8, 2, 12, tzinfo=UTC)


def remembered(*names: str) -> StreamState:
    return StreamState(Mode.INCREMENTAL, fields=names)


def watch(policy: BackfillPolicy, state: StreamState, start: datetime | None = None) -> NewFieldsWatch:
    return NewFieldsWatch("Account", policy, state, start)


def policy(*names: str, other: tuple[str, ...] = ()) -> BackfillPolicy:
    return BackfillPolicy(tuple(sorted((*names, *other))), frozenset(names))


def conditions(found: NewFieldsWatch) -> list[str | None]:
    return [window.bounds.only for window in found.windows(CURSOR)]


def test_the_policy_has_the_delivered_fields_and_those_that_a_condition_can_find():
    sobject = SObject(
        "Account",
        "Account",
        custom=False,
        fields=(
            Field("Id", "id"),
            Field("Vip__c", "boolean"),
            Field("Notes__c", "textarea", filterable=False),
            Field("BillingAddress", "address"),
        ),
        folded=(Field("BillingCity", "string"),),
    )
    columns = (
        Column("Id", CellKind.STRING),
        Column("Vip__c", CellKind.BOOLEAN),
        Column("Notes__c", CellKind.STRING),
        Column("BillingAddress", CellKind.STRING, parts=(("city", "BillingCity"),)),
        Column("BillingCity", CellKind.STRING, shown=False),
    )
    found = backfill_policy(sobject, columns)
    assert found.names == ("BillingAddress", "Id", "Notes__c", "Vip__c")
    assert found.comparable == {"Id"}


def test_without_a_memory_no_field_is_new_and_all_are_remembered():
    found = watch(policy("Id", "Name"), StreamState(Mode.INCREMENTAL, cursor=CURSOR))
    assert (found.windows(CURSOR), found.memory) == ((), ("Id", "Name"))


def test_names_are_compared_without_their_case():
    assert new_fields(policy("Id", "REGION__C"), remembered("id", "Region__c")) == ()


def test_one_window_before_the_cursor_has_the_rows_with_a_value_in_any_new_field():
    found = watch(policy("Id", "A__c", "B__c"), remembered("Id"), START)
    only = "A__c != null OR B__c != null"
    assert found.windows(CURSOR) == (PlannedWindow(Bounds(START, CURSOR, None, None, only), extra=NEW_FIELDS),)


def test_a_field_that_no_condition_finds_makes_the_window_one_of_all_rows():
    assert conditions(watch(policy("Id", "A__c", other=("Vip__c",)), remembered("Id"))) == [None]


def test_a_known_field_that_no_condition_finds_changes_nothing():
    assert conditions(watch(policy("Id", "A__c", other=("Vip__c",)), remembered("Id", "Vip__c"))) == ["A__c != null"]


@pytest.mark.parametrize(("more", "all_rows"), [(0, False), (1, True)])
def test_many_new_fields_are_read_with_all_rows(more: int, all_rows: bool):
    names = [f"A{at:02d}__c" for at in range(MOST_CONDITIONS + more)]
    (only,) = conditions(watch(policy("Id", *names), remembered("Id")))
    assert (only is None) is all_rows


def test_the_log_names_some_of_the_new_fields(caplog):
    caplog.set_level("INFO")
    watch(policy("Id", *(f"A{at}__c" for at in range(7))), remembered("Id")).windows(CURSOR)
    said = "new fields: A0__c, A1__c, A2__c, A3__c, A4__c and 2 more; rows in which they have a value are read again"
    assert caplog.messages == [f"Account: {said}"]


def test_a_field_that_has_vanished_leaves_the_memory_at_once():
    assert watch(policy("Id"), remembered("Id", "Gone__c")).memory == ("Id",)


def test_new_fields_are_remembered_when_their_whole_window_was_delivered():
    found = watch(policy("Id", "A__c"), remembered("Id"), START)
    (window,) = found.windows(CURSOR)
    for part in ({"start": CURSOR}, {"id_from": "001"}, {"id_to": "002"}):
        found.delivered(replace(window.bounds, **part))
        assert found.memory == ("Id",)
    found.delivered(window.bounds)
    assert (found.memory, found.windows(CURSOR)) == (("A__c", "Id"), ())


def test_new_fields_are_remembered_when_every_part_was_delivered():
    found = watch(policy("Id", "A__c"), remembered("Id"))
    found.settle()
    assert found.memory == ("A__c", "Id")
