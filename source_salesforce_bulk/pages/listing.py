"""List the pages of a complete job before any of them is read, so that many machines can download them in parallel.

Salesforce lists them (``resultPages``, API v58 and later), at its own page size. If an org lacks that resource, the
locators are followed: each page is requested, and closed as soon as its headers have named the next one.

Does not retry. ``transport`` retries single calls; ``query_job`` replaces a job whose pages cannot be listed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from source_salesforce_bulk.pages.walk import MAX_EMPTY_PAGES, Onward, Walk, step
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders, PageList
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import Operation, UnreadableBody

LOGGER = logging.getLogger("salesforce_bulk.pages")

MOST_PAGES = 100_000
"""Maximum number of listed pages of one job. With 50,000 rows each, an org may not extract so many rows in a day."""

_LISTS_NOTHING = frozenset({400, 404, 405, 501})
"""The statuses of an org that lacks the resource. Any other cause would affect the results themselves as well."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """A complete job of an object, and the API version with which it was created.

    ``rows`` is the number that it reports, or None.
    """

    object_name: str
    job_id: str
    version: str
    rows: int | None = None

    @property
    def most_pages(self) -> int:
        """The maximum number of its pages, because only a few pages in a row can be empty."""
        return MOST_PAGES if self.rows is None else min(self.rows, MOST_PAGES) + MAX_EMPTY_PAGES


@dataclass(frozen=True, slots=True)
class PageListing:
    """The locators of a job's pages in the order of the result; None is the first page's.

    Every page must be requested with ``page_size`` as its ``maxRecords``, or without it if it is None: Salesforce then
    determined the page size. If ``end_said`` is false, the last page's headers neither named a next page nor marked the
    end; it is the last page if the rows of all pages add up to the job's.
    """

    locators: tuple[str | None, ...]
    page_size: int | None
    end_said: bool = True


class PageLister:
    """Lists pages; one instance serves every thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_pages(self, job: JobResult, start: str | None, page_size: int) -> PageListing:
        """Return every page of the job from the one that ``start`` names (None: the first).

        ``page_size`` is used if the org does not list its pages, or if its list lacks ``start``, which an earlier run
        reached by pages of that size. Raises ``SalesforceError``, with the action ``NEW_JOB`` if the job is gone or its
        pages do not add up.
        """
        try:
            listed = tuple(self._listed(job))
        except SalesforceError as error:
            if error.failure.status not in _LISTS_NOTHING:
                raise
            LOGGER.info("%s job %s: the org does not list pages; walking them", job.object_name, job.job_id)
            return self._walked(job, start, page_size)
        if start is None or not listed:
            return PageListing(listed, None)
        if start in listed:
            return PageListing(listed[listed.index(start) :], None)
        return self._walked(job, start, page_size)

    def headers(self, job: JobResult, locator: str | None, page_size: int | None) -> PageHeaders:
        """Return what the headers of one page say, without its rows; raises ``SalesforceError``."""
        request = bulk_api.results(job.version, job.job_id, locator, page_size, job.object_name)
        with self._transport.open(request) as body:
            return PageHeaders.from_http(body.headers)

    def _listed(self, job: JobResult) -> Iterator[str | None]:
        further: str | None = None
        asked: set[str | None] = set()
        named: set[str | None] = set()
        empty = 0
        while True:
            answer = self._page_list(job, further)
            asked.add(further)
            empty = 0 if answer.locators else empty + 1
            if empty > MAX_EMPTY_PAGES or len(named) + len(answer.locators) > job.most_pages:
                raise SalesforceError(_does_not_add_up("the list of pages does not end"))
            for locator in answer.locators:
                if locator in named:
                    raise SalesforceError(_does_not_add_up("the org lists a page twice"))
                named.add(locator)
                yield locator
            if answer.further is None:
                return
            if answer.further in asked:
                raise SalesforceError(_does_not_add_up("the list of pages does not move on"))
            further = answer.further

    def _page_list(self, job: JobResult, further: str | None) -> PageList:
        response = self._transport.call(bulk_api.result_pages(job.version, job.job_id, job.object_name, further))
        try:
            return PageList.from_json(response.json())
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(Operation.RESULT_PAGES, response)) from error

    def _walked(self, job: JobResult, start: str | None, page_size: int) -> PageListing:
        walk = Walk(total=None, locator=start)
        locators: list[str | None] = []
        while True:
            locators.append(walk.locator)
            headers = self.headers(job, walk.locator, page_size)
            if len(locators) > job.most_pages:
                raise SalesforceError(_does_not_add_up("the pages do not end"))
            if headers.locator is None:
                return PageListing(tuple(locators), page_size, end_said=headers.last)
            # A page that does not report its number of rows may have some.
            match step(walk, headers, 1 if headers.rows is None else headers.rows):
                case Onward(onward):
                    walk = onward
                case other:
                    raise SalesforceError(_does_not_add_up(f"its headers do not lead to its end ({other})"))


def _does_not_add_up(detail: str) -> Failure:
    return Failure.of(Kind.PAGE_REJECTED, Operation.RESULT_PAGES, detail, action=Action.NEW_JOB)
