"""Read result pages on Spark instead of in this process; everything else about a read stays the same.

For the extraction this is a ``PageSource``, like ``pages.fetch``. A job's pages are listed once, so that all of them
can be requested at the same time. Each waits for its wave, which returns the page's number of rows and a file that
Spark has written.

Retries a page whose session ended, with a newer session, up to ``MAX_SESSIONS`` times. ``pages.fetch`` retries
everything else about a page, on the machine that reads it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.reader import Elsewhere, PageBounds
from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.listing import JobResult, PageListing
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage, PageContent, PageEncoder, PageEncoding
from source_salesforce_bulk.pages.page_task import PageCost, PageOutcome
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.wire import Operation
from source_salesforce_bulk.spark.waves import ReadPage, WaveBoard, WaveRunner, WrittenFile

LOGGER = logging.getLogger("salesforce_bulk.glue")

MAX_SESSIONS = 4
"""Maximum number of sessions for one page. A page that outlives four of them would outlive a fifth."""

_LEAST_AHEAD = 16  # pages of one object that are requested ahead, even on a small cluster
_PAGE_SIZE = 50_000  # for a page that was requested without a size, if the org no longer lists pages

_NOWHERE = Path("/nonexistent/page")  # a page without rows has no file


class Lister(Protocol):
    """Lists a job's pages; ``listing.PageLister`` is one."""

    def list_pages(self, job: JobResult, start: str | None, page_size: int) -> PageListing:
        """Return the pages of the job from ``start`` on; raises ``SalesforceError``."""
        ...


@dataclass(frozen=True, slots=True)
class SparkPageReader:
    """The functions that read a page on Spark. ``renew`` logs in again, unless another thread has already done so.

    ``spent`` is called with the object and the cost of each attempt at a page.
    """

    read: Callable[[PageAddress, PageEncoder], ReadPage]
    renew: Callable[[str], Session]
    lister: Lister
    spent: Callable[[str, PageCost], None]


class SparkFiles:
    """Makes an export's files on Spark: a ``FileMaker`` whose pages are read by ``runner``."""

    extension = "parquet"
    shows_rows = False

    def __init__(self, runner: WaveRunner, here: FileMaker) -> None:
        """``here`` makes the files of this process. Executors make the same, if ``runner`` wants files."""
        self._runner = runner
        self._here = here
        self._objects: dict[str, Layout] = {}

    def prepared(self, layout: Layout) -> Layout:
        """See ``FileMaker``."""
        return self._here.prepared(layout)

    def encoder(self, layout: Layout, columns: tuple[Column, ...]) -> PageEncoder:
        """See ``FileMaker``.

        A page of the REST lane belongs to no job for executors to read; its file is made here.
        """
        self._objects[layout.name] = layout
        here = self._here.encoder(layout, columns)
        return SparkEncoder(here, here if self._runner.wants_files else batch_file(columns))

    def elsewhere(self, connection: Connection) -> Elsewhere:
        """See ``FileMaker``. Enough pages for two small waves are requested ahead."""
        board = WaveBoard(self._runner, connection.log_in, self._objects.__getitem__, connection.clock)
        reader = SparkPageReader(
            board.read, connection.renew, connection.page_lister(), _counted_in(connection.metrics)
        )
        ahead = max(_LEAST_AHEAD, 8 * self._runner.slots)
        return Elsewhere(SparkPages(reader), PageBounds(of_all=2 * ahead, of_one=ahead))

    def cells(self, path: Path, names: Sequence[str]) -> Iterator[Sequence[str | None]]:
        """See ``FileMaker``; not used, because pages do not show their rows here."""
        raise NotImplementedError("rows are read by Spark")


@dataclass(frozen=True, slots=True)
class SparkEncoder:
    """A ``PageEncoder`` whose pages are read by ``here`` on the driver and by ``remote`` on executors."""

    here: PageEncoder
    remote: PageEncoder

    @property
    def columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return self.here.columns

    @property
    def product_columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return self.here.product_columns

    def begin(self, arrival: Arrival) -> PageEncoding:
        """See ``PageEncoder``."""
        return self.here.begin(arrival)


@dataclass(slots=True, eq=False)
class StagedPage:
    """A ``PageProduct``: the file that Spark has written. ``last``: it is the last page of its job.

    ``forget`` is called when no further page of its job will be requested soon: after the last page, or after the page
    was dropped together with all running pages of its job.
    """

    content: PageContent
    last: bool
    forget: Callable[[], None]
    _taken: bool = False

    @property
    def stored(self) -> int:
        """See ``PageProduct``. Zero, because neither the page nor its file is on this machine."""
        return 0

    def take(self) -> PageContent:
        """See ``PageProduct``."""
        self._taken = True
        return self.content

    def discard(self) -> None:
        """See ``PageProduct``."""
        if self.last or not self._taken:
            self.forget()


class SparkPages:
    """Fetches pages. May be used from any thread.

    A job's listing is kept while its pages are read. If it was dropped too early, because a page is read again, the job
    is listed again.
    """

    def __init__(self, reader: SparkPageReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._listings: dict[str, Future[PageListing]] = {}

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """Return the page, verified and written by Spark; ``on_headers`` is called at once with the next locator.

        Raises ``SalesforceError`` like ``PageFetcher.fetch``, and the errors of the Spark job.
        """
        try:
            return self._fetch(address, on_headers, encoder)
        except BaseException:
            self._forget(address.job_id)
            raise

    def _fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        listing = self._listing(address)
        if not listing.locators:
            empty = PageHeaders(rows=0, locator=None, last=True)
            on_headers(empty)
            return self._page(address, empty, PageOutcome(0), None)
        place = _place(listing, address.locator)
        headers = _headers(listing, place)
        on_headers(headers)
        asked = replace(address, locator=listing.locators[place], page_size=listing.page_size)
        read = self._read(asked, encoder)
        return self._page(address, replace(headers, rows=read.outcome.rows), read.outcome, read.file)

    def _page(
        self, address: PageAddress, headers: PageHeaders, outcome: PageOutcome, written: WrittenFile | None
    ) -> Page:
        path, size = (Path(written.path), written.size) if written is not None else (_NOWHERE, 0)
        encoded = EncodedPage(
            rows=outcome.rows,
            size=outcome.size,
            ended=True,
            digest="",
            first_key=outcome.first_id,
            unreadable=outcome.unreadable,
            inexact=outcome.inexact,
            product=StagedPage(PageContent(path, size), headers.locator is None, partial(self._forget, address.job_id)),
        )
        retries = 0  # counted with the cost of the page
        return Page(address, headers, encoded, outcome.size, retries)

    def _read(self, address: PageAddress, encoder: PageEncoder) -> ReadPage:
        for _ in range(MAX_SESSIONS):
            read = self._reader.read(address, encoder.remote)
            self._reader.spent(address.object_name, read.outcome.cost)
            failure = read.outcome.failure
            if failure is None:
                _check(read)
                return read
            if failure.action is not Action.REFRESH_TOKEN:
                raise SalesforceError(failure)
            LOGGER.info("The session ended before page %s of job %s", address.locator or "first", address.job_id)
            self._reader.renew(read.session.access_token)
        raise SalesforceError(Failure.of(Kind.SESSION_REFUSED, Operation.RESULTS))

    def _listing(self, address: PageAddress) -> PageListing:
        """Return the job's pages; the first caller lists them."""
        with self._lock:
            future = self._listings.get(address.job_id)
            leads = future is None
            if future is None:
                future = self._listings[address.job_id] = Future()
        if leads:
            try:
                job = JobResult(address.object_name, address.job_id, address.version, address.job_rows)
                size = address.page_size or _PAGE_SIZE
                future.set_result(self._reader.lister.list_pages(job, address.locator, size))
            except BaseException as error:  # noqa: BLE001 - passed on to all waiting threads
                self._forget(address.job_id)
                future.set_exception(error)
        return future.result()

    def _forget(self, job_id: str) -> None:
        with self._lock:
            self._listings.pop(job_id, None)


def _counted_in(metrics: RunMetrics) -> Callable[[str, PageCost], None]:
    """Return a function that adds the cost of executors to the run's counts."""
    return lambda name, cost: metrics.on_spent(name, Operation.RESULTS, cost)


def _place(listing: PageListing, locator: str | None) -> int:
    """Return the index of the requested page. At the beginning of a job, the first is requested without a locator."""
    try:
        return listing.locators.index(locator)
    except ValueError:
        if locator is None:
            return 0
    raise SalesforceError(
        Failure.of(Kind.PAGE_REJECTED, detail="its locator is not among those listed", action=Action.NEW_JOB)
    )


def _headers(listing: PageListing, place: int) -> PageHeaders:
    """Return the headers of the page at ``place``, which name the next page."""
    if place + 1 < len(listing.locators):
        return PageHeaders(rows=None, locator=listing.locators[place + 1], last=False)
    return PageHeaders(rows=None, locator=None, last=listing.end_said)


def _check(read: ReadPage) -> None:
    """Check that Spark has written exactly the rows that were read from Salesforce."""
    written = read.file.rows if read.file is not None else 0
    if written != read.outcome.rows:
        detail = f"{read.outcome.rows} rows were read and {written} written"
        raise SalesforceError(Failure.of(Kind.UNEXPECTED, detail=detail))
