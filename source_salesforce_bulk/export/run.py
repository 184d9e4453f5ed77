"""Run an export: write the objects of a configuration to files, and then the manifest.

Extraction and run loop are shared with the Airbyte connector. This module makes each object a participant, keeps
leases, and ends the run in an order in which a crash at any point is harmless: write the manifest, empty the file
lists, release the leases, delete the finished jobs.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from source_salesforce_bulk.export.begin import BeginOptions, all_objections, unknown_full
from source_salesforce_bulk.export.blob_entries import BlobCounts, BlobOptions, not_exported
from source_salesforce_bulk.export.blob_export import BlobRun, store_blobs
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.ending import Ending, ManifestEnding, RunEnd
from source_salesforce_bulk.export.export_context import Export, PageDone
from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.export.opening import Opening
from source_salesforce_bulk.export.outcomes import (
    ExportFailed,
    ObjectOutcome,
    exit_code,
    missed_outcomes,
    misspelt,
    nothing_to_export,
)
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.export.run_attempts import Attempts, read_attempts
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.extraction.catalog import ReadableObject, Survey, survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.plan import Planner
from source_salesforce_bulk.extraction.run_loop import Participant, RunLoop
from source_salesforce_bulk.registries.state import StateRegistry, UnreadableProgress, organization_key
from source_salesforce_bulk.salesforce.failures import Consequence, SalesforceError
from source_salesforce_bulk.salesforce.row_counts import RowCounts

LOGGER = logging.getLogger("salesforce_bulk.export")

_LOOKS_AT_ONCE = 16


class Watcher(Protocol):
    """Shows the progress of an export."""

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """Start with the objects to export."""
        ...

    def look(self) -> None:
        """Update the display; called about once a second or more often."""
        ...

    def end(self) -> None:
        """Remove the display, because the run is over."""
        ...


@dataclass(frozen=True, slots=True)
class ExportPlaces:
    """Where an export writes to. ``on_clean_up`` is called after the last output."""

    destination: Destination
    states: StateRegistry
    schemas: SchemaWatch
    page_files: FileMaker
    watcher: Watcher
    on_clean_up: Callable[[], None]
    ending: Ending = field(default_factory=ManifestEnding)


@dataclass(slots=True)
class ExportResult:
    """The result of an export. ``manifest`` is its location; None if the run was stopped before it was written.

    ``blobs`` counts the files of each object whose files were stored.
    """

    code: int
    outcomes: tuple[ObjectOutcome, ...] = ()
    manifest: str | None = None
    blobs: Mapping[str, BlobCounts] = field(default_factory=dict)


@dataclass(slots=True)
class ExportRun:
    """One run over a connection. ``stopped`` returns whether a signal has come.

    ``objects`` and ``organization_id`` are set while it runs; the latter is None if the login did not report it.
    ``missed`` are the objects that the user named and that cannot be exported. ``blobs`` counts stored files.
    """

    connection: Connection
    places: ExportPlaces
    stopped: Callable[[], bool]
    begin_options: BeginOptions = field(default_factory=BeginOptions)
    blob_options: BlobOptions = field(default_factory=BlobOptions)
    objects: list[ObjectExport] = field(default_factory=list)
    missed: list[ObjectOutcome] = field(default_factory=list)
    organization_id: str | None = None
    blobs: dict[str, BlobCounts] = field(default_factory=dict)
    _attempts: Attempts = field(default_factory=lambda: Attempts(""))

    def run(self) -> ExportResult:
        """Export all configured objects.

        Raises ``ExportFailed``, or an error of destination or registry, if no object can be started.
        """
        connection = self.connection
        started = connection.clock.now()
        extraction = connection.extraction(self.places.page_files.elsewhere(connection))
        loop = RunLoop(connection, extraction, self.stopped, self._watch)
        try:
            survey = self._prepare(loop)
            self._report_missed(survey)
            self._begin(survey.objects, extraction)
            participants = [Participant(exported.name, self._turns(exported)) for exported in self.objects]
            deque(loop.messages(participants), maxlen=0)
            manifest = self._conclude(started)
            self._store_blobs()
            loop.finish()
        finally:
            self._log_quota()
            loop.close(self._jobs_to_keep, self.places.on_clean_up, *(exported.release for exported in self.objects))
        outcomes = self.outcomes
        return ExportResult(exit_code(outcome.failure for outcome in outcomes), outcomes, manifest, self.blobs)

    @property
    def outcomes(self) -> tuple[ObjectOutcome, ...]:
        """The outcomes of all objects."""
        return (*(exported.outcome for exported in self.objects), *self.missed)

    def _jobs_to_keep(self) -> set[str]:
        return {job for exported in self.objects for job in exported.jobs_named}

    # Before the first object

    def _prepare(self, loop: RunLoop) -> Survey:
        """Log in, read the limits and discover the objects to export."""
        connection, config = self.connection, self.connection.config
        self._attempts = self._read_attempts()
        self.places.states.check()
        try:
            loop.begin()
            self.organization_id = connection.log_in().organization_id
            survey = survey_objects(connection.discovery, config)
        except SalesforceError as error:
            raise ExportFailed(error.failure.consequence, error.failure.message_for(connection.program)) from error
        except ValueError as error:
            raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
        if not survey.objects:
            raise nothing_to_export(survey, config.objects)
        wrong = misspelt(survey, self._is_kept)
        if wrong is not None:
            raise wrong
        names = [readable.sobject.name for readable in survey.objects]
        problem = unknown_full(self.begin_options, names) or not_exported(self.blob_options, names)
        if problem is not None:
            raise ExportFailed(Consequence.CONFIG, problem)
        self._check_destination(names)
        return survey

    def _read_attempts(self) -> Attempts:
        return read_attempts(self.connection.run_id, self.places.destination.manifest)

    @property
    def _opening(self) -> Opening:
        places = self.places
        return Opening(self.connection.run_id, places.destination, places.page_files.extension, self.begin_options)

    def _is_kept(self, name: str) -> bool:
        try:
            return bool(self.places.states.progress(organization_key(self.organization_id), name).state)
        except UnreadableProgress:
            return True

    def _check_destination(self, names: Sequence[str]) -> None:
        """Raise ``ExportFailed`` if an object belongs to another destination, before any object is started."""
        opening, organization = self._opening, organization_key(self.organization_id)

        def objection(name: str) -> str | None:
            try:
                return opening.objection(name, self.places.states.progress(organization, name))
            except UnreadableProgress:
                return None  # the object's own failure, once it has its turn

        with ThreadPoolExecutor(_LOOKS_AT_ONCE, "destination") as pool:
            found = zip(names, pool.map(objection, names), strict=True)
            objections = {name: problem for name, problem in found if problem is not None}
        if objections:
            raise ExportFailed(Consequence.CONFIG, all_objections(objections))

    def _report_missed(self, survey: Survey) -> None:
        self.missed = missed_outcomes(survey)
        for outcome in self.missed:
            LOGGER.error("%s", outcome.failure, extra={"run_id": self.connection.run_id, "object": outcome.object_name})

    def _begin(self, readables: Sequence[ReadableObject], extraction: Extraction) -> None:
        connection = self.connection
        export = Export(
            opening=self._opening,
            attempts=self._attempts,
            planner=Planner(connection.config, self.organization_id),
            extraction=extraction,
            page_files=self.places.page_files,
            states=self.places.states,
            schemas=self.places.schemas,
            upper_bound=connection.upper_bound,
            monotonic=connection.clock.monotonic,
            program=connection.program,
        )
        names = [readable.sobject.name for readable in readables]
        counts = RowCounts(connection.discovery.record_counts, names, connection.clock)
        self.objects = [
            ObjectExport(export, readable, connection.metrics.of(name), counts.of(name))
            for readable, name in zip(readables, names, strict=True)
        ]
        url = self.places.destination.url
        LOGGER.info("Run %s exports to %s; objects: %d", connection.run_id, url, len(names))
        facts = {"destination": url, "objects": [*names, *(outcome.object_name for outcome in self.missed)]}
        LOGGER.debug("The run has begun", extra={"event": "run_begun", "facts": facts})
        self._log_quota()
        self.places.watcher.begin(self.objects)

    def _log_quota(self) -> None:
        usage = self.connection.metrics.usage
        if usage is not None:
            facts = {"remaining": max(0, usage.maximum - usage.used), "maximum": usage.maximum}
            LOGGER.debug(
                "API calls left: %(remaining)d of %(maximum)d", facts, extra={"event": "quota", "facts": facts}
            )

    # While objects are read

    def _turns(self, exported: ObjectExport) -> Iterator[PageDone | TurnOver]:
        yield from exported.turns()
        if exported.outcome.failure is None:
            LOGGER.info(
                "%s complete: %s",
                exported.name,
                exported.metrics.summary(),
                extra={"run_id": self.connection.run_id, "object": exported.name},
            )

    def _watch(self) -> None:
        """Renew the leases that are about to expire, and show the progress."""
        for exported in self.objects:
            exported.keep_lease()
        self.places.watcher.look()

    # At the end

    def _conclude(self, started: datetime) -> str | None:
        """Write the manifest and return its location, or None."""
        if self.stopped():
            for exported in self.objects:
                exported.outcome.stopped = True
            return None
        connection = self.connection
        end = RunEnd(
            run_id=connection.run_id,
            objects=tuple(self.objects),
            missed=tuple(self.missed),
            began_with=self._attempts,
            destination=self.places.destination,
            started=started,
            now=connection.clock.now,
            stopped=self.stopped,
        )
        return self.places.ending.conclude(end)

    def _store_blobs(self) -> None:
        """Store files. The objects' rows are committed, so their leases are released first."""
        if self.stopped() or not self.blob_options.objects:
            return
        for exported in self.objects:
            exported.release()
        run = BlobRun(self.connection, self._opening, self.places.states, self.blob_options)
        self.blobs = store_blobs(run, self.objects)
