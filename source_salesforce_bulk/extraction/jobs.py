"""Query jobs in the org: create, ask, abort, delete.

Retries here: none. A call's own retries are ``transport``'s; new jobs for a query are ``query_job``'s decision.
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
    """The query jobs of one org. Every method may be called from any thread and raises ``SalesforceError``."""

    def __init__(self, transport: Transport, run_id: str | None = None) -> None:
        self._transport = transport
        self._run_id = run_id

    def create(self, version: str, soql: str, query: ObjectQuery) -> JobInfo:
        """Create a job. A lost answer raises with ``Action.SEND_ONCE_MORE``: a job without a known id may exist."""
        return self._job(bulk_api.create_job(version, soql, query))

    def info(self, version: str, job_id: str, object_name: str) -> JobInfo:
        """How a job stands."""
        return self._job(bulk_api.job_info(version, job_id, object_name))

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        """Delete a finished job; False, with a log line, where that did not work. Never raises for a failure.

        Clean-up must not fail a sync whose rows are all safe, so this is best effort.
        """
        return self._best_effort(bulk_api.delete_job(version, job_id, object_name), job_id)

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        """Abort an unfinished job, then delete it, best effort as :meth:`delete`."""
        self._best_effort(bulk_api.abort_job(version, job_id, object_name), job_id)
        return self.delete(version, job_id, object_name)

    def _job(self, request: ApiRequest) -> JobInfo:
        response = self._transport.call(request)
        try:
            info = JobInfo.from_json(response.json())
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(request.operation, response)) from error
        # Salesforce's own words about a failure reach logs and traces; a secret in them must not.
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
