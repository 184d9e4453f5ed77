"""The state registry: how far each object of an org has been exported, and which run may export it.

It stores one :class:`Progress` for each (organization id, object). A run takes the object's lease before it changes the
progress. Every change is one write through the lease, which fails if the lease was lost. So a run that stalled and
resumed cannot change anything (fencing).

Its ``state`` is the Airbyte connector's state, so an Airbyte connection can continue from it, and vice versa.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

State = Mapping[str, object]

# A run's id, which may be followed by the number of a later manifest or of a lease that was taken over.
_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,250}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_=.-]+(?:/[A-Za-z0-9_=.-]+)*", re.ASCII)
_WORD = re.compile(r"[\x21-\x7e]{1,1000}", re.ASCII)
_LONGEST_PATH = 8192

_UNKNOWN_ORGANIZATION = "unknown-organization"


class LeaseHeld(Exception):
    """Another run is exporting this object. The message names it."""


class LeaseLost(Exception):
    """Another run has taken the lease; this run must not write anything more for the object."""


class UnreadableProgress(ValueError):
    """The stored value is not a valid :class:`Progress`. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A durable file of rows: its ``path`` below the destination, and the result page that it contains."""

    path: str
    rows: int
    bytes: int
    job: str
    locator: str | None

    def to_json(self) -> dict[str, object]:
        """Return the form used in manifests and registries."""
        return {
            "path": self.path,
            "rows": self.rows,
            "bytes": self.bytes,
            "job": self.job,
            "locator": self.locator,
        }

    @classmethod
    def from_json(cls, entry: object) -> DataFile:
        """Return the inverse of :meth:`to_json`; raises :class:`UnreadableProgress`."""
        match entry:
            case {
                "path": str(path),
                "rows": int(rows),
                "bytes": int(size),
                "job": str(job),
                "locator": None | str() as locator,
            }:
                if not _is_path(path):
                    raise UnreadableProgress("it lists a file whose path is not one below the destination")
                if (
                    rows < 0
                    or size < 0
                    or not all(_WORD.fullmatch(word) for word in (job, "-" if locator is None else locator))
                ):
                    raise UnreadableProgress("it lists a file with an impossible size, job or locator")
                return cls(path, rows, size, job, locator)
            case _:
                raise UnreadableProgress("it lists an entry that is not a file")


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an object. Every row that ``state`` covers is in a manifest or in one of these files.

    ``closed`` are the files of windows that were read to their end; the next manifest names exactly these. ``open`` are
    the files of the current window: if its job is lost, they are dropped and its rows are written again to other files.
    ``destination`` and ``file_format`` apply to all rows since the object was begun; they are empty if Airbyte or an
    earlier version wrote the state. ``closing`` is the manifest that was about to name ``closed`` at the time of this
    commit. ``named_rows`` counts the rows that manifests have named. ``begun_by`` is the run that last started the
    object over; empty if none has.
    """

    state: State = field(default_factory=dict)
    closed: tuple[DataFile, ...] = ()
    open: tuple[DataFile, ...] = ()
    destination: str = ""
    closing: str | None = None
    file_format: str = ""
    named_rows: int = 0
    begun_by: str = ""

    @property
    def rows(self) -> int:
        """The rows that were written since the object was begun, as far as known."""
        return self.named_rows + sum(file.rows for file in (*self.closed, *self.open))

    def to_json(self) -> dict[str, object]:
        """Return the form used in a local registry."""
        return {
            "state": self.state,
            "closed": [file.to_json() for file in self.closed],
            "open": [file.to_json() for file in self.open],
            "destination": self.destination,
            "closing": self.closing,
            "file_format": self.file_format,
            "named_rows": self.named_rows,
            "begun_by": self.begun_by,
        }

    @classmethod
    def from_json(cls, payload: object) -> Progress:
        """Return the inverse of :meth:`to_json`; raises :class:`UnreadableProgress`."""
        match payload:
            case {
                "state": dict(state),
                "closed": list(closed),
                "open": list(open_),
                "destination": str(destination),
                "closing": None | str() as run,
                **later,
            }:
                closed_files, open_files = ([DataFile.from_json(entry) for entry in files] for files in (closed, open_))
                kept = cls(state, tuple(closed_files), tuple(open_files), destination, run, *_later_facts(later))
                return checked_progress(kept)
            case _:
                raise UnreadableProgress("it lacks one of state, closed, open, destination and closing")


def checked_progress(kept: Progress) -> Progress:
    """Return ``kept``, which others may have modified; raises :class:`UnreadableProgress` for invalid values.

    Its names become file names, and its texts are shown on a terminal.
    """
    if not all(is_run_name(name) for name in (kept.closing, kept.begun_by) if name):
        raise UnreadableProgress("it has a closing or begun_by that is not the name of a run")
    if kept.named_rows < 0:
        raise UnreadableProgress("it has named_rows below zero")
    if not all(text.isprintable() and len(text) <= _LONGEST_PATH for text in (kept.destination, kept.file_format)):
        raise UnreadableProgress("it has a destination or file_format that is not a line of text")
    return kept


def is_run_name(text: str) -> bool:
    """Return whether ``text`` can be the name of a run or of its manifest, and so of a file."""
    return _RUN_NAME.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """Return whether ``text`` can be an organization id or an object's API name, and so the name of a file."""
    return _FILE_NAME.fullmatch(text) is not None


def file_name(text: str) -> str:
    """Return ``text``, an organization id or an object's API name; raises :class:`UnreadableProgress` for others."""
    if not is_file_name(text):
        raise UnreadableProgress(f"{text[:80]!a} is not the name of an object or an organization")
    return text


def _is_path(text: str) -> bool:
    parts = text.split("/")
    return len(text) <= _LONGEST_PATH and _PATH.fullmatch(text) is not None and not {".", ".."} & set(parts)


def _later_facts(payload: Mapping[object, object]) -> tuple[str, int, str]:
    """Return format, named rows and begun_by, which 0.1.0 did not write; raises :class:`UnreadableProgress`."""
    match payload.get("file_format", ""), payload.get("named_rows", 0), payload.get("begun_by", ""):
        case str(file_format), int(named_rows), str(begun_by):
            return file_format, named_rows, begun_by
        case _:
            raise UnreadableProgress("its file_format, named_rows or begun_by has the wrong type")


class Lease(Protocol):
    """The right to export one object. ``progress`` is the stored progress."""

    @property
    def progress(self) -> Progress:
        """The progress as stored when the lease was taken, and after each commit."""
        ...

    @property
    def taken_from(self) -> str | None:
        """A new unique label if the previous holder did not release the lease, else None.

        That run may still be writing files, so the names of new files must differ from its names.
        """
        ...

    def commit(self, progress: Progress) -> None:
        """Replace the progress durably and renew the lease; raises :class:`LeaseLost` without any change."""
        ...

    def renew(self) -> None:
        """Extend the lease if it is about to expire; raises :class:`LeaseLost`."""
        ...

    def release(self) -> None:
        """Release the object for other runs. Best effort; may be called twice; never raises."""
        ...


class StateRegistry(Protocol):
    """Stores progress."""

    def acquire(self, organization_id: str, object_name: str, owner: str) -> Lease:
        """Take the object's lease for the run ``owner``.

        Raises :class:`LeaseHeld`, and :class:`UnreadableProgress` if the stored progress cannot be read.
        """
        ...

    def progress(self, organization_id: str, object_name: str) -> Progress:
        """Return the object's progress without taking a lease; raises :class:`UnreadableProgress`."""
        ...

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return the organization ids and objects that have a stored progress."""
        ...

    def reset(self, organization_id: str, object_name: str, owner: str) -> None:
        """Delete an object's progress, even if it cannot be read; raises :class:`LeaseHeld`."""
        ...

    def check(self) -> None:
        """Raise if no object can be exported at all, for example because a table is missing."""
        ...


def organization_key(organization_id: str | None) -> str:
    """Return the key of an organization in registries.

    Some logins do not report the organization id. Such organizations must not share a registry.
    """
    return organization_id or _UNKNOWN_ORGANIZATION
