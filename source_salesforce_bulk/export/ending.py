"""The end of a run that was not stopped: make its rows available to readers.

For files, the manifest does that. It is announced in each object's state, written, and then confirmed in each state. So
after a crash in between, the next run knows what was written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from source_salesforce_bulk.export.destination import Destination, ManifestExists
from source_salesforce_bulk.export.manifest import build_manifest
from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.export.outcomes import ObjectOutcome
from source_salesforce_bulk.export.run_attempts import Attempts, read_attempts
from source_salesforce_bulk.registries.state import LeaseLost

LOGGER = logging.getLogger("salesforce_bulk.export")


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run whose objects have been read, each to its end or to its failure.

    ``began_with`` are the attempts of the run before this one. ``missed`` are objects that could not be begun.
    """

    run_id: str
    objects: tuple[ObjectExport, ...]
    missed: tuple[ObjectOutcome, ...]
    began_with: Attempts
    destination: Destination
    started: datetime
    now: Callable[[], datetime]
    stopped: Callable[[], bool]

    @property
    def outcomes(self) -> tuple[ObjectOutcome, ...]:
        """The outcomes of all objects."""
        return (*(exported.outcome for exported in self.objects), *self.missed)


class Ending(Protocol):
    """Ends a run."""

    def conclude(self, end: RunEnd) -> str | None:
        """Make the rows available and return the location of the manifest, or None. A failure ends its object."""
        ...


class ManifestEnding:
    """Writes the manifest and empties the objects' file lists."""

    def conclude(self, end: RunEnd) -> str | None:
        """See :class:`Ending`. Returns None if there is nothing to write, or if another run has taken over."""
        name = read_attempts(end.run_id, end.destination.manifest).next_name
        named = [exported for exported in end.objects if exported.announce_manifest(name)]
        if _nothing_to_add(end):
            LOGGER.info("Run %s was already complete; nothing was added to it", end.run_id)
            return None
        manifest = build_manifest(end.run_id, end.outcomes, end.destination.url, end.started, end.now())
        try:
            where = end.destination.create_manifest(name, manifest)
        except ManifestExists:
            taken_over = LeaseLost(f"another run has taken over from the run {end.run_id}")
            for exported in named:
                exported.not_named(taken_over)
            return None
        except Exception as error:  # noqa: BLE001 - whether or not the manifest is there, the next run sees it
            for exported in named:
                exported.not_named(error)
            return None
        for exported in named:
            exported.manifest_written()
        LOGGER.info("Manifest written: %s", where)
        return where


def _nothing_to_add(end: RunEnd) -> bool:
    """Return whether earlier attempts of this run have exported everything, and this one has found no further row."""
    if any(outcome.failure is not None or outcome.files for outcome in end.outcomes):
        return False
    return {outcome.object_name for outcome in end.outcomes} <= end.began_with.complete_objects
