"""The data files of a table: create their entries from Parquet footers, and list them from manifests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyiceberg.io.pyarrow import (
    PyArrowFileIO,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.table import Table
from pyiceberg.typedef import Record

from source_salesforce_bulk.tables.table_failures import UnusableTable


@dataclass(frozen=True, slots=True)
class Listed:
    """A data file of a snapshot; ``sequence`` grows with each commit that added files."""

    file: DataFile
    sequence: int


def registered(table: Table, location: str, footer: Any, size: int) -> DataFile:
    """Return the entry of a Parquet file at ``location``; ``footer`` is its pyarrow metadata, ``size`` in bytes.

    The file has all or some of the table's columns. These tables are not partitioned.
    """
    schema = table.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(schema, table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def listed(table: Table, snapshot_id: int | None) -> Iterator[Listed]:
    """Yield the data files of a snapshot; none if there is no snapshot."""
    snapshot = None if snapshot_id is None else table.metadata.snapshot_by_id(snapshot_id)
    if snapshot is None:
        return
    for manifest in snapshot.manifests(table.io):
        if manifest.content is ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield Listed(entry.data_file, entry.sequence_number or 0)


def file_system(table: Table, location: str) -> tuple[Any, str]:
    """Return pyarrow's file system of a table's files, and the path of ``location`` there; raises UnusableTable."""
    if not isinstance(table.io, PyArrowFileIO):
        raise UnusableTable(f"The files of {'.'.join(table.name())} cannot be used: its FileIO is not pyarrow's.")
    scheme, place, path = PyArrowFileIO.parse_location(location, table.io.properties)
    return table.io.fs_by_scheme(scheme, place), path


def data_location(table: Table, path: str) -> str:
    """Return the location of a data file, from its path in the table's data folder."""
    return f"{table.location().rstrip('/')}/data/{path}"


def new_location(table: Table) -> str:
    """Return a location for a new data file, with a unique name."""
    return data_location(table, f"{uuid.uuid4()}.parquet")
