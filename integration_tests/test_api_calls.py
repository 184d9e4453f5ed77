"""The cost of each command in API calls equals docs/api-calls.md: every request to the org is counted by kind."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.connector import Connector, Output, configure
from integration_tests.exporter import SCRIPT
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

OBJECTS = [f"Extra{number:04d}__c" for number in range(1, 7)]
N = len(OBJECTS)
HOUR = 3600.0

jobs_at_once = pytest.mark.parametrize("jobs", [1, 4])


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    """Every job is complete at its first poll, and every object fits into one page."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1, extra_objects=N, frozen_at="2026-11-24T08:00:00Z")) as made:
        yield made


def spent(org: SimulatedOrg) -> dict[str, int]:
    """The requests since the last question, by kind."""
    counts = {kind: count for kind, count in org.control.requests().items() if count}
    org.control.reset_requests()
    return counts


def connector(org: SimulatedOrg, jobs: int = 4) -> Connector:
    made = Connector(org, objects=["Extra*"], max_concurrent_jobs=jobs)
    org.control.reset_requests()
    return made


def read(org: SimulatedOrg, jobs: int, mode: str, state: Output | None = None) -> tuple[Output, dict[str, int]]:
    running = connector(org, jobs)
    catalog = configure(running.streams(), OBJECTS, mode)
    org.control.reset_requests()
    output = running.read(catalog, state.final_states() if state else None)
    assert not output.failed, output.errors
    return output, spent(org)


def test_check_costs_six_calls(org: SimulatedOrg) -> None:
    assert not connector(org).check().failed
    assert spent(org) == {"token": 1, "versions": 1, "limits": 1, "createJob": 1, "abort": 1, "delete": 1}


def test_check_costs_a_list_of_objects_where_any_is_named(org: SimulatedOrg) -> None:
    running = Connector(org, objects=["Account", "Oportunity"])
    org.control.reset_requests()
    output = running.check()
    assert sum(spent(org).values()) == 7
    assert [line for line in output.logs if "did you mean Opportunity?" in line]


def test_discover_costs_a_list_and_a_describe_for_each_object(org: SimulatedOrg) -> None:
    assert not connector(org).discover().failed
    assert spent(org) == {"token": 1, "sobjects": 1, "describe": N}


@jobs_at_once
@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_a_first_read_costs_a_job_and_its_page_for_each_object(org: SimulatedOrg, jobs: int, mode: str) -> None:
    _, calls = read(org, jobs, mode)
    each = dict.fromkeys(["describe", "createJob", "jobInfo", "results", "delete"], N)
    assert calls == {"token": 1, "limits": 1, "recordCount": 1, **each}


@jobs_at_once
def test_an_incremental_read_with_nothing_new_costs_two_calls_for_each_object(org: SimulatedOrg, jobs: int) -> None:
    first, _ = read(org, jobs, "incremental")
    org.control.advance_clock(HOUR)

    second, calls = read(org, jobs, "incremental", first)

    assert calls == {"token": 1, "limits": 1, "describe": N, "queryAll": N}
    assert not second.rows
    assert {name: second.statuses[name] for name in OBJECTS} == {name: ["STARTED", "COMPLETE"] for name in OBJECTS}
    for name in OBJECTS:
        assert second.states[name][-1]["SystemModstamp"] > first.states[name][-1]["SystemModstamp"]


@jobs_at_once
def test_an_object_in_which_little_changed_costs_no_job(org: SimulatedOrg, jobs: int) -> None:
    first, _ = read(org, jobs, "incremental")
    org.control.advance_clock(HOUR)
    (new,) = org.control.insert(OBJECTS[3], [{}])
    org.control.advance_clock(HOUR)

    second, calls = read(org, jobs, "incremental", first)

    assert [row["Id"] for row in second.rows[OBJECTS[3]]] == [new]
    assert calls == {"token": 1, "limits": 1, "describe": N, "queryAll": N}


@jobs_at_once
def test_a_probe_that_is_refused_costs_no_row(org: SimulatedOrg, jobs: int) -> None:
    first, _ = read(org, jobs, "incremental")
    org.control.advance_clock(HOUR)
    (new,) = org.control.insert(OBJECTS[0], [{}])
    org.control.advance_clock(HOUR)
    org.control.fault("api_error", on="queryAll", error="QUERY_TIMEOUT", times=None)
    try:
        second, calls = read(org, jobs, "incremental", first)
    finally:
        org.control.clear_faults()

    assert [row["Id"] for row in second.rows[OBJECTS[0]]] == [new]
    assert (calls["queryAll"], calls["createJob"]) == (N, N)


@jobs_at_once
def test_finding_deletions_costs_a_call_an_object_and_a_query_where_any_is_logged(org: SimulatedOrg, jobs: int) -> None:
    running = Connector(org, objects=["Extra*"], max_concurrent_jobs=jobs, detect_deletes="all")
    catalog = configure(running.streams(), OBJECTS, "incremental")
    org.control.reset_requests()
    first = running.read(catalog)
    assert not first.failed
    assert spent(org)["createJob"] == 2 * N
    gone = str(org.control.rows(OBJECTS[0], fields=["Id"])[0]["Id"])
    org.control.hard_delete(OBJECTS[0], ids=[gone])
    org.control.advance_clock(HOUR)

    assert [row["Id"] for row in running.read(catalog, first.final_states()).rows[OBJECTS[0]]] == [gone]

    assert spent(org) == {"token": 1, "limits": 1, "describe": N, "queryAll": N + 1, "getDeleted": N}


@jobs_at_once
def test_a_run_below_the_reserve_costs_a_login_and_one_call(org: SimulatedOrg, jobs: int) -> None:
    running = connector(org, jobs)
    catalog = configure(running.streams(), OBJECTS)
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=10)
    org.control.reset_requests()
    try:
        assert running.read(catalog).failed
    finally:
        org.control.set_limit("DailyBulkV2QueryJobs")
    assert spent(org) == {"token": 1, "limits": 1}


def salesforce_bulk(org: SimulatedOrg, folder: Path, jobs: int, command: str, *options: str) -> dict[str, int]:
    config = {"credentials": org.credentials(), "login_url": org.url, "objects": ["Extra*"]}
    (folder / "config.json").write_text(json.dumps({**config, "max_concurrent_jobs": jobs}), encoding="utf-8")
    org.control.reset_requests()
    done = subprocess.run(
        [SCRIPT, command, "--config", folder / "config.json", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return spent(org)


@jobs_at_once
def test_an_export_and_its_plan_cost_what_the_docs_say(org: SimulatedOrg, jobs: int, tmp_path: Path) -> None:
    state = ("--state", (tmp_path / "state").as_uri())
    places = ("--destination", (tmp_path / "out").as_uri(), "--schemas", (tmp_path / "schemas").as_uri(), *state)
    once = {"token": 1, "limits": 1, "sobjects": 1, "recordCount": 1}

    assert salesforce_bulk(org, tmp_path, jobs, "plan") == {**once, "describe": N}
    tried = dict.fromkeys(["createJob", "abort", "delete"], N)
    assert salesforce_bulk(org, tmp_path, jobs, "plan", "--confirm") == {**once, "describe": N, **tried}

    each = dict.fromkeys(["describe", "createJob", "jobInfo", "results", "delete"], N)
    assert salesforce_bulk(org, tmp_path, jobs, "export", *places) == {**once, **each}

    org.control.advance_clock(HOUR)
    nothing_new = {**once, "describe": N, "queryAll": N}
    assert salesforce_bulk(org, tmp_path, jobs, "plan", *state) == nothing_new
    assert salesforce_bulk(org, tmp_path, jobs, "export", *places) == nothing_new


def test_the_limits_are_read_again_after_fifty_jobs() -> None:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, extra_objects=51)) as large:
        running = Connector(large, objects=["Extra*"], max_concurrent_jobs=25)
        streams = running.streams()
        large.control.reset_requests()
        assert not running.read(configure(streams, list(streams))).failed
        assert spent(large)["limits"] == 2
