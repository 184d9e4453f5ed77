from __future__ import annotations

import pytest

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.pages.listing import JobResult, PageLister, PageListing
from source_salesforce_bulk.pages.walk import MAX_EMPTY_PAGES
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import Action, Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import HttpRequest
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

PATH = "/services/data/v66.0/jobs/query/750x"
PAGE_SIZE = 1000
NOT_FOUND = Answer(404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])


def listed(*locators: str, further: str | None = None) -> Answer:
    pages = [{"resultUrl": f"{PATH}/results?locator={locator}"} for locator in locators]
    return Answer(200, {"resultPages": pages, "nextRecordsUrl": further, "done": further is None})


def page(rows: int | None, following: str | None) -> Answer:
    headers = {"Content-Type": "text/csv"}
    headers |= {"Sforce-NumberOfRecords": str(rows)} if rows is not None else {}
    headers |= {"Sforce-Locator": following} if following is not None else {}
    return Answer(200, b'"Id"\n', headers)


def asks_for(locator: str | None):
    def check(sent: HttpRequest) -> None:
        assert sent.params is not None
        assert (sent.params.get("locator"), sent.params["maxRecords"]) == (locator, str(PAGE_SIZE))

    return check


def list_pages(http: ScriptedHttp, start: str | None = None, rows: int | None = None) -> PageListing:
    with http:
        transport = Transport(Caller(http, FakeClock(), lambda: 0.0), FakeTokens(), RunMetrics())
        return PageLister(transport).list_pages(JobResult("Account", "750x", "v66.0", rows), start, PAGE_SIZE)


def test_the_org_lists_its_pages_a_few_at_a_time():
    http = ScriptedHttp()
    http.expect("GET", "/750x/resultPages", listed("a", "b", further=f"{PATH}/resultpages?locator=b"))
    http.expect("GET", "/750x/resultpages?locator=b", listed("c"))
    assert list_pages(http) == PageListing(("a", "b", "c"), page_size=None)


def test_a_job_is_continued_at_the_page_that_an_earlier_run_came_to():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", listed("a", "b", "c"))
    assert list_pages(http, start="b") == PageListing(("b", "c"), page_size=None)


def test_a_page_that_the_list_does_not_hold_is_walked_on_from_at_the_size_that_led_to_it():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", listed("a", "b"))
    http.expect("GET", "/750x/results", page(1000, "y"), asks_for("x"))
    http.expect("GET", "/750x/results", page(10, "null"), asks_for("y"))
    assert list_pages(http, start="x") == PageListing(("x", "y"), page_size=PAGE_SIZE)


@pytest.mark.parametrize("further", [f"{PATH}/resultpages?locator=b", f"{PATH}/resultpages?locator=z"])
def test_a_list_that_does_not_move_on_is_given_up(further):
    http = ScriptedHttp()
    http.expect("GET", "/750x/resultPages", listed("a", "b", further=f"{PATH}/resultpages?locator=b"))
    repeated = further.endswith("=b")
    http.expect("GET", "/750x/resultpages?locator=b", listed("c" if repeated else "a", further=further))
    with pytest.raises(SalesforceError) as raised:
        list_pages(http)
    assert (raised.value.failure.kind, raised.value.failure.action) == (Kind.PAGE_REJECTED, Action.NEW_JOB)


def test_a_list_that_is_none_is_an_unreadable_answer():
    with pytest.raises(SalesforceError) as raised:
        list_pages(ScriptedHttp().expect("GET", "/750x/resultPages", Answer(200, {"done": True})))
    assert raised.value.failure.kind is Kind.UNREADABLE_ANSWER


@pytest.mark.parametrize(
    ("answer", "attempts"), [(NOT_FOUND, 1), (Answer(400, b""), 1), (Answer(405, b""), 1), (Answer(501, b""), 5)]
)
def test_an_org_that_lists_nothing_is_walked_by_its_locators(answer, attempts):
    http = ScriptedHttp()
    for _ in range(attempts):
        http.expect("GET", "/750x/resultPages", answer)
    http.expect("GET", "/750x/results", page(1000, "a"), asks_for(None))
    http.expect("GET", "/750x/results", page(1000, "b"), asks_for("a"))
    http.expect("GET", "/750x/results", page(1000, "null"), asks_for("b"))
    assert list_pages(http) == PageListing((None, "a", "b"), page_size=PAGE_SIZE)


@pytest.mark.parametrize("rows", [2000, None])
@pytest.mark.parametrize(("following", "end_said"), [("null", True), (None, False)])
def test_a_walk_tells_an_end_that_was_said_from_one_that_the_rows_have_to_prove(rows, following, end_said):
    http = ScriptedHttp().expect("GET", "/750x/resultPages", NOT_FOUND)
    http.expect("GET", "/750x/results", page(1000, "a")).expect("GET", "/750x/results", page(rows, following))
    assert list_pages(http) == PageListing((None, "a"), PAGE_SIZE, end_said=end_said)


def test_a_walk_that_does_not_move_on_is_given_up():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", NOT_FOUND)
    http.expect("GET", "/750x/results", page(1000, "a")).expect("GET", "/750x/results", page(2000, "a"))
    with pytest.raises(SalesforceError) as raised:
        list_pages(http)
    assert raised.value.failure.action is Action.NEW_JOB


def test_pages_that_do_not_say_how_many_rows_they_have_are_walked_to_the_word_null():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", NOT_FOUND)
    http.expect("GET", "/750x/results", page(None, "a")).expect("GET", "/750x/results", page(None, "null"))
    assert list_pages(http).locators == (None, "a")


def test_a_job_that_is_gone_is_said_to_be_gone():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", NOT_FOUND).expect("GET", "/750x/results", NOT_FOUND)
    with pytest.raises(SalesforceError) as raised:
        list_pages(http)
    assert (raised.value.failure.kind, raised.value.failure.action) == (Kind.JOB_GONE, Action.NEW_JOB)


# Lists without an end


@pytest.mark.parametrize(("rows", "pages_each"), [(10, 5), (0, 5), (10, 0), (None, 0)])
def test_a_list_that_never_ends_is_given_up_after_few_calls(rows, pages_each):
    http = ScriptedHttp()
    http.expect("GET", "/750x/resultPages", listed(further=f"{PATH}/resultpages?locator=f0"))
    calls = 1 + ((rows or 0) + MAX_EMPTY_PAGES) // pages_each if pages_each else MAX_EMPTY_PAGES
    for call in range(calls):
        locators = [f"l{call}-{number}" for number in range(pages_each)]
        further = f"{PATH}/resultpages?locator=f{call + 1}"
        http.expect("GET", f"/750x/resultpages?locator=f{call}", listed(*locators, further=further))
    with pytest.raises(SalesforceError) as raised:
        list_pages(http, rows=rows)
    assert (raised.value.failure.kind, raised.value.failure.action) == (Kind.PAGE_REJECTED, Action.NEW_JOB)
    assert "does not end" in raised.value.failure.summary


def test_a_walk_that_never_ends_is_given_up_when_it_has_more_pages_than_the_job_has_rows():
    http = ScriptedHttp().expect("GET", "/750x/resultPages", NOT_FOUND)
    for number in range(3 + MAX_EMPTY_PAGES + 1):
        http.expect("GET", "/750x/results", page(1, f"l{number}"))
    with pytest.raises(SalesforceError, match="do not end"):
        list_pages(http, rows=3)
