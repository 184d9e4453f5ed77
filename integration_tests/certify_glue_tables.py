"""The Glue job into Iceberg tables, on Spark, against a simulated org and simulated AWS. Run by `make certify-glue`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.aws import BUCKET, Aws
from integration_tests.certify_glue_spark import assert_failed, assert_succeeded
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.spark_job import PYTHON, TableJob, build_stub, kill_workers
from integration_tests.table_catalogs import CatalogExporter, glue_properties
from integration_tests.table_exporter import (
    TableExporter,
    assert_equals_org,
    assert_history_equals_org,
    assert_nothing_twice,
    change,
    history_of,
    without_marks,
)
from integration_tests.table_readers import RUNTIME, by_spark

# Spark takes its time to start, and on a busy machine much of it.
pytestmark = [
    pytest.mark.skipif(not RUNTIME or not PYTHON, reason="run by `make certify-glue`"),
    pytest.mark.timeout(900),
]

ALL_KINDS = ["Account", "Contact", "Awkward__c", "LoginHistory", "Empty__c", "AppDefinition"]


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("stub"))


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)
    with SimulatedOrg(settings) as simulated:
        yield simulated


@pytest.fixture
def export(org: SimulatedOrg, tmp_path: Path) -> TableExporter:
    """An export in one process, into the same tables."""
    return TableExporter(org, tmp_path / "export")


@pytest.fixture
def job(org: SimulatedOrg, aws: Aws, stub: Path, tmp_path: Path, export: TableExporter) -> TableJob:
    return TableJob(org, tmp_path / "spark", aws, stub, ["--destination", export.url])


def assert_spark_reads_the_org(export: TableExporter, *names: str) -> None:
    assert_nothing_twice(export, names)
    for name in names:
        table = export.table(name.lower())
        assert_equals_org(export.rows_of(name.lower()), export.org, name)
        assert_equals_org(without_marks(by_spark(table)), export.org, name, by="Spark")


def test_spark_reads_the_orgs_rows_from_tables_that_spark_and_one_process_have_written(
    org: SimulatedOrg, job: TableJob, export: TableExporter
) -> None:
    done = job.submit(ALL_KINDS, "--history", "true")
    assert_succeeded(done)
    assert_spark_reads_the_org(export, *(name for name in ALL_KINDS if name != "Empty__c"))
    for name in ("client_secret", "refresh_token"):
        assert org.credentials()[name] not in done.stdout
    assert "The run's ledger was not saved" not in done.stdout

    change(org, "Contact")
    export.history = True
    assert [outcome.rows for outcome in export.run(["Contact"]).outcomes] == [8]
    assert_spark_reads_the_org(export, "Contact")
    assert_history_equals_org(export, "Contact")
    assert sum(len(versions) == 2 for versions in history_of(export, "Contact").values()) == 7
    assert len(by_spark(export.table("contact_history"))) == sum(map(len, history_of(export, "Contact").values()))


def test_workers_and_then_the_driver_are_killed_and_the_next_run_ends_the_table(
    org: SimulatedOrg, job: TableJob, export: TableExporter
) -> None:
    running: list[subprocess.Popen[str]] = []
    killed: list[int] = []
    org.control.when_do("page_served", lambda: killed.append(kill_workers(running[0].pid)), object="Contact", nth=3)
    org.control.when_do("page_served", lambda: _kill(running[0]), object="Contact", nth=9)

    running.append(job.submitted(["Contact"]))
    stdout, _ = running[0].communicate(timeout=500)

    assert running[0].returncode == -signal.SIGKILL, stdout[-3000:]
    assert killed[0] > 0
    assert_succeeded(job.submit(["Contact"]))
    assert_spark_reads_the_org(export, "Contact")


def test_a_page_fails_for_good_and_the_next_run_goes_on_with_the_same_job(
    org: SimulatedOrg, job: TableJob, export: TableExporter
) -> None:
    lasting = org.control.fault(
        "api_error", on="results", object="Contact", after=3, times=None, error="REQUEST_LIMIT_EXCEEDED"
    )
    assert_failed(job.submit(["Contact"]), "A temporary failure. Nothing is lost: run the job again")
    org.control.remove_fault(lasting)
    assert_succeeded(job.submit(["Contact"]))

    assert sum("SystemModstamp >=" not in one["query"] for one in org.control.jobs("Contact")) == 1
    assert_spark_reads_the_org(export, "Contact")


def test_tables_in_glues_catalog_and_s3(org: SimulatedOrg, aws: Aws, stub: Path, tmp_path: Path) -> None:
    places = ["--destination", "iceberg://lake/salesforce", "--warehouse", f"s3://{BUCKET}/lake"]
    job = TableJob(org, tmp_path / "spark", aws, stub, places)
    assert_succeeded(job.submit(["Contact", "Awkward__c"]))

    export = CatalogExporter(org, tmp_path / "export", glue_properties(aws))
    change(org, "Contact")
    assert [outcome.rows for outcome in export.run(["Contact"]).outcomes] == [8]

    assert_nothing_twice(export, ["Contact", "Awkward__c"])
    for name in ("Contact", "Awkward__c"):
        assert_equals_org(export.rows_of(name.lower()), org, name)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the driver: spark-submit is Java by now, and its child, the script, ends with it."""
    process.kill()
