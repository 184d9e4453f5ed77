"""The API calls that an extraction makes to one org: query jobs, their pages, and small synchronous queries.

Does not retry. ``transport`` retries single calls, and ``query_job`` decides on new jobs for a query.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from source_salesforce_bulk.pages.fetch import Page, PageAddress, PageSource
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.salesforce import bulk_api, rest_api
from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL, JobInfo, PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock, Stopped
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.ids import is_id
from source_salesforce_bulk.salesforce.job_log import JobFacts, log_job
from source_salesforce_bulk.salesforce.org_clock import Moment
from source_salesforce_bulk.salesforce.rest_api import DeletedRows
from source_salesforce_bulk.salesforce.rest_query import ids_among, query_of_ids
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, parse_instant
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import ApiRequest, UnreadableBody, whole_number

LOGGER = logging.getLogger("salesforce_bulk.jobs")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobPagesElsewhere:
    """A ``PageSource`` that reads the pages of jobs ``elsewhere``, and those of the REST lane ``here``."""

    here: PageSource
    elsewhere: PageSource

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """See ``PageSource``."""
        source = self.elsewhere if address.rest is None else self.here
        return source.fetch(address, on_headers, encoder)


class SalesforceOrg:
    """An ``Org`` with Salesforce's APIs.

    ``user_id`` returns the user of the login, by which jobs of other clients are recognised; None if it is not known.
    """

    def __init__(
        self, transport: Transport, pages: PageSource, clock: Clock, user_id: Callable[[], str | None], run_id: str
    ) -> None:
        self._transport = transport
        self._pages = pages
        self._clock = clock
        self._user_id = user_id
        self._run_id = run_id
        self._creator: str | None = None
        self._learning = threading.Lock()

    def now(self) -> datetime | None:
        """See ``Org``."""
        return self._transport.org_clock.time_at(Moment(self._clock.monotonic(), self._clock.now()))

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """See ``Org``. A lost response raises with ``Action.SEND_ONCE_MORE``: a job with an unknown id may exist."""
        info = self._job(bulk_api.create_job(version, soql, query))
        self._creator = info.created_by or self._creator
        return info

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """See ``Org``."""
        return self._job(bulk_api.job_info(version, job_id, object_name))

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """See ``Org``."""
        self._best_effort(bulk_api.abort_job(version, job_id, object_name), job_id)
        return self.delete(version, job_id, object_name)

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """See ``Org``."""
        return self._best_effort(bulk_api.delete_job(version, job_id, object_name), job_id)

    def confirm(self, version: str, job_id: str, object_name: str, operations: Collection[str]) -> JobInfo | None:
        """See ``Org``. Users can edit states, so the job is checked; a value that Salesforce leaves out is not."""
        info = self.info(version, job_id, object_name)
        if info.object_name is not None and info.object_name.lower() != object_name.lower():
            return None
        if info.operation is not None and info.operation.lower() not in {known.lower() for known in operations}:
            return None
        return info if self._created_by_us(version, info.created_by, object_name) else None

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder) -> Page:
        """See ``Org``."""
        return self._pages.fetch(address, on_headers, encoder)

    def rows_within(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """See ``Org``."""
        return self._counted(build_soql(query, bounds), query, version)

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> tuple[datetime, datetime] | None:
        """See ``Org``. Takes two synchronous queries."""
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
        """See ``Org``. The user's filter is left out, because it may be slow if it is not selective."""
        order = f"ORDER BY Id {'DESC' if last else 'ASC'} LIMIT 1"
        skipped = f" OFFSET {offset}" if offset else ""
        found = self._first(f"{build_soql(_ids_only(query), bounds)} {order}{skipped}", "Id", query, version)
        return found if found is not None and is_id(found) else None

    def size_within(self, query: ObjectQuery, bounds: Bounds, field: str, version: str) -> tuple[int, int] | None:
        """Return the number of rows of the window's query, and the sum of ``field`` in them; None if unknown."""
        sums = replace(query, fields=("COUNT(Id) counted", f"SUM({field}) summed"))
        records = self._query(build_soql(sums, bounds), query, version).get("records")
        first = records[0] if isinstance(records, list) and records else None
        if not isinstance(first, Mapping):
            return None
        counted, summed = whole_number(first.get("counted")), whole_number(first.get("summed") or 0)
        return None if counted is None or summed is None else (counted, summed)

    def count(self, query: ObjectQuery, bounds: Bounds, version: str) -> int | None:
        """See ``Org``. The user's filter is left out."""
        return self._counted(build_soql(_ids_only(query), bounds), query, version)

    def deleted(self, object_name: str, start: datetime, end: datetime, version: str) -> DeletedRows:
        """See ``Org``."""
        return self._parsed(rest_api.deleted(version, object_name, start, end), rest_api.parse_deleted)

    def existing(self, query: ObjectQuery, ids: Collection[str], version: str) -> frozenset[str]:
        """See ``Org``."""
        question = replace(query, fields=("Id",), where=None)
        return self._parsed(_request(query_of_ids(question, ids), question, version), partial(ids_among, ids))

    def _job(self, request: ApiRequest) -> JobInfo:
        info = self._parsed(request, JobInfo.from_json)
        # Salesforce's message appears in logs and traces, so secrets in it must be masked.
        return replace(info, error_message=self._transport.redact(info.error_message or "") or None)

    def _best_effort(self, request: ApiRequest, job_id: str) -> bool:
        """Send a request of the clean-up, which must not fail a sync whose rows are complete."""
        try:
            self._transport.call(request)
        except Stopped:
            return False
        except SalesforceError as error:
            if error.failure.action is Action.IGNORE:
                return True
            what = f"could not {request.operation.value}: {error}"
            log_job(LOGGER, JobFacts(self._run_id, request.object_name, job_id), what, level=logging.WARNING)
            return False
        return True

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
        payload = self._parsed(_request(soql, query, version), _unchanged)
        return payload if isinstance(payload, Mapping) else {}

    def _parsed(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        response = self._transport.call(request)
        try:
            return parse(response.json())
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(request.operation, response)) from error


def _unchanged(payload: object) -> object:
    return payload


def _request(soql: str, query: ObjectQuery, version: str) -> ApiRequest:
    request = rest_api.query(version, soql, include_deleted=query.operation == QUERY_ALL)
    return replace(request, object_name=query.object_name, asked=Asked(query, soql))


def _ids_only(query: ObjectQuery) -> ObjectQuery:
    return replace(query, fields=("Id",), where=None, exclude_deleted=False)


def _same_id(one: str, other: str) -> bool:
    """Return whether two Ids are equal; the API writes 15 or 18 characters, of which the first 15 are significant."""
    return one[:15] == other[:15]
