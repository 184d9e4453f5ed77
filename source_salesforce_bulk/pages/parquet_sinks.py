"""The sinks of record batches: a Parquet file, or an Arrow file from which the same batches can be read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc, parquet

from source_salesforce_bulk.pages.line_sinks import FileProduct
from source_salesforce_bulk.pages.row_form import Block
from source_salesforce_bulk.pages.workspace import Workspace

ROW_GROUP = 16 << 20
"""Maximum size of a Parquet row group, in bytes of Arrow memory: large enough to compress well, small to hold."""


class ParquetFile:
    """A ``Sink`` that writes a Parquet file with zstd compression and row groups of about the same size in bytes.

    ``arrange`` converts a table of a page's rows to ``schema``.
    """

    def __init__(
        self,
        workspace: Workspace,
        schema: Any,
        row_group: int = ROW_GROUP,
        arrange: Callable[[Any, Any], Any] = pa.Table.cast,
    ) -> None:
        self._schema = schema
        self._arrange = arrange
        self._row_group = row_group
        self._waiting: list[Any] = []
        self._size = 0
        with workspace.new_file(".parquet") as file:
            self._path = Path(file.name)
        self._writer = parquet.ParquetWriter(self._path, schema, compression="zstd", write_statistics=True)

    def write(self, block: Block[Any]) -> None:
        """See ``Sink``."""
        batch = block.content
        if self._waiting and self._size + batch.nbytes > self._row_group:
            self._write_group()
        self._waiting.append(batch)
        self._size += batch.nbytes

    def finish(self) -> FileProduct:
        """See ``Sink``."""
        if self._waiting:
            self._write_group()
        self._writer.close()
        return FileProduct(self._path, self._path.stat().st_size)

    def close(self) -> None:
        """See ``Sink``."""
        try:
            self._writer.close()
        finally:
            self._path.unlink(missing_ok=True)

    def _write_group(self) -> None:
        table = self._arrange(pa.Table.from_batches(self._waiting), self._schema)
        self._waiting, self._size = [], 0
        self._writer.write_table(table, row_group_size=table.num_rows)


class BatchFile:
    """A ``Sink`` that writes record batches to a file, for :func:`batches_in`."""

    def __init__(self, workspace: Workspace, schema: Any) -> None:
        with workspace.new_file(".arrow") as file:
            self._path = Path(file.name)
        self._writer = ipc.new_stream(self._path, schema, options=ipc.IpcWriteOptions(compression="lz4"))

    def write(self, block: Block[Any]) -> None:
        """See ``Sink``."""
        self._writer.write_batch(block.content)

    def finish(self) -> FileProduct:
        """See ``Sink``."""
        self._writer.close()
        return FileProduct(self._path, self._path.stat().st_size)

    def close(self) -> None:
        """See ``Sink``."""
        try:
            self._writer.close()
        finally:
            self._path.unlink(missing_ok=True)


def batches_in(path: Path) -> Iterator[Any]:
    """Yield the record batches of a file written by :class:`BatchFile`, in order."""
    with pa.OSFile(str(path)) as file, ipc.open_stream(file) as batches:
        yield from batches
