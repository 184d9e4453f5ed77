"""The org's daily limits: what a run may use above ``daily_limit_reserve_percent``, and what is used. Pure.

The limits apply to the whole org, including all other users and integrations, over a rolling 24 hours.

Most responses report the number of calls used (``Sforce-Limit-Info``). The counts lag, so a later response may report
less, and a single one may be far off. So the second largest of the recent counts is used: a late small count does not
lower it, and one large outlier does not raise it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind
from source_salesforce_bulk.salesforce.rest_api import Limit, Limits
from source_salesforce_bulk.salesforce.wire import ApiUsage

_KINDS = (
    (Kind.API_CALLS_EXHAUSTED, "DailyApiRequests"),
    (Kind.QUERY_JOBS_EXHAUSTED, "DailyBulkV2QueryJobs"),
    (Kind.RESULT_VOLUME_EXHAUSTED, "DailyBulkV2QueryFileStorageMB"),
)


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of a run. ``failure`` stops it now; it may create ``jobs`` more jobs (None: unlimited)."""

    failure: Failure | None = None
    jobs: int | None = None


def compute_quota(limits: Limits, reserve_percent: int) -> Quota:
    """Return what a run may use of the org's limits if it keeps the reserve."""
    jobs = limits.query_jobs
    return Quota(
        failure=check_limits(limits, reserve_percent),
        jobs=max(0, jobs.remaining - _reserve(jobs, reserve_percent)) if jobs and jobs.maximum > 0 else None,
    )


def jobs_used_up() -> Failure:
    """Return the failure of an object that needs a job after the run has created as many as the reserve allows.

    Objects that already have jobs are read to their end.
    """
    detail = "this run has created as many as daily_limit_reserve_percent of DailyBulkV2QueryJobs allows"
    return Failure.of(Kind.QUERY_JOBS_EXHAUSTED, detail=detail, action=Action.FAIL_STREAM)


def check_limits(limits: Limits, reserve_percent: int) -> Failure | None:
    """Return the failure that stops a run if less than the reserve is left of a limit that this connector uses."""
    daily = (limits.api_requests, limits.query_jobs, limits.query_result_mb)
    for (kind, name), limit in zip(_KINDS, daily, strict=True):
        if limit is not None and _below(limit, reserve_percent):
            return _failure(kind, name, limit, reserve_percent)
    return None


def check_usage(usage: ApiUsage | None, reserve_percent: int) -> Failure | None:
    """Do the same for API calls, using the header of every response."""
    if usage is None:
        return None
    limit = Limit(maximum=usage.maximum, remaining=max(0, usage.maximum - usage.used))
    if not _below(limit, reserve_percent):
        return None
    kind, name = _KINDS[0]
    return _failure(kind, name, limit, reserve_percent)


def _below(limit: Limit, reserve_percent: int) -> bool:
    """Return whether a limit is below its reserve. A limit of zero means that the org does not count."""
    return limit.maximum > 0 and limit.remaining * 100 < limit.maximum * max(reserve_percent, 0)


def _reserve(limit: Limit, reserve_percent: int) -> int:
    """Return the minimum that must be left, rounded up to whole units."""
    return -(-limit.maximum * max(reserve_percent, 0) // 100)


def _failure(kind: Kind, name: str, limit: Limit, reserve_percent: int) -> Failure:
    detail = (
        f"{limit.remaining:,} of {limit.maximum:,} {name} are left, less than the {reserve_percent} % "
        "that daily_limit_reserve_percent keeps for others"
    )
    return Failure.of(kind, detail=detail)


RECENT = 20
"""The number of recent responses that are considered: a few seconds with concurrent calls."""


@dataclass(frozen=True, slots=True)
class RecentUsage:
    """The counts of the most recent responses that had one, oldest first."""

    answers: tuple[ApiUsage, ...] = ()

    def seen(self, usage: ApiUsage | None) -> RecentUsage:
        """Add a response."""
        return self if usage is None else replace(self, answers=(*self.answers, usage)[-RECENT:])

    @property
    def believed(self) -> ApiUsage | None:
        """Return the count to use; None before the first. Of one or two counts it is the larger."""
        ordered = sorted(self.answers, key=lambda usage: usage.used, reverse=True)
        return ordered[1 if len(ordered) > 2 else 0] if ordered else None
