"""Local files of tables, which are durable before any metadata names them.

pyiceberg does not sync local files. After a power cut, its catalog, which SQLite does sync, could name metadata and
data that do not exist. So each file is synced when it is closed, and so is each folder with a new name.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from pyiceberg.io import InputFile, OutputFile, OutputStream
from pyiceberg.io.pyarrow import PyArrowFileIO

from source_salesforce_bulk.registries.durable_files import naming, sync_folder


class SyncedFileIO(PyArrowFileIO):
    """pyiceberg's ``FileIO`` for local files, with durable writes."""

    def new_output(self, location: str) -> OutputFile:  # type: ignore[override]  # pyarrow's own kind is one of several
        """See ``FileIO``."""
        return _SyncedFile(location, self)


class _SyncedFile(OutputFile):
    def __init__(self, location: str, files: SyncedFileIO) -> None:
        super().__init__(location)
        self._path = local_path(location)
        self._files = files

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        """See ``OutputFile``."""
        return self._path.exists()

    def to_input_file(self) -> InputFile:
        """See ``OutputFile``."""
        return self._files.new_input(self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        """See ``OutputFile``."""
        _make_folder(self._path.parent)
        with naming(self._path):
            return _SyncedStream(self._path, "wb" if overwrite else "xb")


class _SyncedStream(io.BufferedWriter):
    """A file that is durable once it is closed."""

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(io.FileIO(path, mode))
        self._path = path

    def close(self) -> None:
        """Sync and close the file; raises OSError."""
        if self.closed:
            return
        try:
            with naming(self._path):
                self.flush()
                os.fsync(self.fileno())
        finally:
            super().close()
        sync_folder(self._path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def local_path(location: str) -> Path:
    """Return the path of a location, which is a ``file:`` URL or already a path."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(location)


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents durably."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        sync_folder(created.parent)
