"""Backfills into tables: executors write data files, the driver commits them with the state. See ``table_backfill``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from integration_tests.backfill import ATTEMPTS
from integration_tests.exporter import pages_served
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_backfill import TableBackfill
from integration_tests.table_exporter import (
    TableExporter,
    assert_equals_org,
    assert_no_garbage,
    assert_nothing_twice,
    change,
)
from source_salesforce_bulk.tables.cleaning import clean
from source_salesforce_bulk.tables.local_files import local_path

# The org cuts its result pages at 300 rows wherever it lists them itself.
SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)
ALL_KINDS = ["Account", "Contact", "Awkward__c", "LoginHistory", "Empty__c", "AppDefinition"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


def assert_tables_equal_org(exporter: TableExporter, *names: str) -> None:
    assert_nothing_twice(exporter, names)
    for name in names:
        table = exporter.tables().load(name.lower())
        assert_equals_org(exporter.rows_of(name.lower()) if table is not None else [], exporter.org, name)


def data_files(exporter: TableExporter, table: str) -> list[Path]:
    return [local_path(task.file.file_path) for task in exporter.table(table).scan().plan_files()]


@pytest.mark.parametrize("jobs", [1, 4])
def test_tables_equal_the_org_and_an_export_in_one_process_continues_them(
    org: SimulatedOrg, tmp_path: Path, jobs: int
) -> None:
    backfill = TableBackfill(org, tmp_path, max_concurrent_jobs=jobs)
    assert backfill.run(ALL_KINDS).code == 0
    assert_tables_equal_org(backfill, *ALL_KINDS)

    change(org, "Contact")
    export = TableExporter(org, tmp_path, max_concurrent_jobs=jobs)
    result = export.run(["Account", "Contact"])

    assert [outcome.rows for outcome in result.outcomes] == [0, 8]
    assert_tables_equal_org(export, "Contact", "Account")


def test_executors_write_the_files_that_an_export_would_each_once(org: SimulatedOrg, tmp_path: Path) -> None:
    export, backfill = TableExporter(org, tmp_path / "export", page_size=300), TableBackfill(org, tmp_path / "backfill")
    for exporter in (export, backfill):
        assert exporter.run(["Contact"]).code == 0

    theirs, ours = data_files(export, "contact_log"), data_files(backfill, "contact_log")

    assert sorted(parquet.read_metadata(path).num_rows for path in ours) == sorted(
        parquet.read_metadata(path).num_rows for path in theirs
    )
    assert parquet.read_schema(ours[0]).equals(parquet.read_schema(theirs[0]), check_metadata=True)
    folder = local_path(backfill.table("contact_log").location()) / "data"
    assert sorted(folder.rglob("*.parquet")) == sorted(ours)  # nothing is written twice, and nothing is staged


@pytest.mark.parametrize("order", ["export first", "backfill first"])
def test_a_run_in_one_process_and_a_backfill_continue_each_others_window(
    org: SimulatedOrg, tmp_path: Path, order: str
) -> None:
    """The first is stopped by a limit of the org; the second goes on behind the last page that was had."""
    runs = [TableExporter(org, tmp_path, page_size=300), TableBackfill(org, tmp_path)]
    first, second = runs if order == "export first" else runs[::-1]
    fault = org.control.fault("api_error", on="results", object="Contact", after=3, error="REQUEST_LIMIT_EXCEEDED")
    assert first.run(["Contact"]).code == 75
    org.control.remove_fault(fault)
    assert second.run(["Contact"]).code == 0

    assert ["SystemModstamp >=" in job["query"] for job in org.control.jobs("Contact")] == [False, True]
    assert_tables_equal_org(second, "Contact")


def test_attempts_that_die_or_come_twice_leave_nothing_in_the_table_and_clean_removes_their_files(
    org: SimulatedOrg, tmp_path: Path
) -> None:
    backfill = TableBackfill(org, tmp_path)
    backfill.mishaps.dies_after_rows = lambda task, attempt: task % 3 == 0 and attempt < ATTEMPTS - 1
    backfill.mishaps.runs_twice = lambda task: task % 3 == 1

    assert backfill.run(["Contact"]).code == 0

    assert_tables_equal_org(backfill, "Contact")
    assert max(pages_served(org).values()) == ATTEMPTS
    assert org.control.requests()["createJob"] == 1
    assert sum(one.files for one in clean(backfill.tables(), datetime.now(UTC) + timedelta(hours=1))) > 3
    assert_no_garbage(backfill)
    assert_tables_equal_org(backfill, "Contact")


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_lost_spark_job_ends_its_object_and_the_next_run_goes_on(
    org: SimulatedOrg, tmp_path: Path, jobs: int
) -> None:
    backfill = TableBackfill(org, tmp_path, max_concurrent_jobs=jobs)
    backfill.mishaps.dies_after_rows = lambda task, attempt: task == 4
    assert backfill.run(["Contact", "Account"]).code != 0
    backfill.mishaps.dies_after_rows = lambda task, attempt: False

    assert backfill.run(["Contact", "Account"]).code == 0

    assert_tables_equal_org(backfill, "Contact", "Account")


def test_executors_get_no_table_and_load_no_engine_for_tables(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = TableBackfill(org, tmp_path)
    backfill.run(["Account"])
    sent = tmp_path / "sent"
    sent.write_bytes(pickle.dumps(pickle.loads(backfill.waves.sent)[1:]))  # without the test's own session
    script = (
        "import pickle, sys; from pathlib import Path; import source_salesforce_bulk.spark.table_pages\n"
        f"pickle.loads(Path({str(sent)!r}).read_bytes())\n"
        "print(*{'pyiceberg', 'airbyte_cdk', 'pydantic', 'boto3', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    for secret in ("client_secret", "refresh_token"):
        assert org.credentials()[secret].encode() not in backfill.waves.sent
