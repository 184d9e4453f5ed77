"""Watch the org's limits during a run: at its start, after every few jobs, and with every response."""

from __future__ import annotations

import logging
from functools import partial

from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.quota import Quota, check_usage
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.limits")

LIMITS_AGAIN = 50
"""Number of created jobs after which the org's limits are read again."""


class LimitsWatch:
    """Stops an extraction if less than the reserve is left, and limits the jobs that it may create."""

    def __init__(self, connection: Connection, extraction: Extraction) -> None:
        self._connection = connection
        self._extraction = extraction
        self._creates_at_limits = 0

    def begin(self) -> Failure | None:
        """Read the limits and return a failure that stops the run, or None; raises ``SalesforceError``, ``Stopped``."""
        quota = self._connection.quota()
        if quota.failure is None:
            self._extraction.allow_jobs(quota.jobs, counted_at=0)
        return quota.failure

    def look(self) -> None:
        """Check the limits; called between two turns. Requests to the org run in the background."""
        extraction = self._extraction
        failure = self._connection.clock_failure() or check_usage(
            self._connection.metrics.usage, self._connection.config.daily_limit_reserve_percent
        )
        if failure is not None:
            extraction.stop(failure)
        elif extraction.creates - self._creates_at_limits >= LIMITS_AGAIN:
            self._creates_at_limits = extraction.creates
            extraction.ask(self._connection.quota, partial(self._heed, extraction.creates), _without_limits)

    def _heed(self, counted_at: int, quota: Quota) -> None:
        self._extraction.allow_jobs(quota.jobs, counted_at=counted_at)
        if quota.failure is not None:
            self._extraction.stop(quota.failure)


def _without_limits(error: Exception) -> None:
    """Ignore a failure to read the limits: if it affects everything, it is handled elsewhere."""
    if isinstance(error, SalesforceError):
        LOGGER.warning("The org's limits could not be read: %s", error.failure.summary)
    elif not isinstance(error, Stopped):
        raise error
