"""The verification of pages of the REST lane, and their text."""

from __future__ import annotations

import io

import pytest

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.pages.csv_page import PageRejected, PageTooLarge, read_rows
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.rest_pages import RestAddress, RestPages
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.rest_query import Parents, RestQuestion
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

EVERYTHING = Bounds(None, None, None, None)
COLUMNS = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING))
QUERY = ObjectQuery("CaseStatus", ("Id", "Name"), "queryAll")
A, B, C, D = (f"001A0000006Vm9{letter}IAC" for letter in "ABCD")
NEXT = "/services/data/v66.0/query/01gA-2"


def answer(*ids, total=None, further=None, **more):
    records = [{"attributes": {"type": "x"}, "Id": one, "Name": one[-4], **more} for one in ids]
    body = {"records": records, "totalSize": len(ids) if total is None else total, "done": further is None}
    return Answer(200, body | ({"nextRecordsUrl": further} if further else {}))


def page(*script, locator=None, query=QUERY, columns=COLUMNS, rows=3, **changes):
    """The rows of a page, and its headers."""
    http, clock = ScriptedHttp(), FakeClock()
    for url_end, one in script:
        http.expect("GET", url_end, one)
    transport = Transport(Caller(http, clock, lambda: 0.5), FakeTokens(), RunMetrics())
    pieces: list[bytes] = []
    question = RestQuestion(query, EVERYTHING, rows, **changes)
    with http:
        headers = RestPages(transport).send(RestAddress(question, columns, locator, "v66.0"), pieces.append)
    names = [column.name for column in columns]
    return list(read_rows(io.BytesIO(b"".join(pieces)), names)), headers, http


def test_a_page_that_is_not_full_is_the_last():
    rows, headers, http = page(("/queryAll", answer(A, B)))
    assert rows == [[A, "A"], [B, "B"]]
    assert (headers.rows, headers.locator, headers.last) == (2, None, True)
    assert http.sent[0].params == {"q": "SELECT Id, Name FROM CaseStatus ORDER BY Id LIMIT 3"}


def test_a_full_page_is_followed_by_what_lies_behind_its_last_id():
    _, headers, _ = page(("/queryAll", answer(A, B, C)))
    assert (headers.rows, headers.locator, headers.last) == (3, C, False)


def test_an_answer_of_several_batches_is_followed_to_its_end():
    rows, headers, _ = page(("/queryAll", answer(A, B, total=3, further=NEXT)), ("/query/01gA-2", answer(C, total=3)))
    assert [row[0] for row in rows] == [A, B, C]
    assert headers.rows == 3


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([("/queryAll", answer(A, total=2))], id="done too early"),
        pytest.param([("/queryAll", answer(A, B, total=1))], id="more than promised"),
        pytest.param([("/queryAll", answer(A, A))], id="a row twice"),
        pytest.param([("/queryAll", answer(B, A))], id="out of order"),
        pytest.param([("/queryAll", answer("no Id"))], id="no Id"),
        pytest.param(
            [("/queryAll", answer(A, B, total=3, further=NEXT)), ("/query/01gA-2", answer(B, total=3))], id="again"
        ),
        pytest.param([("/queryAll", answer(A, total=3, further=NEXT)), ("/query/01gA-2", answer(total=3))], id="short"),
        pytest.param(
            [("/queryAll", answer(A, total=9, further=NEXT)), ("/query/01gA-2", answer(B, total=9, further=NEXT))],
            id="a locator that leads back",
        ),
        pytest.param(
            [("/queryAll", answer(A, total=3, further=NEXT)), ("/query/01gA-2", answer(B, total=2))], id="other total"
        ),
    ],
)
def test_a_page_that_does_not_prove_itself_is_rejected(script):
    with pytest.raises(PageRejected):
        page(*script)


def test_a_page_begins_behind_the_one_before_it():
    with pytest.raises(PageRejected, match="repeated"):
        page(("/queryAll", answer(A, B)), locator=A)


def test_a_cursor_that_is_gone_is_a_page_to_be_asked_for_again():
    gone = Answer(400, [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "m"}])
    with pytest.raises(PageRejected, match="sent again"):
        page(("/queryAll", answer(A, total=3, further=NEXT)), ("/query/01gA-2", gone))


def test_what_is_no_answer_of_a_query_is_a_failure():
    with pytest.raises(SalesforceError):
        page(("/queryAll", Answer(200, {"records": []})))


def test_rows_with_the_empty_id_cannot_be_followed():
    with pytest.raises(PageTooLarge):
        page(("/queryAll", answer("000000000000000AAA")))


def test_rows_without_ids_are_one_page():
    durable = (Column("DurableId", CellKind.STRING),)
    query = ObjectQuery("EntityDefinition", ("DurableId",), "query")
    first = answer(A, B, total=3, further=NEXT, DurableId="x")
    rows, headers, _ = page(
        ("/query", first),
        ("/query/01gA-2", answer(C, total=3, DurableId="y")),
        query=query,
        columns=durable,
        keyed=False,
        limited=False,
    )
    assert rows == [["x"], ["x"], ["y"]]
    assert (headers.locator, headers.last) == (None, True)


WIDE = tuple(Column(name, CellKind.STRING) for name in ("Id", *(f"Field{n:04d}{'x' * 60}__c" for n in range(300))))
WIDE_QUERY = ObjectQuery("Wide", tuple(column.name for column in WIDE), "queryAll", cursor_field="SystemModstamp")


def wide(stamp, start, stop):
    fields = {column.name: f"v{at}" for at, column in enumerate(WIDE) if start <= at < stop}
    return Answer(200, {"records": [{"Id": A, "SystemModstamp": stamp, **fields}], "totalSize": 1, "done": True})


def test_fields_of_several_answers_are_put_together_by_row():
    portions = RestQuestion(WIDE_QUERY, EVERYTHING, 3).soql(None)
    assert len(portions) == 2
    middle = portions[0].count(",") + 1 - 1
    rows, _, _ = page(
        ("/queryAll", wide("s", 1, middle)), ("/queryAll", wide("s", middle, 301)), query=WIDE_QUERY, columns=WIDE
    )
    assert rows == [[A, *(f"v{at}" for at in range(1, 301))]]


def test_a_row_that_changed_between_its_answers_is_not_put_together():
    with pytest.raises(PageRejected, match="changed"):
        page(("/queryAll", wide("s", 1, 150)), ("/queryAll", wide("t", 150, 301)), query=WIDE_QUERY, columns=WIDE)


LINK = ObjectQuery("ContentDocumentLink", ("Id", "Name"), "queryAll")
PARENTS = Parents("ContentDocumentId", ("ContentDocument", "Other"))


def test_children_are_read_by_their_parents_to_the_last_of_them():
    rows, headers, http = page(("/queryAll", answer(A, B)), ("/queryAll", answer(C, D)), query=LINK, parents=PARENTS)
    assert [row[0] for row in rows] == [C, D]
    assert (headers.locator, headers.last) == ("Other:", False)
    assert "IN ('" + A + "', '" + B + "')" in http.sent[1].params["q"]
    _, headers, _ = page(("/queryAll", answer()), query=LINK, parents=PARENTS, locator="Other:")
    assert (headers.rows, headers.last) == (0, True)


def test_parents_without_children_are_passed_over_in_the_same_page():
    rows, headers, http = page(
        ("/queryAll", answer(A)),
        ("/queryAll", answer()),
        ("/queryAll", answer(B)),
        ("/queryAll", answer(C)),
        query=LINK,
        parents=PARENTS,
    )
    assert ([row[0] for row in rows], headers.last) == ([C], True)
    assert http.sent[2].params["q"] == "SELECT Id FROM Other ORDER BY Id LIMIT 2000"


def test_a_child_that_comes_twice_is_rejected():
    with pytest.raises(PageRejected):
        page(("/queryAll", answer(A)), ("/queryAll", answer(C, C)), query=LINK, parents=PARENTS)


def test_a_place_that_is_of_no_parent_is_rejected():
    with pytest.raises(PageRejected):
        page(locator="Elsewhere:001", query=LINK, parents=PARENTS)
