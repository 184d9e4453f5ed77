"""The API calls that an extraction makes to one org, as one object.

Does not retry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from source_salesforce_bulk.extraction.jobs import BulkJobs
from source_salesforce_bulk.pages.fetch import Page, PageAddress, PageFetcher, PageSource
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce import rest_api
from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL, JobInfo, PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.ids import is_id
from source_salesforce_bulk.salesforce.org_clock import Moment
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, parse_instant
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import Operation, UnreadableBody, whole_number


class SalesforceOrg:
    """All methods are thread-safe, block, and raise ``SalesforceError`` or ``Stopped``.

    Pages lie in ``workspace`` while they are read, unless ``pages`` reads them elsewhere.
    ``user_id`` tells our jobs from others'; None where the login did not say who we are. ``run_id`` is for log lines.
    """

    def __init__(
        self,
        transport: Transport,
        workspace: Workspace,
        clock: Clock,
        random01: Callable[[], float],
        user_id: Callable[[], str | None],
        run_id: str | None = None,
        pages: PageSource | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._jobs = BulkJobs(transport, run_id)
        self._fetcher = PageFetcher(transport, workspace, clock, random01, run_id)
        self._pages = pages or self._fetcher
        self._user_id = user_id
        self._creator: str | None = None
        self._learning = threading.Lock()

    def now(self) -> datetime | None:
        """Return the org's time by its slowest clock, without a call; None if it is not known yet."""
        return self._transport.org_clock.time_at(Moment(self._clock.monotonic(), self._clock.now()))

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """Create a query job; ``soql`` is ``query`` for one window."""
        info = self._jobs.create(version, soql, query)
        self._creator = info.created_by or self._creator
        return info

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """Return a query job's state."""
        return self._jobs.info(version, job_id, object_name)

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """Abort and delete an unfinished job, best effort."""
        return self._jobs.abort(version, job_id, object_name)

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """Delete a finished job, best effort."""
        return self._jobs.delete(version, job_id, object_name)

    def confirm(self, version: str, job_id: str, object_name: str, operations: Collection[str]) -> JobInfo | None:
        """Return a job that only a stream state names; None if it has another object, operation or user.

        The check is necessary because users can edit states. A value that Salesforce does not report is not compared.
        """
        info = self._jobs.info(version, job_id, object_name)
        if info.object_name is not None and info.object_name.lower() != object_name.lower():
            return None
        if info.operation is not None and info.operation.lower() not in {known.lower() for known in operations}:
            return None
        return info if self._created_by_us(version, info.created_by, object_name) else None

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """One result page, proven whole and encoded."""
        source = self._pages if address.rest is None else self._fetcher
        return source.fetch(address, on_headers, encoder)

    def rows_within(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """The number of rows that meet every condition of the window's query; None if the answer does not say."""
        return self._counted(build_soql(query, bounds), query, version)

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> tuple[datetime, datetime] | None:
        """Return the oldest and the newest cursor in the window, by two synchronous queries; None if it is empty."""
        cursor = query.cursor_field
        if cursor is None:
            return None
        stamps_only = replace(query, fields=(cursor,), cursor_nillable=False, where=f"{cursor} != null")
        question = build_soql(stamps_only, bounds)
        first = self._first(f"{question} ORDER BY {cursor} ASC LIMIT 1", cursor, query, version)
        last = self._first(f"{question} ORDER BY {cursor} DESC LIMIT 1", cursor, query, version)
        try:
            return (parse_instant(first), parse_instant(last)) if first and last else None
        except ValueError:
            return None

    def id_at(
        self, query: ObjectQuery, bounds: Bounds, version: str, *, offset: int = 0, last: bool = False
    ) -> str | None:
        """Return the Id after ``offset`` others, from the lowest or the ``last``, by a synchronous query, or None.

        The user's filter is left out, because it may be slow if it is not selective.
        """
        order = f"ORDER BY Id {'DESC' if last else 'ASC'} LIMIT 1"
        skipped = f" OFFSET {offset}" if offset else ""
        found = self._first(f"{build_soql(_ids_only(query), bounds)} {order}{skipped}", "Id", query, version)
        return found if found is not None and is_id(found) else None

    def count(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """Return the number of rows within the bounds, by a synchronous query without the user's filter, or None."""
        return self._counted(build_soql(_ids_only(query), bounds), query, version)

    def _counted(self, soql: str, query: ObjectQuery, version: str) -> int | None:
        from_clause = soql.partition(" FROM ")[2]
        answer = self._query(f"SELECT COUNT() FROM {from_clause}", query, version)  # noqa: S608 - built by build_soql
        return whole_number(answer.get("totalSize")) if answer.get("done") is True else None

    def _first(self, soql: str, field: str, query: ObjectQuery, version: str) -> str | None:
        records = self._query(soql, query, version).get("records")
        first = records[0] if isinstance(records, list) and records else None
        cells = first.items() if isinstance(first, Mapping) else ()
        value = next((value for name, value in cells if name.lower() == field.lower()), None)
        return value if isinstance(value, str) else None

    def _created_by_us(self, version: str, user_id: str | None, object_name: str) -> bool:
        """Return whether our jobs have this creator: the login's user, or the one that the org reports for our jobs.

        If it is not the login's user, and no job of this run shows another, a job for at most one row is created.
        """
        ours = self._user_id()
        if user_id is None or ours is None or _same_id(user_id, ours):
            return True
        with self._learning:
            if self._creator is None:
                try:
                    one_row = f"SELECT Id FROM {object_name} LIMIT 1"  # noqa: S608 - a name that describe gave
                    job = self.create(version, one_row, ObjectQuery(object_name, ("Id",), QUERY))
                except SalesforceError:
                    return False
                self.abort(version, job.id, object_name)
            return self._creator is not None and _same_id(user_id, self._creator)

    def _query(self, soql: str, query: ObjectQuery, version: str) -> Mapping[str, object]:
        """Run a synchronous query that sees the same rows as a job, and return the response."""
        request = rest_api.query(version, soql, include_deleted=query.operation == QUERY_ALL)
        response = self._transport.call(replace(request, object_name=query.object_name, asked=Asked(query, soql)))
        try:
            payload = response.json()
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(Operation.QUERY, response)) from error
        return payload if isinstance(payload, Mapping) else {}


def _ids_only(query: ObjectQuery) -> ObjectQuery:
    return replace(query, fields=("Id",), where=None, exclude_deleted=False)


def _same_id(one: str, other: str) -> bool:
    """Return whether two Ids are equal; the API writes 15 or 18 characters, of which the first 15 are significant."""
    return one[:15] == other[:15]
