"""What an extraction needs of an org, as one small interface."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from source_salesforce_bulk.pages.encoded_page import PageEncoder
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, PageHeaders
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery


class Org(Protocol):
    """Calls into one org. Each blocks, may run on any thread, and raises ``SalesforceError`` or ``Stopped``."""

    def now(self) -> datetime | None:
        """The org's time by the slowest of its clocks, without a call; None where no answer has shown it."""
        ...

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """Create a query job; ``soql`` is ``query`` over some window."""
        ...

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """How a query job stands."""
        ...

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """Abort and delete an unfinished job, best effort."""
        ...

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """Delete a finished job, best effort."""
        ...

    def confirm(self, version: str, job_id: str, object_name: str, operations: Collection[str]) -> JobInfo | None:
        """How a job stands that only a state names; None where it is of another object, operation or user."""
        ...

    def fetch(
        self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder | None
    ) -> Page:
        """One result page, proven whole, and encoded where there is an encoder."""
        ...

    def rows_within(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """The number of rows that meet every condition of the window's query; None if the answer does not say."""
        ...

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> tuple[datetime, datetime] | None:
        """The oldest and the newest cursor in the window; None where it holds none."""
        ...

    def id_at(
        self, query: ObjectQuery, bounds: Bounds, version: str, *, offset: int = 0, last: bool = False
    ) -> str | None:
        """The Id behind ``offset`` others within ``bounds``, from the lowest or the last; None where there is none."""
        ...

    def count(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """The number of rows within ``bounds``; None where the answer does not say."""
        ...
