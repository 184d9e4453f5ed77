"""Exports of a simulated org into embedded Iceberg tables, read back as users read them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.table import Table

from integration_tests.exporter import SCRIPT, Exporter, Row, Unwatched, as_emitted, in_arrows_range
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import SimulatedOrg
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.run import ExportPlaces
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.registries.state import LeaseLost, StateRegistry
from source_salesforce_bulk.tables.fold_ending import TablesEnding
from source_salesforce_bulk.tables.iceberg_catalog import Tables, embedded
from source_salesforce_bulk.tables.local_files import local_path
from source_salesforce_bulk.tables.log import ORGANIZATION
from source_salesforce_bulk.tables.log_files import TableFiles
from source_salesforce_bulk.tables.table_destination import TableDestination
from source_salesforce_bulk.tables.table_schemas import TableSchemas
from source_salesforce_bulk.tables.table_states import TableStates

MARKS = ("_run_id", "_read_at", "_deleted")
VERSION = ("Id", "SystemModstamp", "_deleted")


class TableExporter(Exporter):
    """Exports into tables below ``folder``."""

    def __init__(self, org: SimulatedOrg, folder: Path, **config: Any) -> None:
        super().__init__(org, folder, **config)
        self.fold = True
        self.keep_deleted = False
        self.history = False
        self.monotonic: Callable[[], float] = time.monotonic

    @property
    def url(self) -> str:
        """The value of ``--destination``."""
        return f"iceberg+{(self.folder / 'lake').as_uri()}"

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
            ending=TablesEnding(tables, self.fold, self.keep_deleted, self.history),
        )

    def arguments(self, objects: Sequence[str], *more: str) -> list[str]:
        """See :class:`Exporter`."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config), encoding="utf-8")
        places = [f"--config={path}", f"--destination={self.url}"]
        return [str(SCRIPT), "export", *places, *(f"--object={name}" for name in objects), *more]

    def tables_command(self, name: str, *more: str) -> list[str]:
        """The command line of ``salesforce-bulk tables``."""
        return [str(SCRIPT), "tables", name, f"--destination={self.url}", *more]

    def table(self, name: str) -> Any:
        """A table as pyiceberg loads it."""
        table = self.tables().load(name)
        assert table is not None, name
        return table

    def rows_of(self, name: str) -> list[Row]:
        """The rows of a table, without what this program adds to them."""
        return without_marks(self.table(name).scan().to_arrow().to_pylist())


def assert_nothing_twice(exporter: TableExporter, names: Sequence[str]) -> None:
    """Assert that no table has a key twice, and that no run has brought a version twice."""
    for name in names:
        for table, fields in ((name.lower(), ("Id",)), (f"{name.lower()}_log", (*VERSION, "_run_id"))):
            there = exporter.tables().load(table)
            if there is None or there.current_snapshot() is None:
                continue
            rows = there.scan(selected_fields=(one for one in fields if one in names_of(there))).to_arrow().to_pylist()
            twice = [key for key, times in Counter(tuple(row.values()) for row in rows).items() if times > 1]
            assert not twice, f"{table}: {len(twice)} rows are there twice, first {twice[0]}"


def assert_no_garbage(exporter: TableExporter) -> None:
    """Assert that each file of the tables is named by their metadata, and that each named file is there."""
    for name in exporter.tables().names():
        table = exporter.table(name)
        named = {table.metadata_location, *(one.metadata_file for one in table.metadata.metadata_log)}
        for snapshot in table.metadata.snapshots:
            named.add(snapshot.manifest_list)
            for manifest in snapshot.manifests(table.io):
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=False)
                named |= {manifest.manifest_path, *(entry.data_file.file_path for entry in entries)}
        there = {path for path in local_path(table.location()).rglob("*") if path.is_file()}
        assert there == {local_path(one) for one in named}, name


def names_of(table: Table) -> set[str]:
    """The names of a table's columns."""
    return {one.name for one in table.schema().fields}


def without_marks(rows: list[Row]) -> list[Row]:
    """The fields of rows, nulls left out."""
    return [{name: value for name, value in row.items() if value is not None and name not in MARKS} for row in rows]


def assert_equals_org(
    rows: list[Row], org: SimulatedOrg, name: str, *, deleted: bool = False, by: str = "pyiceberg"
) -> None:
    """Assert that rows are the object's, each once and value by value; those in the recycle bin where ``deleted``."""
    types = GroundTruth(org).types(name)
    truth = [row for row in GroundTruth(org).readable(name) if deleted or not row.get("IsDeleted")]
    try:
        assert_same_rows([as_emitted(row, types) for row in rows], [in_arrows_range(row, types) for row in truth])
    except AssertionError as difference:
        raise AssertionError(f"{name}, as {by} reads it: {difference}") from None


def history_of(exporter: TableExporter, name: str) -> dict[str, list[Row]]:
    """The versions of each row in an object's history, in order; asserts that they do not overlap."""
    found: dict[str, list[Row]] = {}
    rows = exporter.table(f"{name.lower()}_history").scan().to_arrow().to_pylist()
    for row in sorted(rows, key=lambda one: (one["Id"], one["valid_from"])):
        found.setdefault(row["Id"], []).append(row)
    for versions in found.values():
        for one, following in pairwise(versions):
            assert one["valid_to"] is not None
            assert one["valid_to"] <= following["valid_from"]
    return found


def assert_history_equals_org(exporter: TableExporter, name: str) -> None:
    """Assert that the versions of an object's history that have no end are its rows."""
    rows = [row for versions in history_of(exporter, name).values() for row in versions if row["valid_to"] is None]
    fields = [{key: value for key, value in row.items() if key not in ("valid_from", "valid_to")} for row in rows]
    assert_equals_org(without_marks(fields), exporter.org, name, by="its history")


def change(org: SimulatedOrg, name: str, field: str = "LastName") -> None:
    """Change some rows and delete one, an hour later."""
    org.control.advance_clock(3600)
    ids = [row["Id"] for row in org.control.rows(name, operation="query")]
    org.control.update(name, {field: "Changed"}, ids=ids[:7])
    org.control.soft_delete(name, ids[7:8])
    org.control.advance_clock(60)


def assert_overtaken_writer_is_refused(exporter: TableExporter) -> None:
    """Assert that a writer which has seen an older table commits nothing, and that the table stays as it is."""
    org = exporter.org
    exporter.run(["Contact"])
    table = exporter.table("contact_log")
    stale = TableStates(exporter.tables(), lambda: 0.0).acquire(table.properties[ORGANIZATION], "Contact", "stale")
    change(org, "Contact")
    exporter.run(["Contact"])

    with pytest.raises(LeaseLost, match="changed by another writer"):
        stale.commit(replace(stale.progress, state={"SystemModstamp": "2026-11-25T00:00:00.000Z"}))

    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
