"""The table of an object's current rows, folded from its log.

    files of the log that are new since the last fold  ─┐   keys and order alone,
                                                        ├── a range of keys at a time ──> which rows stay
    files of the current table that hold those keys    ─┘
    rows that stay, batch by batch ──> new files;  files without a change stay as they are;  one commit

Memory is bounded by the range of keys and a few batches of rows. See ``derived`` for what a commit stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from source_salesforce_bulk.deletions.tombstones import DELETED_AT, IS_DELETED
from source_salesforce_bulk.tables.columns import DELETED, READ_AT
from source_salesforce_bulk.tables.data_files import Listed
from source_salesforce_bulk.tables.derived import (
    Folded,
    commit_update,
    concatenated,
    cursor_column,
    cuts,
    derived_table,
    key_fields,
    update_due,
)
from source_salesforce_bulk.tables.iceberg_catalog import Tables, current_name
from source_salesforce_bulk.tables.log import OBJECT, generation_of
from source_salesforce_bulk.tables.parquet_rows import Rows, RowWriter
from source_salesforce_bulk.tables.winners import BURIED, ROW, VERSIONS, Places, between, key_of, winners


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
        if self.log.metadata.current_snapshot() is None:
            return Folded()
        table = derived_table(self.tables, self.log, current_name(self.log.properties[OBJECT]))
        update = update_due(self.log, table, str(generation_of(self.log)))
        if update is None:
            return Folded()
        old = list(update.old) if update.again else []
        kept, added, written = self._choose([Rows(self.log, entry.file) for entry in update.new], old, table)
        commit_update(table, update, kept, added)
        return Folded(update.log_rows, written)

    # Which rows stay

    def _choose(self, new: list[Rows], old: list[Listed], table: Table) -> tuple[set[str], list[DataFile], int]:
        """Return the paths of old files that stay, the new files, and the rows in them."""
        before = [Rows(table, entry.file) for entry in old]
        key = key_fields(self.log)
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
        ends = cuts([sources[at] for at in new], key)
        for start, end in zip([None, *ends], [*ends, None], strict=True):
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

    def _versions(self, rows: Rows, at: int, key: list[str]) -> Any:
        names = rows.names
        cursor = cursor_column(self.log, names)
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
        stay = concatenated(self._stay.get(at, []))
        leave = None
        if at < olds:
            touched = concatenated(self._touched.get(at, []))
            leave = touched.filter(pc.invert(pc.is_in(touched, stay)))
        buried = pa.concat_tables(self._buried[at]) if at in self._buried else None
        begun = 0
        for batch in source.batches():
            numbers = pa.array(range(begun, begun + batch.num_rows), pa.int64())
            begun += batch.num_rows
            mask = pc.is_in(numbers, stay) if leave is None else pc.invert(pc.is_in(numbers, leave))
            yield (batch if buried is None else _marked(batch, numbers, buried)).filter(mask)


def _marked(batch: Any, numbers: Any, buried: Any) -> Any:
    """Return the rows, of which those that a tombstone has buried are marked as deleted."""
    moments = buried[BURIED].combine_chunks().take(pc.index_in(numbers, buried[ROW].combine_chunks()))
    gone = pc.is_valid(moments)
    for name, mark in ((IS_DELETED, pa.scalar(value=True)), (DELETED_AT, moments)):
        there = batch.column_names.index(name) if name in batch.column_names else None
        before = pa.nulls(batch.num_rows, mark.type) if there is None else batch[name]
        after = pc.if_else(gone, mark, before)
        batch = batch.append_column(name, after) if there is None else batch.set_column(there, name, after)
    return batch
