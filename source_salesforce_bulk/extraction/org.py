"""The interface to an org that an extraction uses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, PageHeaders
from source_salesforce_bulk.salesforce.rest_api import DeletedRows
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery


class Org(Protocol):
    """API calls of one org. They block, are thread-safe, and raise ``SalesforceError`` or ``Stopped``."""

    def now(self) -> datetime | None:
        """Return the org's time by its slowest clock, without a call; None if it is not known yet."""
        ...

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """Create a query job; ``soql`` is ``query`` for one window."""
        ...

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """Return a query job's state."""
        ...

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """Abort an unfinished job and delete it; best effort like :meth:`delete`."""
        ...

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """Delete a finished job. Never raises ``SalesforceError``: returns False, with a log line, if that failed."""
        ...

    def confirm(self, version: str, job_id: str, object_name: str, operations: Collection[str]) -> JobInfo | None:
        """Return a job that only a stream state names; None if it has another object, operation or user."""
        ...

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """Return a result page, verified and encoded."""
        ...

    def rows_within(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """Return the number of rows of the window's query, including every filter; None if unknown."""
        ...

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> tuple[datetime, datetime] | None:
        """Return the oldest and the newest cursor in the window; None if it is empty."""
        ...

    def id_at(
        self, query: ObjectQuery, bounds: Bounds, version: str, *, offset: int = 0, last: bool = False
    ) -> str | None:
        """Return the Id after ``offset`` others within ``bounds``, from the lowest or the ``last``, or None."""
        ...

    def count(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """Return the number of rows within ``bounds``, without the user's filter; None if unknown."""
        ...

    def deleted(self, object_name: str, start: datetime, end: datetime, version: str) -> DeletedRows:
        """Return the rows that were deleted between two whole minutes, by the org's log of deletions."""
        ...

    def existing(self, query: ObjectQuery, ids: Collection[str], version: str) -> frozenset[str]:
        """Return those of a few Ids that the query returns, without the user's filter; Ids have 18 characters."""
        ...
