"""Exports into embedded Iceberg tables equal the org in each tested reader, also after drift and power cuts."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import (
    TableExporter,
    assert_equals_org,
    assert_overtaken_writer_is_refused,
    change,
    without_marks,
)
from integration_tests.table_readers import by_pyiceberg, readers
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.tables import derived, local_files
from source_salesforce_bulk.tables.cleaning import clean
from source_salesforce_bulk.tables.listing_tables import list_tables
from source_salesforce_bulk.tables.local_files import local_path
from source_salesforce_bulk.tables.steps import OPEN

NAMES = ["Contact", "Awkward__c", "LoginHistory"]
SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", rows=0.05)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


def test_tables_equal_the_org_after_changes_and_a_delete_in_every_reader(
    org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    monkeypatch.setattr(derived, "VERSIONS_AT_ONCE", 40)  # so that keys are compared in ranges
    exporter = TableExporter(org, tmp_path, page_size=100)
    assert exporter.run(NAMES).code == 0
    for name in NAMES:
        assert_equals_org(exporter.rows_of(f"{name.lower()}_log"), org, name, deleted=True)
    change(org, "Contact")

    result = exporter.run(NAMES)

    assert result.code == 0
    for name in NAMES:
        for by, read in readers().items():
            assert_equals_org(without_marks(read(exporter.table(name.lower()))), org, name, by=by)


def test_deleted_rows_stay_where_they_are_to_be_kept(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    exporter.keep_deleted = True
    exporter.run(["Contact"])
    change(org, "Contact")
    exporter.run(["Contact"])
    assert_equals_org(exporter.rows_of("contact"), org, "Contact", deleted=True)


def test_a_row_says_which_run_read_it_and_when(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    exporter.run(["Contact"], run_id="monday")
    rows = exporter.table("contact").scan().to_arrow()
    assert set(rows["_run_id"].to_pylist()) == {"monday"}
    assert {str(one) for one in rows["_read_at"].to_pylist()} == {"2026-11-24 08:00:00+00:00"}
    assert set(exporter.table("contact_log").scan().to_arrow()["_deleted"].to_pylist()) == {False}


def test_an_object_that_is_read_in_full_is_replaced_in_one_commit(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, page_size=100)
    names = ["Contact"]
    exporter.run(names)
    before = exporter.table("contact_log").metadata.current_snapshot_id
    result = exporter.run(names, begin_options=BeginOptions(start_over=True))

    assert result.code == 0
    table = exporter.table("contact_log")
    assert_equals_org(exporter.rows_of("contact_log"), org, "Contact", deleted=True)
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    seen = {len(table.scan(snapshot_id=one.snapshot_id).to_arrow()) for one in table.metadata.snapshots}
    assert seen <= {0, len(GroundTruth(org).records("Contact"))}
    assert before in {one.snapshot_id for one in table.metadata.snapshots}


def test_nothing_new_makes_no_fold(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    exporter.run(["Contact"])
    before = exporter.table("contact").metadata.current_snapshot_id
    exporter.fold = False
    exporter.run(["Contact"])
    exporter.fold = True
    org.control.advance_clock(3600)
    exporter.run(["Contact"])
    assert exporter.table("contact").metadata.current_snapshot_id == before


def test_a_run_that_another_one_has_overtaken_writes_nothing_more(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    assert_overtaken_writer_is_refused(exporter)
    change(org, "Contact")
    assert exporter.run(["Contact"]).code == 0
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")


def test_columns_follow_the_fields_and_none_is_ever_lost(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    org.control.add_field("Contact", "Score__c double")
    exporter.run(["Contact"])
    org.control.hide_field("Contact", "LastName")
    org.control.add_field("Contact", "New__c string(20)")
    org.control.add_field("Contact", "Score__c string(20)")
    change(org, "Contact", "FirstName")

    assert exporter.run(["Contact"]).code == 0

    names = {one.name for one in exporter.table("contact").schema().fields}
    assert {"LastName", "New__c", "Score__c", "Score__c__string"} <= names
    org.control.show_field("Contact", "LastName")
    change(org, "Contact")
    assert exporter.run(["Contact"]).code == 0
    assert {one.name for one in exporter.table("contact").schema().fields} == names
    rows = {row["Id"]: row for row in exporter.rows_of("contact")}
    for row in GroundTruth(org).records("Contact", operation="query"):
        assert rows[row["Id"]].get("LastName") == row.get("LastName")
    comments = {one.name: one.doc for one in exporter.table("contact").schema().fields}
    assert comments["LastName"]


def test_old_snapshots_go_with_their_files_and_the_current_rows_stay(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    for _ in range(3):
        exporter.run(["Contact"])
        change(org, "Contact")
    exporter.run(["Contact"])
    tables = exporter.tables()

    young = list(clean(tables, datetime(2020, 1, 1, tzinfo=UTC), keep=50))
    cleaned = {one.table: one for one in clean(tables, datetime.now(UTC) + timedelta(hours=1), keep=1)}

    assert [(one.snapshots, one.files) for one in young] == [(0, 0), (0, 0)]
    assert cleaned["contact"].snapshots == 3
    assert cleaned["contact"].files >= 3
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    assert [(one.name, one.rows) for one in list_tables(tables)] == [
        ("contact", len(exporter.rows_of("contact"))),
        ("contact_log", len(exporter.rows_of("contact_log"))),
    ]
    assert exporter.run(["Contact"]).code == 0


def test_two_exports_at_once_one_ends_with_75_and_the_table_is_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    one, other = (TableExporter(org, tmp_path, page_size=40) for _ in range(2))
    codes: list[int] = []

    def overtaken() -> float:
        if not codes:
            codes.append(-1)
            codes[0] = other.run(["Contact"], run_id="other").code
        return 0.0

    one.monotonic = overtaken  # the first is asked for its time when it is about to commit

    assert one.run(["Contact"], run_id="one").code == 75
    assert codes == [0]
    for _ in range(2):
        assert_equals_org(one.rows_of("contact"), org, "Contact")
        assert_equals_org(one.rows_of("contact_log"), org, "Contact", deleted=True)
        org.control.advance_clock(3600)
        assert one.run(["Contact"]).code == 0


def test_drift_of_every_kind_leaves_each_value_where_readers_find_it(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path)
    org.control.add_object("Drift__c", "Amount__c int\nWord__c string(20)\nOld__c string(20)\nDay__c date", rows=5)
    exporter.run(["Drift__c"])
    first = {row["Id"]: row for row in exporter.rows_of("drift__c")}
    org.control.add_field("Drift__c", "Amount__c double")  # a whole number becomes any number
    org.control.add_field("Drift__c", "Word__c string(255)")  # the same type, only longer
    org.control.add_field("Drift__c", "Day__c string(20)")
    org.control.add_field("Drift__c", "New__c boolean")
    org.control.hide_field("Drift__c", "Old__c")
    org.control.advance_clock(3600)
    ids = [row["Id"] for row in org.control.rows("Drift__c", operation="query")]
    org.control.update("Drift__c", {"Amount__c": "1.5", "Word__c": "longer", "Day__c": "no day"}, ids=ids[:2])
    org.control.advance_clock(60)

    assert exporter.run(["Drift__c"]).code == 0

    rows = {row["Id"]: row for row in exporter.rows_of("drift__c")}
    for key in ids[:2]:
        assert rows[key]["Amount__c__double"] == 1.5
        assert rows[key]["Word__c"] == "longer"
        assert rows[key]["Day__c__string"] == "no day"
        assert not {"Amount__c", "Day__c", "Old__c"} & rows[key].keys()
    for key in ids[2:]:
        assert rows[key] == first[key]


class Died(BaseException):
    """The process is no more."""


class Mortal:
    """Lets a process die at its n-th write, and takes what was not synced, as a power cut does."""

    def __init__(self, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self._lake = lake
        self._synced: set[int] = set()
        sync, create, commit = os.fsync, local_files._SyncedFile.create, SqlCatalog.commit_table
        monkeypatch.setattr(os, "fsync", lambda handle: (self._synced.add(os.fstat(handle).st_ino), sync(handle))[1])
        monkeypatch.setattr(local_files._SyncedFile, "create", lambda *given, **by: self._live(create, *given, **by))
        monkeypatch.setattr(SqlCatalog, "commit_table", lambda *args, **named: self._live(commit, *args, **named))

    def _live(self, action: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Died
        return action(*arguments, **named)

    def cut_power(self) -> None:
        for path in self._lake.rglob("*"):
            if path.is_file() and path.name != "catalog.db" and path.stat().st_ino not in self._synced:
                path.unlink()


@pytest.mark.parametrize("seed", range(2))
def test_a_power_cut_at_any_write_leaves_whole_tables_and_nothing_comes_twice(
    org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    exporter = TableExporter(org, tmp_path, page_size=60)
    mortal = Mortal(tmp_path / "lake", monkeypatch)
    seconds = iter(range(0, 1_000_000, 61))
    exporter.monotonic = lambda: float(next(seconds))  # so that every page is committed
    chance = random.Random(seed)
    for _ in range(4):
        mortal.left = chance.randrange(40)
        with exporter.without_clean_up():
            try:
                exporter.run(["Contact"])
            except Died:
                mortal.cut_power()
        mortal.left = None
        if exporter.tables().load("contact") is not None:
            ids = [row["Id"] for row in exporter.rows_of("contact")]
            assert len(set(ids)) == len(ids)
        if chance.random() < 0.4:
            change(org, "Contact")

    assert exporter.run(["Contact"]).code == 0

    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    list(clean(exporter.tables(), datetime.now(UTC) + timedelta(hours=1)))
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    table = exporter.table("contact_log")
    named = {str(local_path(path)) for path in table.inspect.all_files()["file_path"].to_pylist()}
    assert {str(path) for path in local_path(table.location()).glob("data/**/*.parquet")} == named
    assert OPEN not in table.metadata.refs
    versions = [(row["Id"], row["SystemModstamp"], row["_run_id"]) for row in by_pyiceberg(table)]
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(("logged", "hours"), [(False, 48), (True, 1)], ids=["by an audit", "by Salesforce's log"])
def test_purged_rows_leave_the_current_table_through_tombstones_in_the_log(
    org: SimulatedOrg, tmp_path: Path, logged: bool, hours: int
) -> None:
    exporter = TableExporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D")
    exporter.run(["Contact"])
    gone = [row["Id"] for row in org.control.rows("Contact", operation="query")][:2]
    org.control.hard_delete("Contact", ids=gone, logged=logged)
    org.control.advance_clock(hours * 3600)

    assert exporter.run(["Contact"]).code == 0

    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    tombstones = [row for row in by_pyiceberg(exporter.table("contact_log")) if row["_deleted"]]
    assert sorted(row["Id"] for row in tombstones) == sorted(gone)
    assert all(row["IsDeleted"] and row["LastName"] is None for row in tombstones)


def test_purged_rows_stay_marked_where_deleted_rows_are_to_be_kept(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D")
    exporter.keep_deleted = True
    exporter.run(["Contact"])
    before = {row["Id"]: row for row in exporter.rows_of("contact")}
    gone = [row["Id"] for row in org.control.rows("Contact", operation="query")][:2]
    org.control.hard_delete("Contact", ids=gone, logged=False)
    org.control.advance_clock(2 * 86_400)

    for _ in range(2):  # the second run finds nothing new, and leaves the marks
        assert exporter.run(["Contact"]).code == 0

        rows = {row["Id"]: row for row in exporter.rows_of("contact")}
        assert set(rows) == set(before)
        for key, row in rows.items():
            moment = row.pop("_ab_cdc_deleted_at", None)
            assert (moment == datetime(2026, 11, 26, 8, tzinfo=UTC)) is (key in gone)
            assert row == before[key] | ({"IsDeleted": True} if key in gone else {})
        org.control.advance_clock(2 * 86_400)
