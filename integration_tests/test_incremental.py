"""Incremental reads emit exactly what changed, whatever happens in the org between or during two reads.

The org's clock stands still unless a test moves it, so that every stamp and every window is known to the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from integration_tests.connection import Connection
from integration_tests.connector import Connector, ImpatientClock, Output, state_of
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

NOON = "2026-11-24T12:00:00Z"
MINUTE, HOUR = 60, 3600

both_concurrencies = pytest.mark.parametrize("jobs", [1, 4])


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at=NOON)) as simulated:
        yield simulated


class SkewedClock(ImpatientClock):
    """This machine's wall clock, wrong by some hours."""

    def __init__(self, hours: float) -> None:
        super().__init__()
        self._skew = timedelta(hours=hours)

    def now(self) -> datetime:
        return super().now() + self._skew


def ids(output: Output, name: str) -> list[str]:
    return sorted(row["Id"] for row in output.rows[name])


def some_ids(org: SimulatedOrg, name: str, count: int, where: str | None = None) -> list[str]:
    found = [str(row["Id"]) for row in org.control.rows(name, fields=["Id"], where=where)[:count]]
    assert len(found) == count
    return found


def truth(org: SimulatedOrg, name: str, wanted: Iterable[str]) -> list[Mapping[str, Any]]:
    """The rows with these Ids as they should be emitted now."""
    return [row for row in GroundTruth(org).records(name) if row["Id"] in set(wanted)]


def destination(*outputs: Output, name: str) -> list[Mapping[str, Any]]:
    """Return the rows of a destination that keeps the newest row of each Id, after these reads."""
    return list({row["Id"]: row for output in outputs for row in output.rows[name]}.values())


# -- what changed, and nothing else ------------------------------------------------------------------------------------

_UPDATES_SEEN = {"SystemModstamp", "LastModifiedDate"}


def change(org: SimulatedOrg, name: str, cursor: str) -> list[str]:
    """Insert two rows, and where the cursor sees it change two and delete one; the Ids of all that changed."""
    changed = org.control.insert(name, [{}, {}])
    if cursor in _UPDATES_SEEN and org.control.rows(name, fields=["Id"], where=f"{cursor} < {NOON}"):
        recycle_bin = org.org.object(name).soft_deletes
        alive = "IsDeleted = false AND " if recycle_bin else ""
        victims = some_ids(org, name, 3, where=f"{alive}{cursor} < {NOON}")
        org.control.update(name, {}, ids=victims[:2])
        changed += victims[:2]
        if recycle_bin:
            org.control.soft_delete(name, ids=victims[2:])
            changed += victims[2:]
    return sorted(changed)


@both_concurrencies
def test_the_second_run_emits_exactly_the_changed_rows_of_every_object(org: SimulatedOrg, jobs: int) -> None:
    """All stamps are months older than the first run, so that the look-back repeats nothing."""
    refused = {one["name"] for one in org.control.objects() if one["refused_by_bulk"] or one["filter_required"]}
    names = [name for name in Connector(org).streams() if name not in refused]
    connection = Connection(org, names, max_concurrent_jobs=jobs, page_size=1000)
    first = connection.sync()
    cursors = {
        name: stream["default_cursor_field"][0]
        for name, stream in connection.streams.items()
        if "incremental" in stream["supported_sync_modes"]
    }
    assert len(cursors) > 20
    org.control.advance_clock(HOUR)
    changed = {name: change(org, name, cursor) for name, cursor in cursors.items()}
    org.control.advance_clock(HOUR)

    second = connection.sync()

    assert {name: len(rows) for name, rows in second.rows.items()} == {name: len(c) for name, c in changed.items()}
    for name, wanted in changed.items():
        assert ids(second, name) == wanted
        assert_same_rows(second.rows[name], truth(org, name, wanted))
        assert_same_rows(destination(first, second, name=name), GroundTruth(org).records(name))


@both_concurrencies
def test_deletes_undeletes_and_merges_arrive(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)
    connection.sync()
    deleted, restored, winner, loser = some_ids(org, "Account", 4, where="IsDeleted = false")
    org.control.advance_clock(HOUR)
    org.control.soft_delete("Account", ids=[deleted, restored])
    org.control.advance_clock(HOUR)

    second = connection.sync()
    org.control.undelete("Account", ids=[restored])
    org.control.merge("Account", winner, loser)
    org.control.advance_clock(HOUR)
    third = connection.sync()
    org.control.advance_clock(HOUR)
    fourth = connection.sync()

    assert {row["Id"]: row["IsDeleted"] for row in second.rows["Account"]} == {deleted: True, restored: True}
    rows = {row["Id"]: row for row in third.rows["Account"]}
    assert {name: row["IsDeleted"] for name, row in rows.items()} == {restored: False, winner: False, loser: True}
    assert rows[loser]["MasterRecordId"] == winner
    assert_same_rows(third.rows["Account"], truth(org, "Account", [restored, winner, loser]))
    assert not fourth.rows


@both_concurrencies
def test_a_changed_row_with_every_awkward_value_keeps_them(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Awkward__c"], max_concurrent_jobs=jobs)
    connection.sync()
    org.control.advance_clock(HOUR)
    org.control.update("Awkward__c", {}, where="Id != null")
    org.control.advance_clock(1)

    second = connection.sync()

    assert_same_rows(second.rows["Awkward__c"], GroundTruth(org).records("Awkward__c"))


# -- where two windows meet --------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize(("lookback", "repeated"), [("PT0S", False), ("PT10M", True)])
def test_ties_at_the_boundary_second_come_once(org: SimulatedOrg, lookback: str, repeated: bool, jobs: int) -> None:
    """Rows stamped with the very second of the first run's bound, written before it and after it."""
    connection = Connection(org, ["Contact"], lookback_window=lookback, max_concurrent_jobs=jobs)
    (just_before,) = org.control.insert("Contact", [{"LastName": "Before"}], stamp="2026-11-24T11:59:59Z")
    (at_bound,) = org.control.insert("Contact", [{"LastName": "At"}], stamp=NOON)

    first = connection.sync()
    (after_bound,) = org.control.insert("Contact", [{"LastName": "After"}], stamp=NOON)
    org.control.advance_clock(1)
    second = connection.sync()
    org.control.advance_clock(HOUR)
    third = connection.sync()

    assert just_before in ids(first, "Contact")
    assert at_bound not in ids(first, "Contact")
    assert ids(second, "Contact") == sorted([at_bound, after_bound] + ([just_before] if repeated else []))
    assert_same_rows(destination(first, second, name="Contact"), GroundTruth(org).records("Contact"))
    assert set(ids(third, "Contact")) <= {just_before, at_bound, after_bound}
    assert bool(third.rows["Contact"]) == repeated


@both_concurrencies
def test_thousands_of_rows_on_the_boundary_second_come_once(org: SimulatedOrg, jobs: int) -> None:
    stamps = {row["SystemModstamp"] for row in org.control.rows("Ties__c", fields=["SystemModstamp"])}
    (stamp,) = stamps
    org.control.set_clock(str(stamp))
    connection = Connection(org, ["Ties__c"], lookback_window="PT0S", max_concurrent_jobs=jobs, page_size=700)

    first = connection.sync()
    org.control.advance_clock(1)
    second = connection.sync()
    org.control.advance_clock(1)
    third = connection.sync()

    assert not first.rows
    assert_same_rows(second.rows["Ties__c"], GroundTruth(org).records("Ties__c"))
    assert not third.rows


@both_concurrencies
def test_the_overlap_is_the_look_back_and_no_second_more(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Lead"], max_concurrent_jobs=jobs)
    for stamp in ("2026-11-24T11:49:59Z", "2026-11-24T11:50:00Z", "2026-11-24T11:59:59Z"):
        org.control.insert("Lead", [{"LastName": stamp}], stamp=stamp)
    connection.sync()
    org.control.advance_clock(HOUR)

    second = connection.sync()

    assert sorted(row["LastName"] for row in second.rows["Lead"]) == ["2026-11-24T11:50:00Z", "2026-11-24T11:59:59Z"]


# -- rows that the first read could not see ----------------------------------------------------------------------------


@both_concurrencies
def test_rows_that_become_visible_late_are_read_by_the_look_back(org: SimulatedOrg, jobs: int) -> None:
    """A long transaction: stamped before the first run's bound, committed after its job."""
    connection = Connection(org, ["Case"], max_concurrent_jobs=jobs)
    late = org.control.insert_late("Case", [{}, {}, {}], stamped_ago=9 * MINUTE, visible_in=5 * MINUTE)

    first = connection.sync()
    org.control.advance_clock(HOUR)
    second = connection.sync()

    assert not set(late) & set(ids(first, "Case"))
    assert ids(second, "Case") == sorted(late)
    assert_same_rows(destination(first, second, name="Case"), GroundTruth(org).records("Case"))


@both_concurrencies
def test_without_look_back_a_warning_says_what_is_risked(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Case"], lookback_window="PT0S", max_concurrent_jobs=jobs)
    late = org.control.insert_late("Case", [{}], stamped_ago=9 * MINUTE, visible_in=5 * MINUTE)

    first = connection.sync()
    org.control.advance_clock(HOUR)
    on_time = org.control.insert("Case", [{}])
    org.control.advance_clock(1)
    second = connection.sync()

    assert len(first.warnings) == 1
    assert "lookback_window is PT0S" in first.warnings[0]
    assert "PT10M" in first.warnings[0]
    assert ids(second, "Case") == on_time
    assert late[0] not in ids(second, "Case")


@both_concurrencies
def test_a_wider_look_back_reaches_back_further(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Case"], lookback_window="PT2H", max_concurrent_jobs=jobs)
    late = org.control.insert_late("Case", [{}], stamped_ago=110 * MINUTE, visible_in=MINUTE)
    connection.sync()
    org.control.advance_clock(24 * HOUR)

    assert ids(connection.sync(), "Case") == late


# -- rows that change while they are read ------------------------------------------------------------------------------


def edit_while_processing(org: SimulatedOrg, name: str, edited: list[str], nth: int = 1) -> None:
    """As the n-th job of the object is about to be processed, a minute has passed and these rows change."""

    def edit() -> None:
        org.control.advance_clock(MINUTE)
        org.control.update(name, {"Description": "edited"}, ids=edited)

    org.control.when_do("job_processing", edit, object=name, nth=nth)


@both_concurrencies
def test_rows_edited_while_a_full_refresh_runs_are_not_lost(org: SimulatedOrg, jobs: int) -> None:
    edited = some_ids(org, "Account", 50)
    edit_while_processing(org, "Account", edited)
    connection = Connection(org, ["Account"], "full_refresh", max_concurrent_jobs=jobs)

    output = connection.sync()

    assert_same_rows(output.rows["Account"], GroundTruth(org).records("Account"))
    assert sum(row.get("Description") == "edited" for row in output.rows["Account"]) == len(edited)


@both_concurrencies
def test_rows_edited_while_a_split_full_refresh_runs_are_not_lost(org: SimulatedOrg, jobs: int) -> None:
    """The org fails jobs with more than 200 rows, so Account is read by halves; rows of both change meanwhile."""
    org.control.fault("job_failed", object="Account", rows=200, value="above", times=None)
    everything = some_ids(org, "Account", 300)
    for nth in (4, 5):
        edit_while_processing(org, "Account", everything[::3], nth)
    connection = Connection(org, ["Account"], "full_refresh", max_concurrent_jobs=jobs)

    output = connection.sync()

    assert len(output.rows["Account"]) == 300
    assert sorted(row["Id"] for row in output.rows["Account"]) == sorted(everything)
    assert org.control.pending_events() == 0


@both_concurrencies
def test_rows_edited_while_an_incremental_job_runs_come_next_time(org: SimulatedOrg, jobs: int) -> None:
    """They leave the first window upwards; the second begins where it ended."""
    edited = some_ids(org, "Account", 50)
    edit_while_processing(org, "Account", edited)
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)

    first = connection.sync()
    org.control.advance_clock(HOUR)
    second = connection.sync()

    assert not set(edited) & set(ids(first, "Account"))
    assert ids(second, "Account") == sorted(edited)
    assert_same_rows(destination(first, second, name="Account"), GroundTruth(org).records("Account"))


@both_concurrencies
def test_rows_inserted_between_two_pages_come_next_time(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Contact"], max_concurrent_jobs=jobs, page_size=500)
    org.control.when("page_served", "insert", {"object": "Contact", "rows": [{"LastName": "Between"}]}, "Contact", 2)

    first = connection.sync()
    org.control.advance_clock(HOUR)
    second = connection.sync()

    assert [row["LastName"] for row in second.rows["Contact"]] == ["Between"]
    assert_same_rows(destination(first, second, name="Contact"), GroundTruth(org).records("Contact"))


# -- clocks ------------------------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize("hours", [-9, 9])
def test_a_wrong_clock_of_this_machine_changes_nothing(org: SimulatedOrg, hours: int, jobs: int) -> None:
    connection = Connection(org, ["Opportunity"], max_concurrent_jobs=jobs)
    connection.connector.clock = SkewedClock(hours)
    first = connection.sync()
    assert connection.state_of("Opportunity")["SystemModstamp"] == "2026-11-24T12:00:00.000Z"
    org.control.advance_clock(MINUTE)
    inserted = org.control.insert("Opportunity", [{"Name": "New"}])
    org.control.advance_clock(1)

    second = connection.sync()

    assert ids(second, "Opportunity") == inserted
    assert connection.state_of("Opportunity")["SystemModstamp"] == "2026-11-24T12:01:01.000Z"
    assert_same_rows(destination(first, second, name="Opportunity"), GroundTruth(org).records("Opportunity"))


@both_concurrencies
@pytest.mark.parametrize("hours", [-9, 9])
def test_the_orgs_clock_counts_even_where_it_is_wrong(hours: int, jobs: int) -> None:
    """Rows are stamped by the org's clock, so its clock alone says what may still come."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1, clock_offset=hours * HOUR)) as org:
        connection = Connection(org, ["Opportunity"], max_concurrent_jobs=jobs)
        before = org.control.now()
        first = connection.sync()
        after = org.control.now()
        cursor = connection.state_of("Opportunity")["SystemModstamp"]
        assert before[:19] <= cursor[:19] <= after[:19]
        inserted = org.control.insert("Opportunity", [{"Name": "New"}])
        org.control.advance_clock(MINUTE)

        second = connection.sync()

        assert ids(second, "Opportunity") == inserted
        assert_same_rows(destination(first, second, name="Opportunity"), GroundTruth(org).records("Opportunity"))


@both_concurrencies
def test_an_orgs_clock_that_was_set_back_loses_nothing(org: SimulatedOrg, jobs: int) -> None:
    """The cursor then lies ahead: nothing is read and nothing forgotten until the clock has caught up."""
    connection = Connection(org, ["Opportunity"], max_concurrent_jobs=jobs)
    connection.sync()
    org.control.advance_clock(-5 * MINUTE)
    inserted = org.control.insert("Opportunity", [{"Name": "During"}])

    behind = connection.sync()
    org.control.advance_clock(HOUR)
    caught_up = connection.sync()

    assert not behind.rows
    assert ids(caught_up, "Opportunity") == inserted


@both_concurrencies
def test_a_cursor_in_the_future_reads_nothing_and_stays(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)
    future = {"SystemModstamp": "2031-01-01T00:00:00.000Z"}
    connection.state = [state_of("Account", future)]
    jobs_before = len(org.control.jobs())

    output = connection.sync()

    assert not output.rows
    assert output.statuses["Account"] == ["STARTED", "COMPLETE"]
    assert output.states["Account"]
    assert all(state == future for state in output.states["Account"])
    assert len(output.warnings) == 1
    assert "Account: the saved cursor is later than" in output.warnings[0]
    assert "2026-11-24T12:00:00.000Z" in output.warnings[0]
    assert len(org.control.jobs()) == jobs_before


# -- cursors that can be null ------------------------------------------------------------------------------------------


@both_concurrencies
def test_rows_without_a_cursor_value_are_read_with_all_history(org: SimulatedOrg, jobs: int) -> None:
    """And a row that gets its first cursor value later is an ordinary change."""
    connection = Connection(org, ["NullCursor__c"], max_concurrent_jobs=jobs)
    without = [row["Id"] for row in GroundTruth(org).records("NullCursor__c") if "LastModifiedDate" not in row]
    assert without

    first = connection.sync()
    org.control.advance_clock(HOUR)
    org.control.update("NullCursor__c", {}, ids=without[:2])
    org.control.advance_clock(1)
    second = connection.sync()

    assert set(without) <= set(ids(first, "NullCursor__c"))
    assert ids(second, "NullCursor__c") == sorted(without[:2])
    assert_same_rows(destination(first, second, name="NullCursor__c"), GroundTruth(org).records("NullCursor__c"))


# -- a cursor of the user's, and start_date ----------------------------------------------------------------------------


@both_concurrencies
def test_an_overriding_cursor_and_where_hold_in_every_run(org: SimulatedOrg, jobs: int) -> None:
    override = {"object": "Opportunity", "cursor_field": "LastModifiedDate", "where": "StageName = 'Closed Won'"}
    connection = Connection(org, ["Opportunity"], object_overrides=[override], max_concurrent_jobs=jobs)
    at_first = GroundTruth(org).records("Opportunity", where="StageName = 'Closed Won'")
    first = connection.sync()
    org.control.advance_clock(HOUR)
    won = org.control.insert("Opportunity", [{"Name": "Won", "StageName": "Closed Won"}])
    org.control.insert("Opportunity", [{"Name": "Lost", "StageName": "Closed Lost"}])
    touched = some_ids(org, "Opportunity", 1, where="StageName = 'Closed Won'")
    org.control.update("Opportunity", {"StageName": "Closed Won"}, ids=touched, touch="system")
    org.control.advance_clock(1)

    second = connection.sync()

    assert_same_rows(first.rows["Opportunity"], at_first)
    assert ids(second, "Opportunity") == won


@both_concurrencies
def test_rows_older_than_start_date_stay_away_until_they_change(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Lead"], start_date="2026-03-01", max_concurrent_jobs=jobs)
    old = some_ids(org, "Lead", 2, where="SystemModstamp < 2026-03-01T00:00:00Z")
    first = connection.sync()
    org.control.advance_clock(HOUR)
    org.control.update("Lead", {}, ids=old)
    org.control.advance_clock(1)

    second = connection.sync()

    assert not set(old) & set(ids(first, "Lead"))
    assert ids(second, "Lead") == sorted(old)


@both_concurrencies
@pytest.mark.parametrize(
    "changed",
    [
        {"include_deleted": False},
        {"start_date": "2026-01-01"},
        {"object_overrides": [{"object": "Lead", "where": "Id != null"}]},
    ],
)
def test_a_stream_starts_over_where_its_scope_changed(org: SimulatedOrg, changed: dict[str, Any], jobs: int) -> None:
    """A state of another scope says nothing about the rows that this one still needs."""
    connection = Connection(org, ["Lead"], max_concurrent_jobs=jobs)
    connection.sync()
    org.control.advance_clock(HOUR)

    second = connection.sync(**changed)

    operation = "query" if "include_deleted" in changed else "queryAll"
    where = "SystemModstamp >= 2026-01-01T00:00:00Z" if "start_date" in changed else None
    assert_same_rows(second.rows["Lead"], GroundTruth(org).records("Lead", operation=operation, where=where))
    assert any("starts from the beginning" in text for text in second.warnings)


# Servers whose clocks are wrong


@pytest.mark.parametrize("on", ["describe", "limits", "createJob", "jobInfo", "results"])
def test_one_answer_an_hour_ahead_costs_no_row(org: SimulatedOrg, on: str) -> None:
    connection = Connection(org, ["Contact"], lookback_window="PT0S")
    org.control.fault("date_skew", on=on, seconds=HOUR, times=None)
    connection.sync()
    org.control.clear_faults()
    org.control.advance_clock(MINUTE)
    org.control.insert("Contact", [{"LastName": "Late"}])
    org.control.advance_clock(2 * HOUR)

    output = connection.sync()

    assert "Late" in [row["LastName"] for row in output.rows["Contact"]]


def test_servers_two_hours_apart_end_the_run_and_save_no_cursor(org: SimulatedOrg) -> None:
    connection = Connection(org, ["Contact"])
    org.control.fault("date_skew", on="describe", seconds=2 * HOUR, times=None)

    output = connection.attempt()

    assert output.failed
    assert "disagree about the time" in output.errors[0]["message"]
    assert "SystemModstamp" not in str(connection.state)
