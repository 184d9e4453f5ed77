"""Backfills: pages are read elsewhere, in waves; everything else is as in every export. See ``backfill``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from integration_tests.backfill import ATTEMPTS, Backfill
from integration_tests.connector import Connector, configure
from integration_tests.exporter import Exporter, as_emitted, assert_every_row_once, in_arrows_range, pages_served
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.salesforce.wire import Operation

# The org cuts its result pages at 300 rows wherever it lists them itself.
SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)
ALL_KINDS = ["Account", "Awkward__c", "LoginHistory", "Empty__c"]


@pytest.fixture(scope="module")
def still_org() -> Iterator[SimulatedOrg]:
    """An org whose rows no test here changes."""
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.mark.parametrize("jobs", [1, 4])
def test_airbyte_export_and_backfill_bring_the_same_rows(still_org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    connector = Connector(still_org, impatient=True, max_concurrent_jobs=jobs)
    export = Exporter(still_org, tmp_path / "export", max_concurrent_jobs=jobs)
    backfill = Backfill(still_org, tmp_path / "backfill", max_concurrent_jobs=jobs)

    emitted = connector.read(configure(connector.streams(objects=ALL_KINDS), ALL_KINDS)).rows
    assert export.run(ALL_KINDS).code == 0
    assert backfill.run(ALL_KINDS).code == 0

    for name in ALL_KINDS:
        types = GroundTruth(still_org).types(name)
        exported = [as_emitted(row, types) for row in export.rows(name)]
        assert_same_rows([as_emitted(row, types) for row in backfill.rows(name)], exported)
        assert_same_rows(exported, [in_arrows_range(row, types) for row in emitted[name]])
    assert backfill.waves


def test_files_have_the_types_and_the_places_of_an_exports(still_org: SimulatedOrg, tmp_path: Path) -> None:
    export, backfill = (
        Exporter(still_org, tmp_path / "export", page_size=300),
        Backfill(still_org, tmp_path / "backfill"),
    )
    for exporter in (export, backfill):
        exporter.run(["Opportunity"], run_id="monday")

    theirs, ours = export.files("Opportunity"), backfill.files("Opportunity")

    assert [(file["path"], file["rows"]) for file in ours] == [(file["path"], file["rows"]) for file in theirs]
    schemas = [parquet.read_schema(one.destination / one.files("Opportunity")[0]["path"]) for one in (export, backfill)]
    assert schemas[0].remove_metadata().names == schemas[1].names
    assert export.state("Opportunity")["state"] == backfill.state("Opportunity")["state"]


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_next_run_brings_what_changed_and_nothing_else(org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    backfill = Backfill(org, tmp_path, max_concurrent_jobs=jobs)
    backfill.run(["Account", "Contact"])
    org.control.advance_clock(3600)
    changed = [row["Id"] for row in org.control.rows("Account")[:7]]
    org.control.update("Account", {"Rating": "Hot"}, ids=changed)
    org.control.advance_clock(60)

    result = backfill.run(["Account", "Contact"])

    assert result.code == 0
    assert [outcome.rows for outcome in result.outcomes] == [7, 0]


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("order", ["export first", "backfill first"])
def test_an_export_and_a_backfill_continue_each_other(org: SimulatedOrg, tmp_path: Path, jobs: int, order: str) -> None:
    """The first is stopped by a limit of the org; the second goes on behind the last page that was had."""
    options: dict[str, Any] = {"max_concurrent_jobs": jobs, "page_size": 300}
    runs = [Exporter(org, tmp_path, **options), Backfill(org, tmp_path, **options)]
    first, second = runs if order == "export first" else runs[::-1]
    fault = org.control.fault("api_error", on="results", object="Contact", after=3, error="REQUEST_LIMIT_EXCEEDED")
    assert first.run(["Contact"], run_id="first").code == 75
    org.control.remove_fault(fault)

    assert second.run(["Contact"], run_id="second").code == 0

    assert_every_row_once(second.rows, org, "Contact")
    files = second.files("Contact")
    assert len({file["job"] for file in files}) == 1
    assert {file["path"].split("/")[1] for file in files} == {"run=first", "run=second"}


def test_tasks_that_die_are_run_again_and_leave_nothing_twice(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    backfill.mishaps.dies_after_rows = lambda task, attempt: task % 3 == 0 and attempt < ATTEMPTS - 1

    assert backfill.run(["Contact"]).code == 0

    assert_every_row_once(backfill.rows, org, "Contact")
    assert set(pages_served(org).values()) == {1, ATTEMPTS}
    assert org.control.requests()["createJob"] == 1


def test_a_task_that_spark_ran_twice_at_the_same_time_counts_once(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    backfill.mishaps.runs_twice = lambda task: True

    assert backfill.run(["Contact"]).code == 0

    assert_every_row_once(backfill.rows, org, "Contact")
    assert set(pages_served(org).values()) == {2}


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_lost_spark_job_ends_its_object_and_the_next_run_goes_on(
    org: SimulatedOrg, tmp_path: Path, jobs: int
) -> None:
    backfill = Backfill(org, tmp_path, max_concurrent_jobs=jobs)
    backfill.mishaps.dies_after_rows = lambda task, attempt: task == 4
    first = backfill.run(["Contact", "Account"])
    assert first.code != 0
    assert any(outcome.failure is not None for outcome in first.outcomes)
    backfill.mishaps.dies_after_rows = lambda task, attempt: False

    assert backfill.run(["Contact", "Account"]).code == 0

    assert_every_row_once(backfill.rows, org, "Contact", "Account")


def test_a_session_that_ends_in_a_wave_costs_its_undone_pages_alone(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    org.control.fault("session_ends", on="results", object="Contact", after=3, error="INVALID_SESSION_ID")

    assert backfill.run(["Contact"]).code == 0

    asked = org.control.requests()
    assert (asked["token"], asked["createJob"]) == (2, 1)
    assert set(pages_served(org).values()) == {1}
    assert_every_row_once(backfill.rows, org, "Contact")


@pytest.mark.parametrize("locator_end", ["null", "missing", "empty"])
@pytest.mark.parametrize("jobs", [1, 4])
def test_an_org_that_does_not_list_pages_has_them_walked(
    org: SimulatedOrg, tmp_path: Path, jobs: int, locator_end: str
) -> None:
    org.control.configure(locator_end=locator_end)
    org.control.fault("http_error", on="resultPages", times=None, status=404)
    backfill = Backfill(org, tmp_path, max_concurrent_jobs=jobs, page_size=400)

    assert backfill.run(["Contact", "Awkward__c"]).code == 0

    assert_every_row_once(backfill.rows, org, "Contact", "Awkward__c")


def test_a_broken_page_is_fetched_again_where_it_is_read(org: SimulatedOrg, tmp_path: Path) -> None:
    org.control.fault("short_page", object="Contact", page=2)
    backfill = Backfill(org, tmp_path)

    result = backfill.run(["Contact"])

    assert result.code == 0
    assert_every_row_once(backfill.rows, org, "Contact")
    assert sorted(pages_served(org).values())[-2:] == [1, 2]


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_page_that_stays_broken_fails_its_object_alone(org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    org.control.fault("short_page", object="Account", page=1, times=None)
    backfill = Backfill(org, tmp_path, max_concurrent_jobs=jobs)

    result = backfill.run(["Account", "Lead"])

    assert result.code != 0
    assert [outcome.status == "complete" for outcome in result.outcomes] == [False, True]
    assert_every_row_once(backfill.rows, org, "Lead")


def test_a_changed_schema_stops_its_object_before_a_page_is_read(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    backfill.run(["Account"])
    org.control.hide_field("Account", "Industry")
    org.control.reset_requests()

    result = backfill.run(["Account", "Contact"], on_drift="fail")

    assert result.code == 3
    assert [outcome.status for outcome in result.outcomes] == ["failed", "complete"]
    assert {job["object"] for job in org.control.jobs()} == {"Account", "Contact"}
    assert org.control.requests()["createJob"] == 1


def test_what_executors_asked_is_in_the_runs_own_count(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    org.control.fault("http_error", on="results", object="Contact", after=2, status=503)

    backfill.run(["Contact"])

    metrics, asked = backfill.metrics, org.control.requests()
    # A login is no API call, and a batch's parts are counted beside it.
    calls = {kind: count for kind, count in asked.items() if kind != "token" and not kind.startswith("batch:")}
    assert metrics.calls == sum(calls.values())
    assert metrics.of("Contact").calls[Operation.RESULTS] == asked["results"] == 10
    assert metrics.of("Contact").retries == 1
    assert metrics.usage is not None


def test_pages_of_the_rest_lane_become_files_beside_those_of_spark(org: SimulatedOrg, tmp_path: Path) -> None:
    backfill = Backfill(org, tmp_path)
    assert backfill.run(["CaseStatus", "Account"]).code == 0
    assert backfill.waves
    org.control.advance_clock(3_600)
    org.control.insert("Account", [{"Name": "new"}])
    org.control.advance_clock(3_600)
    assert backfill.run(["CaseStatus", "Account"]).code == 0
    assert backfill.waves == []
    assert len(backfill.rows("CaseStatus")) == len(org.control.rows("CaseStatus"))
    assert [row["Name"] for row in backfill.rows("Account")].count("new") == 1
