"""SIGTERM, SIGINT and a closed stdout: the last output of the console script, and the jobs left in the org."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration_tests.connector import Connector, Output, configure, parse
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.org_client import strike
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

ENOUGH = 90
"""Seconds after which a test gives a process up. It promises to be gone after 25, where it has a machine of its own."""
UNFINISHED = ("UploadComplete", "InProgress")

Process = subprocess.Popen[bytes]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(rows=0.2, polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
    with SimulatedOrg(settings) as simulated:
        yield simulated


def ended(process: Process, read: bytes = b"") -> Output:
    """Everything a process said in whole lines until it ended. What it was cut in is the end."""
    stdout, stderr = process.communicate(timeout=ENOUGH)
    assert stderr == b""
    *lines, _ = (read + stdout).split(b"\n")
    return Output(parse(line.decode() for line in lines), process.returncode != 0, process.returncode)


def lines_until(process: Process, wanted: bytes) -> bytes:
    """Return the output of a process up to ``wanted``."""
    assert process.stdout is not None
    said = b""
    while piece := os.read(process.stdout.fileno(), 1 << 12):
        said += piece
        if wanted in said:
            return said
    raise AssertionError(f"the process ended without {wanted!r}: {said[-2000:]!r}")


def jobs_in(states: list[dict[str, Any]]) -> list[str]:
    return [entry["job"] for state in states for entry in state["stream"]["stream_state"].get("resume", ())]


def signal_at(
    org: SimulatedOrg, event: str, start: Callable[[], Process], number: int = signal.SIGTERM, nth: int = 1
) -> Process:
    """Start a process and let it have a signal at an event of the org."""
    started: list[Process] = []
    org.control.when_do(event, lambda: started[0].send_signal(number), nth=nth)
    started.append(start())
    return started[0]


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_waits_for_jobs_writes_its_state_and_leaves_them_to_the_next(
    org: SimulatedOrg, jobs: int, number: int, code: int
) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    names = ["Contact", "Task"]
    catalog = configure(connector.streams(objects=names), names)
    strike(org, "job_slow", object="Contact", polls=1000)
    strike(org, "job_slow", object="Task", polls=1000)

    process = connector.start_read(catalog)
    said = lines_until(process, b'"resume"')
    process.send_signal(number)
    output = ended(process, said)

    assert output.exit_code == code
    states = output.final_states()
    named = jobs_in(states)
    made = org.control.jobs()
    # Two streams' jobs are created at the same time: the org's order of them is not the states'.
    assert {job["id"] for job in made if not job["deleted"] and job["state"] in UNFINISHED} == set(named)
    assert len(set(named)) == len(named)
    assert all(job["deleted"] for job in made if job["id"] not in named)
    assert set(output.statuses["Contact"]) == {"STARTED", "INCOMPLETE"}
    assert all(error["failure_type"] == "transient_error" for error in output.errors)

    org.control.clear_faults()
    for job in made:
        job_of(org, job["id"]).plan = ()
    again = connector.read(catalog, states)

    assert not again.failed, again.errors
    assert_not_asked_again(org, named)
    for name in names:
        assert_same_rows(again.rows[name], GroundTruth(org).records(name))


def assert_not_asked_again(org: SimulatedOrg, named: list[str]) -> None:
    """Assert that the jobs a state names were continued: no other job has the query of one of them."""
    queries = [job["query"] for job in org.control.jobs()]
    assert all(queries.count(job["query"]) == 1 for job in org.control.jobs() if job["id"] in named)


def job_of(org: SimulatedOrg, job_id: str) -> Any:
    return org.org.jobs[job_id]


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_run_that_emits_a_page_writes_its_state_and_the_rest_comes_later(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=50)
    names = ["Contact", "Opportunity"]
    catalog = configure(connector.streams(objects=names), names)

    process = connector.start_read(catalog)
    said = lines_until(process, b'"type":"RECORD"')
    process.send_signal(signal.SIGTERM)
    output = ended(process, said)

    assert output.exit_code == 143
    states = output.final_states()
    assert jobs_in(states)
    again = connector.read(catalog, states)
    for name in names:
        assert_same_rows(output.rows[name] + again.rows[name], GroundTruth(org).records(name))
    assert_not_asked_again(org, jobs_in(states))


def test_a_job_that_a_stopped_run_hears_of_too_late_is_ended(org: SimulatedOrg) -> None:
    """Its id is in no state, so no run could continue it."""
    connector = Connector(org)
    catalog = configure(connector.streams(objects=["Contact"]), ["Contact"])
    strike(org, "late_answer", on="createJob", seconds=2.0)

    output = ended(signal_at(org, "job_created", lambda: connector.start_read(catalog)))

    assert output.exit_code == 143
    assert not jobs_in(output.final_states())
    assert [job["deleted"] for job in org.control.jobs()] == [True]


def test_a_run_that_is_stopped_before_its_first_state_leaves_the_jobs_of_the_last_one(org: SimulatedOrg) -> None:
    connector = Connector(org)
    catalog = configure(connector.streams(objects=["Contact"]), ["Contact"])
    strike(org, "job_slow", object="Contact", polls=1000)
    process = connector.start_read(catalog)
    said = lines_until(process, b'"resume"')
    process.send_signal(signal.SIGTERM)
    first = ended(process, said)

    second = ended(signal_at(org, "jobInfo", lambda: connector.start_read(catalog, first.final_states())))

    assert second.exit_code == 143
    # The job of the next window may have been created by then, and a state may name it; where none does, it is gone.
    newest = second.final_states() or first.final_states()
    left = {job["id"] for job in org.control.jobs() if not job["deleted"] and not job["aborted"]}
    assert left == set(jobs_in(newest)) >= set(jobs_in(first.final_states()))


@pytest.mark.parametrize("command", ["check", "discover", "read"])
def test_a_command_that_waits_for_the_login_ends(org: SimulatedOrg, command: str) -> None:
    connector = Connector(org)
    catalog = configure(connector.streams(objects=["Contact"]), ["Contact"])
    strike(org, "hang", on="token")

    output = ended(signal_at(org, "token", lambda: connector.start(command, catalog)))

    assert output.exit_code == 143
    assert [message["type"] for message in output.messages if message["type"] != "LOG"] == []


def test_discover_ends_while_objects_are_described(org: SimulatedOrg) -> None:
    connector = Connector(org)
    strike(org, "hang", on="describe", times=None)

    output = ended(signal_at(org, "describe", lambda: connector.start("discover", {}), signal.SIGINT))

    assert output.exit_code == 130


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_run_whose_stdout_is_not_read_ends_and_writes_nothing_after_the_cut(org: SimulatedOrg, jobs: int) -> None:
    """Its first page is larger than a pipe."""
    connector = Connector(org, max_concurrent_jobs=jobs)
    names = ["Contact", "Opportunity"]
    catalog = configure(connector.streams(objects=names), names)
    process = connector.start_read(catalog)
    said = lines_until(process, b'"type":"RECORD"')
    process.send_signal(signal.SIGTERM)

    process.wait(ENOUGH)
    output = ended(process, said)

    assert process.returncode == 143
    assert output.rows
    states = output.final_states()
    named = jobs_in(states)
    assert named
    assert not any(job["deleted"] for job in org.control.jobs() if job["id"] in named)
    again = connector.read(catalog, states)
    for name in names:
        assert {row["Id"] for row in output.rows[name] + again.rows[name]} == {
            row["Id"] for row in GroundTruth(org).records(name)
        }


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_reader_that_goes_away_ends_the_run_without_a_word(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=50)
    names = ["Contact", "Opportunity"]
    catalog = configure(connector.streams(objects=names), names)
    process = connector.start_read(catalog)
    said = lines_until(process, b'"type":"STATE"')
    assert process.stdout is not None
    process.stdout.close()

    process.wait(ENOUGH)

    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.returncode == 141
    states = Output(parse(line.decode() for line in said.split(b"\n")[:-1])).final_states()
    named = jobs_in(states)
    assert not any(job["deleted"] for job in org.control.jobs() if job["id"] in named)
    assert not connector.read(catalog, states).failed
