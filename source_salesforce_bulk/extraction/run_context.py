"""The context that all parts of an extraction share: run id, clock, limits and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.salesforce.clock import Clock


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run. At most ``max_concurrent_jobs`` are unfinished in the org at once, each within the limits of ``jobs``.

    ``random01`` returns a number from 0 to 1, for jitter.
    """

    run_id: str
    clock: Clock
    random01: Callable[[], float]
    max_concurrent_jobs: int
    jobs: JobPolicy
    metrics: RunMetrics
