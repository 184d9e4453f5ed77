"""The outcome of each object of an export, and the exit code that follows (docs/contracts.md, "Exit codes"). Pure.

An object that is named explicitly must exist. A missing one fails like any other object, so that the exit code and the
manifest show a misspelt name, or an object that was removed from the org or hidden from the user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from source_salesforce_bulk.registries.state import DataFile
from source_salesforce_bulk.salesforce.discovery import LeftOutObject
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.object_hints import is_pattern, matches, nearest

if TYPE_CHECKING:  # help is shown by what imports this, and needs none of it
    from source_salesforce_bulk.extraction.catalog import Survey


class ExitCode(IntEnum):
    """The exit codes of ``salesforce-bulk``. After a signal, the code is 128 plus its number."""

    DONE = 0
    OUR_FAULT = 1
    USAGE = 2
    SOME_FAILED = 3
    RUN_AGAIN = 75


@dataclass(unsafe_hash=True)  # not frozen: context managers set the traceback of exceptions
class ExportFailed(Exception):
    """An object or the whole run failed. ``message`` says what happened and what to do, and is safe to display.

    ``explained_by`` is the object whose message says so instead; None if it is this one.
    """

    consequence: Consequence
    message: str
    explained_by: str | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class ObjectOutcome:
    """The outcome of one object, as shown in the manifest and the final table.

    ``busy``: it failed because another run was exporting it. ``stopped``: the run was stopped before a manifest could
    name the object's rows.
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
        """``complete``, ``stopped``, ``run again`` or ``failed``; a failed object needs the user."""
        if self.failure is None:
            return "stopped" if self.stopped else "complete"
        return "run again" if self.failure.consequence is Consequence.TRANSIENT else "failed"


def exit_code(failures: Iterable[ExportFailed | None]) -> ExitCode:
    """Return the exit code of a run. An object that a new run can complete outweighs one that needs the user."""
    found = {failure.consequence for failure in failures if failure is not None}
    if Consequence.SYSTEM in found:
        return ExitCode.OUR_FAULT
    if Consequence.TRANSIENT in found:
        return ExitCode.RUN_AGAIN
    return ExitCode.SOME_FAILED if found else ExitCode.DONE


def failure_code(failed: ExportFailed) -> ExitCode:
    """Return the exit code of a command that could start nothing."""
    match failed.consequence:
        case Consequence.CONFIG:
            return ExitCode.USAGE
        case Consequence.TRANSIENT:
            return ExitCode.RUN_AGAIN
        case Consequence.SYSTEM:
            return ExitCode.OUR_FAULT


_REMEDY = "Correct the name, give the user access to the object, or remove it from the list."
_SHOWN = 3


def missed_outcomes(survey: Survey) -> list[ObjectOutcome]:
    """Return a failed outcome for each missing object."""
    return [
        ObjectOutcome(missing.name, ExportFailed(Consequence.CONFIG, f"{_why_missing(missing)} {_REMEDY}"))
        for missing in survey.missed
    ]


def nothing_to_export(survey: Survey, entries: Sequence[str]) -> ExportFailed:
    """Return the failure of a run whose ``entries`` (names and patterns) match no object that can be exported."""
    patterns = [entry for entry in entries if is_pattern(entry)]
    said = [_about_pattern(pattern, survey) for pattern in patterns]
    said += [*map(_why_missing, survey.missed), *([_REMEDY] if survey.missed else [])]
    return ExportFailed(Consequence.CONFIG, " ".join(said))


def misspelt(survey: Survey, is_kept: Callable[[str], bool]) -> ExportFailed | None:
    """Return the failure of a run with misspelt names, which neither the org nor the registry has; None without any.

    ``is_kept`` returns whether the registry has an object: if it was exported before, it is gone, not misspelt.
    """
    names = [missing for missing in survey.missed if missing.unknown and not is_kept(missing.name)]
    if not names:
        return None
    return ExportFailed(Consequence.CONFIG, " ".join([*map(_why_missing, names), _REMEDY, "Nothing was started."]))


def _about_pattern(pattern: str, survey: Survey) -> str:
    """Return why a pattern matches no object."""
    fitting = [skipped for skipped in survey.left_out if not skipped.wanted and matches(skipped.name, [pattern])]
    if fitting:
        return f"No object that can be exported matches {pattern}: {_name_some(fitting)}."
    near = nearest(pattern.strip("*?"), survey.known)
    hint = f"; did you mean {near}?" if near else ". `discover` lists the objects that can be exported."
    return f"No object that is visible to this user matches {pattern}{hint}"


def _name_some(left_out: Sequence[LeftOutObject]) -> str:
    more = f", and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
    return "; ".join(f"{skipped.name}: {skipped.reason.rstrip('.')}" for skipped in left_out[:_SHOWN]) + more


def _why_missing(skipped: LeftOutObject) -> str:
    return f"{skipped.name} cannot be exported: {skipped.reason.rstrip('.')}."
