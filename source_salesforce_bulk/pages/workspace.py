"""The shared resources of a run's pages: a folder, a memory budget, and turns for work that needs much of either."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MEMORY = 12 << 20
"""Bytes of finished lines that all pages together keep in memory; the others go to disk."""

LARGEST_PAGE = 2 << 30
"""Maximum size of a page in bytes, decompressed or not. Salesforce's own result files are limited to 1 GB."""

TURNS = min(4, os.cpu_count() or 1)
"""The number of pages that are encoded from a file at the same time."""


class MemoryBudget:
    """A number of bytes that pages share. It never blocks, so a page cannot wait for later ones. Thread-safe."""

    def __init__(self, size: int = MEMORY) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take ``size`` bytes and return True, or return False if fewer are free."""
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
    """A run's workspace. ``turns`` limits how many pages are encoded from a file at the same time."""

    directory: Path
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    largest_page: int = LARGEST_PAGE
    turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(TURNS))

    def new_file(self, suffix: str) -> IO[bytes]:
        """Return a new file with a unique name, open for writing. The caller removes it."""
        return tempfile.NamedTemporaryFile(dir=self.directory, prefix="page-", suffix=suffix, delete=False)
