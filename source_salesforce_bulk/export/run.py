"""One export: the objects of a configuration, whoever is ready first, and at the end the manifest.

The reading path is the Airbyte connector's; this module gives the word to one object after another, keeps leases and
limits, and ends the run in the order that a crash anywhere leaves harmless: manifest, file lists emptied, leases
released, finished jobs deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from source_salesforce_bulk.export.destination import Destination, ManifestExists
from source_salesforce_bulk.export.manifest import build_manifest
from source_salesforce_bulk.export.missed_objects import missed_outcomes, nothing_to_export
from source_salesforce_bulk.export.object_export import Export, ObjectExport, PageDone
from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome, exit_code
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.extraction.catalog import ReadableObject, Survey, survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import CLEAN_UP, CLEAN_UP_STOPPED, IDLE, Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver, interleave
from source_salesforce_bulk.extraction.limits_watch import LimitsWatch
from source_salesforce_bulk.registries.state import LeaseLost, StateRegistry
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.row_counts import RowCounts

LOGGER = logging.getLogger("salesforce_bulk.export")


class Watcher(Protocol):
    """Shows how an export gets on."""

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """These objects will be exported."""
        ...

    def look(self) -> None:
        """Something may have moved; called at least every second or so."""
        ...


@dataclass(frozen=True, slots=True)
class ExportPlaces:
    """Where an export writes to. ``on_clean_up`` is told when the last word is out."""

    destination: Destination
    states: StateRegistry
    schemas: SchemaWatch
    page_files: FileMaker
    watcher: Watcher
    on_clean_up: Callable[[], None]


@dataclass(slots=True)
class ExportResult:
    """How an export ended. ``manifest`` says where it is; None where the run was stopped before it."""

    code: int
    outcomes: tuple[ObjectOutcome, ...] = ()
    manifest: str | None = None


@dataclass(slots=True)
class ExportRun:
    """One run over a connection. ``stopped`` says whether a signal has come.

    ``objects`` and ``organization_id`` are known once it runs; the latter is None where the login did not say.
    ``missed`` are the objects that the user has named and that cannot be had: each failed before it could be begun.
    """

    connection: Connection
    places: ExportPlaces
    stopped: Callable[[], bool]
    objects: list[ObjectExport] = field(default_factory=list)
    missed: list[ObjectOutcome] = field(default_factory=list)
    organization_id: str | None = None
    _begun: int = 0
    _limits: LimitsWatch | None = None

    def run(self) -> ExportResult:
        """Export everything that the configuration names.

        Raises ``ExportFailed``, or what destination and registry raise, where no object can be begun.
        """
        connection = self.connection
        started = connection.clock.now()
        extraction = self.places.page_files.extraction(connection)
        seconds = CLEAN_UP_STOPPED
        try:
            survey = self._prepare(extraction)
            self._miss(survey)
            self._begin(survey.objects, extraction)
            for _ in interleave(
                [self._turns(one) for one in self.objects],
                may_begin=lambda others: not others or extraction.has_free_slot or extraction.stop_failure is not None,
                idle=partial(self._idle, extraction),
            ):
                self._look_around(extraction)
            manifest = None if self.stopped() else self._conclude(started)
            if not self.stopped():
                seconds = CLEAN_UP
        finally:
            self.places.on_clean_up()
            for one in self.objects:
                one.release()
            extraction.close({job for one in self.objects for job in one.jobs_named}, seconds)
            connection.close()
        outcomes = self.outcomes
        return ExportResult(exit_code(outcome.failure for outcome in outcomes), outcomes, manifest)

    @property
    def outcomes(self) -> tuple[ObjectOutcome, ...]:
        """What has become of every object that is to be exported."""
        return (*(one.outcome for one in self.objects), *self.missed)

    # Before the first object

    def _prepare(self, extraction: Extraction) -> Survey:
        """Log in, look at the limits and discover what is to be exported."""
        connection, config = self.connection, self.connection.config
        if self.places.destination.manifest(connection.run_id) is not None:
            text = f"A run with the id {connection.run_id} has written its manifest already. Choose another --run-id."
            raise ExportFailed(Consequence.CONFIG, text)
        self.places.states.check()
        try:
            self.organization_id = connection.log_in().organization_id
            self._limits = LimitsWatch(connection, extraction)
            failure = self._limits.begin()
            if failure is not None:
                raise SalesforceError(failure)
            survey = survey_objects(connection.discovery, config)
        except SalesforceError as error:
            raise ExportFailed(error.failure.consequence, str(error)) from error
        except ValueError as error:
            raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
        if not survey.objects:
            raise nothing_to_export(survey, config.objects)
        return survey

    def _miss(self, survey: Survey) -> None:
        self.missed = missed_outcomes(survey)
        for one in self.missed:
            LOGGER.error("%s", one.failure, extra={"run_id": self.connection.run_id, "object": one.object_name})

    def _begin(self, readables: Sequence[ReadableObject], extraction: Extraction) -> None:
        connection = self.connection
        export = Export(
            run_id=connection.run_id,
            config=connection.config,
            organization_id=self.organization_id,
            extraction=extraction,
            page_files=self.places.page_files,
            destination=self.places.destination,
            states=self.places.states,
            schemas=self.places.schemas,
            upper_bound=connection.upper_bound,
        )
        names = [readable.sobject.name for readable in readables]
        counts = RowCounts(connection.discovery.record_counts, names, connection.clock)
        self.objects = [
            ObjectExport(export, readable, connection.metrics.of(name), counts.of(name))
            for readable, name in zip(readables, names, strict=True)
        ]
        extraction.others_wait = len(self.objects) > 1
        LOGGER.info("Run %s exports to %s; objects: %d", connection.run_id, self.places.destination.url, len(names))
        self.places.watcher.begin(self.objects)

    # While objects are read

    def _turns(self, one: ObjectExport) -> Iterator[PageDone | TurnOver]:
        self._begun += 1
        waiting_since: float | None = None
        for turn in one.turns():
            now = self.connection.clock.monotonic()
            if turn is TURN_OVER and waiting_since is not None:
                one.metrics.waiting += now - waiting_since
            waiting_since = now if turn is TURN_OVER else None
            yield turn
        if one.outcome.failure is None:
            LOGGER.info(
                "%s complete: %s",
                one.name,
                one.metrics.summary(),
                extra={"run_id": self.connection.run_id, "object": one.name},
            )

    def _idle(self, extraction: Extraction) -> None:
        extraction.wait(IDLE)
        self._look_around(extraction)

    def _look_around(self, extraction: Extraction) -> None:
        """What must be noticed between two turns: a signal, a limit that runs out, a lease that does."""
        extraction.others_wait = self._begun < len(self.objects)
        if self.stopped():
            extraction.stop(Failure.of(Kind.INTERRUPTED))
        for one in self.objects:
            one.keep_lease()
        if self._limits is not None:
            self._limits.look()
        self.places.watcher.look()

    # At the end

    def _conclude(self, started: datetime) -> str | None:
        """Write the manifest and empty the file lists; None where another run has taken over everything."""
        named = [one for one in self.objects if one.announce_manifest()]
        destination, connection = self.places.destination, self.connection
        manifest = build_manifest(connection.run_id, self.outcomes, destination.url, started, connection.clock.now())
        try:
            where = destination.create_manifest(connection.run_id, manifest)
        except ManifestExists:
            taken_over = LeaseLost(f"another run has taken over from the run {connection.run_id}")
            for one in named:
                one.not_named(taken_over)
            return None
        except Exception as error:  # noqa: BLE001 - whether or not the manifest is there, the next run sees it
            for one in named:
                one.not_named(error)
            return None
        for one in named:
            one.manifest_written()
        LOGGER.info("Manifest written: %s", where)
        return where
