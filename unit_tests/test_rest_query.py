"""The queries of the REST lane, and the required parts of an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pytest

from source_salesforce_bulk.salesforce.ids import id_18, number_id
from source_salesforce_bulk.salesforce.rest_query import (
    IDS_IN_ONE_QUERY,
    Batch,
    Parents,
    RestQuestion,
    ids_among,
    query_of_ids,
    rows_of_a_page,
)
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql
from source_salesforce_bulk.salesforce.wire import UnreadableBody

WINDOW = Bounds(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC), None, None)
QUERY = ObjectQuery("CaseStatus", ("Id", "Name"), "queryAll", cursor_field="SystemModstamp", where="Name != null")
QUESTION = RestQuestion(QUERY, WINDOW, rows=2000)
LAST = "001A0000006Vm9rIAC"


def test_the_first_page_has_the_jobs_own_conditions_in_the_order_of_ids():
    job = build_soql(QUERY, WINDOW).replace("SELECT Id, Name FROM", "SELECT Id, SystemModstamp, Name FROM")
    assert QUESTION.soql(None) == (f"{job} ORDER BY Id LIMIT 2000",)


def test_a_later_page_begins_behind_the_last_id():
    (soql,) = QUESTION.soql(LAST)
    assert f" AND (Name != null) AND Id > '{LAST}' ORDER BY Id LIMIT 2000" in soql


def test_the_id_is_asked_for_even_where_it_is_not_selected():
    (soql,) = replace(QUESTION, query=replace(QUERY, fields=("Name",), cursor_field=None)).soql(None)
    assert soql.startswith("SELECT Id, Name FROM CaseStatus")


def test_rows_without_ids_are_asked_for_as_a_whole():
    question = RestQuestion(ObjectQuery("X", ("DurableId",), "query"), replace(WINDOW, start=None, end=None), 9)
    assert replace(question, keyed=False, limited=False).soql(None) == ("SELECT DurableId FROM X",)
    assert replace(question, keyed=False).soql(None) == ("SELECT DurableId FROM X LIMIT 9",)


def test_fields_that_do_not_fit_into_an_address_are_asked_for_in_portions_with_key_and_cursor():
    fields = ("Id", *(f"SomeCustomField{number:04d}__c" for number in range(1200)))
    queries = replace(QUESTION, query=replace(QUERY, fields=fields)).soql(LAST)
    assert len(queries) == 3
    assert all(len(quote_plus(soql)) <= 12_100 for soql in queries)
    assert all(soql.startswith("SELECT Id, SystemModstamp, ") for soql in queries)
    asked = [name for soql in queries for name in soql.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")]
    assert sorted(set(asked)) == sorted({*fields, "SystemModstamp"})
    assert len(asked) == len(fields) + 1 + 2 * (len(queries) - 1)


def test_children_are_asked_for_by_their_parents_alone():
    parents = Parents("ContentDocumentId", ("ContentDocument",))
    question = RestQuestion(
        ObjectQuery("ContentDocumentLink", ("ShareType",), "queryAll"), WINDOW, 2000, parents=parents
    )
    assert question.children(["069A", "069B"]) == (
        "SELECT Id, ShareType FROM ContentDocumentLink WHERE ContentDocumentId IN ('069A', '069B')"
    )
    assert question.parents_after("ContentDocument", None) == "SELECT Id FROM ContentDocument ORDER BY Id LIMIT 2000"
    assert question.parents_after("ContentDocument", "069B").endswith("WHERE Id > '069B' ORDER BY Id LIMIT 2000")


def test_a_key_of_a_parent_cannot_end_its_literal():
    question = replace(QUESTION, parents=Parents("EntityDefinitionId", ("EntityDefinition",), "DurableId"))
    assert question.children(["a'b\\"]).endswith(r"IN ('a\'b\\')")


@pytest.mark.parametrize(
    ("page_size", "fields", "rows"),
    [(50_000, 1, 2000), (50_000, 100, 2000), (50_000, 800, 250), (3, 1, 3), (300, 5000, 200)],
)
def test_a_page_of_many_fields_has_fewer_rows(page_size, fields, rows):
    assert rows_of_a_page(page_size, fields) == rows


def test_an_answer_says_how_much_it_holds_and_what_follows():
    batch = Batch.from_json({"records": [{"Id": LAST}], "totalSize": "2", "done": False, "nextRecordsUrl": _NEXT})
    assert (len(batch.records), batch.total, batch.further) == (1, 2, _NEXT)
    assert Batch.from_json({"records": [], "totalSize": 0, "done": True}).further is None


_NEXT = "/services/data/v66.0/query/01gA-2000"


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {"totalSize": 0, "done": True},
        {"records": [], "done": True},
        {"records": [], "totalSize": 0},
        {"records": [], "totalSize": 0, "done": "true"},
        {"records": [7], "totalSize": 1, "done": True},
        {"records": [], "totalSize": 1, "done": False},
        {"records": [], "totalSize": 1, "done": False, "nextRecordsUrl": "https://elsewhere.example/services/data/"},
    ],
)
def test_an_answer_that_does_not_say_so_is_not_read(payload):
    with pytest.raises(UnreadableBody):
        Batch.from_json(payload)


# Rows by their Ids


def test_a_query_for_rows_by_their_ids_fits_into_a_url():
    ids = {id_18(number_id(10**20 + at)) for at in range(IDS_IN_ONE_QUERY)}
    soql = query_of_ids(ObjectQuery("Account", ("Id",), "queryAll"), ids)
    assert all(one in soql for one in ids)
    assert len(quote_plus(soql)) < 12_000
    assert query_of_ids(ObjectQuery("Account", ("Id",), "queryAll", exclude_deleted=True), {LAST}) == (
        f"SELECT Id FROM Account WHERE (Id IN ('{LAST}')) AND IsDeleted = false"
    )


def test_the_rows_that_exist_are_those_of_the_answer():
    there = {"records": [{"attributes": {}, "Id": LAST[:15]}], "totalSize": 1, "done": True}
    assert ids_among({LAST, id_18(number_id(7))}, there) == {LAST}
    assert ids_among({LAST}, {"records": [], "totalSize": 0, "done": True}) == frozenset()


@pytest.mark.parametrize(
    "answer",
    [
        {"records": [{"Id": LAST}], "totalSize": 2, "done": True},
        {"records": [{"Id": LAST}], "totalSize": 1, "done": False, "nextRecordsUrl": _NEXT},
        {"records": [{"Id": "001A0000006Vm9sIAC"}], "totalSize": 1, "done": True},
        {"records": [{}], "totalSize": 1, "done": True},
    ],
    ids=["a row is missing", "not the end", "another row", "a row without Id"],
)
def test_an_answer_that_is_not_complete_says_nothing_about_rows(answer):
    with pytest.raises(UnreadableBody):
        ids_among({LAST}, answer)
