"""The waiting of all streams overlaps, fairly, within the slots and within what the org has left for the day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.connector import Connector, Output, configure
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
    assert all("daily_limit_reserve_percent" in error["message"] for error in output.errors)
    assert {error["failure_type"] for error in output.errors} == {"transient_error"}
    again = connector.read(configure(streams, OBJECTS), output.final_states(), daily_limit_reserve_percent=0)
    assert not again.failed
