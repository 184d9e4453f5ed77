"""Where pages lie while they are read: a folder, a share of memory, and turns for work that needs much of either."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MEMORY = 48 << 20
"""Bytes of finished lines that are kept in memory, of all pages together; further ones go to disk."""

LARGEST_PAGE = 2 << 30
"""Bytes of a page, decompressed or not, that are read. Salesforce's own files of results end at 1 GB."""

TURNS = min(4, os.cpu_count() or 1)
"""Pages encoded at the same time, of those that take many bytes each."""


class MemoryBudget:
    """A number of bytes that pages share. It never makes anybody wait, so a page in front cannot wait for those behind.

    May be used from any thread.
    """

    def __init__(self, size: int = MEMORY) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take ``size`` bytes; False, taking none, where fewer are free."""
        with self._lock:
            fits = size <= self._free
            self._free -= size if fits else 0
            return fits

    def give_back(self, size: int) -> None:
        """Return bytes that were taken."""
        with self._lock:
            self._free += size


@dataclass(frozen=True, slots=True)
class Workspace:
    """The shared resources of a run's pages. ``turns`` limits how many are encoded from a file at the same time."""

    directory: Path
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    largest_page: int = LARGEST_PAGE
    turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(TURNS))

    def new_file(self, suffix: str) -> IO[bytes]:
        """Return a new file, open to be written, with a name of its own. Whoever asks for it removes it."""
        return tempfile.NamedTemporaryFile(dir=self.directory, prefix="page-", suffix=suffix, delete=False)
