"""Read and write the rows of a table's data files in batches, with the table's current columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from source_salesforce_bulk.tables.data_files import new_location, registered

BATCH = 16_384
ROWS_A_GROUP = 131_072
BYTES_A_GROUP = 64 << 20
ROWS_A_FILE = 1_048_576
READ_AT_ONCE = 1 << 20
_FIELD_ID = b"PARQUET:field_id"


class Rows:
    """The rows of one data file. Its columns are found by their ids; missing columns are null."""

    def __init__(self, table: Table, file: DataFile) -> None:
        self._table = table
        self._file = file
        self.count = file.record_count
        self._here: Mapping[int, str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names of the table's columns."""
        return frozenset(column.name for column in self._table.schema().fields)

    def column(self, name: str) -> Any:
        """Return a column as a chunked array."""
        return self.columns([name])[0]

    def columns(self, names: Sequence[str]) -> list[Any]:
        """Return columns as chunked arrays."""
        with self._table.io.new_input(self._file.file_path).open() as stream:
            file = _opened(stream)
            here = _names_by_id(file.schema_arrow)
            schema = self._table.schema()
            ids = [schema.find_field(name).field_id for name in names]
            read = file.read([here[id_] for id_ in ids if id_ in here])
            kinds = [_arrow_type(self._table, name) for name in names]
            return [
                read[here[id_]].cast(kind) if id_ in here else pa.chunked_array([pa.nulls(self.count, kind)])
                for id_, kind in zip(ids, kinds, strict=True)
            ]

    def batches(self) -> Iterator[Any]:
        """Yield the rows as tables with the table's columns that the file has."""
        with self._table.io.new_input(self._file.file_path).open() as stream:
            file = _opened(stream)
            here = _names_by_id(file.schema_arrow)
            names = {
                here[column.field_id]: column.name for column in self._table.schema().fields if column.field_id in here
            }
            for batch in file.iter_batches(BATCH, columns=list(names)):
                yield pa.Table.from_batches([batch]).rename_columns([names[name] for name in batch.schema.names])


class RowWriter:
    """Writes rows to data files of ``table``; ``done`` is called with the entry of each file."""

    def __init__(self, table: Table, done: Callable[[DataFile], object]) -> None:
        self._table = table
        self._done = done
        self._schema = _file_schema(table)
        self._waiting: list[Any] = []
        self._held = 0
        self._rows = 0
        self._writer: Any = None
        self._stream: Any = None
        self._location = ""
        self._footers: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
            self._end()
        elif self._writer is not None:
            self._writer.close()
            self._stream.close()

    def write(self, rows: Any) -> None:
        """Write rows, which have all or some of the table's columns."""
        if not rows.num_rows:
            return
        self._waiting.append(self._completed(rows))
        self._held += rows.nbytes
        if self._held >= BYTES_A_GROUP or sum(waiting.num_rows for waiting in self._waiting) >= ROWS_A_GROUP:
            self._flush()

    def _completed(self, rows: Any) -> Any:
        there = set(rows.column_names)
        columns = [
            rows[column.name].cast(column.type) if column.name in there else pa.nulls(rows.num_rows, column.type)
            for column in self._schema
        ]
        return pa.table(columns, schema=self._schema)

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._location = new_location(self._table)
            self._stream = self._table.io.new_output(self._location).create()
            self._footers = []
            self._writer = parquet.ParquetWriter(
                self._stream, self._schema, compression="zstd", metadata_collector=self._footers
            )
        group = pa.concat_tables(self._waiting)
        self._writer.write_table(group, row_group_size=ROWS_A_GROUP)
        self._rows += group.num_rows
        self._waiting, self._held = [], 0
        if self._rows >= ROWS_A_FILE:
            self._end()

    def _end(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        size = self._stream.tell()
        self._stream.close()
        self._done(registered(self._table, self._location, self._footers[0], size))
        self._writer, self._rows = None, 0


def _opened(stream: Any) -> Any:
    """Return a Parquet file that is read on demand; by default, pyarrow would load all of it first."""
    return parquet.ParquetFile(stream, pre_buffer=False, buffer_size=READ_AT_ONCE)


def _names_by_id(schema: Any) -> Mapping[int, str]:
    return {
        int(column.metadata[_FIELD_ID]): column.name
        for column in schema
        if column.metadata and _FIELD_ID in column.metadata
    }


def _file_schema(table: Table) -> Any:
    """Return the table's columns as a pyarrow schema with ids."""
    return schema_to_pyarrow(table.schema(), include_field_ids=True)


def _arrow_type(table: Table, name: str) -> Any:
    return _file_schema(table).field(name).type
