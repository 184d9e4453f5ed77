"""Rows that were delivered before a field was new get its values, and no others are read again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from integration_tests.backfill import Backfill
from integration_tests.connection import Connection
from integration_tests.connector import Output, configure
from integration_tests.exporter import Exporter, as_emitted
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.kept_rows import Kept, shown
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import TableExporter, assert_equals_org

NAME = "Account"
HOUR = 3_600


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-08-01T12:00:00Z")) as simulated:
        yield simulated


class Backfilled(Connection):
    """A connection whose schema is discovered again before each sync, and what its destination keeps."""

    def __init__(self, org: SimulatedOrg, **config: Any) -> None:
        super().__init__(org, [NAME], impatient=True, **{"backfill_new_fields": True, **config})
        self.kept = Kept(NAME)

    def discovered(self, fields: Sequence[str] | None = None, **overlay: Any) -> Output:
        """Discover and sync; return what the sync has written."""
        self.connector.org.control.advance_clock(HOUR)
        self.rediscover(fields)
        output = self.sync(**overlay)
        self.kept.take(output)
        return output

    def rediscover(self, fields: Sequence[str] | None = None) -> None:
        selected = None if fields is None else {NAME: fields}
        self.catalog = configure(self.connector.streams(objects=[NAME]), [NAME], "incremental", selected)

    def count(self, output: Output) -> int:
        return len(output.rows.get(NAME, ()))


def fill(org: SimulatedOrg, declaration: str, count: int, value: object) -> None:
    """Add a field, and give it a value in some rows without a change of their stamps."""
    org.control.add_field(NAME, declaration)
    ids = [str(row["Id"]) for row in org.control.rows(NAME, fields=["Id"])][::3][:count]
    assert org.control.update(NAME, {declaration.split(maxsplit=1)[0]: value}, ids=ids, touch="none") == count


def everything(org: SimulatedOrg) -> int:
    return len(org.control.rows(NAME, fields=["Id"]))


def test_rows_with_a_value_in_a_new_field_are_read_again_once(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    connection.discovered()
    fill(org, "Region__c string(20)", 7, "north")
    second = connection.discovered()
    assert connection.count(second) == 7
    assert any("new fields: Region__c; rows in which they have a value are read again" in line for line in second.logs)
    connection.kept.assert_equals(org, NAME)
    assert connection.count(connection.discovered()) == 0
    connection.kept.assert_equals(org, NAME)


def test_several_new_fields_cost_one_job(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    connection.discovered()
    fill(org, "Region__c string(20)", 7, "north")
    fill(org, "Grade__c double(18,2)", 12, "1.5")
    before = len(org.control.jobs())
    assert connection.count(connection.discovered()) == 12
    (job,) = org.control.jobs()[before:]
    assert "(Grade__c != null OR Region__c != null)" in job["query"]
    connection.kept.assert_equals(org, NAME)


def test_a_field_that_cannot_be_filtered_by_is_read_with_all_rows(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    connection.discovered()
    fill(org, "Long__c textarea(32000) nofilter", 3, "text")
    assert connection.count(connection.discovered()) == everything(org)
    connection.kept.assert_equals(org, NAME)


def test_a_new_boolean_is_read_with_all_rows_because_null_means_false_in_conditions(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    connection.discovered()
    fill(org, "Vip__c boolean", 3, "true")
    org.control.update(NAME, {"Vip__c": "false"}, where="Vip__c = false", touch="none")
    assert connection.count(connection.discovered()) == everything(org)
    connection.kept.assert_equals(org, NAME)


def test_a_field_that_the_user_selects_later_is_new(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    few = ["Id", "SystemModstamp", "IsDeleted", "Name"]
    connection.discovered(few)
    assert connection.count(connection.discovered([*few, "Website"])) == len(
        org.control.rows(NAME, fields=["Id"], where="Website != null")
    )
    for row in connection.kept.rows[NAME].values():
        assert set(row) <= {*few, "Website"}


def test_a_field_that_was_away_is_new_again(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    fill(org, "Region__c string(20)", 7, "north")
    connection.discovered()
    filled = [str(row["Id"]) for row in org.control.rows(NAME, fields=["Id"], where="Region__c != null")]
    org.control.hide_field(NAME, "Region__c")
    org.control.update(NAME, {"Name": "renamed"}, ids=filled)
    connection.discovered()
    org.control.show_field(NAME, "Region__c")
    assert connection.count(connection.discovered()) == 7
    connection.kept.assert_equals(org, NAME)


def test_another_letter_case_is_no_new_field(org: SimulatedOrg) -> None:
    connection = Backfilled(org)
    fill(org, "Region__c string(20)", 7, "north")
    connection.discovered()
    org.control.rename_field(NAME, "Region__c", "REGION__c")
    assert connection.count(connection.discovered()) == 0


def test_without_the_option_nothing_is_remembered_or_read_again(org: SimulatedOrg) -> None:
    connection = Backfilled(org, backfill_new_fields=False)
    connection.discovered()
    fill(org, "Region__c string(20)", 7, "north")
    assert connection.count(connection.discovered()) == 0
    assert "fields" not in connection.state_of(NAME)


def test_the_memory_begins_when_the_option_is_turned_on_and_goes_with_it(org: SimulatedOrg) -> None:
    connection = Backfilled(org, backfill_new_fields=False)
    connection.discovered()
    assert connection.count(connection.discovered(backfill_new_fields=True)) == 0
    fill(org, "Region__c string(20)", 7, "north")
    assert connection.count(connection.discovered(backfill_new_fields=True)) == 7
    assert "Region__c" in connection.state_of(NAME)["fields"]
    connection.discovered()
    assert "fields" not in connection.state_of(NAME)


def test_a_run_that_is_stopped_while_it_reads_again_is_continued_in_its_job(org: SimulatedOrg) -> None:
    connection = Backfilled(org, page_size=10)
    connection.discovered()
    fill(org, "Region__c string(20)", 100, "north")
    org.control.advance_clock(HOUR)
    connection.rediscover()
    stopped = connection.connector.read_until("page_served", 7, connection.catalog, connection.state)
    connection.keep(stopped)
    connection.kept.take(stopped)
    (point,) = connection.state_of(NAME)["resume"]
    assert (point["extra"], point["page"] > 0) == ("new_fields", True)
    second = connection.discovered()
    connection.kept.assert_equals(org, NAME)
    assert connection.count(stopped) + connection.count(second) == 100
    assert connection.count(connection.discovered()) == 0


def test_a_field_that_is_new_during_a_first_load_comes_in_every_row(org: SimulatedOrg) -> None:
    connection = Backfilled(org, page_size=10)
    stopped = connection.connector.read_until("page_served", 3, connection.catalog, connection.state)
    connection.keep(stopped)
    connection.kept.take(stopped)
    fill(org, "Region__c string(20)", 40, "north")
    connection.discovered()
    connection.kept.assert_equals(org, NAME)


def test_an_object_that_is_read_through_rest_gets_its_new_values_too(org: SimulatedOrg) -> None:
    connection = Backfilled(org, object_overrides=[{"object": NAME, "api": "rest"}])
    connection.discovered()
    fill(org, "Region__c string(20)", 7, "north")
    assert connection.count(connection.discovered()) == 7
    connection.kept.assert_equals(org, NAME)


# In an export


def newest_rows(exporter: Exporter, org: SimulatedOrg) -> list[dict[str, Any]]:
    newest: dict[str, dict[str, Any]] = {}
    for row in exporter.rows(NAME):
        newest[row["Id"]] = row
    types = GroundTruth(org).types(NAME)
    return [shown(as_emitted(row, types)) for row in newest.values()]


def test_an_export_that_is_stopped_while_it_reads_again_is_continued(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, backfill_new_fields=True, page_size=10)
    assert exporter.run([NAME]).code == 0
    fill(org, "Region__c string(20)", 100, "north")
    org.control.advance_clock(HOUR)
    stop = threading.Event()
    org.control.when_do("page_served", stop.set, nth=7)
    with exporter.without_clean_up():
        exporter.run([NAME], stop=stop)
    (state,) = (tmp_path / "state").glob(f"*/{NAME}.json")
    (point,) = json.loads(state.read_bytes())["state"]["resume"]
    assert (point["extra"], point["page"] > 0) == ("new_fields", True)
    assert exporter.run([NAME]).code == 0
    assert_same_rows(newest_rows(exporter, org), [shown(row) for row in GroundTruth(org).records(NAME)])
    assert len(exporter.rows(NAME)) == everything(org) + 100


def test_an_export_into_tables_fills_a_new_column(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, backfill_new_fields=True)
    assert exporter.run([NAME]).code == 0
    fill(org, "Region__c string(20)", 7, "north")
    org.control.advance_clock(HOUR)
    assert exporter.run([NAME]).code == 0
    assert_equals_org(exporter.rows_of("account"), org, NAME)


def test_a_backfill_on_spark_fills_a_new_column(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Backfill(org, tmp_path, backfill_new_fields=True)
    assert exporter.run([NAME]).code == 0
    fill(org, "Region__c string(20)", 7, "north")
    org.control.advance_clock(HOUR)
    assert exporter.run([NAME]).code == 0
    assert_same_rows(newest_rows(exporter, org), [shown(row) for row in GroundTruth(org).records(NAME)])
    assert len(exporter.rows(NAME)) == everything(org) + 7
