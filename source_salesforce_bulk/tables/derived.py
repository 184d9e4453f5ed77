"""The common part of the tables that are derived from a log: how much of it they contain, their columns, their commits.

Each commit stores the generation and the sequence number of the log that the table contains. So an update that was
killed is repeated, and an update without new rows makes no commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import NestedField

from source_salesforce_bulk.tables.columns import DELETED
from source_salesforce_bulk.tables.commits import (
    MAIN,
    PROPERTIES,
    FencedTransaction,
    checked,
    newest_summary_value,
    refs_of,
)
from source_salesforce_bulk.tables.data_files import Listed, listed
from source_salesforce_bulk.tables.iceberg_catalog import Tables
from source_salesforce_bulk.tables.log import OBJECT, ORGANIZATION
from source_salesforce_bulk.tables.parquet_rows import Rows
from source_salesforce_bulk.tables.winners import boundaries, key_of

LOG_SNAPSHOT = "salesforce-bulk.log-snapshot"
LOG_SEQUENCE = "salesforce-bulk.log-sequence"
LOG_GENERATION = "salesforce-bulk.log-generation"
"""In the summary of each update: the snapshot of the log that the table contains, and its position in the log."""
KEY = "salesforce-bulk.key"
CURSOR = "salesforce-bulk.cursor"
"""Properties of each log: the fields of the object's key, separated by commas, and its cursor."""

VERSIONS_AT_ONCE = 500_000
"""The number of row versions that are compared at once: about 100 MB."""

_MODSTAMP = "SystemModstamp"


@dataclass(frozen=True, slots=True)
class Folded:
    """The result of an update: the number of log rows read, and of rows written."""

    log_rows: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """The part of a log that a table lacks. ``again``: the table contains the log as it was before the files ``new``.

    Otherwise the log was replaced, and ``new`` are all of its files. ``known`` are the table's snapshots by branch.
    """

    new: Sequence[Listed]
    old: Sequence[Listed]
    again: bool
    known: Mapping[str, int | None]
    summary: Mapping[str, str]

    @property
    def log_rows(self) -> int:
        """The number of new rows in the log."""
        return sum(entry.file.record_count for entry in self.new)


def update_due(log: Table, table: Table, generation: str) -> Update | None:
    """Return the part of ``log`` that ``table`` lacks, or None. ``generation`` is that of the log."""
    head = log.metadata.current_snapshot()
    if head is None:
        return None
    known = refs_of(table, MAIN)
    sequence = newest_summary_value(table, LOG_SEQUENCE, MAIN)
    again = sequence is not None and newest_summary_value(table, LOG_GENERATION, MAIN) == generation
    # In the order of their commits, because the later of two equal versions wins.
    files = sorted(listed(log, head.snapshot_id), key=lambda entry: entry.sequence)
    new = [entry for entry in files if not again or sequence is None or entry.sequence > int(sequence)]
    if again and not new:
        return None
    summary = {
        LOG_SNAPSHOT: str(head.snapshot_id),
        LOG_SEQUENCE: str(max((entry.sequence for entry in files), default=0)),
        LOG_GENERATION: generation,
    }
    return Update(new, list(listed(table, known[MAIN])), again, known, summary)


def commit_update(table: Table, update: Update, kept: set[str], added: Sequence[DataFile]) -> None:
    """Replace the table's files, except those at the locations ``kept``, by ``added``; raises ``Stale``."""
    removed = [entry.file for entry in update.old if entry.file.file_path not in kept]
    transaction = FencedTransaction(table, update.known)
    change = transaction.update_snapshot(snapshot_properties=dict(update.summary))
    with change.overwrite() if removed else change.fast_append() as snapshot:
        for entry in removed:
            snapshot.delete_data_file(entry)
        for entry in added:
            snapshot.append_data_file(entry)
    transaction.commit_transaction()


def derived_table(tables: Tables, log: Table, name: str, more: Sequence[NestedField] = ()) -> Table:
    """Return the table ``name`` with the log's columns and ``more``; create it, or add what is missing."""
    wanted = [*(column for column in log.schema().fields if column.name != DELETED), *more]
    table = tables.load(name)
    if table is None:
        facts = {key: log.properties[key] for key in (OBJECT, ORGANIZATION)}
        return tables.catalog.create_table(tables.identifier(name), Schema(*wanted), properties={**PROPERTIES, **facts})
    known = {column.name: column for column in checked(table).schema().fields}
    missing = [column for column in wanted if column.name not in known]
    other = [column for column in wanted if column.name in known and known[column.name].doc != column.doc]
    if missing or other:
        with table.update_schema() as update:
            for column in missing:
                update.add_column(column.name, column.field_type, column.doc)
            for column in other:
                update.update_column(column.name, doc=column.doc)
    return table


def key_fields(log: Table) -> list[str]:
    """Return the columns of the object's key; none if it has no key."""
    return [name for name in log.properties.get(KEY, "").split(",") if name]


def cursor_column(log: Table, names: frozenset[str]) -> str | None:
    """Return which of the columns ``names`` orders the versions of a row."""
    return next((name for name in (_MODSTAMP, log.properties.get(CURSOR, "")) if name in names), None)


def cuts(new: Sequence[Rows], key: Sequence[str]) -> list[str]:
    """Return the keys that split the rows of ``new`` into ranges of about ``VERSIONS_AT_ONCE`` rows."""
    parts = 1 + sum(rows.count for rows in new) // VERSIONS_AT_ONCE
    if parts < 2:
        return []
    samples = [key_of(rows.columns(key)).combine_chunks()[::97] for rows in new]
    return boundaries(pa.concat_arrays(samples), parts)


def concatenated(arrays: Sequence[Any]) -> Any:
    """Concatenate arrays of row numbers."""
    return pa.concat_arrays(arrays) if arrays else pa.array([], pa.int64())
