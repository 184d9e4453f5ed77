"""The standing of an object during an export, for displays of progress."""

from __future__ import annotations

from collections.abc import Mapping

from source_salesforce_bulk.export.overview import Standing
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.query_job import Phase
from source_salesforce_bulk.salesforce.failures import Consequence

_STANDINGS: Mapping[Phase, Standing] = {
    Phase.PLANNED: Standing.SLOT,
    Phase.PROBING: Standing.PROBING,
    Phase.CREATING: Standing.CREATING,
    Phase.WAITING: Standing.WAITING,
    Phase.READY: Standing.DOWNLOADING,
    Phase.SPLITTING: Standing.CUTTING,
}


def standing_after_failure(consequence: Consequence) -> Standing:
    """Return the standing of an object that has failed."""
    return Standing.AGAIN if consequence is Consequence.TRANSIENT else Standing.FAILED


def standing_of_read(read: ObjectRead | None, *, begun: bool) -> Standing:
    """Return the standing of an object that has neither failed nor ended; ``begun``: this run has its lease."""
    if read is not None and read.finished:
        return Standing.READ
    if not begun:
        return Standing.QUEUED
    front = read.front if read is not None else None
    return Standing.PREPARING if front is None else _STANDINGS.get(front.job.phase, Standing.PREPARING)


def known_rows(read: ObjectRead | None) -> int | None:
    """Return the expected rows of the run, from its jobs or an estimate of the whole object; None if unknown."""
    if read is None:
        return None
    known = all(window.job.records is not None or window.expected is not None for window in read.windows)
    return read.expected_rows if known else None
