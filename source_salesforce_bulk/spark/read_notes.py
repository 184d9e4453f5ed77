"""Notes about planned reads, through which the driver's process learns of the jobs that Spark's planner has created.

Spark plans a read in a separate process, which ends when the plan is made. That process leaves a note in a folder on
the driver's machine: the jobs that the read needs and, if the read has a state, that state before and after it. A note
contains no secret and no row.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from source_salesforce_bulk.registries.durable_files import replace_file


@dataclass(frozen=True, slots=True)
class ReadNote:
    """A planned read. ``jobs`` are their ids by API version; ``begun`` and ``ended`` are empty without a state."""

    config: str
    object_name: str
    organization: str
    jobs: Mapping[str, str]
    state: str | None
    begun: Mapping[str, object]
    ended: Mapping[str, object]


class ReadNotes:
    """The notes of one registration, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def make(cls) -> ReadNotes:
        """Make a folder that only this user can read."""
        return cls(Path(tempfile.mkdtemp(prefix="salesforce-bulk-reads-")))

    @property
    def folder(self) -> str:
        """The folder of the notes."""
        return str(self._folder)

    def add(self, note: ReadNote) -> None:
        """Write a note; raises OSError."""
        text = json.dumps(asdict(note))
        replace_file(self._folder / f"{uuid.uuid4().hex}.json", text.encode(), mode=0o600)

    def holds(self, state: str, object_name: str) -> bool:
        """Return whether there is a note about an object that was read with this state."""
        return any((note.state, note.object_name.lower()) == (state, object_name.lower()) for _, note in self.all())

    def all(self) -> Iterator[tuple[Path, ReadNote]]:
        """Yield the notes with their files."""
        for path in sorted(self._folder.glob("*.json")):
            yield path, ReadNote(**json.loads(path.read_text(encoding="utf-8")))
