"""Store the files of objects: the binary content of their rows, after the rows themselves.

The order of writes makes a kill at any point harmless:

    each file of a page durable under its final name -> the page's index durable -> progress in one commit -> next page

A file is there only as a whole, and its name says which content it has. So a run that lists a page again fetches only
the files that are not there yet. The progress has its own lease, separate from that of the object's rows.

Does not retry. ``blob_fetch`` fetches a file again, and a later run tries again what was not valid or failed.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from source_salesforce_bulk.export.blob_entries import (
    IN_A_ROW,
    ROWS,
    TRIED_AGAIN,
    BlobCounts,
    BlobEntry,
    BlobOptions,
    BlobState,
    blob_path,
    index_path,
    left_out_by_size,
    state_after,
)
from source_salesforce_bulk.export.blob_listing import BlobLister
from source_salesforce_bulk.export.blob_progress import BlobProgress, registry_entry
from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.export.opening import Opening
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.text_tables import counted
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.quota import check_usage
from source_salesforce_bulk.pages.blob_fetch import BlobFetcher
from source_salesforce_bulk.registries.state import Lease, StateRegistry, organization_key
from source_salesforce_bulk.salesforce.blobs import Blob
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.files")

_LINE_EVERY = 60.0
_LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class BlobRun:
    """The context of all objects of a run. ``registry`` has the progress of files beside that of rows."""

    connection: Connection
    opening: Opening
    registry: StateRegistry
    options: BlobOptions


class BlobExport:
    """Stores the files of one object."""

    def __init__(self, run: BlobRun, readable: ReadableObject, counts: BlobCounts) -> None:
        connection = run.connection
        self._run = run
        self._name = readable.sobject.name
        self._counts = counts
        self._lister = BlobLister(connection.org(), readable, connection.config.api_version)
        self._fetcher: BlobFetcher = connection.blob_fetcher()
        self._clock = connection.clock
        self._metrics = connection.metrics.of(self._name)
        self._in_a_row = Counter[BlobState]()
        self._trying_again = False
        self._next_line = self._clock.monotonic() + _LINE_EVERY

    def store(self) -> None:
        """Store the files of all rows that have changed since the last run.

        Raises ``ExportFailed`` if some files are to be tried again, after all others have been stored. Also raises
        ``SalesforceError``, ``Stopped``, and the errors of registry and destination.
        """
        run, connection = self._run, self._run.connection
        organization = organization_key(connection.log_in().organization_id)
        lease = run.registry.acquire(organization, registry_entry(self._name), run.opening.run_id)
        pool = ThreadPoolExecutor(run.options.at_once, "files")
        try:
            run.opening.open(self._name, None, lease)
            self._store(lease, pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            lease.release()

    def _store(self, lease: Lease, pool: ThreadPoolExecutor) -> None:
        connection, config = self._run.connection, self._run.connection.config
        kept = BlobProgress.from_json(lease.progress.state)
        progress = kept.begun(connection.upper_bound(), self._run.opening.run_id)
        last = False
        while not last:
            bounds = progress.bounds(config.start_date, config.lookback_window)
            rows = ROWS if progress.again else self._run.options.rows
            page = self._lister.page(bounds, None if progress.again else progress.after, rows)
            last = not progress.again and len(page) < rows
            self._trying_again = bool(progress.again)
            missed = self._store_page(page, progress, lease, pool)
            progress = progress.page_stored([blob.id for blob in page], missed)
            progress = progress.finished() if last else progress
            lease.commit(replace(lease.progress, state=progress.to_json()))
        LOGGER.info("%s: %s", self._name, self._counts, extra=self._facts)
        self._raise_for(progress)

    def _store_page(
        self, page: Sequence[Blob], progress: BlobProgress, lease: Lease, pool: ThreadPoolExecutor
    ) -> list[str]:
        """Store the files of a page of rows and their index; return the rows to try again."""
        futures = [pool.submit(self._stored, blob) for blob in page]
        self._wait(futures, lease)
        entries = [future.result() for future in futures]
        for entry in entries:
            self._counts.add(entry)
        self._metrics.files, self._metrics.file_bytes = self._counts.stored, self._counts.bytes
        if entries:
            path = index_path(self._name, progress.run, progress.number, progress.page)
            with _text_file("".join(entry.line() for entry in entries)) as file:
                self._run.opening.destination.put(file, path)
        return [entry.blob.id for entry in entries if entry.state in TRIED_AGAIN]

    def _wait(self, futures: Sequence[Future[BlobEntry]], lease: Lease) -> None:
        """Wait until all files are stored; raises the first error, and then begins no further file."""
        pending = set(futures)
        while pending:
            done, pending = wait(pending, _LOOK_EVERY, FIRST_EXCEPTION)
            failed = next((error for future in done if (error := future.exception()) is not None), None)
            if failed is not None:
                for future in pending:
                    future.cancel()
                wait(pending)  # what is under way has been paid for
                raise failed
            lease.renew()
            self._show(sum(future.done() for future in futures))

    def _show(self, done: int) -> None:
        """Log a line a minute; ``done`` are the files of the current page."""
        if self._clock.monotonic() >= self._next_line:
            self._next_line += _LINE_EVERY
            LOGGER.info("%s: %s; %d of the current page", self._name, self._counts, done, extra=self._facts)

    def _stored(self, blob: Blob) -> BlobEntry:
        """Store one file, unless it is there or must be left out. Runs on the pool."""
        self._clock.sleep(0)
        destination, path = self._run.opening.destination, blob_path(blob)
        left_out = left_out_by_size(blob, self._run.options.largest)
        if left_out is not None:
            return left_out
        if destination.size(path) == blob.size:
            return BlobEntry(blob, BlobState.STORED)
        self._check_quota()
        try:
            file = self._fetcher.fetch(blob, self._run.connection.config.api_version)
        except SalesforceError as error:
            return self._not_fetched(blob, error)
        try:
            destination.put(file, path)
        finally:
            file.unlink(missing_ok=True)
        self._in_a_row.clear()
        return BlobEntry(blob, BlobState.STORED, fetched=True)

    def _not_fetched(self, blob: Blob, error: SalesforceError) -> BlobEntry:
        """Return the entry of a file that could not be fetched; raises ``error`` if other files are affected, too."""
        state = state_after(error.failure)
        if state is None:
            raise error
        if state in IN_A_ROW:
            self._in_a_row[state] += 1
            if self._in_a_row[state] >= IN_A_ROW[state] and not self._trying_again:
                raise error
        return BlobEntry(blob, state, error.failure.summary)

    def _check_quota(self) -> None:
        connection = self._run.connection
        failure: Failure | None = check_usage(connection.metrics.usage, connection.config.daily_limit_reserve_percent)
        if failure is not None:
            raise SalesforceError(failure)

    def _raise_for(self, progress: BlobProgress) -> None:
        failed, invalid = (self._counts.left_out[state] for state in (BlobState.FAILED, BlobState.INVALID))
        if failed:
            text = f"Salesforce could not return {counted(failed, 'file')}; the index gives the reason for each."
            raise ExportFailed(Consequence.TRANSIENT, f"{self._name}: {text} Run again: it tries them again.")
        if progress.again:
            text = (
                f"{self._name}: {counted(invalid, 'file')} without the size or checksum that Salesforce reports; the "
                "index names them. The next run tries them again. If this continues, open one of them in Salesforce: "
                "it may be damaged there."
            )
            raise ExportFailed(Consequence.CONFIG, text)

    @property
    def _facts(self) -> dict[str, object]:
        facts = {"run_id": self._run.opening.run_id, "object": self._name}
        return {**facts, "event": "files", "facts": self._counts.to_json()}


def store_blobs(run: BlobRun, objects: Sequence[ObjectExport]) -> dict[str, BlobCounts]:
    """Store the files of the objects that the run's options name and whose rows were exported; return their counts.

    A failure ends its object, and if it concerns the whole run, the others, too. Returns early if the run is stopped.
    """
    found: dict[str, BlobCounts] = {}
    over: Exception | None = None
    for exported in objects:
        if exported.name not in run.options.objects or exported.outcome.failure is not None:
            continue
        if over is not None:
            exported.end_failed(over)
            continue
        counts = found[exported.name] = BlobCounts()
        try:
            BlobExport(run, exported.readable, counts).store()
        except Stopped:
            break
        except Exception as error:  # noqa: BLE001 - ends this object
            exported.end_failed(error)
            over = error if isinstance(error, SalesforceError) and error.failure.action is Action.STOP_RUN else None
    return found


@contextmanager
def _text_file(text: str) -> Iterator[Path]:
    """Write a temporary file, which is removed on exit unless it has been moved."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl", delete=False) as file:
        path = Path(file.name)
        try:
            file.write(text.encode())
            file.flush()
            yield path
        finally:
            path.unlink(missing_ok=True)
