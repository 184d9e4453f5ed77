"""Decide where an object's export begins, from its stored progress, the run's destination and its options. Pure.

A state says which rows have been read; it is valid only together with the files that contain them. So a state belongs
to one destination and one format. Continuing at another destination would leave a gap that nothing reports, so the user
has to choose: the old destination, or all rows again at the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, StateError
from source_salesforce_bulk.registries.state import Progress
from source_salesforce_bulk.salesforce.object_hints import nearest
from source_salesforce_bulk.salesforce.soql import format_instant, parse_instant

_NAMES_SHOWN = 10
_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """The destination and format of a run. ``url`` is in the form of ``destination.canonical_url``."""

    url: str
    file_format: str


@dataclass(frozen=True, slots=True)
class BeginOptions:
    """The user's options that change where a run begins.

    ``full`` are the objects to read from their beginning, in lower case. Rows changed after ``since`` are read again.
    ``continue_here`` accepts another destination than the state's, because the files were moved there.
    """

    start_over: bool = False
    continue_here: bool = False
    full: frozenset[str] = frozenset()
    since: datetime | None = None

    def starts_over(self, name: str) -> bool:
        """Return whether an object is read from its beginning."""
        return self.start_over or name.lower() in self.full


def objection(name: str, progress: Progress, target: Target, options: BeginOptions, *, holds_files: bool) -> str | None:
    """Return why an object must not be exported to ``target``, in a sentence; None if it may.

    ``progress.destination`` has the same form as ``target.url``. ``holds_files``: the target has files of the object.
    """
    if options.starts_over(name) or not belongs_somewhere(progress):
        return None
    if progress.destination != target.url:
        awaited = bool(progress.closed or progress.open)
        return None if options.continue_here and not awaited else _other_destination(name, progress, target, awaited)
    if progress.file_format not in ("", target.file_format):
        return _other_format(name, progress, target)
    if progress.rows and not holds_files and not options.continue_here:
        return _emptied(name, progress, target)
    return None


def belongs_somewhere(progress: Progress) -> bool:
    """Return whether rows would be missing at another destination. Objects that are always read in full miss none."""
    if not progress.destination or (progress.state == _NOTHING and not progress.rows):
        return False
    return progress.state != COMPLETE_MARKER or bool(progress.closed or progress.open)


def set_back(state: Mapping[str, object], cursor_field: str, since: datetime) -> dict[str, object]:
    """Return a state from which rows changed after ``since`` are read again; never later than the given state.

    Its jobs are removed, because their rows are read again anyway. Raises ``StateError`` if the state is damaged.
    """
    known = state.get(cursor_field)
    try:
        reached = parse_instant(known) if isinstance(known, str) else since
    except ValueError as error:
        raise StateError(f"its {cursor_field} is not an instant like 2026-11-23T02:00:00.000Z") from error
    scope = {"scope": state["scope"]} if "scope" in state else {}
    return {cursor_field: format_instant(min(since, reached)), **scope}


def unknown_full(options: BeginOptions, names: Sequence[str]) -> str | None:
    """Return a sentence about a name in ``--full`` that is not an object of the run; None if all are."""
    known = {name.lower() for name in names}
    for wanted in sorted(options.full - known):
        near = nearest(wanted, names)
        hint = f" Did you mean {near}?" if near else ""
        return f"--full {wanted}: the run has no such object.{hint} Nothing was started."
    return None


def all_objections(found: Mapping[str, str]) -> str:
    """Return the sentences about several objects as one: the first in full, the others by name."""
    (_, first), *others = found.items()
    if not others:
        return first
    names = [name for name, _ in others]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{first} The same applies to {', '.join(names[:_NAMES_SHOWN])}{more}."


def adopted(name: str, progress: Progress, target: Target) -> tuple[Progress, str | None]:
    """Return the progress bound to ``target``, and a log line if that is a change."""
    now = replace(progress, destination=target.url, file_format=target.file_format)
    if progress.state == _NOTHING and not progress.rows:
        return now, None
    if not progress.destination:
        return now, f"{name}: its state does not name a destination; from now on it belongs to {target.url}"
    if progress.destination != target.url:
        return now, f"{name}: its state belonged to {progress.destination}; from now on it belongs to {target.url}"
    if not progress.file_format:
        return now, (f"{name}: its state does not name a format; from now on it is {target.file_format}")
    return now, None


def _other_destination(name: str, progress: Progress, target: Target, awaited: bool) -> str:
    waiting = ", some in files that no manifest names yet" if awaited else ""
    moved = "" if awaited else " If you have moved the files yourself, add --continue-here."
    return (
        f"{name}: its rows were written to {progress.destination} until now{waiting}, and this run would write to "
        f"{target.url}, where they would be missing. Either use --destination {progress.destination} as before, or "
        f"read everything again into {target.url} with --start-over.{moved}"
    )


def _other_format(name: str, progress: Progress, target: Target) -> str:
    return (
        f"{name}: its rows were written as {progress.file_format} until now, and this run would write "
        f"{target.file_format}. Either use --format {progress.file_format} as before, or read everything again as "
        f"{target.file_format} with --start-over, preferably into an empty --destination."
    )


def _emptied(name: str, progress: Progress, target: Target) -> str:
    return (
        f"{name}: {progress.rows:,} rows were written to {target.url}, which no longer has any file of the object. "
        "Either restore the files, or read everything again with --start-over. If a loader removes the files on "
        "purpose, add --continue-here."
    )
