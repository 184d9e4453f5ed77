"""What every part of one run's extraction shares: its name, its clock, its bounds and its counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.salesforce.clock import Clock


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run. At most ``max_concurrent_jobs`` are unfinished in the org at once, each within the bounds of ``jobs``.

    ``random01`` gives a number from 0 to 1, by which pauses vary.
    """

    run_id: str
    clock: Clock
    random01: Callable[[], float]
    max_concurrent_jobs: int
    jobs: JobPolicy
    metrics: RunMetrics
