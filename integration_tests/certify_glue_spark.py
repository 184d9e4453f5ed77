"""The Glue job on Spark, against a simulated org and simulated AWS. Run by `make certify-glue`, which sets it up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.aws import Aws
from integration_tests.connector import Connector, configure
from integration_tests.exporter import Exporter, as_emitted, assert_every_row_once, in_arrows_range, pages_served
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.spark_job import PYTHON, SparkJob, build_stub, kill_workers

# Spark takes its time to start, and on a busy machine much of it.
pytestmark = [pytest.mark.skipif(not PYTHON, reason="run by `make certify-glue`"), pytest.mark.timeout(900)]

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
def job(org: SimulatedOrg, aws: Aws, stub: Path, tmp_path: Path) -> SparkJob:
    return SparkJob(org, tmp_path / "spark", aws, stub)


def assert_succeeded(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout[-4000:]
    assert "STUB init backfill" in done.stdout
    assert "STUB commit" in done.stdout


def assert_failed(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """Glue shows the last exception as the run's error message."""
    assert done.returncode != 0
    assert f"BackfillFailed: {sentence}" in done.stdout, done.stdout[-4000:]
    assert "STUB commit" not in done.stdout


def documents(done: subprocess.CompletedProcess[str]) -> dict[str | None, Any]:
    found = [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' in line]
    return {document.get("Object"): document for document in found}


def test_airbyte_export_and_glue_bring_the_same_rows_and_the_next_run_what_changed(
    org: SimulatedOrg, job: SparkJob, tmp_path: Path
) -> None:
    connector = Connector(org, impatient=True)
    emitted = connector.read(configure(connector.streams(objects=ALL_KINDS), ALL_KINDS)).rows
    export = Exporter(org, tmp_path / "export")
    assert export.run(ALL_KINDS).code == 0
    org.control.reset_requests()

    done = job.submit(ALL_KINDS, "--metrics", "emf")
    calls = org.control.requests()

    assert_succeeded(done)
    for name in ALL_KINDS:
        types = GroundTruth(org).types(name)
        exported = [as_emitted(row, types) for row in export.rows(name)]
        assert_same_rows([as_emitted(row, types) for row in job.rows(name)], exported)
        assert_same_rows(exported, [in_arrows_range(row, types) for row in emitted[name]])
    assert [manifest["run_id"] for manifest in job.manifests()] == ["jr_0001"]
    asked = {kind: n for kind, n in calls.items() if kind != "token" and not kind.startswith("batch:")}
    # Metrics are written before the last finished jobs are deleted.
    assert 0 <= sum(asked.values()) - documents(done)[None]["ApiCalls"] <= asked["delete"]
    assert not (job.destination / "_staging" / "jr_0001").exists()
    secrets = org.credentials()
    for secret in (secrets["client_secret"], secrets["refresh_token"]):
        assert secret not in done.stdout
    assert "py4j" not in done.stdout

    org.control.advance_clock(3600)
    org.control.update("Contact", {"LastName": "Changed"}, ids=[row["Id"] for row in org.control.rows("Contact")[:7]])
    org.control.advance_clock(60)
    assert_succeeded(job.submit(["Contact", "Account"]))
    second = {entry["object"]: entry["rows"] for entry in job.manifests()[-1]["objects"]}
    assert second == {"Contact": 7, "Account": 0}


def test_python_workers_are_killed_in_the_middle(org: SimulatedOrg, job: SparkJob) -> None:
    killed: list[int] = []
    running: list[subprocess.Popen[str]] = []
    org.control.when_do("page_served", lambda: killed.append(kill_workers(running[0].pid)), object="Contact", nth=3)

    running.append(job.submitted(["Contact"]))
    stdout, _ = running[0].communicate(timeout=500)

    assert_succeeded(subprocess.CompletedProcess([], running[0].returncode, stdout))
    assert killed
    assert killed[0] > 0
    assert_every_row_once(job.rows, org, "Contact")
    assert org.control.requests()["createJob"] == 1
    assert sum(pages_served(org).values()) > len(pages_served(org))


def test_a_lost_spark_job_is_trouble_that_passes(org: SimulatedOrg, job: SparkJob) -> None:
    """Whatever reads the first page is killed, until Spark gives the job up."""
    running: list[subprocess.Popen[str]] = []
    for nth in range(1, 30):
        org.control.when_do("results", lambda: kill_workers(running[0].pid), object="Account", nth=nth)

    running.append(job.submitted(["Account"]))
    stdout, _ = running[0].communicate(timeout=500)

    assert_failed(subprocess.CompletedProcess([], running[0].returncode, stdout), "A temporary failure")
    assert "failed on Spark" in stdout
    assert not (job.destination / "_staging" / "jr_0001").exists()


def test_a_page_fails_once_and_then_for_good_and_the_next_run_goes_on(org: SimulatedOrg, job: SparkJob) -> None:
    org.control.fault("short_page", object="Account", page=1)
    lasting = org.control.fault(
        "api_error", on="results", object="Contact", after=3, times=None, error="REQUEST_LIMIT_EXCEEDED"
    )

    done = job.submit(["Contact", "Account"])

    assert_failed(done, "A temporary failure. Nothing is lost: run the job again")
    org.control.remove_fault(lasting)
    assert_succeeded(job.submit(["Contact", "Account"]))
    assert_every_row_once(job.rows, org, "Contact", "Account")
    files = job.files("Contact")
    assert len({file["job"] for file in files}) == 1
    assert {file["path"].split("/")[1] for file in files} == {"run=jr_0001", "run=jr_0002"}


def test_a_changed_schema_stops_its_object_before_it_is_read(org: SimulatedOrg, job: SparkJob) -> None:
    assert_succeeded(job.submit(["Account"]))
    org.control.hide_field("Account", "Industry")
    org.control.reset_requests()

    done = job.submit(["Account", "Contact"], "--on-drift", "fail")

    assert_failed(done, "Some objects failed permanently")
    assert org.control.requests()["createJob"] == 1
    assert_every_row_once(job.rows, org, "Contact")


def test_a_session_that_ends_in_a_wave_costs_its_undone_pages_alone(org: SimulatedOrg, job: SparkJob) -> None:
    org.control.fault("session_ends", on="results", object="Contact", after=3, error="INVALID_SESSION_ID")

    assert_succeeded(job.submit(["Contact"]))

    asked = org.control.requests()
    assert (asked["token"], asked["createJob"]) == (2, 1)
    assert set(pages_served(org).values()) == {1}
    assert_every_row_once(job.rows, org, "Contact")


def test_an_org_that_does_not_list_its_pages(org: SimulatedOrg, job: SparkJob) -> None:
    org.control.fault("http_error", on="resultPages", times=None, status=404)
    job.aws.client("secretsmanager").put_secret_value(
        SecretId="prod/salesforce", SecretString=json.dumps({**job.config, "page_size": 400})
    )

    assert_succeeded(job.submit(["Contact", "Awkward__c"]))

    assert_every_row_once(job.rows, org, "Contact", "Awkward__c")
