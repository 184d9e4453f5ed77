"""Detect the deleted rows of an exported object by audits, and write them to separate files.

Such a file belongs to no window. It is durable before the commit that lists it and stores the result of the audit, so
a run that is killed in between repeats the audit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from source_salesforce_bulk.deletions.tombstones import tombstone
from source_salesforce_bulk.export.page_files import FileMaker, ObjectFiles
from source_salesforce_bulk.extraction.deletion_watch import DeletionWatch, begin_again
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.seen_rows import seen_row
from source_salesforce_bulk.extraction.stream_state import ReadState
from source_salesforce_bulk.registries.state import DataFile

LOGGER = logging.getLogger("salesforce_bulk.export")

JOB = "audit"
"""Takes the place of a job id in the entry of such a file."""

_NOT_HERE = (
    "%s: rows that were purged are not found in a Glue job. For detect_deletes all, export with salesforce-bulk, on "
    "Fargate or elsewhere."
)


@dataclass(frozen=True, slots=True)
class AuditContext:
    """The parts of an object's export that audits need. ``put`` makes a file durable and returns its path.

    ``listed`` receives each file of deleted rows, which the next commit lists.
    """

    extraction: Extraction
    files: ObjectFiles
    upper_bound: Callable[[], datetime]
    put: Callable[[Path], str]
    listed: Callable[[DataFile], None]


class ObjectDeletions:
    """The audits of one object during a run. Does nothing if its plan has none."""

    def __init__(self, context: AuditContext, beginning: Beginning) -> None:
        self._context = context
        self._plan = beginning.plan
        self._watch: DeletionWatch | None = None
        if beginning.plan.audit is not None:
            self._watch = DeletionWatch(beginning.plan, beginning.plan.audit, context.extraction, context.upper_bound)

    def first(self, beginning: Beginning) -> Iterator[TurnOver]:
        """Make the audit that must come before the first row, if any; yields turns."""
        if self._watch is not None and beginning.windows and self._watch.comes_first(beginning):
            yield from self._audited(self._watch)

    def begun(self, read: ObjectRead) -> None:
        """Let the read begin with the current memory of delivered rows."""
        if self._watch is not None:
            read.remember(self._watch.memory, at_once=True)

    def note(self, read: ObjectRead, ready: ReadyPage) -> None:
        """Remember the rows of a page that is about to be written."""
        if self._watch is not None and self._plan.audit is not None:
            names = [column.name for column in self._plan.audit.columns]
            cells = self._context.files.cells(ready.page.encoded.product.take().path, names)
            rows = (seen_row(record_id, *created) for record_id, *created in cells if record_id)
            self._watch.note(rows, read.windows[0].bounds.end)
            read.remember(self._watch.memory)

    def last(self, read: ObjectRead) -> Iterator[TurnOver]:
        """Make the audit after all rows of the run, if it is due; yields turns."""
        if self._watch is not None and self._watch.due:
            yield from self._audited(self._watch)
            read.remember(self._watch.memory, at_once=True)

    def over_again(self, read: ObjectRead) -> bool:
        """Return whether the remaining windows must begin again (see ``known_ids``) because one is read again."""
        return self._watch is not None and not read.finished and read.repeated_rows > 0

    def anew(self, read: ObjectRead) -> Beginning:
        """Return the remaining windows, from their start and without earlier jobs."""
        return begin_again(read, self._context.upper_bound)

    def audited(self) -> Iterator[TurnOver]:
        """Make an audit; yields turns."""
        if self._watch is not None:
            yield from self._audited(self._watch)

    def _audited(self, watch: DeletionWatch) -> Iterator[TurnOver]:
        gone: list[tuple[str, datetime]] = []
        for row in watch.audited():
            if row is None:
                yield TURN_OVER
            else:
                gone.append(row)
        if gone:
            self._context.listed(self._written(gone))

    def _written(self, gone: list[tuple[str, datetime]]) -> DataFile:
        key, cursor = self._plan.primary_key[0], self._plan.cursor_field or ""
        rows = [tombstone(*row, key=key, cursor=cursor) for row in gone]
        with TemporaryDirectory(prefix="tombstones-") as folder:
            content = self._context.files.write_rows(rows, Path(folder))
            return DataFile(self._context.put(content.path), len(rows), content.size, JOB, None)


def auditable(plan: ObjectPlan, state: ReadState, page_files: FileMaker) -> tuple[ObjectPlan, ReadState]:
    """Return the plan without audits, with one warning, if this process cannot read the rows of the pages."""
    if plan.audit is None or page_files.shows_rows:
        return plan, state
    LOGGER.warning(_NOT_HERE, plan.object_name)
    state = replace(state, state=replace(state.state, deletes=None))
    return replace(plan, audit=None, state=state.state), state
