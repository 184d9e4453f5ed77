"""What became of each object of an export, and the exit code that follows (design section 1.3). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from source_salesforce_bulk.registries.state import DataFile
from source_salesforce_bulk.salesforce.failures import Consequence


class ExitCode(IntEnum):
    """What a process of ``salesforce-bulk`` ends with. A signal's own is 128 and its number."""

    DONE = 0
    OUR_FAULT = 1
    USAGE = 2
    SOME_FAILED = 3
    RUN_AGAIN = 75


@dataclass(unsafe_hash=True)  # not frozen: context managers set the traceback of what they pass on
class ExportFailed(Exception):
    """An object, or the whole run, cannot go on. ``message`` says what happened and what to do, and is safe to show."""

    consequence: Consequence
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class ObjectOutcome:
    """One object of a run, as the manifest and the final table tell it.

    ``busy``: another run was exporting it, and that is why this one has failed. ``stopped``: the run was stopped before
    a manifest could name the object's rows.
    """

    object_name: str
    failure: ExportFailed | None = None
    busy: bool = False
    stopped: bool = False
    files: tuple[DataFile, ...] = ()
    rows: int = 0
    schema_version: int | None = None
    state_before: Mapping[str, object] = field(default_factory=dict)
    state_after: Mapping[str, object] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """``complete``, ``stopped``, or what an operator should do about it: ``run again`` or ``failed``."""
        if self.failure is None:
            return "stopped" if self.stopped else "complete"
        return "run again" if self.failure.consequence is Consequence.TRANSIENT else "failed"


def exit_code(failures: Iterable[ExportFailed | None]) -> ExitCode:
    """The code of a run whose objects ended so. What a new run repairs is worth more than what it cannot."""
    found = {failure.consequence for failure in failures if failure is not None}
    if Consequence.SYSTEM in found:
        return ExitCode.OUR_FAULT
    if Consequence.TRANSIENT in found:
        return ExitCode.RUN_AGAIN
    return ExitCode.SOME_FAILED if found else ExitCode.DONE


def failure_code(failed: ExportFailed) -> ExitCode:
    """The code of a command that could begin nothing."""
    match failed.consequence:
        case Consequence.CONFIG:
            return ExitCode.USAGE
        case Consequence.TRANSIENT:
            return ExitCode.RUN_AGAIN
        case Consequence.SYSTEM:
            return ExitCode.OUR_FAULT
