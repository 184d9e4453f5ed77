"""Histories: each version of a row with the times at which it was valid (``--history``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import (
    TableExporter,
    assert_history_equals_org,
    change,
    history_of,
    without_marks,
)
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.tables import derived
from source_salesforce_bulk.tables.log import ORGANIZATION
from source_salesforce_bulk.tables.table_states import TableStates

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", rows=0.03)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def exporter(org: SimulatedOrg, tmp_path: Path) -> TableExporter:
    made = TableExporter(org, tmp_path)
    made.history = True
    return made


def test_a_change_ends_a_version_and_begins_one_and_a_deletion_ends_one(
    org: SimulatedOrg, exporter: TableExporter
) -> None:
    exporter.run(["Contact"])
    first = history_of(exporter, "Contact")
    assert {len(versions) for versions in first.values()} == {1}
    ids = [row["Id"] for row in org.control.rows("Contact", operation="query")]

    change(org, "Contact")
    exporter.run(["Contact"])

    found = history_of(exporter, "Contact")
    before, after = found[ids[0]]
    assert (before["LastName"], after["LastName"]) == (first[ids[0]][0]["LastName"], "Changed")
    assert before["valid_to"] == after["valid_from"] == after["SystemModstamp"]
    assert before["valid_from"] == before["SystemModstamp"]
    (deleted,) = found[ids[7]]
    assert datetime(2026, 11, 24, 8, 59, tzinfo=UTC) < deleted["valid_to"] < datetime(2026, 11, 24, 9, 2, tzinfo=UTC)
    assert_history_equals_org(exporter, "Contact")

    snapshots = len(exporter.table("contact_history").metadata.snapshots)
    org.control.advance_clock(3600)
    exporter.run(["Contact"])
    again = history_of(exporter, "Contact")
    assert {key: without_marks(rows) for key, rows in again.items()} == {
        key: without_marks(rows) for key, rows in found.items()
    }
    assert len(exporter.table("contact_history").metadata.snapshots) <= snapshots + 1


def test_a_history_that_is_begun_later_has_every_version_of_the_log(org: SimulatedOrg, exporter: TableExporter) -> None:
    exporter.history = False
    exporter.run(["Contact"])
    change(org, "Contact")
    exporter.run(["Contact"])
    assert exporter.tables().load("contact_history") is None

    exporter.history = True
    change(org, "Contact")
    exporter.run(["Contact"])

    assert max({len(versions) for versions in history_of(exporter, "Contact").values()}) == 3
    assert_history_equals_org(exporter, "Contact")


def test_a_full_refresh_keeps_the_history_and_ends_what_is_gone(org: SimulatedOrg, exporter: TableExporter) -> None:
    exporter.run(["Contact"])
    change(org, "Contact")
    exporter.run(["Contact"])
    before = history_of(exporter, "Contact")
    gone = [row["Id"] for row in org.control.rows("Contact", operation="query")][20:22]
    org.control.hard_delete("Contact", gone)
    org.control.advance_clock(3600)

    assert exporter.run(["Contact"], begin_options=BeginOptions(start_over=True)).code == 0

    after = history_of(exporter, "Contact")
    assert {key: len(versions) for key, versions in after.items()} == {key: len(one) for key, one in before.items()}
    assert all(after[one][-1]["valid_to"] is not None for one in gone)
    assert_history_equals_org(exporter, "Contact")


def test_tombstones_end_versions(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D")
    exporter.history = True
    exporter.run(["Contact"])
    gone = org.control.rows("Contact", operation="query")[3]["Id"]
    org.control.hard_delete("Contact", [gone])
    org.control.advance_clock(2 * 86_400)
    exporter.run(["Contact"])

    (version,) = history_of(exporter, "Contact")[gone]
    assert version["valid_to"] >= datetime(2026, 11, 25, tzinfo=UTC)
    assert_history_equals_org(exporter, "Contact")


def test_ranges_of_keys_give_the_same_history(
    org: SimulatedOrg, exporter: TableExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "VERSIONS_AT_ONCE", 20)
    exporter.run(["Contact"])
    change(org, "Contact")
    exporter.run(["Contact"])
    assert_history_equals_org(exporter, "Contact")
    assert sum(len(versions) == 2 for versions in history_of(exporter, "Contact").values()) == 7


def test_an_object_without_a_cursor_has_no_history(org: SimulatedOrg, exporter: TableExporter) -> None:
    for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        org.control.hide_field("Case", name)
    assert exporter.run(["Case"]).code == 0
    assert exporter.tables().load("case_history") is None
    assert exporter.tables().load("case") is not None


def test_a_history_outlives_a_reset_of_the_objects_state(org: SimulatedOrg, exporter: TableExporter) -> None:
    exporter.run(["Contact"])
    change(org, "Contact")
    exporter.run(["Contact"])
    before = {key: len(versions) for key, versions in history_of(exporter, "Contact").items()}
    organization = exporter.table("contact_log").properties[ORGANIZATION]

    TableStates(exporter.tables(), lambda: 0.0).reset(organization, "Contact", "somebody")
    assert exporter.tables().load("contact_log") is None
    exporter.run(["Contact"])

    assert {key: len(versions) for key, versions in history_of(exporter, "Contact").items()} == before
    assert_history_equals_org(exporter, "Contact")
