from __future__ import annotations

import pytest

from source_salesforce_bulk.extraction.selection import object_query, select_fields
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.describe import Cursor, Field, SObject
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import ObjectQuery

CURSOR = Cursor(field="SystemModstamp", nillable=False, sees_updates=True)


def sobject(*fields: tuple[str, str]) -> SObject:
    return SObject(
        name="Account",
        label="Account",
        custom=False,
        fields=tuple(Field(name, kind) for name, kind in fields),
    )


ACCOUNT = sobject(
    ("Id", "id"), ("IsDeleted", "boolean"), ("Name", "string"), ("Size__c", "double"), ("SystemModstamp", "datetime")
)


def names(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns]


def test_without_a_wish_every_field_is_read():
    selection = select_fields(ACCOUNT, None, {"Id"})
    assert names(selection.columns) == ["Id", "IsDeleted", "Name", "Size__c", "SystemModstamp"]
    assert selection.vanished == ()


def test_wanted_fields_come_in_describes_order_with_those_that_are_always_read():
    selection = select_fields(ACCOUNT, ["Size__c", "Name"], {"Id", "SystemModstamp"})
    assert names(selection.columns) == ["Id", "Name", "Size__c", "SystemModstamp"]


def test_a_column_is_read_as_its_fields_type_says():
    kinds = {column.name: column.kind for column in select_fields(ACCOUNT, None, ()).columns}
    assert kinds["Name"] is CellKind.STRING
    assert len({kinds["Name"], kinds["IsDeleted"], kinds["Size__c"], kinds["SystemModstamp"]}) == 4


def test_a_field_that_is_gone_is_named_and_not_selected():
    selection = select_fields(ACCOUNT, ["Name", "Old__c", "Hidden__c"], {"Id"})
    assert names(selection.columns) == ["Id", "Name"]
    assert selection.vanished == ("Hidden__c", "Old__c")


@pytest.mark.parametrize("asked_for", ["name", "NAME", "nAMe"])
def test_a_field_is_found_in_any_letter_case_and_read_under_the_name_asked_for(asked_for):
    selection = select_fields(ACCOUNT, [asked_for, "SIZE__C"], {"Id"})
    assert names(selection.columns) == ["Id", asked_for, "SIZE__C"]
    assert selection.vanished == ()


@pytest.mark.parametrize("flag", ["IsDeleted", "ISDELETED", "isdeleted"])
def test_a_selected_deletion_flag_is_known_in_any_letter_case(flag):
    columns = select_fields(ACCOUNT, [flag], {"Id"}).columns
    assert not object_query(ACCOUNT, columns, None, where=None, include_deleted=True).exclude_deleted


DEFINITION = sobject(("DurableId", "string"), ("Label", "string"))
"""An object as some metadata objects are: no Id, nothing to cut windows by."""


def test_a_selection_whose_fields_have_all_vanished_is_no_query_and_says_what_to_do():
    with pytest.raises(SalesforceError) as raised:
        select_fields(DEFINITION, {"Old__c", "Hidden__c"}, ())
    failure = raised.value.failure
    assert (failure.kind, failure.consequence, failure.action) == (
        Kind.FIELD_GONE,
        Consequence.CONFIG,
        Action.FAIL_STREAM,
    )
    assert "(Hidden__c, Old__c) the object has none any more." in failure.summary
    assert failure.guidance.startswith("{Look_again} and select fields that the object has")


def test_of_many_vanished_fields_the_first_are_named():
    with pytest.raises(SalesforceError, match=r"\(F00__c, .*, F09__c and 2 more\)"):
        select_fields(DEFINITION, {f"F{number:02d}__c" for number in range(12)}, ())


def test_an_object_without_a_field_to_select_is_none_that_bulk_can_read():
    with pytest.raises(SalesforceError) as raised:
        select_fields(sobject(), None, ())
    assert raised.value.failure.kind is Kind.OBJECT_NOT_SUPPORTED


def query(sobject_: SObject = ACCOUNT, wanted=None, cursor: Cursor | None = CURSOR, **changes) -> ObjectQuery:
    columns = select_fields(sobject_, wanted, {"Id"}).columns
    return object_query(sobject_, columns, cursor, **({"where": None, "include_deleted": True} | changes))


def test_the_query_selects_exactly_the_columns_in_their_order():
    assert query(wanted=["Size__c", "Name"]).fields == ("Id", "Name", "Size__c")


@pytest.mark.parametrize(("include_deleted", "operation"), [(True, "queryAll"), (False, "query")])
def test_deleted_rows_are_a_matter_of_the_operation(include_deleted, operation):
    assert query(include_deleted=include_deleted).operation == operation


def test_a_deleted_row_never_arrives_looking_alive():
    assert query(wanted=["Name"]).exclude_deleted
    assert not query(wanted=["Name", "IsDeleted"]).exclude_deleted
    assert not query(wanted=["Name"], include_deleted=False).exclude_deleted


def test_an_object_without_the_flag_is_not_filtered_by_it():
    assert not query(sobject(("Id", "id"), ("Name", "string"))).exclude_deleted


def test_the_cursor_and_whether_it_may_be_null_come_from_describe():
    nullable = Cursor(field="LastLoginDate", nillable=True, sees_updates=True)
    assert (query().cursor_field, query().cursor_nillable) == ("SystemModstamp", False)
    assert (query(cursor=nullable).cursor_field, query(cursor=nullable).cursor_nillable) == ("LastLoginDate", True)
    assert (query(cursor=None).cursor_field, query(cursor=None).cursor_nillable) == (None, False)


def test_the_users_filter_goes_with_the_query():
    assert query(where="Name LIKE 'A%'").where == "Name LIKE 'A%'"
