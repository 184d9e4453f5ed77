"""Audits of an exported object: the rows of its pages, and the files of deleted rows.

Such a file belongs to no window. It is durable before the commit that lists it and stores the result of the audit, so
a run that is killed in between repeats the audit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.deletions.tombstones import Vanished, tombstone
from source_salesforce_bulk.export.page_files import FileMaker, ObjectFiles
from source_salesforce_bulk.extraction.object_read import ReadyPage
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.seen_rows import seen_row
from source_salesforce_bulk.extraction.stream_state import ReadState
from source_salesforce_bulk.registries.state import DataFile

LOGGER = logging.getLogger("salesforce_bulk.export")

JOB = "audit"
"""Takes the place of a job id in the entry of a file of deleted rows."""

_NOT_HERE = (
    "%s: %s in a Glue job, which does not see the rows. Export with salesforce-bulk instead, on Fargate or elsewhere."
)


def write_tombstones(
    gone: Sequence[Vanished], plan: ObjectPlan, files: ObjectFiles, put: Callable[[Path], str]
) -> DataFile:
    """Write the file of deleted rows; ``put`` makes it durable and returns its path."""
    key, cursor = plan.primary_key[0], plan.cursor_field or ""
    rows = [tombstone(row.record_id, row.seen, key=key, cursor=cursor) for row in gone]
    with TemporaryDirectory(prefix="tombstones-") as folder:
        content = files.write_rows(rows, Path(folder))
        return DataFile(put(content.path), len(rows), content.size, JOB, None)


def rows_of_page(ready: ReadyPage, plan: ObjectPlan, files: ObjectFiles) -> Iterator[SeenRow]:
    """Yield the rows of a page's file, before it is moved to its place."""
    if plan.audit is not None:
        names = [column.name for column in plan.audit.columns]
        cells = files.cells(ready.page.encoded.product.take().path, names)
        yield from (seen_row(record_id, *created) for record_id, *created in cells if record_id)


def comparable(plan: ObjectPlan, state: ReadState, page_files: FileMaker) -> tuple[ObjectPlan, ReadState]:
    """Return the plan, without comparisons if this process cannot read the rows of pages; warns about each of them."""
    if page_files.shows_rows:
        return plan, state
    if plan.audit is not None:
        LOGGER.warning(_NOT_HERE, plan.object_name, "rows that were purged are not found")
    if plan.refresh:
        facts = {"event": "formulas_not_refreshed"}
        LOGGER.warning(_NOT_HERE, plan.object_name, "formulas are not refreshed", extra=facts)
    state = replace(state, state=replace(state.state, deletes=None, formulas=None))
    return replace(plan, audit=None, refresh=(), state=state.state), state
