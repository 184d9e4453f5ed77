"""Fetch one result page: download it, encode it while it arrives, and return it once it is verified.

The page's encoder either keeps up with the network or writes the bytes to disk first. So neither a slow destination nor
a slow encoder holds the connection open; Salesforce ends a download after 20 minutes. Nothing of a page leaves this
module before the page is accepted (docs/contracts.md, "What may never happen", 4).

Retries a body that broke off or was not accepted, with the same locator, which Salesforce keeps stable while the job
exists. ``transport`` retries what fails before a body begins; ``query_job`` replaces a job whose page cannot be read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from source_salesforce_bulk.pages.csv_page import PageRejected, PageTooLarge
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage, PageEncoder, PageEncoding
from source_salesforce_bulk.pages.rest_pages import RestAddress, RestPages
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import (
    Action,
    Failure,
    Kind,
    SalesforceError,
    page_not_kept,
    page_rejected,
)
from source_salesforce_bulk.salesforce.http_client import Body
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, JobFacts, log_job
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("salesforce_bulk.pages")
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class PageAddress:
    """The page of ``job_id`` that ``locator`` names; None names the first.

    ``job_rows`` is the number of rows of the whole job, None if Salesforce did not report it. A page of the REST lane
    belongs to no job; ``rest`` requests it.
    """

    object_name: str
    job_id: str
    locator: str | None
    version: str
    page_size: int | None
    job_rows: int | None = None
    rest: RestAddress | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A verified page, which exists until :meth:`discard`. ``size`` is in bytes as received."""

    address: PageAddress
    headers: PageHeaders
    encoded: EncodedPage
    size: int
    retries: int

    @property
    def rows(self) -> int:
        """The number of its rows."""
        return self.encoded.rows

    @property
    def first_id(self) -> str | None:
        """The Id in its first row; None if it has none."""
        return self.encoded.first_key

    @property
    def stored(self) -> int:
        """The bytes that it occupies on this machine."""
        return self.encoded.product.stored

    def discard(self) -> None:
        """Free its memory and disk space; may be called twice."""
        self.encoded.product.discard()


@dataclass(frozen=True, slots=True)
class _Attempt:
    headers: PageHeaders
    encoded: EncodedPage
    size: int

    @property
    def proven(self) -> bool:
        """True if the page itself shows that it is whole: its last line ended, and its rows were announced."""
        return self.encoded.ended and self.headers.rows is not None


class PageSource(Protocol):
    """Returns verified pages; :class:`PageFetcher` is one."""

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """Return the page; may be called from any thread. Raises ``SalesforceError``."""
        ...


class PageFetcher:
    """Fetches pages into ``workspace``. One instance serves every thread."""

    def __init__(
        self,
        transport: Transport,
        workspace: Workspace,
        clock: Clock,
        random01: Callable[[], float],
        run_id: str | None = None,
    ) -> None:
        self._run_id = run_id
        self._transport = transport
        self._rest = RestPages(transport)
        self._workspace = workspace
        self._clock = clock
        self._random01 = random01

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """Return the page. ``on_headers`` is called with the response's headers before its body is read.

        A page without a final line end, or without ``Sforce-NumberOfRecords``, is accepted if a second download is
        identical. Raises ``SalesforceError``: ``NOT_READY`` if the job is not complete, ``NEW_JOB`` if the job is gone
        or its page is still not accepted after every retry, and the errors of ``transport``.
        """
        began = self._clock.monotonic()
        unproven: str | None = None
        for tried in range(PAGE_RETRIES.attempts):
            try:
                attempt = self._attempt(address, on_headers, encoder)
            except SalesforceError as error:
                if error.failure.action is not Action.FETCH_PAGE_AGAIN:
                    raise
                self._pause_or_give_up(address, error.failure, tried, began)
                continue
            if attempt.proven or attempt.encoded.digest == unproven:
                return Page(address, attempt.headers, attempt.encoded, attempt.size, retries=tried)
            unproven = attempt.encoded.digest
            attempt.encoded.product.discard()
            compare = page_rejected("its end is not marked; fetched again to compare")
            self._pause_or_give_up(address, compare, tried, began)
        raise AssertionError("the last attempt gives up by raising")

    def _pause_or_give_up(self, address: PageAddress, failure: Failure, tried: int, began: float) -> None:
        spent = self._clock.monotonic() - began > PAGE_RETRIES.budget
        last = spent or tried + 1 >= PAGE_RETRIES.attempts
        log_job(
            LOGGER,
            JobFacts(self._run_id, address.object_name, address.job_id, address.locator or FIRST_PAGE),
            f"{failure.summary} {'No attempt is left' if last else 'It is fetched again'}",
            seconds=self._clock.monotonic() - began,
            level=logging.WARNING,
        )
        if last:
            is_told = failure.kind is Kind.PAGE_REJECTED
            given_up = failure if is_told else page_rejected(failure.summary)
            raise SalesforceError(replace(given_up, action=Action.NEW_JOB))
        self._clock.sleep(PAGE_RETRIES.backoff.delay(tried, self._random01()))

    def _attempt(
        self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder
    ) -> _Attempt:
        try:
            return self._received(address, on_headers, encoder)
        except PageTooLarge as rejected:
            raise SalesforceError(page_rejected(str(rejected), action=Action.FAIL_STREAM)) from rejected
        except PageRejected as rejected:
            raise SalesforceError(page_rejected(str(rejected))) from rejected
        except OSError as error:
            raise SalesforceError(page_not_kept(error)) from error

    def _received(
        self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder
    ) -> _Attempt:
        with ExitStack() as until_done:
            if address.rest is not None:
                encoding = self._begun(encoder, until_done, gzipped=False)
                headers = self._rest.send(address.rest, encoding.feed)
                on_headers(headers)
                encoded = encoding.finish(headers.rows)
                return _Attempt(headers, encoded, encoded.size)
            request = bulk_api.results(
                address.version, address.job_id, address.locator, address.page_size, address.object_name
            )
            with self._transport.open(request) as body:
                headers = PageHeaders.from_http(body.headers)
                on_headers(headers)
                gzipped = body.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip")
                encoding = self._begun(encoder, until_done, gzipped=gzipped)
                self._feed(body, encoding)
            return _Attempt(headers, encoding.finish(headers.rows), body.received)

    def _begun(self, encoder: PageEncoder, until_done: ExitStack, *, gzipped: bool) -> PageEncoding:
        at = int(self._clock.now().timestamp() * 1000)
        encoding = encoder.begin(Arrival(gzipped, at, self._workspace))
        until_done.callback(encoding.close)
        return encoding

    def _feed(self, body: Body, encoding: PageEncoding) -> None:
        for chunk in body.chunks(_CHUNK):
            encoding.feed(chunk)
            if body.received > self._workspace.largest_page:
                raise PageTooLarge(f"it is longer than {self._workspace.largest_page} bytes")
