from __future__ import annotations

from pathlib import Path

import pytest

from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.listing import JobResult, PageListing
from source_salesforce_bulk.pages.page_encoder import PageContent, PageEncoder
from source_salesforce_bulk.pages.page_task import PageCost, PageOutcome
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.spark.spark_pages import MAX_SESSIONS, SparkPageReader, SparkPages
from source_salesforce_bulk.spark.waves import ReadPage, WrittenFile

ENCODER = batch_file((Column("Id", CellKind.STRING), Column("Name", CellKind.STRING)))


def taken(page: Page) -> PageContent:
    return page.encoded.product.take()


ADDRESS = PageAddress("Account", "750x", None, "v66.0", 50_000)
ENDED = Failure.of(Kind.SESSION_EXPIRED)
COST = PageCost(calls=3, retries=2, received=210)


class Fake:
    """Salesforce's list of pages, and Spark. ``ended`` pages meet an ended session first."""

    def __init__(self, listing: PageListing, ended: int = 0, failure: Failure | None = None) -> None:
        self.listing = listing
        self.ended = ended
        self.failure = failure
        self.written = 7
        self.asked: list[PageAddress] = []
        self.listed: list[tuple[str | None, int]] = []
        self.renewed: list[str] = []
        self.spent: list[tuple[str, PageCost]] = []
        self.session = Session("T0", "https://acme.my.salesforce.com")
        self.pages = SparkPages(
            SparkPageReader(self.read, self.renew, self, lambda name, cost: self.spent.append((name, cost)))
        )

    def list_pages(self, job: JobResult, start: str | None, page_size: int) -> PageListing:
        self.listed.append((start, page_size))
        return self.listing

    def read(self, address: PageAddress, encoder: PageEncoder) -> ReadPage:
        assert encoder is ENCODER
        self.asked.append(address)
        if self.ended:
            self.ended -= 1
            return ReadPage(PageOutcome(0, cost=PageCost(calls=1), failure=ENDED), None, self.session)
        if self.failure is not None:
            return ReadPage(PageOutcome(0, failure=self.failure), None, self.session)
        outcome = PageOutcome(0, rows=7, first_id="001x", size=70, cost=COST, unreadable={"Name": 1})
        return ReadPage(outcome, WrittenFile("_staging/r/Account/part", self.written, 99), self.session)

    def renew(self, stale: str) -> Session:
        self.renewed.append(stale)
        self.session = Session(f"T{len(self.renewed)}", self.session.instance_url)
        return self.session

    def fetch(self, locator: str | None) -> tuple:
        heard: list[PageHeaders] = []
        address = PageAddress("Account", "750x", locator, "v66.0", 50_000)
        return self.pages.fetch(address, heard.append, ENCODER), heard


def test_the_next_page_is_known_before_this_one_is_read_and_its_count_afterwards():
    fake = Fake(PageListing(("a", "b"), None))
    page, heard = fake.fetch(None)
    assert heard == [PageHeaders(rows=None, locator="b", last=False)]
    assert (page.headers, page.rows, page.first_id) == (PageHeaders(rows=7, locator="b", last=False), 7, "001x")


def test_the_last_page_of_the_list_is_the_last_of_the_job():
    page, _ = Fake(PageListing(("a", "b"), None)).fetch("b")
    assert page.headers == PageHeaders(rows=7, locator=None, last=True)


def test_the_last_page_of_a_walk_is_the_last_of_the_job_only_where_its_headers_said_so():
    page, heard = Fake(PageListing((None, "b"), 50_000, end_said=False)).fetch("b")
    assert heard == [PageHeaders(rows=None, locator=None, last=False)]
    assert page.headers == PageHeaders(rows=7, locator=None, last=False)


def test_a_page_is_asked_for_as_the_org_has_cut_it():
    fake = Fake(PageListing(("a", "b"), None))
    fake.fetch(None)
    assert [(page.locator, page.page_size) for page in fake.asked] == [("a", None)]


def test_walked_pages_keep_the_size_they_were_walked_with():
    fake = Fake(PageListing((None, "b"), 50_000))
    fake.fetch(None)
    assert [(page.locator, page.page_size) for page in fake.asked] == [(None, 50_000)]


def test_a_job_is_listed_once_from_where_it_is_continued():
    fake = Fake(PageListing(("b", "c"), None))
    fake.fetch("b")
    fake.fetch("c")
    assert fake.listed == [("b", 50_000)]


def test_a_result_without_rows_needs_no_spark():
    fake = Fake(PageListing((), None))
    page, heard = fake.fetch(None)
    assert (page.rows, page.headers.last, fake.asked) == (0, True, [])
    assert heard == [PageHeaders(rows=0, locator=None, last=True)]


def test_the_file_that_spark_has_written_goes_with_the_page():
    fake = Fake(PageListing(("a",), None))
    page, _ = fake.fetch(None)
    made = taken(page)
    assert (made.path, page.rows, made.size) == (Path("_staging/r/Account/part"), 7, 99)
    assert page.encoded.unreadable == {"Name": 1}


def test_a_page_without_rows_has_a_file_of_none():
    page, _ = Fake(PageListing((), None)).fetch(None)
    assert (page.rows, taken(page).size) == (0, 0)


def test_the_listing_of_a_job_is_kept_while_its_pages_are_handed_on():
    fake = Fake(PageListing((None, "b", "c"), 50_000))
    for locator in (None, "b"):
        page, _ = fake.fetch(locator)
        taken(page)
        page.discard()
    fake.fetch("c")
    assert len(fake.listed) == 1


def test_the_listing_of_a_job_goes_with_its_last_page():
    fake = Fake(PageListing(("a", "b"), None))
    page, _ = fake.fetch("b")
    taken(page)
    page.discard()
    fake.fetch("b")
    assert len(fake.listed) == 2


def test_a_result_without_rows_leaves_no_listing():
    fake = Fake(PageListing((), None))
    fake.fetch(None)[0].discard()
    fake.fetch(None)
    assert len(fake.listed) == 2


def test_a_page_that_is_dropped_takes_the_listing_of_its_job_along():
    """A job that was lost, or an object that has failed: its last page never comes."""
    fake = Fake(PageListing(("a", "b"), None))
    fake.fetch(None)[0].discard()
    fake.fetch("b")
    assert fake.listed == [(None, 50_000), ("b", 50_000)]


def test_a_page_that_failed_takes_the_listing_of_its_job_along():
    fake = Fake(PageListing(("a", "b"), None), failure=Failure.of(Kind.JOB_GONE))
    for locator in (None, "b"):
        with pytest.raises(SalesforceError):
            fake.fetch(locator)
    assert len(fake.listed) == 2


def test_a_page_whose_session_ended_is_read_again_with_a_newer_one():
    fake = Fake(PageListing(("a",), None), ended=2)
    page, _ = fake.fetch(None)
    assert page.rows == 7
    assert fake.renewed == ["T0", "T1"]
    assert len(fake.asked) == 3


def test_what_every_reading_of_a_page_has_cost_is_told_once():
    fake = Fake(PageListing(("a",), None), ended=1)
    page, _ = fake.fetch(None)
    assert fake.spent == [("Account", PageCost(calls=1)), ("Account", COST)]
    assert page.retries == 0


def test_sessions_that_never_live_long_enough_end_the_run():
    fake = Fake(PageListing(("a",), None), ended=99)
    with pytest.raises(SalesforceError) as raised:
        fake.fetch(None)
    assert raised.value.failure.kind is Kind.SESSION_REFUSED
    assert len(fake.asked) == MAX_SESSIONS


def test_a_page_that_cannot_be_had_says_what_salesforce_said():
    fake = Fake(PageListing(("a",), None), failure=Failure.of(Kind.JOB_GONE))
    with pytest.raises(SalesforceError) as raised:
        fake.fetch(None)
    assert (raised.value.failure.kind, raised.value.failure.action) == (Kind.JOB_GONE, Action.NEW_JOB)


def test_rows_that_spark_did_not_write_are_noticed():
    fake = Fake(PageListing(("a",), None))
    fake.written = 6
    with pytest.raises(SalesforceError) as raised:
        fake.fetch(None)
    assert "7 rows were read and 6 written" in raised.value.failure.summary


def test_a_locator_that_was_not_listed_asks_for_another_job():
    fake = Fake(PageListing(("a", "b"), None))
    with pytest.raises(SalesforceError) as raised:
        fake.fetch("elsewhere")
    assert raised.value.failure.action is Action.NEW_JOB


def test_a_list_that_failed_is_asked_for_again_by_the_next():
    fake = Fake(PageListing(("a",), None))
    fail = [True]

    def list_pages(job: JobResult, start: str | None, page_size: int) -> PageListing:
        if fail.pop():
            fail.append(False)
            raise SalesforceError(Failure.of(Kind.UNAVAILABLE))
        return fake.listing

    fake.list_pages = list_pages  # type: ignore[method-assign]
    with pytest.raises(SalesforceError):
        fake.fetch(None)
    assert fake.fetch(None)[0].rows == 7
