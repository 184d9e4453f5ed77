"""Rows that are deleted for good are reported, and no others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from integration_tests.connector import Output
from integration_tests.exporter import Exporter
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg
from integration_tests.test_incremental import NOON, Connection, some_ids
from source_salesforce_bulk.deletions import known_ids

DAY = 86_400
HALF_AN_HOUR = 1_800
TOLD = "_ab_cdc_deleted_at"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at=NOON)) as simulated:
        yield simulated


@pytest.fixture(params=["exact", "sketch"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form of the memory: the Ids themselves, or a sketch of them."""
    if request.param == "sketch":
        monkeypatch.setattr(known_ids, "EXACT_MOST", 10)
    return str(request.param)


def told(output: Output, name: str) -> set[str]:
    return {row["Id"] for row in output.rows.get(name, ()) if TOLD in row}


def watching(org: SimulatedOrg, *names: str, **config: object) -> Connection:
    options = {"full_audit_every": "P1D", **config}
    return Connection(org, list(names), impatient=True, detect_deletes="all", **options)


def test_purged_rows_are_told_once_and_nothing_else(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account")
    first = connection.sync()
    assert told(first, "Account") == set()
    purged, binned, hard = some_ids(org, "Account", 3, where="IsDeleted = false")
    old = some_ids(org, "Account", 1, where="IsDeleted = true")
    org.control.advance_clock(DAY)
    org.control.soft_delete("Account", ids=[purged, binned])
    org.control.purge("Account", ids=[purged, *old])
    org.control.hard_delete("Account", ids=[hard])
    org.control.advance_clock(60)
    second = connection.sync()
    assert told(second, "Account") == {purged, hard, *old}
    assert {row["Id"] for row in second.rows["Account"]} == {purged, hard, *old, binned}
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "Account") == set()


def test_an_audit_is_made_when_the_orgs_clock_says_so(org: SimulatedOrg) -> None:
    connection = watching(org, "Account")
    connection.sync()
    (hard,) = some_ids(org, "Account", 1)
    org.control.hard_delete("Account", ids=[hard], logged=False)
    org.control.advance_clock(DAY - 60)
    assert told(connection.sync(), "Account") == set()
    org.control.advance_clock(60)
    (row,) = connection.sync().rows["Account"]
    assert row == {"Id": hard, "IsDeleted": True, TOLD: row[TOLD], "SystemModstamp": row[TOLD]}


def test_a_row_that_came_and_went_between_two_audits_is_told(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account")
    connection.sync()
    org.control.advance_clock(3600)
    passing, staying = org.control.insert("Account", [{"Name": "passing"}, {"Name": "staying"}])
    org.control.advance_clock(3600)
    assert {row["Id"] for row in connection.sync().rows["Account"]} == {passing, staying}
    org.control.update("Account", {"Rating": "Hot"}, ids=[passing, staying])
    org.control.advance_clock(3600)
    assert {row["Id"] for row in connection.sync().rows["Account"]} == {passing, staying}
    org.control.hard_delete("Account", ids=[passing])
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "Account") == {passing}


def test_an_object_without_a_recycle_bin_is_watched_too(org: SimulatedOrg) -> None:
    connection = watching(org, "CampaignMember")
    connection.sync()
    gone = some_ids(org, "CampaignMember", 3)
    org.control.hard_delete("CampaignMember", ids=gone, logged=False)
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "CampaignMember") == set(gone)


def test_a_row_that_no_longer_matches_the_filter_was_not_deleted(org: SimulatedOrg) -> None:
    override = {"object": "Account", "where": "Name != 'hidden'"}
    connection = watching(org, "Account", object_overrides=[override])
    connection.sync()
    hidden, gone = some_ids(org, "Account", 2, where="IsDeleted = false")
    org.control.update("Account", {"Name": "hidden"}, ids=[hidden])
    org.control.hard_delete("Account", ids=[gone])
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "Account") == {gone}


def test_rows_in_the_bin_are_told_where_they_are_not_read(org: SimulatedOrg) -> None:
    connection = watching(org, "Account", include_deleted=False)
    connection.sync()
    binned, back = some_ids(org, "Account", 2, where="IsDeleted = false")
    org.control.soft_delete("Account", ids=[binned, back])
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "Account") == {binned, back}
    org.control.undelete("Account", ids=[back])
    org.control.advance_clock(DAY)
    third = connection.sync()
    assert told(third, "Account") == set()
    assert [(row["Id"], row["IsDeleted"]) for row in third.rows["Account"]] == [(back, False)]


def test_a_login_that_sees_fewer_rows_is_not_taken_for_deletions(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account")
    connection.sync()
    hidden = some_ids(org, "Account", 150, where="IsDeleted = false")
    org.control.hide_rows("Account", ids=hidden)
    org.control.advance_clock(DAY)
    output = connection.attempt(max_deletes=5)
    assert output.failed
    assert not output.rows.get("Account")
    (trace,) = [error for error in output.errors if error["message"].startswith("Account")]
    assert trace["failure_type"] == "config_error"
    assert "150 of about" in trace["message"]
    assert "max_deletes" in trace["message"]
    org.control.show_rows("Account")
    assert told(connection.sync(max_deletes=5), "Account") == set()


def test_rows_that_were_really_deleted_are_told_once_the_user_says_so(org: SimulatedOrg) -> None:
    connection = watching(org, "Account")
    connection.sync()
    gone = some_ids(org, "Account", 150, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone)
    org.control.advance_clock(DAY)
    assert connection.attempt(max_deletes=5).failed
    assert told(connection.sync(max_deletes=100), "Account") == set(gone)


def test_a_window_that_is_read_again_is_remembered_once(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account", page_size=100)
    org.control.fault("job_vanishes", object="Account", nth_job=2, at=2)
    first = connection.sync()
    assert len(first.rows["Account"]) > len({row["Id"] for row in first.rows["Account"]})
    gone = some_ids(org, "Account", 3)
    org.control.hard_delete("Account", ids=gone)
    org.control.advance_clock(DAY)
    assert told(connection.sync(), "Account") == set(gone)


def test_a_stopped_run_goes_on_and_remembers(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account", page_size=20)
    stopped = connection.connector.read_until("page_served", 26, connection.catalog)
    connection.state = stopped.final_states()
    delivered = {row["Id"] for row in stopped.rows["Account"]}
    assert 0 < len(delivered) < len(org.control.rows("Account", fields=["Id"]))
    gone = sorted(delivered)[:3]
    org.control.hard_delete("Account", ids=gone)
    second = connection.sync()
    org.control.advance_clock(DAY)
    assert told(second, "Account") | told(connection.sync(), "Account") == set(gone)


@pytest.mark.parametrize("where", ["state", "org"])
def test_a_job_that_is_gone_between_two_runs_costs_no_deletion(org: SimulatedOrg, kind: str, where: str) -> None:
    connection = watching(org, "Account", page_size=20)
    stopped = connection.connector.read_until("page_served", 26, connection.catalog)
    connection.state = stopped.final_states()
    job = connection.state_of("Account")["resume"][0]
    assert job["rows"]
    if where == "org":
        org.control.expire_job(job["job"])
    else:
        job["query"] = "sha256:another"
    gone = sorted({row["Id"] for row in stopped.rows["Account"]})[:3]
    org.control.hard_delete("Account", ids=gone)
    second = connection.sync()
    org.control.advance_clock(DAY)
    third = connection.sync()
    assert told(second, "Account") | told(third, "Account") == set(gone)
    assert not {row["Id"] for row in third.rows.get("Account", ())} - set(gone)


def test_what_was_not_remembered_is_forgotten_with_the_option(org: SimulatedOrg) -> None:
    connection = watching(org, "Account")
    connection.sync()
    assert "deletes" in connection.state_of("Account")
    connection.sync(detect_deletes="recycle_bin")
    assert "deletes" not in connection.state_of("Account")


def test_the_schema_shows_when_a_row_was_deleted(org: SimulatedOrg) -> None:
    connection = watching(org, "Account", "LoginHistory", "AppDefinition")
    properties = connection.streams["Account"]["json_schema"]["properties"]
    assert properties[TOLD]["format"] == "date-time"
    assert "IsDeleted" in connection.streams["LoginHistory"]["json_schema"]["properties"]
    assert TOLD not in connection.streams["AppDefinition"]["json_schema"]["properties"]


# By the log of deletions, between two audits


def logged(org: SimulatedOrg, *names: str, **config: object) -> Connection:
    """A connection that was synced once, half an hour ago, and makes no audit for a week."""
    connection = watching(org, *(names or ("Account",)), **{"full_audit_every": "P7D", **config})
    connection.sync()
    org.control.advance_clock(HALF_AN_HOUR)
    return connection


def later(org: SimulatedOrg, connection: Connection, **config: object) -> set[str]:
    """The deletions that a sync reports ten minutes later."""
    org.control.advance_clock(600)
    return told(connection.sync(**config), "Account")


def audits(org: SimulatedOrg) -> int:
    """The audits so far."""
    jobs = org.control.jobs("Account")
    return sum(job["query"].partition(" FROM ")[0] == "SELECT Id, CreatedDate" for job in jobs)


def replication(org: SimulatedOrg) -> dict[str, int]:
    counts = org.control.requests()
    return {kind: counts.get(kind, 0) for kind in ("getDeleted", "createJob")}


def test_rows_that_vanished_are_told_by_the_next_run_without_an_audit(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    hard, purged, binned, winner, loser = some_ids(org, "Account", 5, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=[hard])
    org.control.soft_delete("Account", ids=[purged, binned])
    org.control.merge("Account", winner, loser)
    org.control.purge("Account", ids=[purged, loser])
    org.control.reset_requests()
    org.control.advance_clock(600)
    second = connection.sync()
    assert told(second, "Account") == {hard, purged, loser}
    assert {row["Id"] for row in second.rows["Account"]} == {hard, purged, loser, binned, winner}
    assert replication(org) == {"getDeleted": 1, "createJob": 0}
    # Each only once, also by the audit that comes later.
    assert later(org, connection) == set()
    org.control.advance_clock(7 * DAY)
    assert told(connection.sync(), "Account") == set()
    assert audits(org) == 2


def test_a_tombstone_by_the_log_is_newer_than_the_row(org: SimulatedOrg) -> None:
    connection = logged(org)
    (gone,) = some_ids(org, "Account", 1, where="IsDeleted = false")
    org.control.update("Account", {"Rating": "Hot"}, ids=[gone])
    org.control.hard_delete("Account", ids=[gone])
    org.control.advance_clock(600)
    (row,) = connection.sync().rows["Account"]
    assert row == {"Id": gone, "IsDeleted": True, TOLD: row[TOLD], "SystemModstamp": row[TOLD]}
    assert row[TOLD] == "2026-11-24T12:40:00.000Z"


def test_a_row_restored_in_between_is_no_deletion_and_a_later_one_is(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    (back,) = some_ids(org, "Account", 1, where="IsDeleted = false")
    org.control.soft_delete("Account", ids=[back])
    org.control.advance_clock(120)
    org.control.when_do("getDeleted", lambda: org.control.undelete("Account", ids=[back]))
    assert later(org, connection) == set()
    org.control.hard_delete("Account", ids=[back])
    assert later(org, connection) == {back}


def test_a_row_purged_between_the_log_and_the_query_has_vanished(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    binned = some_ids(org, "Account", 2, where="IsDeleted = false")
    org.control.soft_delete("Account", ids=binned)
    org.control.when_do("getDeleted", lambda: org.control.purge("Account", ids=binned[:1]))
    assert later(org, connection) == set(binned[:1])


def test_a_row_that_is_deleted_again_after_it_was_restored_is_told_again(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org, include_deleted=False)
    (row,) = some_ids(org, "Account", 1, where="IsDeleted = false")
    org.control.soft_delete("Account", ids=[row])
    assert later(org, connection) == {row}
    org.control.undelete("Account", ids=[row])
    assert later(org, connection) == set()
    org.control.soft_delete("Account", ids=[row])
    assert later(org, connection) == {row}


@pytest.mark.parametrize("event", ["getDeleted", "queryAll"])
def test_a_run_stopped_at_the_log_reads_it_again(org: SimulatedOrg, kind: str, event: str) -> None:
    connection = logged(org)
    gone = some_ids(org, "Account", 3, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone)
    org.control.advance_clock(600)
    before = connection.state_of("Account")["deletes"]
    nth = {"getDeleted": 1, "queryAll": 2}[event]  # the first query is the one for changed rows
    stopped = connection.connector.read_until(event, nth, connection.catalog, connection.state)
    connection.keep(stopped)
    assert connection.state_of("Account")["deletes"]["covered"] == before["covered"] or told(stopped, "Account")
    assert told(stopped, "Account") | later(org, connection) == set(gone)


def test_deletions_before_a_run_that_was_stopped_while_reading_are_told(org: SimulatedOrg, kind: str) -> None:
    connection = watching(org, "Account", page_size=20, full_audit_every="P7D")
    stopped = connection.connector.read_until("page_served", 26, connection.catalog)
    connection.state = stopped.final_states()
    gone = sorted({row["Id"] for row in stopped.rows["Account"]})[:3]
    org.control.advance_clock(HALF_AN_HOUR)
    org.control.hard_delete("Account", ids=gone)
    assert later(org, connection) == set(gone)


def test_a_user_who_sees_fewer_rows_reports_no_deletion(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    *hidden, gone = some_ids(org, "Account", 40, where="IsDeleted = false")
    org.control.hide_rows("Account", ids=hidden)
    org.control.soft_delete("Account", ids=hidden[:5])
    org.control.undelete("Account", ids=hidden[:5])
    org.control.hard_delete("Account", ids=[gone])
    assert later(org, connection) == {gone}


def test_another_login_reports_only_what_salesforce_says_was_deleted(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    *hidden, gone = some_ids(org, "Account", 40, where="IsDeleted = false")
    org.control.configure(own_users=True)
    org.control.hide_rows("Account", ids=hidden, login="client_credentials")
    org.control.hard_delete("Account", ids=[gone])
    assert later(org, connection, credentials=org.credentials("client_credentials")) == {gone}


@pytest.mark.parametrize("every", ["P7D", "P30D"])
def test_a_log_that_does_not_reach_back_leaves_it_to_an_audit(org: SimulatedOrg, kind: str, every: str) -> None:
    connection = logged(org, full_audit_every=every)
    gone = some_ids(org, "Account", 3, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone)
    org.control.advance_clock(DAY if every == "P7D" else 16 * DAY)
    org.control.trim_delete_log("Account", org.control.now())
    assert told(connection.sync(full_audit_every=every), "Account") == set(gone)
    assert audits(org) == 2


def test_an_audit_made_for_the_log_comes_at_most_once_a_day(org: SimulatedOrg) -> None:
    connection = logged(org)
    org.control.advance_clock(HALF_AN_HOUR)
    org.control.trim_delete_log("Account", org.control.now())
    gone = some_ids(org, "Account", 3, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone, logged=False)
    assert later(org, connection) == set()
    assert audits(org) == 1
    org.control.advance_clock(DAY)
    org.control.trim_delete_log("Account", org.control.now())
    assert later(org, connection) == set(gone)
    assert audits(org) == 2


@pytest.mark.parametrize(
    "settings", [{"replication_ids": 2}, {"unlogged_deletes": ("Account",)}], ids=["too many", "not logged"]
)
def test_what_the_log_does_not_say_is_found_by_the_audit(
    org: SimulatedOrg, kind: str, settings: dict[str, object]
) -> None:
    connection = logged(org)
    gone = some_ids(org, "Account", 3, where="IsDeleted = false")
    org.control.configure(**settings)
    org.control.hard_delete("Account", ids=gone, logged="unlogged_deletes" not in settings)
    assert later(org, connection) == set()
    org.control.advance_clock(7 * DAY)
    assert told(connection.sync(), "Account") == set(gone)


def test_more_rows_than_one_query_can_ask_for_are_left_to_an_audit(org: SimulatedOrg) -> None:
    connection = logged(org)
    made = org.control.insert("Account", [{"Name": f"n{at}"} for at in range(450)])
    assert later(org, connection) == set()
    org.control.hard_delete("Account", ids=made)
    org.control.advance_clock(DAY)
    assert told(connection.sync(max_deletes=100), "Account") == set(made)
    assert audits(org) == 2


def test_too_many_deletions_by_the_log_are_left_to_an_audit_and_its_guard(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    gone = some_ids(org, "Account", 150, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone)
    assert later(org, connection, max_deletes=5) == set()
    org.control.advance_clock(DAY)
    assert connection.attempt(max_deletes=5).failed
    assert told(connection.sync(max_deletes=100), "Account") == set(gone)


@pytest.mark.parametrize("minutes", [-50, 50])
def test_a_log_whose_clock_differs_loses_nothing(org: SimulatedOrg, minutes: int) -> None:
    connection = logged(org)
    gone = some_ids(org, "Account", 2, where="IsDeleted = false")
    org.control.fault("date_skew", on="getDeleted", seconds=minutes * 60, times=None)
    org.control.hard_delete("Account", ids=gone[:1])
    assert later(org, connection) == set(gone[:1])
    org.control.hard_delete("Account", ids=gone[1:])
    assert later(org, connection) == set(gone[1:])


def test_deletions_that_are_logged_late_are_told(org: SimulatedOrg, kind: str) -> None:
    connection = logged(org)
    org.control.configure(replication_lag=1200)
    gone = some_ids(org, "Account", 2, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=gone[:1])
    assert later(org, connection) == set(gone[:1])
    covered = connection.state_of("Account")["deletes"]["covered"]
    assert covered == "2026-11-24T12:20:00.000Z"
    org.control.hard_delete("Account", ids=gone[1:])
    assert later(org, connection) == set(gone[1:])


def test_an_object_without_a_log_is_not_asked(org: SimulatedOrg) -> None:
    connection = watching(org, "AccountHistory", full_audit_every="P7D")
    connection.sync()
    org.control.advance_clock(DAY)
    org.control.reset_requests()
    connection.sync()
    assert replication(org)["getDeleted"] == 0


@pytest.mark.parametrize(
    ("fault", "attributes"),
    [
        ("unparsable_json", {}),
        ("json_without", {"name": "latestDateCovered"}),
        ("json_set", {"name": "deletedRecords", "value": [{"id": "x' OR Id != '"}]}),
        ("json_set", {"name": "earliestDateAvailable", "value": "2026-11-24T12:29:00.000+0000"}),
        ("http_error", {"status": 404, "body": "html"}),
        ("http_error", {"status": 403}),
        ("cut", {}),
        ("session_ends", {}),
    ],
)
def test_an_answer_of_the_log_that_cannot_be_used_reports_nothing_and_is_asked_for_again(
    org: SimulatedOrg, fault: str, attributes: dict[str, object]
) -> None:
    connection = logged(org)
    (gone,) = some_ids(org, "Account", 1, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=[gone])
    org.control.fault(fault, on="getDeleted", **attributes)
    first = later(org, connection)
    sent_again = fault in ("unparsable_json", "cut", "session_ends")
    assert first == ({gone} if sent_again else set())
    assert first | later(org, connection) == {gone}
    assert audits(org) == 1


def test_an_outage_of_the_log_costs_no_audit(org: SimulatedOrg) -> None:
    connection = logged(org)
    (gone,) = some_ids(org, "Account", 1, where="IsDeleted = false")
    org.control.hard_delete("Account", ids=[gone])
    org.control.fault("http_error", on="getDeleted", status=503, times=5)
    org.control.advance_clock(DAY)
    assert later(org, connection) == set()
    assert later(org, connection) == {gone}
    assert audits(org) == 1


# In an export


def folded(exporter: Exporter, name: str) -> dict[str, dict[str, Any]]:
    """Return the newest row of each key in the files that manifests name, without deleted ones."""
    rows = sorted(exporter.rows(name), key=lambda row: str(row["SystemModstamp"]))
    return {row["Id"]: row for row in {row["Id"]: row for row in rows}.values() if TOLD not in row}


@pytest.mark.parametrize("format_name", ["parquet", "jsonl"])
def test_an_export_tells_the_rows_that_were_purged(
    org: SimulatedOrg, tmp_path: Path, kind: str, format_name: str
) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D", page_size=100)
    assert exporter.run(["Account", "CampaignMember"], format_name=format_name).code == 0
    gone = some_ids(org, "Account", 3)
    org.control.hard_delete("Account", ids=gone)
    org.control.hard_delete("CampaignMember", ids=some_ids(org, "CampaignMember", 2), logged=False)
    org.control.advance_clock(DAY)
    assert exporter.run(["Account", "CampaignMember"], format_name=format_name).code == 0
    assert {row["Id"] for row in exporter.rows("Account") if TOLD in row} == set(gone)
    for name in ("Account", "CampaignMember"):
        assert sorted(folded(exporter, name)) == [row["Id"] for row in org.control.rows(name, fields=["Id"])]


def test_every_parquet_file_has_the_column_of_deletions(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D")
    exporter.run(["Account"])
    org.control.hard_delete("Account", ids=some_ids(org, "Account", 1))
    org.control.advance_clock(DAY)
    exporter.run(["Account"])
    schemas = [
        parquet.read_schema(exporter.destination / file["path"]).remove_metadata() for file in exporter.files("Account")
    ]
    assert len(schemas) == 2
    assert schemas[0].equals(schemas[1])


def test_an_export_in_which_too_much_vanishes_ends_with_3_and_tells_nothing(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D", max_deletes=5)
    exporter.run(["Account"])
    org.control.hide_rows("Account", ids=some_ids(org, "Account", 150))
    org.control.advance_clock(DAY)
    result = exporter.run(["Account"])
    assert result.code == 3
    assert "max_deletes" in str(result.outcomes[0].failure)
    assert not [row for row in exporter.rows("Account") if TOLD in row]


def test_a_killed_export_goes_on_and_tells_what_has_vanished(org: SimulatedOrg, tmp_path: Path, kind: str) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", full_audit_every="P1D", page_size=20)
    stop = threading.Event()
    org.control.when_do("page_served", stop.set, nth=26)
    with exporter.without_clean_up():
        exporter.run(["Account"], stop=stop)
    (state,) = (tmp_path / "state").glob("*/Account.json")
    written = json.loads(state.read_bytes())
    assert written["state"]["resume"][0]["rows"]
    org.control.expire_job(written["state"]["resume"][0]["job"])
    gone = some_ids(org, "Account", 3)
    org.control.hard_delete("Account", ids=gone)
    assert exporter.run(["Account"]).code == 0
    org.control.advance_clock(DAY)
    assert exporter.run(["Account"]).code == 0
    assert sorted(folded(exporter, "Account")) == [row["Id"] for row in org.control.rows("Account", fields=["Id"])]


@pytest.mark.parametrize("killed", [False, True])
def test_an_export_tells_by_the_log_which_rows_have_vanished(
    org: SimulatedOrg, tmp_path: Path, kind: str, killed: bool
) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", page_size=100)
    assert exporter.run(["Account"]).code == 0
    org.control.advance_clock(HALF_AN_HOUR)
    gone = some_ids(org, "Account", 3)
    org.control.hard_delete("Account", ids=gone)
    org.control.advance_clock(600)
    stop = threading.Event()
    if killed:
        org.control.when_do("getDeleted", stop.set)
    exporter.run(["Account"], stop=stop)
    org.control.advance_clock(600)
    assert exporter.run(["Account"]).code == 0
    assert {row["Id"] for row in exporter.rows("Account") if TOLD in row} == set(gone)
    assert audits(org) == 1
