"""Read the pages of complete jobs: download them ahead in parallel, accept them in order, and follow their locators.

The next page's locator is in a page's response headers, so its download starts as soon as these headers have arrived.

Only one case is retried here: a valid page that does not continue the previous pages (``walk.Lost``,
``walk.WrongTotal``) is fetched again after a pause, because only this module knows those pages. ``fetch`` retries
damaged pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from source_salesforce_bulk.extraction.calls import Calls, failure_in
from source_salesforce_bulk.extraction.job_events import Event, NotReady, PagesLost, PagesRead
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.query_job import Phase, is_refusal
from source_salesforce_bulk.extraction.window_log import WindowLog
from source_salesforce_bulk.extraction.window_read import PageSlot, WindowRead
from source_salesforce_bulk.pages.fetch import Page, PageAddress, PageSource
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.walk import End, Lost, Onward, WrongTotal, step
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind
from source_salesforce_bulk.salesforce.ids import is_empty_key
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE
from source_salesforce_bulk.salesforce.retry import REFETCH_BACKOFF

MAX_REFETCHES = 2
"""The number of times that an accepted page is fetched again because it does not continue the pages before it."""


@dataclass(frozen=True, slots=True)
class PageBounds:
    """Maximum number of pages in progress, of all objects together and of one; the page being emitted counts.

    If more than ``bytes`` of pages have arrived, in memory and on disk, only an object's first page is requested.
    Salesforce allows only 25 concurrent calls of more than 20 seconds in the whole org, so the downloads of large pages
    must leave some to others.
    """

    of_all: int = 10
    of_one: int = 8
    bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Reads the pages of jobs outside this process, within its own bounds."""

    pages: PageSource
    bounds: PageBounds


class Jobs(Protocol):
    """The part of the scheduler that the reader needs."""

    def apply(self, read: ObjectRead, window: WindowRead, event: Event) -> object:
        """Apply an event to a window's job."""
        ...

    @property
    def log(self) -> WindowLog:
        """Write a log line about a window's job."""
        ...


class PageReader:
    """Fetches pages ahead of their emission and returns them in order. ``sleep`` pauses a thread of ``calls``."""

    def __init__(self, org: Org, calls: Calls, sleep: Callable[[float], None], bounds: PageBounds, jobs: Jobs) -> None:
        self._org = org
        self._calls = calls
        self._sleep = sleep
        self._bounds = bounds
        self._jobs = jobs

    def fetch_ahead(self, reads: Sequence[ObjectRead]) -> None:
        """Start the downloads that the limits allow; the first page of every object before further ones of any."""
        slots = [slot for read in reads for window in read.windows for slot in window.slots]
        under_way = len(slots)
        arrived = sum(slot.page.stored for slot in slots if slot.page is not None)
        depths = self._bounds.of_one if arrived < self._bounds.bytes else 1
        for depth in range(1, depths + 1):
            for read in reads:
                if under_way >= self._bounds.of_all:
                    return
                under_way += self._fetch_next(read, depth)

    def front_page(self, read: ObjectRead) -> ReadyPage | None:
        """Return the next page, if it has arrived and its headers continue the pages before it."""
        window = read.front
        if window is None or read.failure is not None or not window.slots or not window.slots[0].arrived:
            return None
        slot = window.slots[0]
        if slot.page is None:
            self._page_lost(read, window, slot)
            return None
        page = slot.page
        first_id = None if is_empty_key(page.first_id) else page.first_id
        match step(window.walk, page.headers, page.rows, first_id):
            case (Onward() | End()) as after:
                return ReadyPage(page, after)
            case Lost() if window.walk.counted and window.walk.page > 0:
                # A locator after the last row, or one that leads back, is not part of the result.
                self._end(read, window)
            case Lost(reason):
                if not self._fetched_again(read, window, reason):
                    failure = Failure.of(Kind.PAGE_REJECTED, detail=reason, action=Action.NEW_JOB)
                    self._jobs.apply(read, window, PagesLost(failure))
            case WrongTotal(rows, total):
                reason = f"{rows} rows were received, the job reports {total}"
                if not self._fetched_again(read, window, reason):
                    failure = Failure.of(Kind.TOTAL_MISMATCH, detail=reason, job_id=window.job.job_id)
                    read.fail(failure, forget_jobs=True)
        return None

    def _fetch_next(self, read: ObjectRead, depth: int) -> int:
        """Request the next page of an object with fewer than ``depth`` running downloads; return how many.

        The pages of a window are followed by those of the next window, if its job is complete.
        """
        if read.failure is not None or sum(len(window.slots) for window in read.windows) >= depth:
            return 0
        for window in read.windows:
            if window.job.phase is Phase.DONE:
                continue
            if window.job.phase is not Phase.READY:
                return 0
            if not window.slots:
                self._fetch(read, window, PageSlot(window.walk.locator))
                return 1
            headers = window.slots[-1].headers
            if headers is None:
                return 0
            if headers.locator is not None:
                return self._fetch_behind(read, window, headers.locator)
        return 0

    def _fetch_behind(self, read: ObjectRead, window: WindowRead, locator: str) -> int:
        """Request the page that a header names, unless it was already read; return the number of requests."""
        if locator in {slot.locator for slot in window.slots} | window.walk.used:
            return 0
        self._fetch(read, window, PageSlot(locator))
        return 1

    def _fetch(self, read: ObjectRead, window: WindowRead, slot: PageSlot) -> None:
        window.expect(slot)
        address = read.address_of(window, slot.locator)
        pause = REFETCH_BACKOFF.delay(window.refetches - 1, 0.0) if window.refetches else 0.0
        self._calls.submit(
            partial(self._fetch_page, address, slot, pause, read.encoder),
            partial(self._arrived, window, slot),
            partial(self._failed, slot),
        )

    def _fetch_page(self, address: PageAddress, slot: PageSlot, pause: float, encoder: PageEncoder) -> Page:
        """Runs on the download's thread."""
        self._sleep(pause)
        return self._org.fetch(address, partial(self._announce, slot), encoder)

    def _announce(self, slot: PageSlot, headers: PageHeaders) -> None:
        """Runs on the download's thread."""
        self._calls.post(partial(setattr, slot, "headers", headers))

    def _arrived(self, window: WindowRead, slot: PageSlot, page: Page) -> None:
        slot.page, slot.headers = page, page.headers
        if slot not in window.slots:
            page.discard()

    def _failed(self, slot: PageSlot, error: Exception) -> None:
        slot.failure = failure_in(error)

    def _page_lost(self, read: ObjectRead, window: WindowRead, slot: PageSlot) -> None:
        window.drop_pages()
        if slot.failure is None:
            return
        if _nothing_is_left(window, slot.failure):
            self._end(read, window)
        elif slot.failure.action is Action.NOT_READY:
            self._jobs.apply(read, window, NotReady())
        elif window.inherited and is_refusal(slot.failure):
            # If an earlier run's result cannot be read, its window can still be read with a new job.
            self._jobs.apply(read, window, PagesLost(replace(slot.failure, action=Action.NEW_JOB)))
        elif window.question is not None and window.walk.rows and slot.failure.action is Action.SPLIT:
            # A page of REST can be requested again, with fewer rows; halves of the window would repeat those before it.
            window.ask_for_less()
            self._jobs.apply(read, window, PagesLost(replace(slot.failure, action=Action.NEW_JOB)))
        else:
            self._jobs.apply(read, window, PagesLost(slot.failure))

    def _end(self, read: ObjectRead, window: WindowRead) -> None:
        """End the window after all rows that the job reports, although no page was marked as the last."""
        self._jobs.apply(read, window, PagesRead())
        read.close_front(self._org.now())

    def _fetched_again(self, read: ObjectRead, window: WindowRead, reason: str) -> bool:
        """Drop the running pages and fetch the first one again; return False if no attempt is left."""
        again = window.refetch(MAX_REFETCHES)
        fate = "it is fetched again" if again else "no attempt is left"
        what = f"the page does not continue the pages before it ({reason}); {fate}"
        self._jobs.log(read, window, what, batch=window.walk.locator or FIRST_PAGE, level=logging.WARNING)
        return again


def _nothing_is_left(window: WindowRead, failure: Failure) -> bool:
    """Return whether a missing page is no loss, because all rows that the job reports have been delivered.

    A locator after the last row leads nowhere.
    """
    return window.walk.counted and window.walk.page > 0 and failure.action in (Action.NOT_READY, Action.NEW_JOB)
