"""Everything in the org is emitted, value for value, by the console script and by a stock CDK entrypoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.connector import Connector, Output, configure
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

pytestmark = pytest.mark.parametrize("jobs", [1, 4])


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def assert_complete(output: Output, names: list[str]) -> None:
    assert not output.failed, output.errors
    rows = output.rows
    assert {name: output.statuses[name] for name in names} == {
        name: ["STARTED", "RUNNING", "COMPLETE"] if rows[name] else ["STARTED", "COMPLETE"] for name in names
    }


def records_of(output: Output, name: str) -> list[str]:
    """The stream's records with everything that is said of them, keys in their order, but for the time."""
    records = [message["record"] for message in output.messages if message["type"] == "RECORD"]
    return [str({**record, "emitted_at": 0}) for record in records if record["stream"] == name]


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_every_readable_object_equals_its_ground_truth(org: SimulatedOrg, mode: str, jobs: int) -> None:
    """By the console script, with pages small enough that most objects have several."""
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=500)
    streams = connector.streams()
    refused = {one["name"] for one in org.control.objects() if one["refused_by_bulk"] or one["filter_required"]}
    names = [name for name in streams if name not in refused and not name.startswith("Wide")]

    output = connector.read_by_script(configure(streams, names, mode))

    assert output.exit_code == 0
    assert_complete(output, names)
    truth = GroundTruth(org)
    for name in names:
        assert_same_rows(output.rows[name], truth.records(name))


def test_an_object_with_five_hundred_fields_comes_whole(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=["Wide__c"])

    output = connector.read(configure(streams, ["Wide__c"]))

    assert_complete(output, ["Wide__c"])
    assert len(streams["Wide__c"]["json_schema"]["properties"]) > 500
    assert_same_rows(output.rows["Wide__c"], GroundTruth(org).records("Wide__c"))


def test_the_stock_entrypoint_says_what_the_console_script_says(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=300)
    streams = connector.streams(objects=["Account", "Awkward__c", "LoginHistory"])
    catalog = configure(streams, list(streams))

    stock, script = connector.read(catalog), connector.read_by_script(catalog)

    for name in streams:
        assert stock.rows[name] == script.rows[name]
        assert records_of(stock, name) == records_of(script, name)
        assert [sorted(state) for state in stock.states[name]] == [sorted(state) for state in script.states[name]]
    assert stock.statuses == script.statuses


def test_only_selected_fields_are_asked_for_and_emitted(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=["Opportunity"])
    catalog = configure(streams, ["Opportunity"], fields={"Opportunity": ["Amount", "IsDeleted"]})

    output = connector.read(catalog)

    wanted = ["Id", "Amount", "SystemModstamp", "IsDeleted"]
    assert_same_rows(output.rows["Opportunity"], GroundTruth(org).records("Opportunity", fields=wanted))
    soql = org.control.jobs("Opportunity")[-1]["query"]
    selected = soql.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
    assert sorted(selected) == sorted(wanted)


def test_a_deleted_row_never_comes_as_a_live_one(org: SimulatedOrg, jobs: int) -> None:
    """If IsDeleted is not selected, deleted rows are left out, and one log line says so."""
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=["Account"])

    output = connector.read(configure(streams, ["Account"], fields={"Account": ["Name"]}))

    deleted = {row["Id"] for row in GroundTruth(org).records("Account") if row["IsDeleted"]}
    assert deleted
    assert not deleted & {row["Id"] for row in output.rows["Account"]}
    assert sum("IsDeleted is not selected" in line for line in output.logs) == 1


def test_query_leaves_deleted_rows_out(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, include_deleted=False)
    streams = connector.streams(objects=["Account"])

    output = connector.read(configure(streams, ["Account"]))

    assert_same_rows(output.rows["Account"], GroundTruth(org).records("Account", operation="query"))


def test_rows_before_start_date_are_not_read_in_either_mode(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, start_date="2026-01-01")
    streams = connector.streams(objects=["Contact"])
    newer = GroundTruth(org).records("Contact", where="SystemModstamp >= 2026-01-01T00:00:00Z")
    assert 0 < len(newer) < len(GroundTruth(org).records("Contact"))

    for mode in ("full_refresh", "incremental"):
        output = connector.read(configure(streams, ["Contact"], mode))
        assert_same_rows(output.rows["Contact"], newer)


def test_a_where_of_the_user_is_applied(org: SimulatedOrg, jobs: int) -> None:
    where = "StageName = 'Closed Won' OR Amount > 1000000"
    connector = Connector(org, max_concurrent_jobs=jobs, object_overrides=[{"object": "opportunity", "where": where}])
    streams = connector.streams(objects=["Opportunity"])

    output = connector.read(configure(streams, ["Opportunity"]))

    expected = GroundTruth(org).records("Opportunity", where=where)
    assert expected
    assert_same_rows(output.rows["Opportunity"], expected)


def test_a_run_leaves_no_job_behind(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=["Account", "Contact"])
    before = len(org.control.jobs())

    connector.read(configure(streams, list(streams)))

    made = org.control.jobs()[before:]
    assert len(made) == 2
    assert all(job["deleted"] for job in made)


def test_state_follows_the_rows_it_covers(org: SimulatedOrg, jobs: int) -> None:
    """At every STATE the rows emitted so far are exactly those that its resume entry counts."""
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=200)
    streams = connector.streams(objects=["Contact"])

    output = connector.read_by_script(configure(streams, ["Contact"]))

    rows, since = 0, 0
    for message in output.messages:
        if message["type"] == "RECORD":
            rows, since = rows + 1, since + 1
        elif message["type"] == "STATE":
            resume = message["state"]["stream"]["stream_state"].get("resume")
            if resume:
                assert resume[0]["rows"] == rows
            assert message["state"]["sourceStats"]["recordCount"] == since
            since = 0
    assert since == 0
    assert len(output.states["Contact"]) > 3
    assert "resume" not in output.states["Contact"][-1]


def test_a_read_warns_of_what_has_changed_since_it_was_configured(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=["Opportunity"])
    catalog = configure(streams, ["Opportunity"])
    properties = catalog["streams"][0]["stream"]["json_schema"]["properties"]
    properties["Amount"] = {"type": ["null", "string"]}
    del properties["StageName"]

    output = connector.read(catalog)

    assert not output.failed
    assert sum("Amount retyped (string -> number)" in line for line in output.logs) == 1
    assert sum("does not select: StageName" in line for line in output.logs) == 1
