"""A run continues where another one stopped, or says why it cannot; no row is ever skipped.

A read is stopped when the org has served its second page. It is continued directly, after a change to its job, with
another configuration, or after its state was edited by hand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from integration_tests.connector import Connector, Output, configure
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

both_concurrencies = pytest.mark.parametrize("jobs", [1, 4])
SETTINGS = OrgSettings(rows=0.1, polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
PAGE_SIZE = 40
FIFTH = 5
"""Four pages are fetched ahead: when the fifth is served, one has been emitted."""
NAME = "Contact"
OTHER_JOB = "750000000000000AAA"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


class Stopped:
    """A read of one object that was stopped behind some of its pages: what it said, and its job."""

    def __init__(self, org: SimulatedOrg, mode: str = "incremental", name: str = NAME, **config: Any) -> None:
        self.org = org
        self.name = name
        self.mode = mode
        self.connector = Connector(org, page_size=PAGE_SIZE, **config)
        self.streams = self.connector.streams(objects=[name])
        self.catalog = configure(self.streams, [name], mode)
        self.output = self.connector.read_until("page_served", FIFTH, self.catalog)
        self.state = self.output.final_states()
        assert 0 < len(self.output.rows[name]) < len(GroundTruth(org).records(name))
        assert self.entry["rows"] == len(self.output.rows[name])

    @property
    def blob(self) -> dict[str, Any]:
        """The stream's state."""
        return self.state[0]["stream"]["stream_state"]

    @property
    def entry(self) -> dict[str, Any]:
        """The job in it."""
        (entry,) = self.blob["resume"]
        return entry

    @property
    def job(self) -> Any:
        """The job in the org."""
        return self.org.org.jobs[self.entry["job"]]

    def go_on(self, catalog: Mapping[str, Any] | None = None, **config: Any) -> Output:
        """The next run, which is complete."""
        output = self.connector.read(catalog or self.catalog, self.state, **config)
        assert not output.failed, output.errors
        assert output.statuses[self.name][-1] == "COMPLETE"
        return output

    def created_since(self) -> list[str]:
        """The queries of jobs that came after the stopped one."""
        jobs = [job for job in self.org.control.jobs(self.name) if job["id"] != self.entry["job"]]
        return [job["query"] for job in jobs]

    def assert_nothing_is_skipped(self, after: Output, fields: list[str] | None = None) -> None:
        """Whatever was read twice: each row that should be there is, as it should be."""
        rows = {row["Id"]: row for row in (*self.output.rows[self.name], *after.rows[self.name])}
        expected = GroundTruth(self.org).records(self.name, fields=fields)
        assert_same_rows([rows[row["Id"]] for row in expected if row["Id"] in rows], expected)

    def assert_all_comes_again(self, after: Output) -> None:
        """The window was read from its start."""
        assert_same_rows(after.rows[self.name], GroundTruth(self.org).records(self.name))

    def assert_ended(self) -> None:
        """The stopped run's job was removed."""
        assert self.job.deleted


def says(output: Output, *parts: str) -> bool:
    """Return whether one line of the log has all these parts."""
    return any(all(part in line for part in parts) for line in output.logs)


# -- as it is ----------------------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
@pytest.mark.parametrize("cursor", [True, False])
def test_a_stopped_read_goes_on_behind_its_last_page(org: SimulatedOrg, mode: str, cursor: bool, jobs: int) -> None:
    if not cursor:
        for field in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
            org.control.hide_field(NAME, field)
    stopped = Stopped(org, mode, max_concurrent_jobs=jobs)

    after = stopped.go_on()

    assert_same_rows([*stopped.output.rows[NAME], *after.rows[NAME]], GroundTruth(org).records(NAME))
    assert says(after, "continuing an earlier run's job", stopped.entry["job"])
    stopped.assert_ended()
    assert all("SystemModstamp >= 2026-11-24T07:50:00" in query for query in stopped.created_since())


@both_concurrencies
def test_a_full_refresh_that_is_complete_emits_nothing_and_its_state_again(org: SimulatedOrg, jobs: int) -> None:
    stopped = Stopped(org, "full_refresh", max_concurrent_jobs=jobs)
    marker = stopped.go_on().final_states()

    again = stopped.connector.read(stopped.catalog, marker)

    assert not again.rows
    assert again.final_states() == marker
    assert marker[0]["stream"]["stream_state"] == {"__ab_full_refresh_sync_complete": True}


@both_concurrencies
def test_closed_windows_are_not_read_again_and_the_next_one_looks_back(org: SimulatedOrg, jobs: int) -> None:
    """A run that has closed its window is stopped in the next; the third is told another selection."""
    connector = Connector(org, page_size=PAGE_SIZE, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=[NAME])
    first = connector.read(configure(streams, [NAME]))
    org.control.advance_clock(3600)
    changed = [str(row["Id"]) for row in org.control.rows(NAME, "query", fields=["Id"])[:100]]
    org.control.update(NAME, {"Title": "New"}, ids=changed)
    org.control.advance_clock(3600)
    second = connector.read_until("page_served", 3, configure(streams, [NAME]), first.final_states())

    third = connector.read(configure(streams, [NAME], fields={NAME: ["Title"]}), second.final_states())

    assert not third.failed
    assert {row["Id"] for row in third.rows[NAME]} == set(changed)
    assert all(
        "SystemModstamp >= 2026-11-24T07:50:00" in job["query"] or "09:50:00" in job["query"]
        for job in org.control.jobs(NAME)[2:]
    )


# -- the job is not what it was ----------------------------------------------------------------------------------------


def _delete(org: SimulatedOrg, job: str) -> None:
    org.control.delete_job(job)


def _expire(org: SimulatedOrg, job: str) -> None:
    org.control.expire_job(job)


def _fail(org: SimulatedOrg, job: str) -> None:
    org.org.jobs[job].state = "Failed"


def _abort(org: SimulatedOrg, job: str) -> None:
    org.org.jobs[job].state = "Aborted"


def _forget_locators(org: SimulatedOrg, job: str) -> None:
    org.org.jobs[job].locators.clear()


LOST: list[tuple[Callable[[SimulatedOrg, str], None], str]] = [
    (_delete, "The query job no longer exists"),
    (_expire, "The query job no longer exists"),
    (_fail, "Salesforce reports the query job as failed"),
    (_abort, "The query job was aborted"),
    (_forget_locators, "Salesforce does not accept the page's locator"),
]


@both_concurrencies
@pytest.mark.parametrize(("lose", "reason"), LOST, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_a_job_that_is_lost_meanwhile_is_asked_for_again_and_the_log_says_why(
    org: SimulatedOrg, mode: str, lose: Callable[[SimulatedOrg, str], None], reason: str, jobs: int
) -> None:
    stopped = Stopped(org, mode, max_concurrent_jobs=jobs)
    lose(org, stopped.entry["job"])

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    assert says(after, reason, stopped.entry["job"])
    repeated = len(stopped.output.rows[NAME])
    assert says(after, f"read again from its start; {repeated} rows already emitted are repeated")
    assert [job for job in org.control.jobs(NAME) if not job["deleted"] and not job["expired"]] == []


@both_concurrencies
@pytest.mark.parametrize("whose", ["another user's", "another object's", "nobody's"])
def test_somebody_elses_job_in_a_state_is_never_touched(org: SimulatedOrg, whose: str, jobs: int) -> None:
    stopped = Stopped(org, max_concurrent_jobs=jobs)
    theirs = org.control.add_foreign_job(NAME if whose == "another user's" else "Account")
    if whose == "another object's":
        org.org.jobs[theirs].created_by = org.org.user_id
    org.control.reset_requests()
    stopped.entry["job"] = theirs if whose != "nobody's" else OTHER_JOB

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    kinds = {call["kind"] for call in org.control.request_log() if call.get("job") == stopped.entry["job"]}
    assert kinds <= {"jobInfo"}
    assert not any(job["deleted"] or job["aborted"] for job in org.control.jobs() if job["id"] == theirs)
    assert says(after, "not this stream's") or whose == "nobody's"


@both_concurrencies
def test_a_job_of_another_version_than_its_entry_says_is_not_read(org: SimulatedOrg, jobs: int) -> None:
    """Salesforce answers 409 if results are requested with another version than the job's."""
    stopped = Stopped(org, max_concurrent_jobs=jobs)
    stopped.entry["api_version"] = "v61.0"

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    assert says(after, "created with another version of the API", stopped.entry["job"])
    assert [job for job in org.control.jobs(NAME) if not job["deleted"]] == []


# -- another configuration ---------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
@pytest.mark.parametrize("change", ["added", "removed", "narrowed"])
def test_another_selection_reads_the_window_again(org: SimulatedOrg, change: str, mode: str, jobs: int) -> None:
    stopped = Stopped(org, mode, max_concurrent_jobs=jobs)
    fields = None
    if change == "added":
        org.control.add_field(NAME, "New__c string(20)")
    elif change == "removed":
        org.control.remove_field(NAME, "Title")
    else:
        fields = ["Id", "LastName", "SystemModstamp", "IsDeleted"]
    streams = stopped.connector.streams(objects=[NAME])

    after = stopped.go_on(configure(streams, [NAME], mode, {NAME: fields} if fields else None))

    assert_same_rows(after.rows[NAME], GroundTruth(org).records(NAME, fields=fields))
    assert says(after, "its query changed", stopped.entry["job"])
    stopped.assert_ended()


SCOPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"object_overrides": [{"object": NAME, "where": "LastName != 'Nobody'"}]}, {"where": "LastName != 'Nobody'"}),
    ({"include_deleted": False}, {"operation": "query"}),
    ({"start_date": "2024-01-01"}, {"where": "SystemModstamp >= 2024-01-01T00:00:00Z"}),
    ({"object_overrides": [{"object": NAME, "cursor_field": "LastModifiedDate"}]}, {}),
]


@both_concurrencies
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
@pytest.mark.parametrize(("config", "rows"), SCOPES, ids=["where", "include_deleted", "start_date", "cursor"])
def test_another_scope_starts_over_with_a_warning(
    org: SimulatedOrg, config: dict[str, Any], rows: dict[str, Any], mode: str, jobs: int
) -> None:
    stopped = Stopped(org, mode, max_concurrent_jobs=jobs)

    after = stopped.go_on(**config)

    assert_same_rows(after.rows[NAME], GroundTruth(org).records(NAME, **rows))
    assert says(after, "starts from the beginning")
    stopped.assert_ended()


@both_concurrencies
def test_another_org_behind_the_same_configuration_starts_over(org: SimulatedOrg, jobs: int) -> None:
    """A sandbox that was refreshed has another organization id; its rows are others."""
    stopped = Stopped(org, max_concurrent_jobs=jobs)
    with SimulatedOrg(SETTINGS) as other:
        other.org.tokens._org_id = "00D000000000001EAA"
        after = Connector(other, page_size=PAGE_SIZE).read(stopped.catalog, stopped.state)

        assert not after.failed, after.errors
        assert_same_rows(after.rows[NAME], GroundTruth(other).records(NAME))
    assert says(after, "another organization", "starts from the beginning")


@both_concurrencies
@pytest.mark.parametrize("config", [{"page_size": 7}, {"api_version": "v60.0"}, {"lookback_window": "PT1H"}])
def test_what_concerns_no_row_changes_nothing(org: SimulatedOrg, config: dict[str, Any], jobs: int) -> None:
    """The job goes on with the page size and version that it began with."""
    stopped = Stopped(org, max_concurrent_jobs=jobs)

    after = stopped.go_on(**config)

    assert_same_rows([*stopped.output.rows[NAME], *after.rows[NAME]], GroundTruth(org).records(NAME))
    assert all("SystemModstamp >= 2026-11-24T0" in query for query in stopped.created_since())


@both_concurrencies
def test_a_full_refresh_does_not_continue_an_incremental_read_nor_the_other_way_round(
    org: SimulatedOrg, jobs: int
) -> None:
    for mode, other in (("incremental", "full_refresh"), ("full_refresh", "incremental")):
        stopped = Stopped(org, mode, max_concurrent_jobs=jobs)
        after = stopped.go_on(configure(stopped.streams, [NAME], other))
        stopped.assert_all_comes_again(after)
        assert says(after, "full refresh", "ignored" if other == "full_refresh" else "starts from the beginning")


# -- a state that was changed by hand ----------------------------------------------------------------------------------

DAMAGES: list[tuple[str, dict[str, Any]]] = [
    ("negative rows", {"rows": -5}),
    ("negative page", {"page": -1}),
    ("no job", {"job": None}),
    ("a path as version", {"api_version": "v66.0/../.."}),
    ("no instant", {"to": "yesterday"}),
    ("SOQL as Id", {"id_from": "' OR Id != '"}),
]


@pytest.mark.parametrize(("what", "damage"), DAMAGES, ids=[what for what, _ in DAMAGES])
def test_a_malformed_state_is_a_config_error_and_the_other_streams_are_read(
    org: SimulatedOrg, what: str, damage: dict[str, Any]
) -> None:
    stopped = Stopped(org)
    stopped.entry.update(damage)
    streams = stopped.connector.streams(objects=[NAME, "Account"])

    output = stopped.connector.read(configure(streams, [NAME, "Account"]), stopped.state)

    assert output.failed
    assert [error["failure_type"] for error in output.errors] == ["config_error"]
    assert f"The saved state of {NAME} cannot be used" in output.errors[0]["message"]
    assert output.statuses["Account"][-1] == "COMPLETE"
    assert not output.rows[NAME]


def test_a_full_refresh_ignores_a_malformed_state(org: SimulatedOrg) -> None:
    stopped = Stopped(org, "full_refresh")
    stopped.entry["rows"] = -5

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    assert says(after, "is ignored")


def test_a_state_of_another_stream_is_a_config_error(org: SimulatedOrg) -> None:
    connector = Connector(org)
    catalog = configure(connector.streams(objects=["LoginHistory"]), ["LoginHistory"])
    state = {"SystemModstamp": "2026-01-01T00:00:00.000Z"}

    output = connector.read(catalog, [_message("LoginHistory", state)])

    assert [error["failure_type"] for error in output.errors] == ["config_error"]
    assert "LoginTime" in output.errors[0]["message"]


def test_rows_that_a_state_has_not_read_end_in_an_error_and_in_a_new_job(org: SimulatedOrg) -> None:
    stopped = Stopped(org)
    stopped.entry["rows"] += 3

    failed = stopped.connector.read(stopped.catalog, stopped.state)

    assert [error["failure_type"] for error in failed.errors] == ["transient_error"]
    stopped.state = failed.final_states()
    assert "resume" not in stopped.blob
    stopped_again = stopped.connector.read(stopped.catalog, stopped.state)
    stopped.assert_all_comes_again(stopped_again)


def test_a_locator_that_leads_nowhere_costs_a_new_job(org: SimulatedOrg) -> None:
    stopped = Stopped(org)
    stopped.entry["locator"] = "bm93aGVyZQ"

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    assert says(after, "does not accept the page's locator")


@both_concurrencies
def test_unknown_keys_change_nothing(org: SimulatedOrg, jobs: int) -> None:
    stopped = Stopped(org, max_concurrent_jobs=jobs)
    stopped.entry["written_by"] = stopped.blob["written_by"] = "a later version"

    after = stopped.go_on()

    assert_same_rows([*stopped.output.rows[NAME], *after.rows[NAME]], GroundTruth(org).records(NAME))


@both_concurrencies
def test_a_window_that_ends_in_the_future_moves_no_cursor_there(org: SimulatedOrg, jobs: int) -> None:
    stopped = Stopped(org, max_concurrent_jobs=jobs)
    stopped.entry["to"] = "2099-01-01T00:00:00.000Z"

    after = stopped.go_on()

    stopped.assert_all_comes_again(after)
    assert after.states[NAME][-1]["SystemModstamp"] == "2026-11-24T08:00:00.000Z"
    assert says(after, "ends later than the org's clock", stopped.entry["job"])
    stopped.assert_ended()


def test_a_cursor_in_the_future_reads_nothing_and_stays(org: SimulatedOrg) -> None:
    connector = Connector(org)
    catalog = configure(connector.streams(objects=[NAME]), [NAME])
    state = {"SystemModstamp": "2099-01-01T00:00:00.000Z"}

    output = connector.read(catalog, [_message(NAME, state)])

    assert not output.failed
    assert not output.rows
    assert output.states[NAME] == [state]
    assert says(output, "is later than the org's clock")


@pytest.mark.parametrize("text", ['[{"type": "STREAM", "stream": {"stream_de', "[7]", '[{"type": "STREAM"}]', "7"])
def test_a_state_file_that_is_none_is_a_config_error(org: SimulatedOrg, text: str) -> None:
    connector = Connector(org)
    catalog = configure(connector.streams(objects=[NAME]), [NAME])

    output = connector.read_with_state_file(catalog, text)

    assert isinstance(output.ending, AirbyteTracedException)
    assert output.ending.failure_type is FailureType.config_error
    assert "The saved state cannot be read" in str(output.ending.message)


def _message(name: str, blob: Mapping[str, Any]) -> dict[str, Any]:
    stream = {"stream_descriptor": {"name": name}, "stream_state": copy.deepcopy(dict(blob))}
    return {"type": "STREAM", "stream": stream}
