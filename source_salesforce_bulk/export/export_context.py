"""The context that all objects of an export share, and their messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from source_salesforce_bulk.export.opening import Opening
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.export.run_attempts import Attempts
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.plan import Planner
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.salesforce.failures import Failure
from source_salesforce_bulk.salesforce.programs import Program


@dataclass(frozen=True, slots=True)
class PageDone:
    """A page of an object has become a file that the object's state covers."""

    object: str


PageEvent = PageDone | TurnOver
"""The events that an object's turns yield."""


@dataclass(frozen=True, slots=True)
class Export:
    """The context of a run's objects. ``upper_bound`` returns T, and is called just before an object's first job."""

    opening: Opening
    attempts: Attempts
    planner: Planner
    extraction: Extraction
    page_files: FileMaker
    states: StateRegistry
    schemas: SchemaWatch
    upper_bound: Callable[[], datetime]
    monotonic: Callable[[], float]
    program: Program
    _reported_by: dict[Failure, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.opening.run_id

    def failed(self, name: str, failure: Failure) -> ExportFailed:
        """Return an object's failure, which names its job. One that stops the run is explained by its first object."""
        stops = failure is self.extraction.stop_failure
        first = self._reported_by.setdefault(failure, name) if stops else name
        if first != name:
            text = f"{name}: the run was stopped; the message about {first} says why and what to do."
            return ExportFailed(failure.consequence, text, explained_by=first)
        about = f"{name}, job {failure.job_id}" if failure.job_id else name
        return ExportFailed(failure.consequence, f"{about}: {failure.message_for(self.program)}")
