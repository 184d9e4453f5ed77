"""Pages as files of a log: its columns, their ids, and the columns with the run and the time of reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.page_files import FORMATS
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.pages.arrangement import Arrangement, Mark
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.tables.columns import DELETED, READ_AT, RUN_ID
from source_salesforce_bulk.tables.derived import CURSOR, KEY
from source_salesforce_bulk.tables.row_marks import are_tombstones, constant
from source_salesforce_bulk.tables.table_states import TableStates

_INSTANT = pa.timestamp("us", "UTC")


class TableFiles:
    """A ``FileMaker`` whose files have the columns of each object's log."""

    extension = "parquet"
    shows_rows = True

    def __init__(self, states: TableStates, run_id: str) -> None:
        self._logs = states.logs
        self._run_id = run_id

    def prepared(self, layout: Layout) -> Layout:
        """See ``FileMaker``. Stores the key, the cursor and the labels of the object in its log."""
        log = self._logs[layout.name]
        if store_object_facts(log.table, layout):
            log.refresh()
        return laid_out(layout, log.table, self._run_id)

    def encoder(self, layout: Layout, columns: tuple[Column, ...]) -> PageEncoder:
        """See ``FileMaker``."""
        return FORMATS["parquet"].encoder(layout, columns)

    def cells(self, path: Path, names: Sequence[str]) -> Iterator[Sequence[str | None]]:
        """See ``FileMaker``."""
        return FORMATS["parquet"].cells(path, names)

    def elsewhere(self, _connection: Connection) -> None:
        """See ``FileMaker``."""


def laid_out(layout: Layout, table: Table, run_id: str) -> Layout:
    """Return the layout of files whose columns are those of the log ``table``."""
    schema = table.schema()
    read_at = layout.upper_bound() if layout.upper_bound is not None else None
    fills: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        RUN_ID: (pa.string(), partial(constant, pa.scalar(run_id))),
        READ_AT: (_INSTANT, partial(constant, pa.scalar(read_at, _INSTANT))),
        DELETED: (pa.bool_(), are_tombstones),
    }
    marks = tuple(Mark(name, schema.find_field(name).field_id, *fill) for name, fill in fills.items())
    names = {field: schema.find_field(id_).name for field, id_ in layout.ids.items()}
    return replace(layout, arrangement=Arrangement(names, marks))


def store_object_facts(table: Table, layout: Layout) -> bool:
    """Store the object's key, cursor and labels in its log; return True if any of them has changed."""
    facts = {KEY: ",".join(_column(table, layout, name) for name in layout.key)}
    facts[CURSOR] = _column(table, layout, layout.cursor) if layout.cursor else ""
    labels = {layout.ids[field.name]: field.label for field in layout.sobject.fields if field.label}
    columns = table.schema().fields
    stale = {it.name: labels[it.field_id] for it in columns if labels.get(it.field_id, it.doc) != it.doc}
    if not stale and all(table.properties.get(name) == value for name, value in facts.items()):
        return False
    with table.transaction() as transaction:
        if stale:
            with transaction.update_schema() as update:
                for name, label in stale.items():
                    update.update_column(name, doc=label)
        transaction.set_properties(facts)
    return True


def _column(table: Table, layout: Layout, field: str) -> str:
    return table.schema().find_field(layout.ids[field]).name
