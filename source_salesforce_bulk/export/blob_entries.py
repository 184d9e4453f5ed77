"""The files of an object (the binary content of its rows): which are wanted, their places, states and counts. Pure.

    ContentVersion/_files/0685g00000AbCdEAAV.5d41402abc4b2a76b9719d911017c592.pdf
    ContentVersion/_files/_index/run=20261125T080000Z-3f9a1c/w00000-p000000.jsonl

Readers of tables ignore names that begin with an underscore, so the object's folder can still be read as a table.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from source_salesforce_bulk.salesforce.blobs import LARGEST, Blob
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, Kind

FOLDER = "_files"

ROWS = 200
"""Rows of a page: the number of files that are stored between two commits."""

FILES_AT_ONCE = 8


class BlobState(Enum):
    """The result for one file."""

    STORED = "stored"
    EMPTY = "empty"
    """The row has no content: a link, or a file without a byte."""
    TOO_LARGE = "too_large"
    """The content is larger than ``--max-file-bytes``."""
    GONE = "gone"
    """The row was deleted after it was listed."""
    REFUSED = "refused"
    """Salesforce does not return the content to this user."""
    INVALID = "invalid"
    """No download had the size and checksum that Salesforce reports."""
    FAILED = "failed"
    """Salesforce could not return the content, despite all retries, but returned other files."""


TRIED_AGAIN = frozenset({BlobState.INVALID, BlobState.FAILED})
"""States of files that the next pass tries again."""

IN_A_ROW = {BlobState.REFUSED: 50, BlobState.FAILED: 5}
"""After this many of these without a file in between, the failure is not about single files, and ends the object."""


_IN_WORDS = {
    BlobState.EMPTY: "empty",
    BlobState.TOO_LARGE: "too large",
    BlobState.GONE: "deleted meanwhile",
    BlobState.REFUSED: "refused by Salesforce",
    BlobState.INVALID: "not valid",
    BlobState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class BlobOptions:
    """The objects whose files are stored, and the size in bytes above which a file is left out.

    ``rows`` are listed and committed together, and ``at_once`` files are fetched at the same time. At most that many
    files are on this machine's disk.
    """

    objects: frozenset[str] = frozenset()
    largest: int = LARGEST
    rows: int = ROWS
    at_once: int = FILES_AT_ONCE


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One line of the index. ``fetched``: the file was stored by this run, and was not there before."""

    blob: Blob
    state: BlobState
    reason: str | None = None
    fetched: bool = False

    def line(self) -> str:
        """Return the line, with its end."""
        blob, stored = self.blob, self.state is BlobState.STORED
        facts = {
            "Id": blob.id,
            "SystemModstamp": blob.stamp,
            "state": self.state.value,
            "file": blob_path(blob) if stored else None,
            "bytes": blob.size,
            "md5": blob.checksum,
            "title": blob.title,
            "reason": self.reason,
        }
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(slots=True)
class BlobCounts:
    """Counts the files of one object in one run. ``bytes`` are those of the files that this run has stored."""

    stored: int = 0
    present: int = 0
    bytes: int = 0
    left_out: Counter[BlobState] = field(default_factory=Counter)

    def add(self, entry: BlobEntry) -> None:
        """Count one file."""
        if entry.state is not BlobState.STORED:
            self.left_out[entry.state] += 1
        elif entry.fetched:
            self.stored += 1
            self.bytes += entry.blob.size
        else:
            self.present += 1

    def to_json(self) -> dict[str, int]:
        """Return the counts as JSON."""
        left = {state.value: self.left_out[state] for state in _IN_WORDS}
        return {"stored": self.stored, "bytes": self.bytes, "already_there": self.present, **left}

    def __str__(self) -> str:
        """Return the counts as text.

        >>> counts = BlobCounts(stored=1200, bytes=3_400_000, present=2)
        >>> counts.left_out[BlobState.GONE] = 1
        >>> str(counts)
        '1,200 files stored (3.4 MB), 2 already there; left out: 1 deleted meanwhile'
        """
        there = f", {self.present:,} already there" if self.present else ""
        left = [f"{count:,} {_IN_WORDS[state]}" for state in _IN_WORDS if (count := self.left_out[state])]
        said = f"; left out: {', '.join(left)}" if left else ""
        return f"{self.stored:,} files stored ({self.bytes / 1e6:,.1f} MB){there}{said}"


def blob_path(blob: Blob) -> str:
    """Return the path of a file, relative to the destination."""
    return f"{blob.of.name}/{FOLDER}/{blob.file_name}"


def index_path(object_name: str, run: str, number: int, page: int) -> str:
    """Return the path of a page of the index; ``number`` counts the passes over the object's rows.

    >>> index_path("Attachment", "20261125T080000Z-3f9a1c", 0, 12)
    'Attachment/_files/_index/run=20261125T080000Z-3f9a1c/w00000-p000012.jsonl'
    """
    return f"{object_name}/{FOLDER}/_index/run={run}/w{number:05d}-p{page:06d}.jsonl"


def not_exported(options: BlobOptions, names: Sequence[str]) -> str | None:
    """Return a sentence about objects whose files are wanted but that the run does not export, or None."""
    missing = sorted(options.objects - set(names))
    if not missing:
        return None
    add = " ".join(f"--object {name}" for name in missing)
    return f"--files {', '.join(missing)}: the run exports no rows of it. Add {add}. Nothing was started."


def state_after(failure: Failure) -> BlobState | None:
    """Return the state of a file that could not be fetched; None if the failure concerns more than this file."""
    if failure.kind is Kind.FILE_GONE:
        return BlobState.GONE
    if failure.kind is Kind.FILE_REJECTED:
        return BlobState.INVALID
    if failure.action is Action.STOP_RUN or failure.consequence is Consequence.SYSTEM:
        return None
    return BlobState.REFUSED if failure.consequence is Consequence.CONFIG else BlobState.FAILED


def left_out_by_size(blob: Blob, largest: int) -> BlobEntry | None:
    """Return the entry of a file that must not be fetched because of its size; None for any other."""
    if blob.size == 0:
        return BlobEntry(blob, BlobState.EMPTY, "it has no content")
    if blob.size > largest:
        return BlobEntry(blob, BlobState.TOO_LARGE, f"it has more than {largest} bytes (--max-file-bytes)")
    return None
