"""The table of an object's current rows, folded from its log.

    files of the log that are new since the last fold  ─┐   keys and order alone,
                                                        ├── a range of keys at a time ──> which rows stay
    files of the current table that hold those keys    ─┘
    rows that stay, batch by batch ──> new files;  files without a change stay as they are;  one commit

The commit stores the generation and the sequence number of the log that it contains. So a killed fold is repeated, and
a fold without new rows makes no commit. Memory is bounded by the range of keys and a few batches of rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import NestedField

from source_salesforce_bulk.deletions.tombstones import DELETED_AT, IS_DELETED
from source_salesforce_bulk.tables.columns import DELETED, READ_AT
from source_salesforce_bulk.tables.commits import MAIN, PROPERTIES, FencedTransaction, checked, refs_of, told
from source_salesforce_bulk.tables.data_files import Listed, listed
from source_salesforce_bulk.tables.iceberg_catalog import Tables, current_name
from source_salesforce_bulk.tables.log import OBJECT, ORGANIZATION, generation_of
from source_salesforce_bulk.tables.parquet_rows import Rows, RowWriter
from source_salesforce_bulk.tables.winners import BURIED, ROW, VERSIONS, Places, between, boundaries, key_of, winners

LOGGER = logging.getLogger("salesforce_bulk.tables")

LOG_SNAPSHOT = "salesforce-bulk.log-snapshot"
LOG_SEQUENCE = "salesforce-bulk.log-sequence"
LOG_GENERATION = "salesforce-bulk.log-generation"
"""In the summary of each fold: the snapshot of the log that the table contains, and its position in the log."""
KEY = "salesforce-bulk.key"
CURSOR = "salesforce-bulk.cursor"
"""Properties of each log: the fields of the object's key, separated by commas, and its cursor."""

VERSIONS_AT_ONCE = 500_000
"""The number of row versions that are compared at once: about 100 MB."""

_MODSTAMP = "SystemModstamp"


@dataclass(frozen=True, slots=True)
class Folded:
    """The result of a fold: the number of log rows read, and of rows written."""

    looked_at: int = 0
    written: int = 0


@dataclass(slots=True)
class Fold:
    """One fold of one object's log."""

    tables: Tables
    log: Table
    keep_deleted: bool
    _stay: dict[int, list[Any]] = field(default_factory=dict)
    _touched: dict[int, list[Any]] = field(default_factory=dict)
    _buried: dict[int, list[Any]] = field(default_factory=dict)

    def run(self) -> Folded:
        """Update the current table from the log; raises ``Stale`` if another fold was faster."""
        head = self.log.metadata.current_snapshot()
        if head is None:
            return Folded()
        table = self._table()
        known = refs_of(table, MAIN)
        done = _contained(table)
        generation = generation_of(self.log)
        again = done is not None and done[0] == generation
        # In the order of their commits, because the later of two equal versions wins.
        files = sorted(listed(self.log, head.snapshot_id), key=lambda entry: entry.sequence)
        new = [entry for entry in files if not again or done is None or entry.sequence > done[1]]
        old = list(listed(table, known[MAIN]))
        if again and not new:
            return Folded()
        rows = self._choose([Rows(self.log, entry.file) for entry in new], old if again else [], table)
        kept, added, written = rows
        removed = [entry.file for entry in old if entry.file.file_path not in kept]
        summary = {
            LOG_SNAPSHOT: str(head.snapshot_id),
            LOG_SEQUENCE: str(max((entry.sequence for entry in files), default=0)),
            LOG_GENERATION: str(generation),
        }
        transaction = FencedTransaction(table, known)
        change = transaction.update_snapshot(snapshot_properties=summary)
        with change.overwrite() if removed else change.fast_append() as snapshot:
            for entry in removed:
                snapshot.delete_data_file(entry)
            for entry in added:
                snapshot.append_data_file(entry)
        transaction.commit_transaction()
        return Folded(sum(entry.file.record_count for entry in new), written)

    # Which rows stay

    def _choose(self, new: list[Rows], old: list[Listed], table: Table) -> tuple[set[str], list[DataFile], int]:
        """Return the paths of old files that stay, the new files, and the rows in them."""
        before = [Rows(table, entry.file) for entry in old]
        key = [name for name in self.log.properties.get(KEY, "").split(",") if name]
        sources = [*before, *new]  # in this order: of equal versions the later one wins
        if key:
            self._compare(sources, len(before), key)
        touched = {at for at, rows in self._touched.items() if sum(map(len, rows))}
        added: list[DataFile] = []
        written = 0
        with RowWriter(table, added.append) as to:
            for at, source in enumerate(sources):
                if at < len(before) and at not in touched:
                    continue
                for batch in self._rows_of(source, at, len(before), bool(key)):
                    to.write(batch)
                    written += batch.num_rows
        kept = {entry.file.file_path for at, entry in enumerate(old) if at not in touched}
        return kept, added, written

    def _compare(self, sources: list[Rows], olds: int, key: list[str]) -> None:
        new = range(olds, len(sources))
        total = sum(sources[at].count for at in new)
        cuts = self._cuts([sources[at] for at in new], key, 1 + total // VERSIONS_AT_ONCE)
        for start, end in zip([None, *cuts], [*cuts, None], strict=True):
            fresh = pa.concat_tables(
                [VERSIONS.empty_table(), *(between(self._versions(sources[at], at, key), start, end) for at in new)]
            )
            keys = pc.unique(fresh["key"])
            matched = []
            for at in range(olds):
                found = self._versions(sources[at], at, key)
                found = found.filter(pc.is_in(found["key"], keys))
                if found.num_rows:
                    self._touched.setdefault(at, []).append(found["row"].combine_chunks())
                    matched.append(found)
            self._note(winners(pa.concat_tables([*matched, fresh]), keep_deleted=self.keep_deleted), len(sources))

    def _note(self, places: Places, sources: int) -> None:
        for at in range(sources):
            rows = places.in_file(at)
            if len(rows):
                self._stay.setdefault(at, []).append(rows.combine_chunks())
            buried = places.buried_in(at)
            if buried.num_rows:
                self._buried.setdefault(at, []).append(buried)

    def _cuts(self, new: list[Rows], key: list[str], parts: int) -> list[str]:
        if parts < 2:
            return []
        samples = [key_of(rows.columns(key)).combine_chunks()[::97] for rows in new]
        return boundaries(pa.concat_arrays(samples), parts)

    def _versions(self, rows: Rows, at: int, key: list[str]) -> Any:
        names = rows.names
        cursor = next((name for name in (_MODSTAMP, self.log.properties.get(CURSOR, "")) if name in names), None)
        count = rows.count
        none = pa.nulls(count, pa.timestamp("us", "UTC"))
        no = pa.repeat(pa.scalar(value=False), count)

        def flag(name: str) -> Any:
            return pc.fill_null(rows.column(name), fill_value=False) if name in names else no

        return pa.table(
            [
                key_of(rows.columns(key)),
                rows.column(cursor) if cursor is not None else none,
                rows.column(READ_AT) if READ_AT in names else none,
                flag(IS_DELETED),
                flag(DELETED),
                pa.repeat(pa.scalar(at, pa.int32()), count),
                pa.array(range(count), pa.int64()),
            ],
            schema=VERSIONS,
        )

    def _rows_of(self, source: Rows, at: int, olds: int, has_key: bool) -> Iterator[Any]:
        """Yield the rows of a source that stay, in batches."""
        if not has_key:
            yield from source.batches()
            return
        stay = _together(self._stay.get(at, []))
        leave = None
        if at < olds:
            touched = _together(self._touched.get(at, []))
            leave = touched.filter(pc.invert(pc.is_in(touched, stay)))
        buried = pa.concat_tables(self._buried[at]) if at in self._buried else None
        begun = 0
        for batch in source.batches():
            numbers = pa.array(range(begun, begun + batch.num_rows), pa.int64())
            begun += batch.num_rows
            mask = pc.is_in(numbers, stay) if leave is None else pc.invert(pc.is_in(numbers, leave))
            yield (batch if buried is None else _marked(batch, numbers, buried)).filter(mask)

    # The table

    def _table(self) -> Table:
        """Return the current table; create it, or add the log's newer columns, if necessary."""
        name = current_name(self.log.properties[OBJECT])
        table = self.tables.load(name)
        wanted = [column for column in self.log.schema().fields if column.name != DELETED]
        if table is None:
            return self._make(name, wanted)
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

    def _make(self, name: str, wanted: list[NestedField]) -> Table:
        facts = {key: self.log.properties[key] for key in (OBJECT, ORGANIZATION)}
        return self.tables.catalog.create_table(
            self.tables.identifier(name), Schema(*wanted), properties={**PROPERTIES, **facts}
        )


def _marked(batch: Any, numbers: Any, buried: Any) -> Any:
    """Return the rows with the marks of a deleted row in those that a tombstone has buried."""
    moments = buried[BURIED].combine_chunks().take(pc.index_in(numbers, buried[ROW].combine_chunks()))
    gone = pc.is_valid(moments)
    for name, mark in ((IS_DELETED, pa.scalar(value=True)), (DELETED_AT, moments)):
        there = batch.column_names.index(name) if name in batch.column_names else None
        before = pa.nulls(batch.num_rows, mark.type) if there is None else batch[name]
        after = pc.if_else(gone, mark, before)
        batch = batch.append_column(name, after) if there is None else batch.set_column(there, name, after)
    return batch


def _together(arrays: list[Any]) -> Any:
    return pa.concat_arrays(arrays) if arrays else pa.array([], pa.int64())


def _contained(table: Table) -> tuple[int, int] | None:
    """Return the generation and the sequence number of the log that the table contains; None if it is new."""
    generation, sequence = told(table, LOG_GENERATION, MAIN), told(table, LOG_SEQUENCE, MAIN)
    return None if generation is None or sequence is None else (int(generation), int(sequence))
