"""Remove old snapshots of tables, and files that no metadata names, such as those of a killed run.

Files are removed only when they are older than a limit, because a run that is under way has files that no commit names
yet. Snapshots are removed first, so that the files that only they named go too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pyarrow import fs
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from source_salesforce_bulk.tables.iceberg_catalog import Tables
from source_salesforce_bulk.tables.log import OBJECT
from source_salesforce_bulk.tables.table_failures import UnusableTable

SNAPSHOTS_KEPT = 50
"""Snapshots of a table that stay, the newest ones: they can be queried, and a reader may be using them."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed from one table."""

    table: str
    snapshots: int
    files: int
    bytes: int


def clean(tables: Tables, before: datetime, keep: int = SNAPSHOTS_KEPT) -> Iterator[Cleaned]:
    """Clean each table of this program; yields what was removed. Files that were written after ``before`` stay."""
    for name in tables.names():
        table = tables.load(name)
        if table is not None and OBJECT in table.properties:
            expired = _expire(table, keep)
            files = list(_unnamed(table, before))
            for file, system in files:
                system.delete_file(file.path)
            yield Cleaned(name, expired, len(files), sum(file.size for file, _ in files))


def _expire(table: Table, keep: int) -> int:
    newest = [one.snapshot_id for one in ancestors_of(table.current_snapshot(), table.metadata)][:keep]
    heads = {ref.snapshot_id for ref in table.metadata.refs.values()}
    old = [one.snapshot_id for one in table.metadata.snapshots if one.snapshot_id not in {*newest, *heads}]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()
        table.refresh()
    return len(old)


def _unnamed(table: Table, before: datetime) -> Iterator[tuple[fs.FileInfo, fs.FileSystem]]:
    """The table's files that nothing names, with the file system they are on."""
    if not isinstance(table.io, PyArrowFileIO):
        raise UnusableTable(f"The files of {'.'.join(table.name())} cannot be listed: its FileIO is not pyarrow's.")
    scheme, place, root = PyArrowFileIO.parse_location(table.location(), table.io.properties)
    system = table.io.fs_by_scheme(scheme, place)
    named = {PyArrowFileIO.parse_location(one, table.io.properties)[2] for one in _named(table)}
    for file in system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True)):
        if file.type is fs.FileType.File and file.path not in named and file.mtime < before:
            yield file, system


def _named(table: Table) -> Iterator[str]:
    """The locations that the table's metadata names, its own among them."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (one.statistics_path for one in table.metadata.statistics)
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
