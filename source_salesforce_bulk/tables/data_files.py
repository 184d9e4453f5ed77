"""The data files of a table: registered from footers that are at hand, and listed from its manifests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.table import Table
from pyiceberg.typedef import Record


@dataclass(frozen=True, slots=True)
class Listed:
    """A data file of a snapshot; ``sequence`` grows with each commit that added files."""

    file: DataFile
    sequence: int


def registered(table: Table, location: str, footer: Any, size: int) -> DataFile:
    """Return the entry of a Parquet file at ``location``; ``footer`` is its pyarrow metadata, ``size`` in bytes.

    The columns of the file are the table's, or some of them. Tables are not partitioned here.
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
    """Yield the data files of a snapshot; none where there is no snapshot."""
    snapshot = None if snapshot_id is None else table.metadata.snapshot_by_id(snapshot_id)
    if snapshot is None:
        return
    for manifest in snapshot.manifests(table.io):
        if manifest.content is ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield Listed(entry.data_file, entry.sequence_number or 0)


def data_location(table: Table, path: str) -> str:
    """Return where a data file goes whose path is given from the table's folder of data."""
    return f"{table.location().rstrip('/')}/data/{path}"


def new_location(table: Table) -> str:
    """Return where a new data file goes, under a name that nothing else has."""
    return data_location(table, f"{uuid.uuid4()}.parquet")
