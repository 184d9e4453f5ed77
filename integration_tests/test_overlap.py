"""The waiting of all streams overlaps, fairly, within the slots and within what the org has left for the day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.connector import Connector, Output, configure
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

OBJECTS = ["Account", "Contact", "Lead", "Opportunity", "Case", "Task"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def before_the_first_complete_job(output: Output) -> list[str]:
    """The streams that were STARTED before any job was complete, in order."""
    started: list[str] = []
    for message in output.messages:
        if message["type"] == "TRACE" and "stream_status" in message["trace"]:
            started.append(message["trace"]["stream_status"]["stream_descriptor"]["name"])
        elif message["type"] == "LOG" and "query job complete" in message["log"]["message"]:
            return started
    raise AssertionError("no job was complete")


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_stream_is_started_when_its_first_job_is_about_to_be_created(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=OBJECTS)

    output = connector.read(configure(streams, OBJECTS))

    assert not output.failed
    started = before_the_first_complete_job(output)
    assert started == OBJECTS[: len(started)]
    assert 1 <= len(started) <= jobs
    assert org.control.peak_unfinished_jobs() <= jobs


@pytest.mark.parametrize("jobs", [1, 4])
def test_no_more_jobs_are_created_than_the_reserve_leaves(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, daily_limit_reserve_percent=10)
    streams = connector.streams(objects=OBJECTS)
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=1003, maximum=10000)

    output = connector.read(configure(streams, OBJECTS))

    assert output.failed
    assert [output.statuses[name][-1] for name in OBJECTS] == ["COMPLETE"] * 3 + ["INCOMPLETE"] * 3
    assert org.control.requests()["createJob"] == 3
    assert org.control.limits()["DailyBulkV2QueryJobs"]["Remaining"] == 1000
    assert all("daily_limit_reserve_percent" in cause for cause in output.causes)
    assert {error["failure_type"] for error in output.errors} == {"transient_error"}
    again = connector.read(configure(streams, OBJECTS), output.final_states(), daily_limit_reserve_percent=0)
    assert not again.failed


@pytest.mark.parametrize("jobs", [2, 4])
def test_a_job_that_hangs_for_its_whole_time_delays_only_its_own_stream(org: SimulatedOrg, jobs: int) -> None:
    """The first stream's job is stuck until the pages of all others were served, and is aborted then."""
    connector = Connector(org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=OBJECTS)
    org.control.fault("job_stuck", object="Account")
    org.control.when_do(
        "page_served", lambda: org.control.abort_job(org.control.jobs("Account")[-1]["id"]), nth=len(OBJECTS) - 1
    )

    output = connector.read(configure(streams, OBJECTS))

    assert not output.failed, output.errors
    told = [
        (trace["stream_status"]["stream_descriptor"]["name"], trace["stream_status"]["status"])
        for trace in output.of_type("TRACE")
        if "stream_status" in trace
    ]
    assert told[0] == ("Account", "STARTED")
    assert told[-2:] == [("Account", "RUNNING"), ("Account", "COMPLETE")]
    assert_same_rows(output.rows["Account"], GroundTruth(org).records("Account"))


@pytest.mark.parametrize(("mode", "name"), [("full_refresh", "Contact"), ("incremental", "NullCursor__c")])
@pytest.mark.parametrize("jobs", [1, 4])
def test_a_large_object_is_read_in_pieces_and_comes_whole(org: SimulatedOrg, jobs: int, mode: str, name: str) -> None:
    """The org's estimate is far too large, so that an object of some hundred rows is cut."""
    truth = GroundTruth(org).records(name)
    org.control.configure(record_count_bias=14_000_000 / len(truth))
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=200)
    streams = connector.streams(objects=[name])

    output = connector.read(configure(streams, [name], mode))

    assert not output.failed, output.errors
    assert_same_rows(output.rows[name], truth)
    assert len(org.control.jobs(name)) == {"full_refresh": 6, "incremental": 3}[mode]
    estimates = [trace["estimate"]["row_estimate"] for trace in output.of_type("TRACE") if "estimate" in trace]
    assert estimates[0] > 13_000_000
    assert estimates[-1] == len(truth)
    assert org.control.peak_unfinished_jobs() <= jobs
