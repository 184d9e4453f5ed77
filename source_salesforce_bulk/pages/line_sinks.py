"""The sinks of lines: memory, with a file for what does not fit, or a file alone."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from source_salesforce_bulk.pages.page_encoder import LineBlock, PageContent
from source_salesforce_bulk.pages.row_form import Block
from source_salesforce_bulk.pages.workspace import Workspace

_GZIP_LEVEL = 6


class MemoryLines:
    """A ``Sink`` and ``PageProduct``: blocks of lines in memory while the budget lasts, the others in a file."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: deque[LineBlock] = deque()
        self._kept_size = 0
        self._file: IO[bytes] | None = None
        self._on_disk: list[tuple[int, int]] = []

    def write(self, block: Block[bytes | memoryview]) -> None:
        """See ``Sink``. Once a block has gone to disk all later ones follow, so that their order is kept."""
        size = len(block.content)
        if self._file is None and self._workspace.memory.take(size):
            self._kept.append(LineBlock(block.content, block.rows))
            self._kept_size += size
            return
        if self._file is None:
            self._file = self._workspace.new_file(".jsonl")
        self._file.write(block.content)
        self._on_disk.append((size, block.rows))

    def finish(self) -> MemoryLines:
        """See ``Sink``."""
        if self._file is not None:
            self._file.close()
        return self

    def close(self) -> None:
        """See ``Sink``."""
        self.discard()

    @property
    def stored(self) -> int:
        """See ``PageProduct``."""
        return self._kept_size + sum(size for size, _ in self._on_disk)

    def take(self) -> PageContent:
        """See ``PageProduct``. A block's memory is freed when the next block is requested."""
        path = Path(self._file.name) if self._file is not None else self._workspace.directory
        return PageContent(path, self.stored, self._blocks(path))

    def _blocks(self, path: Path) -> Iterator[LineBlock]:
        while self._kept:
            block = self._kept.popleft()
            yield block
            self._give_back(len(block.lines))
            del block
        if self._on_disk:
            with path.open("rb", buffering=0) as file:
                for size, rows in self._on_disk:
                    yield LineBlock(file.read(size), rows)

    def discard(self) -> None:
        """See ``PageProduct``."""
        self._kept.clear()
        self._give_back(self._kept_size)
        if self._file is not None:
            _remove(self._file)

    def _give_back(self, size: int) -> None:
        self._kept_size -= size
        self._workspace.memory.give_back(size)


@dataclass(frozen=True, slots=True)
class FileProduct:
    """A ``PageProduct``: a file."""

    path: Path
    stored: int

    def take(self) -> PageContent:
        """See ``PageProduct``."""
        return PageContent(self.path, self.stored)

    def discard(self) -> None:
        """See ``PageProduct``."""
        self.path.unlink(missing_ok=True)


class FileLines:
    """A ``Sink`` that writes lines to a file, compressed or not."""

    def __init__(self, workspace: Workspace, *, compressed: bool = False) -> None:
        self._file = workspace.new_file(".jsonl")
        self._out = (
            cast(IO[bytes], gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0))
            if compressed
            else self._file
        )

    def write(self, block: Block[bytes | memoryview]) -> None:
        """See ``Sink``."""
        self._out.write(block.content)

    def finish(self) -> FileProduct:
        """See ``Sink``."""
        self._out.close()
        self._file.close()
        path = Path(self._file.name)
        return FileProduct(path, path.stat().st_size)

    def close(self) -> None:
        """See ``Sink``."""
        with ExitStack() as each:
            each.callback(_remove, self._file)
            each.callback(self._out.close)


def _remove(file: IO[bytes]) -> None:
    """Close and remove a file, even if its last bytes cannot be written."""
    try:
        file.close()
    finally:
        Path(file.name).unlink(missing_ok=True)
