"""The org's daily allowances: what is left to this run above ``daily_limit_reserve_percent``, and what is used. Pure.

The limits are the whole org's, shared with every user and integration, over a rolling 24 hours.

Each answer brings a count of the calls used (``Sforce-Limit-Info``), some bring none, and the counts lag: of two
answers, the later may say less. One may be far off. So the count that is believed is not the last one, but the second
largest of the recent ones: a late small one does not lower it, and a wild large one does not raise it by itself.
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
    """What a run may still use. ``failure`` stops it now; ``jobs`` more may be created (None: no bound is known)."""

    failure: Failure | None = None
    jobs: int | None = None


def compute_quota(limits: Limits, reserve_percent: int) -> Quota:
    """What the org's limits leave to a run that keeps the reserve."""
    jobs = limits.query_jobs
    return Quota(
        failure=check_limits(limits, reserve_percent),
        jobs=max(0, jobs.remaining - _reserve(jobs, reserve_percent)) if jobs and jobs.maximum > 0 else None,
    )


def jobs_used_up() -> Failure:
    """The failure of an object that needs a job when the run has created all that the reserve left it.

    Objects that have their jobs are read to their end: those jobs are paid for.
    """
    detail = "this run has created as many as daily_limit_reserve_percent leaves it of DailyBulkV2QueryJobs"
    return Failure.of(Kind.QUERY_JOBS_EXHAUSTED, detail=detail, action=Action.FAIL_STREAM)


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


def _reserve(limit: Limit, reserve_percent: int) -> int:
    """The least that must be left, rounded up to whole units."""
    return -(-limit.maximum * max(reserve_percent, 0) // 100)


def _failure(kind: Kind, name: str, limit: Limit, reserve_percent: int) -> Failure:
    detail = (
        f"{limit.remaining:,} of {limit.maximum:,} {name} are left, less than the {reserve_percent} % "
        "that daily_limit_reserve_percent keeps for others"
    )
    return Failure.of(kind, detail=detail)


RECENT = 20
"""Answers that count: with several calls at a time, as many seconds at most."""


@dataclass(frozen=True, slots=True)
class RecentUsage:
    """The counts of the last answers that had one, oldest first."""

    answers: tuple[ApiUsage, ...] = ()

    def seen(self, usage: ApiUsage | None) -> RecentUsage:
        """With one more answer."""
        return self if usage is None else replace(self, answers=(*self.answers, usage)[-RECENT:])

    @property
    def believed(self) -> ApiUsage | None:
        """The count to go by; None before the first. Of one or two answers it is the larger."""
        ordered = sorted(self.answers, key=lambda usage: usage.used, reverse=True)
        return ordered[1 if len(ordered) > 2 else 0] if ordered else None
