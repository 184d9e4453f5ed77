"""The export of one object: its lease, its schema, its pages as files, and the state that covers them.

The order of writes makes a kill at any point harmless:

    page verified -> file durable -> state and file list in one commit -> next page
                                                             ... -> manifest -> file list emptied

A file that no commit lists can be deleted; a row that no commit covers is read again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from source_salesforce_bulk.deletions.tombstones import Vanished
from source_salesforce_bulk.export.coverage import Coverage
from source_salesforce_bulk.export.export_context import Export, PageDone, PageEvent
from source_salesforce_bulk.export.manifest import highest_window, page_path
from source_salesforce_bulk.export.object_deletions import comparable, rows_of_page, write_tombstones
from source_salesforce_bulk.export.object_view import known_rows, standing_after_failure, standing_of_read
from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.export.overview import ObjectView, Standing
from source_salesforce_bulk.export.page_files import ObjectFiles, files_of
from source_salesforce_bulk.export.storage_failures import defect, storage_failure, unusable_state
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan, ObjectRequest, begin
from source_salesforce_bulk.extraction.query_job import Phase
from source_salesforce_bulk.extraction.reconciliation import Reconciliation
from source_salesforce_bulk.extraction.stream_state import (
    COMPLETE_MARKER,
    Mode,
    StateError,
    jobs_named,
    sound_points,
)
from source_salesforce_bulk.extraction.windows import same_dates
from source_salesforce_bulk.pages.walk import End
from source_salesforce_bulk.registries.state import (
    DataFile,
    Lease,
    LeaseHeld,
    LeaseLost,
    Progress,
    UnreadableProgress,
    organization_key,
)
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.export")

_AGAIN = "Nothing is lost; run again later."


class ObjectExport:
    """One object, from taking its lease to releasing it. :meth:`turns` must be exhausted.

    After all objects have been read, call :meth:`announce_manifest`, then :meth:`manifest_written` or
    :meth:`not_named`, and finally :meth:`release`, however the run ended.
    """

    def __init__(self, export: Export, readable: ReadableObject, metrics: ObjectMetrics, expected: int | None) -> None:
        self.readable = readable
        self.metrics = metrics
        self._request = ObjectRequest(readable, rows=expected)
        self.outcome = ObjectOutcome(readable.sobject.name)
        self._export = export
        self._lease: Lease | None = None
        self._read: ObjectRead | None = None
        self._coverage = Coverage()
        self._committed = 0
        self._window = 0
        self._folder = export.run_id
        self._done = False
        self._nameable = False
        self._reconciliation: Reconciliation

    @property
    def name(self) -> str:
        """The object's API name."""
        return self.readable.sobject.name

    @property
    def view(self) -> ObjectView:
        """The current progress of the object, for display."""
        front = self._read.front if self._read is not None else None
        waits = front is not None and front.job.phase is Phase.WAITING and front.job.started is not None
        return ObjectView(
            name=self.name,
            standing=self._standing,
            rows=self.metrics.records,
            known_rows=self.metrics.records if self._done else known_rows(self._read),
            job=front.job.job_id if front is not None and waits else None,
            waiting=self._export.monotonic() - (front.job.started or 0.0) if front is not None and waits else 0.0,
        )

    @property
    def _standing(self) -> Standing:
        if self.outcome.failure is not None:
            return standing_after_failure(self.outcome.failure.consequence)
        return Standing.READ if self._done else standing_of_read(self._read, begun=self._lease is not None)

    @property
    def is_read(self) -> bool:
        """True if all its rows have been read and written."""
        return self._done

    @property
    def jobs_named(self) -> frozenset[str]:
        """Return the jobs in the last committed state, which the next run continues or deletes."""
        return jobs_named(self._lease.progress.state if self._lease is not None else None)

    def turns(self) -> Iterator[PageEvent]:
        """Export the object. Raises nothing: what goes wrong is the outcome's failure."""
        try:
            yield from self._turns()
        except Exception as error:  # noqa: BLE001 - ends this object only
            self.end_failed(error)

    def keep_lease(self) -> None:
        """Renew the lease if it is about to expire. If it is lost, the object fails at its next turn."""
        if self._lease is None or self.outcome.failure is not None:
            return
        try:
            self._lease.renew()
        except LeaseLost as error:
            self._lost(error)
        except Exception as error:  # noqa: BLE001 - the next attempt, or the next commit, decides
            LOGGER.warning(
                "%s: its lease could not be renewed (%s)", self.name, type(error).__name__, extra=self._facts
            )

    # Before the first page

    def _turns(self) -> Iterator[PageEvent]:
        export = self._export
        lease = self._lease = export.states.acquire(
            organization_key(export.planner.organization_id), self.name, export.run_id
        )
        progress, given_up = export.opening.open(self.name, self.readable.cursor_field, lease)
        self._folder = f"{export.run_id}.{lease.taken_from}" if lease.taken_from else export.run_id
        self._nameable = True
        registered = export.schemas.check(organization_key(export.planner.organization_id), self.readable.sobject)
        self.outcome.schema_version = registered.version
        self.outcome.state_before = self.outcome.state_after = progress.state
        beginning = self._plan(progress, given_up)
        if beginning is None:
            self._done = True
            return
        files = files_of(export.page_files, self.readable, registered.schema, export.upper_bound)
        try:
            yield from self._exported(beginning, files)
        except SalesforceError as error:
            in_full = self._in_full(error.failure)
            if in_full is None:
                raise
            yield from self._exported(in_full, files)
        self._done = True

    def _exported(self, beginning: Beginning, files: ObjectFiles) -> Iterator[PageEvent]:
        export, gone = self._export, list[Vanished]()
        self._reconciliation = Reconciliation(beginning, export.extraction, export.upper_bound)
        try:
            for step in self._reconciliation.steps():
                match step:
                    case Vanished():
                        gone.append(step)
                    case Beginning():
                        self._list_vanished(gone, beginning.plan, files)
                        yield from self._read_on(step, files)
                        if self.outcome.failure is not None:
                            return
                    case TurnOver():
                        yield step
        except SalesforceError:
            # Also commit the state after a failure: a job with a wrong total must not be continued.
            self._list_vanished(gone, beginning.plan, files)
            self._commit()
            raise
        self._list_vanished(gone, beginning.plan, files)
        self._commit()

    def _read_on(self, beginning: Beginning, files: ObjectFiles) -> Iterator[PageEvent]:
        """Read some windows to their end, or until they have to start over."""
        extraction, reconciliation = self._export.extraction, self._reconciliation
        if self._read is not None:
            self._coverage = self._coverage.under(beginning.plan.state)
            self._window += 1  # a range that was given up is read again, into other files
        read = self._read = extraction.begin(beginning, files.encoder)
        self._committed = 0
        reconciliation.begun(read)
        try:
            yield from self._pages(read, files)
        finally:
            extraction.drop(read)
        if not reconciliation.over_again:
            self._commit()

    def _list_vanished(self, gone: list[Vanished], plan: ObjectPlan, files: ObjectFiles) -> None:
        """Write the file of tombstones for rows that have vanished; the next commit lists it."""

        def put(file: Path) -> str:
            path = page_path(self.name, self._folder, self._window, 0, self._export.page_files.extension)
            self._window += 1
            return self._export.opening.destination.put(file, path)

        if gone:
            self._coverage = self._coverage.with_tombstones(write_tombstones(gone, plan, files, put))
            gone.clear()

    def _in_full(self, failure: Failure) -> Beginning | None:
        """Return the start of a full read if Salesforce refuses the cursor as a filter and the user did not set it."""
        if failure.kind is not Kind.CURSOR_NOT_FILTERABLE:
            return None
        export = self._export
        beginning = export.planner.begin_in_full(self._request)
        if beginning is not None and self._read is not None:
            self._read = None
            self._coverage = self._coverage.started_over()
            self._window += 1
        return beginning

    def _pages(self, read: ObjectRead, files: ObjectFiles) -> Iterator[PageEvent]:
        export = self._export
        while not read.finished and self.outcome.failure is None:
            ready = export.extraction.next_page(read)
            if self._reconciliation.over_again:
                return
            if ready is not None:
                self._hand_on(read, ready, files)
                yield PageDone(self.name)
            elif not read.finished:
                self._commit()
            if not read.finished:
                yield TURN_OVER

    def _plan(self, progress: Progress, given_up: Mapping[str, object]) -> Beginning | None:
        """Return what to read; None if an earlier run has read everything and only has to name its files.

        The same applies to an object that an earlier attempt of this run has read in full.
        """
        export = self._export
        finished = progress.state == COMPLETE_MARKER
        if finished and (progress.closed or self.name in export.attempts.complete_objects):
            self._coverage = Coverage(progress.closed)
            return None
        mode = Mode.INCREMENTAL if self.readable.cursor else Mode.FULL_REFRESH
        blob = {} if finished else progress.state
        plan, incoming = export.planner.plan(self._request, mode, blob)
        plan, incoming = comparable(plan, incoming, export.page_files)
        beginning = begin(plan, incoming, export.upper_bound, remedy="remove the object's state")
        listed = [file.path for file in (*progress.closed, *progress.open)]
        named = export.attempts.highest_window(self._folder, self.name)
        self._window = max(highest_window(self._folder, listed), named) + 1
        self._coverage = Coverage.of(progress, beginning.state)
        return replace(beginning, abandoned=(*beginning.abandoned, *sound_points(given_up)))

    # Pages

    def _hand_on(self, read: ObjectRead, ready: ReadyPage, files: ObjectFiles) -> None:
        window, reconciliation = read.windows[0], self._reconciliation
        if window.walk.page == 0 and self._coverage.front:
            self._window += 1  # a new number, so that no file of a commit is overwritten
        self._commit()
        if window.walk.page == 0:
            self._coverage = self._coverage.started_over()
        if reconciliation.sees_rows:
            reconciliation.note(rows_of_page(ready, read.plan, files), window)
        reconciliation.noted()
        file = self._write(ready, window.walk.page)
        self._export.extraction.handed_on(read, ready)
        reconciliation.handed_on(window, ready.after)
        self._coverage = self._coverage.with_page(file)
        if isinstance(ready.after, End):
            front = read.front
            same_window = front is not None and window.extra is None and same_dates(front.bounds, window.bounds)
            self._coverage = self._coverage.range_read(window_read=not same_window)
            self._window += 1
        self._commit()

    def _write(self, ready: ReadyPage, number: int) -> DataFile | None:
        """Write the page's file durably and return it; None if the page has no row."""
        export, page = self._export, ready.page
        self._count(page.encoded.unreadable, self.metrics.unreadable, "a cell cannot be read as its type and is null")
        self._count(page.encoded.inexact, self.metrics.inexact, "a value has more digits than float64 holds")
        if not page.rows:
            return None
        if self._lease is not None:
            self._lease.renew()
        path = page_path(self.name, self._folder, self._window, number, export.page_files.extension)
        content = page.encoded.product.take()
        path = export.opening.destination.put(content.path, path)
        facts = {"path": path, "rows": page.rows, "bytes": content.size}
        LOGGER.debug("%s written", path, extra={**self._facts, "event": "file", "facts": facts})
        return DataFile(path, page.rows, content.size, page.address.job_id, page.address.locator)

    def _count(self, found: Mapping[str, int], totals: Counter[str], what: str) -> None:
        for name, count in found.items():
            if not totals[name]:
                LOGGER.warning("%s.%s: %s; counted in the metrics", self.name, name, what, extra=self._facts)
            totals[name] += count

    def _commit(self) -> None:
        """Commit the state and the file list, if the state has changed.

        If it has not, the file list must not change either, because the rows of new files would be read again.
        """
        read = self._read
        if read is None or read.version == self._committed or self._lease is None:
            return
        state = read.state
        if read.front is not None and read.front.walk.page == 0:
            self._coverage = self._coverage.started_over()
        self._coverage = self._coverage.under(state)
        blob = state.to_json(self.readable.cursor_field)
        self._lease.commit(
            replace(self._lease.progress, state=blob, closed=self._coverage.closed, open=self._coverage.open)
        )
        self._committed = read.version
        self.outcome.state_after = blob

    # Afterwards

    def count_files(self) -> None:
        """Set the outcome's files to those that were committed. The rows of others are read again."""
        self.outcome.files = self._lease.progress.closed if self._lease is not None and self._nameable else ()
        self.outcome.rows = sum(file.rows for file in self.outcome.files)

    def announce_manifest(self, name: str) -> bool:
        """Commit that the manifest ``name`` is about to name the object's files; return False if it must not."""
        if self._lease is None or not self._nameable or not self._lease.progress.closed:
            return True
        self.count_files()
        try:
            self._lease.commit(replace(self._lease.progress, closing=name))
        except Exception as error:  # noqa: BLE001 - the object's files must not be named after any failure
            self.not_named(error)
            return False
        return True

    def not_named(self, error: Exception) -> None:
        """Note that no manifest of this run will name the object's files; a later run's will."""
        self.outcome.files, self.outcome.rows = (), 0
        self.end_failed(error)

    def end_failed(self, error: Exception) -> None:
        """End the object with an ``error`` that was raised while it was exported."""
        match error:
            case SalesforceError():
                self._fail(self._export.failed(self.name, error.failure))
            case ExportFailed():
                self._fail(error)
            case LeaseHeld() | LeaseLost():
                self._lost(error)
            case StateError() | UnreadableProgress():
                self._fail(unusable_state(error, self.name))
            case _:
                self._fail(storage_failure(error, self.name) or defect(error, self.name))

    def manifest_written(self) -> None:
        """Remove the files from the registry's list, now that a manifest names them."""
        if self._lease is None or self._lease.progress.closing is None:
            return
        try:
            progress = self._lease.progress
            named = progress.named_rows + sum(file.rows for file in progress.closed)
            self._lease.commit(replace(progress, closed=(), closing=None, named_rows=named))
        except Exception as error:  # noqa: BLE001 - the next run sees the manifest and does it
            LOGGER.warning("%s: its file list was not emptied (%s)", self.name, type(error).__name__, extra=self._facts)

    def release(self) -> None:
        """Release the lease."""
        if self._lease is not None:
            self._lease.release()

    @property
    def _facts(self) -> dict[str, str]:
        return {"run_id": self._export.run_id, "object": self.name}

    def _lost(self, error: LeaseHeld | LeaseLost) -> None:
        self.outcome.busy = isinstance(error, LeaseHeld)
        self._fail(ExportFailed(Consequence.TRANSIENT, f"{self.name}: {error}. {_AGAIN}"))

    def _fail(self, failure: ExportFailed) -> None:
        if self.outcome.failure is None:
            self.outcome.failure = failure
            LOGGER.error("%s", failure.message, extra=self._facts)
