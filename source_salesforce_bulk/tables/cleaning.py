"""Remove old snapshots of tables, and files that no metadata names, such as those of a killed run.

Files are removed only if they are older than a limit, because a running export has files that no commit names yet.
Snapshots are removed first, so that their files are removed as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pyarrow import fs
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from source_salesforce_bulk.tables.data_files import file_system
from source_salesforce_bulk.tables.iceberg_catalog import Tables
from source_salesforce_bulk.tables.log import OBJECT

SNAPSHOTS_KEPT = 50
"""The number of newest snapshots that are kept: they can be queried, and a reader may be using them."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The numbers of removed snapshots, files and bytes of one table."""

    table: str
    snapshots: int
    files: int
    bytes: int


def clean(tables: Tables, before: datetime, keep: int = SNAPSHOTS_KEPT) -> Iterator[Cleaned]:
    """Clean each table of this program and yield the numbers. Files that were written after ``before`` are kept."""
    for name in tables.names():
        table = tables.load(name)
        if table is not None and OBJECT in table.properties:
            expired = _expire(table, keep)
            files = list(_unnamed(table, before))
            for file, system in files:
                system.delete_file(file.path)
            yield Cleaned(name, expired, len(files), sum(file.size for file, _ in files))


def _expire(table: Table, keep: int) -> int:
    newest = [snapshot.snapshot_id for snapshot in ancestors_of(table.current_snapshot(), table.metadata)][:keep]
    heads = {ref.snapshot_id for ref in table.metadata.refs.values()}
    kept = {*newest, *heads}
    old = [snapshot.snapshot_id for snapshot in table.metadata.snapshots if snapshot.snapshot_id not in kept]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()
        table.refresh()
    return len(old)


def _unnamed(table: Table, before: datetime) -> Iterator[tuple[fs.FileInfo, fs.FileSystem]]:
    """Yield the table's files that no metadata names, with their file system."""
    system, root = file_system(table, table.location())
    named = {file_system(table, location)[1] for location in _named(table)}
    for file in system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True)):
        if file.type is fs.FileType.File and file.path not in named and file.mtime < before:
            yield file, system


def _named(table: Table) -> Iterator[str]:
    """Yield the locations that the table's metadata names, including its own."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (statistics.statistics_path for statistics in table.metadata.statistics)
    manifests: set[str] = set()
    for snapshot in table.metadata.snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in manifests:
                continue
            manifests.add(manifest.manifest_path)
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                yield entry.data_file.file_path
