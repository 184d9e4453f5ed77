"""The pages of a planned read, by window, and the state that names their jobs.

A window's pages are valid as long as its job is: if the job is replaced, they are planned again. Until the read is
finished, its state is that of a run that has created its jobs and delivered none of their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.query_job import Phase
from source_salesforce_bulk.extraction.stream_state import REST_JOB, ResumePoint, StreamState
from source_salesforce_bulk.extraction.window_read import WindowRead
from source_salesforce_bulk.salesforce.soql import Bounds

P = TypeVar("P")


class PlannedWindows(Generic[P]):
    """Collects pages in the order in which an extraction delivers them."""

    def __init__(self) -> None:
        self._pages: dict[WindowRead, list[P]] = {}
        self._points: dict[Bounds, ResumePoint] = {}

    def take(self, read: ObjectRead, page: P | None) -> None:
        """Take the next page of the read's first window, before it is handed on; None: it holds no rows."""
        window = read.windows[0]
        if window.walk.page == 0 or window not in self._pages:
            self._pages[window] = []
            self._points |= {point.bounds: point for point in _with_jobs(read) if point.bounds == window.bounds}
        if page is not None:
            self._pages[window].append(page)

    def start_over(self) -> None:
        """Drop all pages, because the object is read in another way."""
        self._pages.clear()
        self._points.clear()

    def pages(self) -> Iterator[P]:
        """Yield the pages of complete windows."""
        for window, pages in self._pages.items():
            if window.job.phase is Phase.DONE:
                yield from pages

    def begun(self, read: ObjectRead) -> StreamState:
        """Return the state of a read that is not finished: it names every job, and covers none of their rows."""
        waiting = [point for point in _with_jobs(read) if point.bounds not in self._points]
        resume = (*self._points.values(), *waiting)
        return replace(read.state, cursor=read.plan.state.cursor, complete=False, resume=resume)


def _with_jobs(read: ObjectRead) -> list[ResumePoint]:
    return [point for point in read.state.resume if point.job != REST_JOB]
