"""The table of an object's history: each version of a row, with the time from which and to which it was valid.

    valid_from    the version's cursor, such as SystemModstamp
    valid_to      where the next version begins, or when the row was deleted; null for the current version

It is updated from the log like the current table, but its rows stay when the log is replaced: a full refresh adds the
versions that are new, and ends those of keys that are gone. Only files in which a row changes are written again.
``intervals`` computes the times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import NestedField, TimestamptzType

from source_salesforce_bulk.deletions.tombstones import IS_DELETED
from source_salesforce_bulk.tables import intervals
from source_salesforce_bulk.tables.columns import DELETED, READ_AT
from source_salesforce_bulk.tables.derived import (
    Folded,
    Update,
    commit_update,
    concatenated,
    cursor_column,
    cuts,
    derived_table,
    key_fields,
    update_due,
)
from source_salesforce_bulk.tables.iceberg_catalog import Tables, history_name
from source_salesforce_bulk.tables.intervals import BEGINS, ENDS, FILE, INSTANT, KEY, ROW, VERSIONS
from source_salesforce_bulk.tables.log import OBJECT, generation_of
from source_salesforce_bulk.tables.parquet_rows import Rows, RowWriter
from source_salesforce_bulk.tables.winners import between, key_of

VALID_FROM, VALID_TO = "valid_from", "valid_to"

_FIRST_ID = 100_000  # replaced by the catalog when it makes the table
_COLUMNS = (
    NestedField(_FIRST_ID, VALID_FROM, TimestamptzType(), required=False, doc="when this version of the row began"),
    NestedField(_FIRST_ID + 1, VALID_TO, TimestamptzType(), required=False, doc="when it ended; null: it is current"),
)


def has_history(log: Table) -> bool:
    """Return whether the object's versions can be told apart and ordered: it has a key and a cursor."""
    names = frozenset(field.name for field in log.schema().fields)
    return bool(key_fields(log)) and cursor_column(log, names) is not None


@dataclass(slots=True)
class History:
    """One update of one object's history, from a log that has one (:func:`has_history`)."""

    tables: Tables
    log: Table
    _ends: dict[int, list[Any]] = field(default_factory=dict)
    _gone: dict[int, list[Any]] = field(default_factory=dict)

    def run(self) -> Folded:
        """Update the history; raises ``Stale`` if another run was faster."""
        if self.log.metadata.current_snapshot() is None:
            return Folded()
        table = derived_table(self.tables, self.log, history_name(self.log.properties[OBJECT]), _COLUMNS)
        # A log that was dropped and made again has all rows, as after a full refresh.
        update = update_due(self.log, table, f"{self.log.metadata.table_uuid}/{generation_of(self.log)}")
        if update is None:
            return Folded()
        before = [Rows(table, entry.file) for entry in update.old]
        new = [Rows(self.log, entry.file) for entry in update.new]
        self._compare(before, new, None if update.again else self._refreshed(new))
        added: list[DataFile] = []
        written = 0
        with RowWriter(table, added.append) as to:
            for at, source in enumerate([*before, *new]):
                for batch in self._rows_of(source, at, is_new=at >= len(before)):
                    to.write(batch)
                    written += batch.num_rows
        commit_update(table, update, self._kept(update), added)
        return Folded(update.log_rows, written)

    def _kept(self, update: Update) -> set[str]:
        return {entry.file.file_path for at, entry in enumerate(update.old) if not self._is_touched(at)}

    def _is_touched(self, at: int) -> bool:
        return at in self._ends or at in self._gone

    def _refreshed(self, new: list[Rows]) -> datetime:
        """Return the time at which keys that a replaced log no longer has were found to be gone."""
        times = [time for rows in new if (time := pc.max(rows.column(READ_AT)).as_py()) is not None]
        head = self.log.metadata.current_snapshot()
        return max(times, default=datetime.fromtimestamp((head.timestamp_ms if head else 0) / 1000, UTC))

    def _compare(self, before: list[Rows], new: list[Rows], refreshed: datetime | None) -> None:
        key = key_fields(self.log)
        ends = cuts(new, key)
        for start, end in zip([None, *ends], [*ends, None], strict=True):
            parts = (between(self._new(rows, len(before) + at, key), start, end) for at, rows in enumerate(new))
            fresh = pa.concat_tables([VERSIONS.empty_table(), *parts])
            keys = pc.unique(fresh[KEY])
            matched: dict[int, Any] = {}
            for at, rows in enumerate(before):
                known = between(self._old(rows, at, key), start, end)
                is_fresh = pc.is_in(known[KEY], keys)
                matched[at] = known.filter(is_fresh)
                if refreshed is not None:
                    self._end(at, known.filter(pc.and_(pc.invert(is_fresh), pc.is_null(known[ENDS]))), refreshed)
            found = intervals.intervals(pa.concat_tables([*matched.values(), fresh]))
            for at, known in matched.items():
                self._note_old(at, known, found.filter(pc.equal(found[FILE], at)))
            for at in range(len(before), len(before) + len(new)):
                self._note(at, found.filter(pc.equal(found[FILE], at)))

    def _end(self, at: int, rows: Any, moment: datetime) -> None:
        ends = pa.chunked_array([pa.repeat(pa.scalar(moment, INSTANT), rows.num_rows)])
        self._note(at, rows.set_column(rows.column_names.index(ENDS), ENDS, ends))

    def _note_old(self, at: int, known: Any, found: Any) -> None:
        """Note which rows of an old file are no longer versions, and which have a different end."""
        gone = known.filter(pc.invert(pc.is_in(known[ROW], found[ROW])))[ROW]
        if len(gone):
            self._gone.setdefault(at, []).append(gone.combine_chunks())
        ended = known[ENDS].combine_chunks().take(pc.index_in(found[ROW].combine_chunks(), known[ROW].combine_chunks()))
        same = pc.fill_null(pc.equal(ended, found[ENDS].combine_chunks()), fill_value=False)
        both_open = pc.and_(pc.is_null(ended), pc.is_null(found[ENDS].combine_chunks()))
        self._note(at, found.filter(pc.invert(pc.or_(same, both_open))))

    def _note(self, at: int, rows: Any) -> None:
        if rows.num_rows:
            self._ends.setdefault(at, []).append(rows.select([ROW, BEGINS, ENDS]))

    # Versions

    def _new(self, rows: Rows, at: int, key: list[str]) -> Any:
        """Return the versions in a file of the log."""
        names, count = rows.names, rows.count
        cursor = cursor_column(self.log, names)
        none, no = pa.nulls(count, INSTANT), pa.repeat(pa.scalar(value=False), count)
        read_at = rows.column(READ_AT)
        begins = pc.coalesce(rows.column(cursor) if cursor is not None else none, read_at, pa.scalar(0, INSTANT))
        deleted = pc.fill_null(rows.column(IS_DELETED), fill_value=False) if IS_DELETED in names else no
        tombstone = pc.fill_null(rows.column(DELETED), fill_value=False)
        columns = [key_of(rows.columns(key)), begins, read_at, pc.or_(deleted, tombstone), tombstone, none]
        return _positioned(columns, at, count)

    def _old(self, rows: Rows, at: int, key: list[str]) -> Any:
        """Return the versions in a file of the history."""
        no = pa.repeat(pa.scalar(value=False), rows.count)
        begins, read_at, ends = rows.columns([VALID_FROM, READ_AT, VALID_TO])
        return _positioned([key_of(rows.columns(key)), begins, read_at, no, no, ends], at, rows.count)

    def _rows_of(self, source: Rows, at: int, *, is_new: bool) -> Iterator[Any]:
        """Yield the rows of a file that are to be written, with their times."""
        if not self._is_touched(at):
            return
        noted = pa.concat_tables(self._ends.get(at, [])) if at in self._ends else VERSIONS.empty_table()
        rows, begins, ends = (noted[name].combine_chunks() for name in (ROW, BEGINS, ENDS))
        gone = concatenated(self._gone.get(at, []))
        begun = 0
        for batch in source.batches():
            numbers = pa.array(range(begun, begun + batch.num_rows), pa.int64())
            begun += batch.num_rows
            places = pc.index_in(numbers, rows)
            if is_new:
                times = ((VALID_FROM, begins.take(places)), (VALID_TO, ends.take(places)))
                timed = pa.table({**dict(zip(batch.column_names, batch.columns, strict=True)), **dict(times)})
                yield timed.filter(pc.is_valid(places))
            else:
                changed = pc.if_else(pc.is_valid(places), ends.take(places), batch[VALID_TO].combine_chunks())
                timed = batch.set_column(batch.column_names.index(VALID_TO), VALID_TO, changed)
                yield timed.filter(pc.invert(pc.is_in(numbers, gone)))


def _positioned(columns: list[Any], at: int, count: int) -> Any:
    return pa.table(
        [*columns, pa.repeat(pa.scalar(at, pa.int32()), count), pa.array(range(count), pa.int64())], schema=VERSIONS
    )
