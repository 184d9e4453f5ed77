"""How a log line about a query job ends: with all that finds the job in Salesforce and the line in its run.

    query job complete; run id 4711-0, object Account, jobId 750…, batchId -, rows 300, seconds 12.4

batchId is the locator of the result page (``docs/adr/0001-windows-and-batch-id.md``), "first" for the page that has
none. What does not apply is "-".
"""

from __future__ import annotations

FIRST_PAGE = "first"
_NONE = "-"


def job_facts(
    *, run_id: str | None, object_name: str | None, job_id: str | None, batch_id: str | None = None
) -> dict[str, str | None]:
    """The same facts as attributes of the log record, for handlers that write JSON."""
    return {"run_id": run_id, "object": object_name, "job_id": job_id, "batch_id": batch_id}


def job_line(
    what: str,
    *,
    run_id: str | None,
    object_name: str | None,
    job_id: str | None,
    batch_id: str | None = None,
    rows: int | None = None,
    seconds: float | None = None,
) -> str:
    """The line. ``what`` must be safe to show; ``seconds`` since what is described began.

    >>> job_line("query job created", run_id="r", object_name="Lead", job_id="750x", seconds=0.04)
    'query job created; run id r, object Lead, jobId 750x, batchId -, rows -, seconds 0.0'
    """
    took = _NONE if seconds is None else f"{seconds:.1f}"
    counted = _NONE if rows is None else str(rows)
    return (
        f"{what}; run id {run_id or _NONE}, object {object_name or _NONE}, jobId {job_id or _NONE}, "
        f"batchId {batch_id or _NONE}, rows {counted}, seconds {took}"
    )
