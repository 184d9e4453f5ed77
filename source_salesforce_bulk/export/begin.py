"""Where an object's export begins: what the registry holds of it, against this run's destination and wishes. Pure.

A state says which rows have been read; it is only worth something beside the files that hold them. So a state belongs
to one destination and one format. Going on elsewhere would leave a destination with a gap that nothing shows, and the
user has to say which of the two is meant: the old destination, or all rows again at the new one.
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
    """Where a run's rows go. ``url`` is spelled as ``destination.canonical_url`` spells it."""

    url: str
    file_format: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks of a run beyond going on where the last one stopped.

    ``full`` are objects to be started over, in lower case. ``since`` is the instant from which rows are read again.
    ``continue_here`` accepts a destination that the state does not know, because its files were moved there.
    """

    start_over: bool = False
    continue_here: bool = False
    full: frozenset[str] = frozenset()
    since: datetime | None = None

    def starts_over(self, name: str) -> bool:
        """Whether an object is read from its beginning."""
        return self.start_over or name.lower() in self.full


def objection(name: str, progress: Progress, target: Target, wish: Wish, *, holds_files: bool) -> str | None:
    """Why an object must not be exported to ``target``, in a sentence; None where it may.

    ``progress.destination`` is spelled as ``target.url`` is. ``holds_files``: the target has files of the object.
    """
    if wish.starts_over(name) or not belongs_somewhere(progress):
        return None
    if progress.destination != target.url:
        awaited = bool(progress.closed or progress.open)
        return None if wish.continue_here and not awaited else _other_destination(name, progress, target, awaited)
    if progress.file_format not in ("", target.file_format):
        return _other_format(name, progress, target)
    if progress.rows and not holds_files and not wish.continue_here:
        return _emptied(name, progress, target)
    return None


def belongs_somewhere(progress: Progress) -> bool:
    """Whether rows would be missing at another destination. An object that is read whole anyway brings them all."""
    if not progress.destination or (progress.state == _NOTHING and not progress.rows):
        return False
    return progress.state != COMPLETE_MARKER or bool(progress.closed or progress.open)


def set_back(state: Mapping[str, object], cursor_field: str, since: datetime) -> dict[str, object]:
    """The state from which rows are read again that have changed ``since``; never later than the one there is.

    Its jobs are left out: what they read is part of what is read again. Raises ``StateError`` where it is damaged.
    """
    known = state.get(cursor_field)
    try:
        reached = parse_instant(known) if isinstance(known, str) else since
    except ValueError as error:
        raise StateError(f"its {cursor_field} is not an instant like 2026-11-23T02:00:00.000Z") from error
    scope = {"scope": state["scope"]} if "scope" in state else {}
    return {cursor_field: format_instant(min(since, reached)), **scope}


def unknown_full(wish: Wish, names: Sequence[str]) -> str | None:
    """A sentence on a name of ``--full`` that is not among the run's objects; None where all are."""
    known = {name.lower() for name in names}
    for wanted in sorted(wish.full - known):
        near = nearest(wanted, names)
        hint = f" Did you mean {near}?" if near else ""
        return f"--full {wanted}: the run has no such object.{hint} Nothing was begun."
    return None


def all_objections(found: Mapping[str, str]) -> str:
    """The sentences on several objects as one: the first in full, the others by name."""
    (_, first), *others = found.items()
    if not others:
        return first
    names = [name for name, _ in others]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{first} The same goes for {', '.join(names[:_NAMES_SHOWN])}{more}."


def adopted(name: str, progress: Progress, target: Target) -> tuple[Progress, str | None]:
    """The progress as it belongs to ``target`` from now on, and a line for the log where that is news."""
    now = replace(progress, destination=target.url, file_format=target.file_format)
    if progress.state == _NOTHING and not progress.rows:
        return now, None
    if not progress.destination:
        return now, f"{name}: its state does not say where its rows went; from now on it belongs to {target.url}"
    if progress.destination != target.url:
        return now, f"{name}: its state belonged to {progress.destination}; from now on it belongs to {target.url}"
    if not progress.file_format:
        return now, (
            f"{name}: its state does not say in which format its rows were written; from now on it is "
            f"{target.file_format}"
        )
    return now, None


def _other_destination(name: str, progress: Progress, target: Target, awaited: bool) -> str:
    waiting = ", some in files that no manifest names yet" if awaited else ""
    moved = "" if awaited else " If you have moved the files yourself, --continue-here goes on from them."
    return (
        f"{name}: its rows have gone to {progress.destination} until now{waiting}, and this run would write to "
        f"{target.url}, where they would be missing. Either use --destination {progress.destination} as before, or "
        f"read everything again into {target.url} with --start-over.{moved}"
    )


def _other_format(name: str, progress: Progress, target: Target) -> str:
    return (
        f"{name}: its rows have been written as {progress.file_format} until now, and this run would write "
        f"{target.file_format}. Either use --format {progress.file_format} as before, or read everything again as "
        f"{target.file_format} with --start-over, best into an empty --destination."
    )


def _emptied(name: str, progress: Progress, target: Target) -> str:
    return (
        f"{name}: {progress.rows:,} rows have been written to {target.url}, and it holds no file of the object any "
        "more. Either put the old destination's files back, or read everything again with --start-over. If the files "
        "are meant to be gone, because something loads and removes them, --continue-here goes on without them."
    )
