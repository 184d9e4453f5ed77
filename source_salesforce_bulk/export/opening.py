"""Prepare an object's stored progress for a run: settle manifests, bind the destination, choose where to begin.

Called while the object's lease is held. Each change is committed before a page is read, so that the next run finds a
consistent progress even if this one dies right afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from source_salesforce_bulk.export.begin import BeginOptions, Target, adopted, objection, set_back
from source_salesforce_bulk.export.destination import Destination, ManifestExists, canonical_url
from source_salesforce_bulk.export.manifest import abandoned_manifest, files_named
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.registries.state import Lease, Progress
from source_salesforce_bulk.salesforce.failures import Consequence

LOGGER = logging.getLogger("salesforce_bulk.export")


@dataclass(frozen=True, slots=True)
class Opening:
    """The settings with which all objects of a run are opened. ``file_format`` is the extension of its files."""

    run_id: str
    destination: Destination
    file_format: str
    options: BeginOptions

    @property
    def target(self) -> Target:
        """The destination and format of the run."""
        return Target(self.destination.url, self.file_format)

    def objection(self, name: str, progress: Progress) -> str | None:
        """Return why the object must not be exported there; None if it may."""
        spelled = replace(progress, destination=canonical_url(progress.destination))
        holds_files = not progress.rows or self.destination.holds_files(name)
        return objection(name, spelled, self.target, self.options, holds_files=holds_files)

    def open(self, name: str, cursor_field: str | None, lease: Lease) -> tuple[Progress, Mapping[str, object]]:
        """Return the progress to continue from, and the state that it replaces (empty if none).

        Raises ``ExportFailed`` if the object belongs to another destination, and the errors of registry and
        destination.
        """
        problem = self.objection(name, lease.progress)
        if problem is not None:
            raise ExportFailed(Consequence.CONFIG, problem)
        progress = self._settled(name, lease)
        if self.options.starts_over(name) and progress.begun_by != self.run_id:
            fresh = Progress(destination=self.target.url, file_format=self.target.file_format, begun_by=self.run_id)
            lease.commit(fresh)
            self._log(f"{name}: all its rows are read again", name)
            return fresh, progress.state
        spelled = replace(progress, destination=canonical_url(progress.destination))
        progress, news = adopted(name, spelled, self.target)
        given_up: Mapping[str, object] = {}
        if self.options.since is not None and cursor_field is not None and progress.begun_by != self.run_id:
            given_up = progress.state
            state = set_back(progress.state, cursor_field, self.options.since)
            progress = replace(progress, state=state, open=(), begun_by=self.run_id)
            self._log(f"{name}: rows changed since {state[cursor_field]} are read again", name)
        if progress != lease.progress:
            lease.commit(progress)
        if news is not None:
            self._log(news, name)
        return progress, given_up

    def _settled(self, name: str, lease: Lease) -> Progress:
        """Return the progress after making sure that a dead run's pending manifest exists or can never be written."""
        progress = lease.progress
        if progress.closing is None or (
            self.options.starts_over(name) and canonical_url(progress.destination) != self.target.url
        ):
            return progress
        manifest = self.destination.manifest(progress.closing)
        if manifest is None:
            try:
                self.destination.create_manifest(progress.closing, abandoned_manifest(progress.closing))
            except ManifestExists:
                manifest = self.destination.manifest(progress.closing)
        named = files_named(manifest or {})
        awaited = tuple(file for file in progress.closed if file.path not in named)
        rows = progress.rows - sum(file.rows for file in (*awaited, *progress.open))
        progress = replace(progress, closed=awaited, closing=None, named_rows=rows)
        lease.commit(progress)
        return progress

    def _log(self, message: str, name: str) -> None:
        LOGGER.info("%s", message, extra={"run_id": self.run_id, "object": name})
