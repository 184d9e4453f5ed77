"""The log lines about windows and their jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.window_read import WindowRead
from source_salesforce_bulk.salesforce.job_log import JobFacts, log_job

LOGGER = logging.getLogger("salesforce_bulk.extraction")


@dataclass(frozen=True, slots=True)
class WindowLog:
    """Writes the log lines of one run. ``monotonic`` returns seconds."""

    run_id: str
    monotonic: Callable[[], float]

    def __call__(
        self,
        read: ObjectRead,
        window: WindowRead,
        what: str,
        *,
        batch: str | None = None,
        rows: int | None = None,
        level: int = logging.INFO,
        event: str | None = None,
        **more: object,
    ) -> None:
        """Log one line about a window's job; its seconds count from the first create of the job's query.

        ``event`` and ``more`` are for programs that read the log, such as a run's report.
        """
        started = window.job.started
        facts = JobFacts(self.run_id, read.plan.object_name, window.job.job_id, batch)
        seconds = 0.0 if started is None else self.monotonic() - started
        known = {"window": str(window.bounds), **more}
        log_job(LOGGER, facts, what, rows=rows, seconds=seconds, level=level, event=event, **known)
