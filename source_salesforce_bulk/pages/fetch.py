"""One result page: encoded while it arrives, proven whole, then handed on.

The bytes go to the page's encoder as they come, which is much faster than the network or keeps them on disk: neither a
slow destination nor a slow decoder holds the connection open (Salesforce cuts a download after 20 minutes). Nothing of
a page leaves this module before it is accepted (docs/contracts.md, "What may never happen", 4).

Retries here: a body that broke or was not accepted is asked for again with the same locator, which Salesforce keeps
stable while the job exists. Trouble before a body began is ``transport``'s; a job that cannot give its page is
``query_job``'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from source_salesforce_bulk.pages.csv_page import PageRejected, PageTooLarge
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage, PageEncoder, PageEncoding
from source_salesforce_bulk.pages.rest_pages import RestAddress, RestPages
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import Action, Failure, SalesforceError, page_not_kept, page_rejected
from source_salesforce_bulk.salesforce.http_client import Body
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, JobFacts, log_job
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("salesforce_bulk.pages")
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Which page: the one of ``job_id`` that ``locator`` names (None: the first), with the SELECT's ``columns``.

    ``job_rows`` are the rows of the whole job, None where Salesforce did not say. A page of the REST lane belongs to no
    job, and is asked for by ``rest``.
    """

    object_name: str
    job_id: str
    locator: str | None
    version: str
    page_size: int | None
    columns: tuple[str, ...]
    job_rows: int | None = None
    rest: RestAddress | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was proven whole, there until :meth:`discard`. ``size`` is in bytes as received."""

    address: PageAddress
    headers: PageHeaders
    encoded: EncodedPage
    size: int
    retries: int

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return self.encoded.rows

    @property
    def first_id(self) -> str | None:
        """The Id in its first row, None where it has none."""
        return self.encoded.first_key

    @property
    def stored(self) -> int:
        """The bytes that it takes on this machine."""
        return self.encoded.product.stored

    def discard(self) -> None:
        """Give the space back; may be called twice."""
        self.encoded.product.discard()


@dataclass(frozen=True, slots=True)
class _Attempt:
    headers: PageHeaders
    encoded: EncodedPage
    size: int

    @property
    def proven(self) -> bool:
        """Whether the page itself says it is whole: its last line ended, and its rows are as many as announced."""
        return self.encoded.ended and self.headers.rows is not None


class PageSource(Protocol):
    """Where proven pages come from; :class:`PageFetcher` is one."""

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """The page, accepted; may be called from any thread. Raises ``SalesforceError``."""
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
        """The page, accepted. ``on_headers`` is told what the answer's headers say before its body is read.

        A page without a final line end, or without ``Sforce-NumberOfRecords``, proves its end by coming twice alike.
        Raises ``SalesforceError``: ``NOT_READY`` where the job is not complete, ``NEW_JOB`` where the job is gone or
        its page stays unacceptable after every retry, and what ``transport`` raises.
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
            raise SalesforceError(page_rejected(failure.summary, action=Action.NEW_JOB))
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
