"""Query jobs in the org: create, poll, abort, delete.

Does not retry. ``transport`` retries single calls; ``query_job`` decides on new jobs for a query.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import JobInfo
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.job_log import JobFacts, log_job
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import ApiRequest, UnreadableBody

LOGGER = logging.getLogger("salesforce_bulk.jobs")


class BulkJobs:
    """The query jobs of one org. Thread-safe; methods raise ``SalesforceError``."""

    def __init__(self, transport: Transport, run_id: str | None = None) -> None:
        self._transport = transport
        self._run_id = run_id

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """Create a job. A lost response raises with ``Action.SEND_ONCE_MORE``: a job with an unknown id may exist."""
        return self._job(bulk_api.create_job(version, soql, query))

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """Return a job's state."""
        return self._job(bulk_api.job_info(version, job_id, object_name))

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """Delete a finished job; return False, with a log line, if that failed. Never raises for a failure.

        This is best effort, because clean-up must not fail a sync whose rows are complete.
        """
        return self._best_effort(bulk_api.delete_job(version, job_id, object_name), job_id)

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """Abort an unfinished job, then delete it; best effort like :meth:`delete`."""
        self._best_effort(bulk_api.abort_job(version, job_id, object_name), job_id)
        return self.delete(version, job_id, object_name)

    def _job(self, request: ApiRequest) -> JobInfo:
        response = self._transport.call(request)
        try:
            info = JobInfo.from_json(response.json())
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(request.operation, response)) from error
        # Salesforce's message appears in logs and traces, so secrets in it must be masked.
        return replace(info, error_message=self._transport.redact(info.error_message or "") or None)

    def _best_effort(self, request: ApiRequest, job_id: str) -> bool:
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
