"""Log lines about query jobs. Each ends with the facts that identify the job in Salesforce and the run.

    query job complete; run id 4711-0, object Account, jobId 750…, batchId -, rows 300, seconds 12.4

batchId is the locator of the result page (``docs/adr/0001-windows-and-batch-id.md``), "first" for the first page,
which has none. A fact that does not apply is "-".
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.wire import printable

FIRST_PAGE = "first"
_NONE = "-"


@dataclass(frozen=True, slots=True)
class JobFacts:
    """The run, object, job and page of a line; None if not applicable."""

    run_id: str | None
    object_name: str | None
    job_id: str | None
    batch_id: str | None = None

    @property
    def attributes(self) -> dict[str, str | None]:
        """Return the facts as attributes of the log record, for handlers that write JSON."""
        facts = {"run_id": self.run_id, "object": self.object_name, "job_id": self.job_id, "batch_id": self.batch_id}
        return {name: None if fact is None else printable(fact) for name, fact in facts.items()}

    def line(self, what: str, *, rows: int | None = None, seconds: float | None = None) -> str:
        """Return the line. ``what`` must be safe to display; ``seconds`` is the duration of what it describes.

        >>> JobFacts("r", "Lead", "750x").line("query job created", seconds=0.04)
        'query job created; run id r, object Lead, jobId 750x, batchId -, rows -, seconds 0.0'
        """
        run_id, object_name, job_id, batch_id = (fact or _NONE for fact in self.attributes.values())
        took = _NONE if seconds is None else f"{seconds:.1f}"
        counted = _NONE if rows is None else str(rows)
        sentence = what.rstrip(".")
        return (
            f"{sentence}; run id {run_id}, object {object_name}, jobId {job_id}, batchId {batch_id}, rows {counted}, "
            f"seconds {took}"
        )


def log_job(
    logger: logging.Logger,
    facts: JobFacts,
    what: str,
    *,
    rows: int | None = None,
    seconds: float | None = None,
    level: int = logging.INFO,
    event: str | None = None,
    **more: object,
) -> None:
    """Log one line about a job, with its facts as the record's attributes.

    ``event`` is the name of the event, for programs that read the log; ``more`` are further facts.
    """
    numbers = {"rows": rows, "seconds": None if seconds is None else round(seconds, 3), **more}
    known = {name: value for name, value in numbers.items() if value is not None}
    extra = {**facts.attributes, "event": event, "facts": known}
    logger.log(level, "%s", facts.line(what, rows=rows, seconds=seconds), extra=extra)
