"""``format("salesforce_bulk")`` without Spark: what is planned, what tasks read, and how reads end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.exporter import Exporter, Row, assert_every_row_once
from integration_tests.ground_truth import assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.spark_reads import SparkReads
from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.state import LeaseHeld
from source_salesforce_bulk.salesforce.failures import SalesforceError
from source_salesforce_bulk.spark.planned_pages import EncodedRows, PageNotRead, PlannedPage, read_planned

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def reads(org: SimulatedOrg, tmp_path: Path) -> SparkReads:
    return SparkReads(org, tmp_path)


REFUSED_BY_BULK = "CaseStatus"


def jobs_in(org: SimulatedOrg) -> int:
    return sum(not job["deleted"] for job in org.control.jobs())


def ids(rows: list[Row]) -> list[str]:
    return sorted(str(row["Id"]) for row in rows)


@pytest.mark.parametrize("name", ["Account", "Contact", "Awkward__c", "LoginHistory", "Empty__c", REFUSED_BY_BULK])
def test_every_row_comes_once_and_nothing_is_left_in_the_org(org: SimulatedOrg, reads: SparkReads, name: str) -> None:
    planned = reads.plan(name)

    assert_every_row_once(lambda _: reads.rows(planned), org, name)

    assert reads.end(stored=False) == []
    assert jobs_in(org) == 0


def test_a_page_is_a_task_and_a_task_that_runs_again_only_downloads(org: SimulatedOrg, reads: SparkReads) -> None:
    planned = reads.plan("Contact")
    first, second = reads.rows(planned), reads.rows(planned)

    assert ids(first) == ids(second) == sorted(row["Id"] for row in org.control.rows("Contact", operation="queryAll"))
    assert [page.rows for page in planned.pages if isinstance(page, PlannedPage)] == [300] * 8 + [100]
    assert org.control.requests()["createJob"] == 1


def test_an_object_in_several_windows_is_read_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    """The first job fails as too large, so its window is split."""
    reads = SparkReads(org, tmp_path)
    org.control.fault("job_failed", object="Contact", times=3)

    planned = reads.plan("Contact")

    assert_every_row_once(lambda _: reads.rows(planned), org, "Contact")
    reads.end(stored=False)
    assert jobs_in(org) == 0


def test_pages_that_do_not_add_up_to_the_jobs_count_are_not_handed_to_spark(
    org: SimulatedOrg, reads: SparkReads
) -> None:
    org.control.fault("total_wrong", object="Contact", times=None, delta=1)

    with pytest.raises(SalesforceError):
        reads.plan("Contact")

    assert jobs_in(org) == 0


def test_a_page_with_another_number_of_rows_than_announced_is_refused(org: SimulatedOrg, reads: SparkReads) -> None:
    planned = reads.plan("Contact")
    page = planned.pages[0]
    assert isinstance(page, PlannedPage)

    with pytest.raises(PageNotRead, match="has 300 rows, and Salesforce announced 299"):
        list(read_planned(PlannedPage(page.address, 299, page.source), planned.columns))


def test_a_page_whose_job_is_gone_says_what_to_do(org: SimulatedOrg, reads: SparkReads) -> None:
    planned = reads.plan("Account")
    reads.end(stored=False)

    with pytest.raises(PageNotRead, match="Account: "):
        reads.rows(planned)


def test_objects_that_bulk_refuses_travel_with_their_tasks(org: SimulatedOrg, reads: SparkReads) -> None:
    planned = reads.plan(REFUSED_BY_BULK)
    org.control.reset_requests()

    assert all(isinstance(page, EncodedRows) for page in planned.pages)
    assert reads.rows(planned)
    assert org.control.requests() == {}


def test_fields_and_where_narrow_the_query(org: SimulatedOrg, reads: SparkReads) -> None:
    name = org.control.rows("Contact")[0]["LastName"]
    narrow = {"fields": "LastName, Email", "where": f"LastName = '{name}'"}
    planned = reads.plan("Contact", **narrow)

    assert reads.columns("Contact", **narrow) == [column.name for column in planned.columns]
    assert {column.name for column in planned.columns} == {"Id", "LastName", "Email", "SystemModstamp"}
    rows = reads.rows(planned)
    assert rows
    assert {str(row["LastName"]).lower() for row in rows} == {str(name).lower()}


def test_conditions_of_spark_are_added_to_those_of_the_user(org: SimulatedOrg, reads: SparkReads) -> None:
    where = {"where": "Industry = 'Energy' OR Industry = 'Banking'"}

    both = reads.rows(reads.plan("Account", pushed=["Rating = 'Hot'"], **where))
    users = reads.rows(reads.plan("Account", **where))

    assert ids(both) == ids([row for row in users if row.get("Rating") == "Hot"])
    assert 0 < len(both) < len(users)


def test_an_unknown_field_or_object_is_one_sentence(reads: SparkReads) -> None:
    with pytest.raises(ConfigError, match="Lastname2"):
        reads.columns("Contact", fields="Lastname2")
    with pytest.raises(ExportFailed, match="Acount cannot be exported"):
        reads.columns("Acount")


# -- with a state ------------------------------------------------------------------------------------------------------


def change_some(org: SimulatedOrg) -> None:
    org.control.advance_clock(3600)
    org.control.update("Contact", {"LastName": "Changed"}, ids=[row["Id"] for row in org.control.rows("Contact")[:7]])
    org.control.advance_clock(3600)


def test_a_finished_read_lets_the_next_one_bring_what_changed(org: SimulatedOrg, reads: SparkReads) -> None:
    assert len(reads.rows(reads.plan("Contact", state=reads.state))) == 2500
    assert reads.end(stored=True) == []
    assert jobs_in(org) == 0
    change_some(org)

    second = reads.rows(reads.plan("Contact", state=reads.state))

    assert [row["LastName"] for row in second] == ["Changed"] * 7
    assert reads.end(stored=True) == []
    assert reads.rows(reads.plan("Contact", state=reads.state)) == []


def test_a_read_that_was_not_finished_comes_again_from_the_same_job(org: SimulatedOrg, reads: SparkReads) -> None:
    reads.plan("Contact", state=reads.state)
    assert reads.end(stored=False) == []
    change_some(org)
    org.control.reset_requests()

    again = reads.plan("Contact", state=reads.state)

    rows = reads.rows(again)
    assert len(rows) == 2507
    assert org.control.requests().get("createJob", 0) <= 1  # for the time since
    assert reads.end(stored=True) == []
    assert jobs_in(org) == 0


def test_a_plan_that_failed_half_way_goes_on_with_the_same_job(org: SimulatedOrg, reads: SparkReads) -> None:
    org.control.fault("api_error", on="results", object="Contact", after=3, error="REQUEST_LIMIT_EXCEEDED")
    with pytest.raises(SalesforceError):
        reads.plan("Contact", state=reads.state)
    (left,) = [job["id"] for job in org.control.jobs() if not job["deleted"]]

    planned = reads.plan("Contact", state=reads.state)

    assert_every_row_once(lambda _: reads.rows(planned), org, "Contact")
    assert left in planned.jobs
    assert reads.end(stored=True) == []
    assert [job for job in org.control.jobs() if not job["deleted"]] == []


def test_a_state_that_another_run_moved_on_is_left_alone(org: SimulatedOrg, reads: SparkReads, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = SparkReads(org, tmp_path / "other")
    reads.plan("Contact", state=reads.state)
    other.plan("Contact", state=reads.state)
    assert other.end(stored=True) == []

    (problem,) = reads.end(stored=True)

    assert "another run has advanced the state" in problem


def test_an_object_without_a_cursor_comes_in_full_every_time(org: SimulatedOrg, reads: SparkReads) -> None:
    first = reads.rows(reads.plan("AppDefinition", state=reads.state))
    assert reads.end(stored=True) == []

    second = reads.rows(reads.plan("AppDefinition", state=reads.state))

    assert first
    assert_same_rows(second, first)


def test_a_state_of_an_export_is_refused(org: SimulatedOrg, reads: SparkReads, tmp_path: Path) -> None:
    export = Exporter(org, tmp_path)
    assert export.run(["Account"]).code == 0

    with pytest.raises(ExportFailed, match="this state belongs to an export to file://"):
        reads.plan("Account", state=reads.state)


def test_a_state_that_another_run_holds_is_not_read(org: SimulatedOrg, reads: SparkReads) -> None:
    reads.plan("Account", state=reads.state)
    (organization,) = Path(reads.state).iterdir()
    lease = LocalStates(Path(reads.state)).acquire(organization.name, "Account", "another-run")

    with pytest.raises(LeaseHeld, match="another-run"):
        reads.plan("Account", state=reads.state)

    lease.release()


def test_tables_are_no_state(reads: SparkReads) -> None:
    with pytest.raises(ConfigError, match="option state names tables"):
        reads.plan("Account", state="iceberg://lake/salesforce")


def test_compound_fields_come_as_in_parquet_files(org: SimulatedOrg, tmp_path: Path) -> None:
    reads = SparkReads(org, tmp_path, compound_fields="object")
    export = Exporter(org, tmp_path / "export", compound_fields="object")
    assert export.run(["Contact"]).code == 0

    rows = reads.rows(reads.plan("Contact"))

    assert_same_rows(rows, export.rows("Contact"))
    assert "MailingAddress" in reads.columns("Contact")
    assert "MailingCity" not in reads.columns("Contact")
