"""What of the org's daily allowances is left to this run (design 1.4, daily_limit_reserve_percent).

The limits are the whole org's, shared with every user and integration, over a rolling 24 hours.
"""

from __future__ import annotations

from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.rest_api import Limit, Limits
from source_salesforce_bulk.salesforce.wire import ApiUsage

_KINDS = (
    (Kind.API_CALLS_EXHAUSTED, "DailyApiRequests"),
    (Kind.QUERY_JOBS_EXHAUSTED, "DailyBulkV2QueryJobs"),
    (Kind.RESULT_VOLUME_EXHAUSTED, "DailyBulkV2QueryFileStorageMB"),
)


def check_limits(limits: Limits, reserve_percent: int) -> Failure | None:
    """The failure that stops a run, where less than the reserve is left of a limit that this connector uses."""
    daily = (limits.api_requests, limits.query_jobs, limits.query_result_mb)
    for (kind, name), limit in zip(_KINDS, daily, strict=True):
        if limit is not None and _below(limit, reserve_percent):
            return _failure(kind, name, limit, reserve_percent)
    return None


def check_usage(usage: ApiUsage | None, reserve_percent: int) -> Failure | None:
    """The same for the API calls, from the header that comes with every answer."""
    if usage is None:
        return None
    limit = Limit(maximum=usage.maximum, remaining=max(0, usage.maximum - usage.used))
    if not _below(limit, reserve_percent):
        return None
    kind, name = _KINDS[0]
    return _failure(kind, name, limit, reserve_percent)


def _below(limit: Limit, reserve_percent: int) -> bool:
    """A limit of zero is an org that does not count; nothing can be kept back of it."""
    return limit.maximum > 0 and limit.remaining * 100 < limit.maximum * max(reserve_percent, 0)


def _failure(kind: Kind, name: str, limit: Limit, reserve_percent: int) -> Failure:
    detail = (
        f"{limit.remaining:,} of {limit.maximum:,} {name} are left, less than the {reserve_percent} % "
        "that daily_limit_reserve_percent keeps for others"
    )
    return Failure.of(kind, detail=detail)
