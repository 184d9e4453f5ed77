"""Formulas that move without a change of their row are refreshed, and little else is read again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connection import Connection
from integration_tests.exporter import Exporter, as_emitted
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.kept_rows import Kept, shown
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg
from integration_tests.table_exporter import TableExporter, assert_equals_org
from source_salesforce_bulk.formulas import value_ranges

NOON = "2026-08-01T12:00:00Z"
HOUR, DAY = 3_600, 86_400
PROJECT, JOB = "Project__c", "ProjectJob__c"
CLOCK = ("AgeDays__c", "IsOverdue__c")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at=NOON, formula_objects=True)) as simulated:
        accounts = [str(row["Id"]) for row in simulated.control.rows("Account", fields=["Id"])][:5]
        rows = [
            {"Name": f"p{at}", "Account__c": accounts[at % 5], "Budget__c": "10.0", "Start__c": "2026-07-01"}
            for at in range(300)
        ]
        simulated.control.insert(PROJECT, rows)
        simulated.control.advance_clock(HOUR)
        yield simulated


def refreshing(org: SimulatedOrg, *names: str, **config: Any) -> Connection:
    return Connection(org, list(names), impatient=True, **{"formula_fields": "refresh", **config})


def projects(org: SimulatedOrg, count: int, step: int = 1) -> list[str]:
    return [str(row["Id"]) for row in org.control.rows(PROJECT, fields=["Id"])][::step][:count]


def jobs(org: SimulatedOrg, name: str) -> list[str]:
    return [job["query"] for job in org.control.jobs() if job["object"] == name]


def test_roll_ups_and_other_objects_values_are_read_again_although_no_stamp_moves(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT), Kept(PROJECT)
    kept.take(connection.sync())
    kept.assert_equals(org, PROJECT)
    org.control.advance_clock(HOUR)
    (project,) = projects(org, 1)
    org.control.insert(JOB, [{"Name": "j", "Project__c": project, "Hours__c": "2.5"}])
    second = connection.sync()
    assert project in {row["Id"] for row in second.rows[PROJECT]}
    assert len(second.rows[PROJECT]) <= value_ranges.FEWEST_ROWS
    kept.take(second)
    kept.assert_equals(org, PROJECT, CLOCK)
    org.control.update("User", {"Name": "Renamed"}, where="Id != null")
    org.control.advance_clock(HOUR)
    kept.take(connection.sync())
    kept.assert_equals(org, PROJECT, CLOCK)


def test_where_nothing_moved_one_narrow_job_reads_the_formulas_and_no_row_comes(org: SimulatedOrg) -> None:
    connection = refreshing(org, PROJECT)
    connection.sync()
    org.control.advance_clock(HOUR)
    before = len(jobs(org, PROJECT))
    assert not connection.sync().rows.get(PROJECT)
    (query,) = jobs(org, PROJECT)[before:]
    selected = query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
    formulas = {"Remaining__c", "Title__c", "AccountName__c", "AccountOwner__c", "Jobs__c", "Hours__c"}
    assert (selected[0], set(selected[1:])) == ("Id", formulas)


def test_an_object_without_formulas_costs_no_job(org: SimulatedOrg) -> None:
    connection = refreshing(org, "Campaign")
    connection.sync()
    assert "formulas" not in connection.state_of("Campaign")


def test_rows_that_were_delivered_without_values_all_come_again_once(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT, formula_fields="read"), Kept(PROJECT)
    kept.take(connection.sync())
    org.control.insert(JOB, [{"Name": "j", "Project__c": projects(org, 1)[0], "Hours__c": "2.5"}])
    org.control.advance_clock(HOUR)
    second = connection.sync(formula_fields="refresh")
    assert len(second.rows[PROJECT]) == len(org.control.rows(PROJECT, fields=["Id"]))
    kept.take(second)
    kept.assert_equals(org, PROJECT)
    org.control.advance_clock(HOUR)
    assert not connection.sync(formula_fields="refresh").rows.get(PROJECT)


def test_what_is_remembered_goes_with_the_option(org: SimulatedOrg) -> None:
    connection = refreshing(org, PROJECT)
    connection.sync()
    assert set(connection.state_of(PROJECT)["formulas"]) == {"values"}
    connection.sync(formula_fields="read")
    assert "formulas" not in connection.state_of(PROJECT)


def test_formulas_of_the_clock_are_left_out_and_named(org: SimulatedOrg) -> None:
    connection = refreshing(org, PROJECT)
    first = connection.sync()
    assert any("AgeDays__c, IsOverdue__c follow the clock" in line for line in first.logs)
    assert any("Jobs__c" in line and "cannot be told" in line for line in first.logs)
    org.control.advance_clock(2 * DAY)
    assert not connection.sync().rows.get(PROJECT)


def test_formulas_of_the_clock_are_refreshed_on_the_first_run_of_each_day(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT, clock_formulas="daily"), Kept(PROJECT)
    kept.take(connection.sync())
    assert set(connection.state_of(PROJECT)["formulas"]) == {"values", "clock"}
    org.control.advance_clock(HOUR)
    before = len(jobs(org, PROJECT))
    kept.take(connection.sync())
    assert not any("AgeDays__c" in query for query in jobs(org, PROJECT)[before:])
    org.control.advance_clock(DAY)
    kept.take(connection.sync())
    kept.assert_equals(org, PROJECT)
    before = len(jobs(org, PROJECT))
    org.control.advance_clock(HOUR)
    assert not connection.sync().rows.get(PROJECT)
    assert len(jobs(org, PROJECT)) == before + 1


def test_only_selected_formulas_are_refreshed(org: SimulatedOrg) -> None:
    connection = refreshing(org, PROJECT, fields={PROJECT: ["Id", "SystemModstamp", "Title__c", "Jobs__c"]})
    connection.sync()
    org.control.advance_clock(HOUR)
    before = len(jobs(org, PROJECT))
    connection.sync()
    (query,) = jobs(org, PROJECT)[before:]
    assert query.startswith("SELECT Id, Title__c, Jobs__c FROM")


def test_a_run_that_is_stopped_while_it_reads_again_is_continued_in_its_job(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT, page_size=20), Kept(PROJECT)
    kept.take(connection.sync())
    org.control.advance_clock(HOUR)
    rows = [{"Name": "j", "Project__c": one, "Hours__c": "2.5"} for one in projects(org, 20, step=16)]
    org.control.insert(JOB, rows)
    pages = -(-len(org.control.rows(PROJECT, fields=["Id"])) // 20)
    stopped = connection.connector.read_until("page_served", pages + 3, connection.catalog, connection.state)
    connection.keep(stopped)
    kept.take(stopped)
    (point,) = connection.state_of(PROJECT)["resume"]
    assert (point["extra"], point["page"] > 0) == ("values", True)
    assert stopped.rows.get(PROJECT)
    before = len(jobs(org, PROJECT))
    second = connection.sync()
    kept.take(second)
    kept.assert_equals(org, PROJECT, CLOCK)
    assert point["job"] not in [job["id"] for job in org.control.jobs()][before:]
    delivered = [row["Id"] for output in (stopped, second) for row in output.rows[PROJECT]]
    assert len(delivered) == len(set(delivered))
    org.control.advance_clock(HOUR)
    assert not connection.sync().rows.get(PROJECT)


def test_a_value_that_came_back_after_a_stopped_run_is_not_left_stale(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT), Kept(PROJECT)
    kept.take(connection.sync())
    org.control.advance_clock(HOUR)
    (project,) = projects(org, 1)
    (job,) = org.control.insert(JOB, [{"Name": "j", "Project__c": project, "Hours__c": "2.5"}])
    org.control.update(PROJECT, {"Name": "touched"}, ids=[project])
    org.control.advance_clock(HOUR)
    # The row comes with its roll-up of now; the run ends before the values of all rows are read.
    stopped = connection.connector.read_until("job_created", 1, connection.catalog, connection.state)
    kept.take(stopped)
    connection.keep(stopped)
    assert [row["Jobs__c"] for row in stopped.rows[PROJECT]] == [2]
    org.control.soft_delete(JOB, ids=[job])
    org.control.advance_clock(HOUR)
    kept.take(connection.sync())
    kept.assert_equals(org, PROJECT, CLOCK)


def test_an_object_that_is_read_through_rest_is_refreshed_too(org: SimulatedOrg) -> None:
    connection, kept = refreshing(org, PROJECT, object_overrides=[{"object": PROJECT, "api": "rest"}]), Kept(PROJECT)
    kept.take(connection.sync())
    org.control.advance_clock(HOUR)
    rows = [{"Name": "j", "Project__c": one, "Hours__c": "2.5"} for one in projects(org, 3, step=64)]
    org.control.insert(JOB, rows)
    second = connection.sync()
    assert 0 < len(second.rows[PROJECT]) <= 3 * value_ranges.FEWEST_ROWS
    kept.take(second)
    kept.assert_equals(org, PROJECT, CLOCK)
    assert not jobs(org, PROJECT)


def test_formulas_that_are_left_out_are_neither_offered_nor_read(org: SimulatedOrg) -> None:
    connection = refreshing(org, PROJECT, formula_fields="leave_out")
    properties = connection.streams[PROJECT]["json_schema"]["properties"]
    assert {"Name", "Budget__c"} < set(properties)
    assert not {"Title__c", "Jobs__c", "AgeDays__c"} & set(properties)
    output = connection.sync()
    assert not any("Title__c" in query for query in jobs(org, PROJECT))
    assert any("8 formula fields are not read" in line for line in output.logs)


def test_a_formula_that_the_user_names_is_read_although_the_others_are_left_out(org: SimulatedOrg) -> None:
    override = {"object": PROJECT, "fields": ["Id", "Name", "Title__c", "SystemModstamp"]}
    connection = refreshing(org, PROJECT, formula_fields="leave_out", object_overrides=[override])
    assert "Title__c" in connection.streams[PROJECT]["json_schema"]["properties"]


# In an export


@pytest.mark.parametrize("format_name", ["parquet", "jsonl"])
def test_an_export_to_files_refreshes_formulas(org: SimulatedOrg, tmp_path: Path, format_name: str) -> None:
    exporter = Exporter(org, tmp_path, formula_fields="refresh", page_size=100)
    assert exporter.run([PROJECT], format_name=format_name).code == 0
    org.control.insert(JOB, [{"Name": "j", "Project__c": one, "Hours__c": "1.5"} for one in projects(org, 3, step=64)])
    org.control.advance_clock(HOUR)
    result = exporter.run([PROJECT], format_name=format_name)
    assert result.code == 0
    assert 0 < result.outcomes[0].rows <= 3 * value_ranges.FEWEST_ROWS
    newest: dict[str, dict[str, Any]] = {}
    for row in exporter.rows(PROJECT):
        newest[row["Id"]] = row
    types = GroundTruth(org).types(PROJECT)
    truth = [shown(row, CLOCK) for row in GroundTruth(org).records(PROJECT)]
    if format_name == "jsonl":
        assert_same_rows([shown(row, CLOCK) for row in newest.values()], truth)
    else:
        assert_same_rows([shown(as_emitted(row, types), CLOCK) for row in newest.values()], truth)


def test_an_export_that_is_stopped_while_it_reads_again_is_continued(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, formula_fields="refresh", page_size=20)
    exporter.run([PROJECT])
    org.control.advance_clock(HOUR)
    rows = [{"Name": "j", "Project__c": one, "Hours__c": "2.5"} for one in projects(org, 20, step=16)]
    org.control.insert(JOB, rows)
    pages = -(-len(org.control.rows(PROJECT, fields=["Id"])) // 20)
    stop = threading.Event()
    org.control.when_do("page_served", stop.set, nth=pages + 4)
    with exporter.without_clean_up():
        exporter.run([PROJECT], stop=stop)
    (state,) = (tmp_path / "state").glob(f"*/{PROJECT}.json")
    (point,) = json.loads(state.read_bytes())["state"]["resume"]
    assert (point["extra"], point["page"] > 0) == ("values", True)
    assert exporter.run([PROJECT]).code == 0
    newest: dict[str, dict[str, Any]] = {}
    for row in exporter.rows(PROJECT):
        newest[row["Id"]] = row
    types = GroundTruth(org).types(PROJECT)
    truth = [shown(row, CLOCK) for row in GroundTruth(org).records(PROJECT)]
    assert_same_rows([shown(as_emitted(row, types), CLOCK) for row in newest.values()], truth)
    again = [row["Id"] for row in exporter.rows(PROJECT)]
    assert len(again) <= 2 * len(newest)


def test_an_export_into_tables_refreshes_formulas(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, formula_fields="refresh", clock_formulas="daily")
    assert exporter.run([PROJECT, JOB]).code == 0
    for hours in (1, 25):
        rows = [{"Name": "j", "Project__c": one, "Hours__c": "1.5"} for one in projects(org, 3, step=64)]
        org.control.insert(JOB, rows)
        org.control.advance_clock(hours * HOUR)
        assert exporter.run([PROJECT, JOB]).code == 0
        for name, table in ((PROJECT, "project__c"), (JOB, "projectjob__c")):
            assert_equals_org(exporter.rows_of(table), org, name)
