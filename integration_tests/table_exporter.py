"""Exports of a simulated org into embedded Iceberg tables, read back as users read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration_tests.exporter import Exporter, Row, Unwatched, as_emitted, in_arrows_range
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import SimulatedOrg
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.run import ExportPlaces
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.tables.fold_ending import TablesEnding
from source_salesforce_bulk.tables.iceberg_catalog import Tables, embedded
from source_salesforce_bulk.tables.log_files import TableFiles
from source_salesforce_bulk.tables.table_destination import TableDestination
from source_salesforce_bulk.tables.table_schemas import TableSchemas
from source_salesforce_bulk.tables.table_states import TableStates

MARKS = ("_run_id", "_read_at", "_deleted")


class TableExporter(Exporter):
    """Exports into tables below ``folder``."""

    def __init__(self, org: SimulatedOrg, folder: Path, **config: Any) -> None:
        super().__init__(org, folder, **config)
        self.fold = True
        self.keep_deleted = False
        self.monotonic: Callable[[], float] = time.monotonic

    def tables(self) -> Tables:
        """Open the tables again."""
        return embedded(self.folder / "lake")

    def places(
        self, destination: Destination, states: StateRegistry | None, run_id: str, format_name: str, on_drift: str
    ) -> ExportPlaces:
        """See :class:`Exporter`."""
        tables = self.tables()
        kept = TableStates(tables, self.monotonic)
        return ExportPlaces(
            destination=TableDestination(tables, kept),
            states=kept,
            schemas=SchemaWatch(TableSchemas(tables, kept), run_id, on_drift),
            page_files=TableFiles(kept, run_id),
            watcher=Unwatched(),
            on_clean_up=lambda: None,
            ending=TablesEnding(tables, fold=self.fold, keep_deleted=self.keep_deleted),
        )

    def table(self, name: str) -> Any:
        """A table as pyiceberg loads it."""
        table = self.tables().load(name)
        assert table is not None, name
        return table

    def rows_of(self, name: str) -> list[Row]:
        """The rows of a table, without what this program adds to them."""
        return without_marks(self.table(name).scan().to_arrow().to_pylist())


def without_marks(rows: list[Row]) -> list[Row]:
    """The fields of rows, nulls left out."""
    return [{name: value for name, value in row.items() if value is not None and name not in MARKS} for row in rows]


def assert_equals_org(rows: list[Row], org: SimulatedOrg, name: str, operation: str = "query") -> None:
    """Assert that rows are the object's, each once and value by value; ``query`` leaves out those that are deleted."""
    types = GroundTruth(org).types(name)
    expected = [in_arrows_range(row, types) for row in GroundTruth(org).records(name, operation=operation)]
    assert_same_rows([as_emitted(row, types) for row in rows], expected)
