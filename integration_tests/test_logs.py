"""The log of a run: every line of a job can be found in Salesforce, and each stream ends with one summary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from integration_tests.connection import Connection
from integration_tests.connector import Output, state_of
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

both_concurrencies = pytest.mark.parametrize("jobs", [1, 4])

# The end of every line about a job.
JOB_LINE = re.compile(
    r"(?P<what>.*); run id (?P<run_id>\S+), object (?P<object>\w+), jobId (?P<job>\S+), batchId (?P<batch>\S+), "
    r"rows (?P<rows>\d+|-), seconds (?P<seconds>\d+\.\d)"
)
SUMMARY = re.compile(
    r"(?P<object>\w+) (?P<fate>complete|failed): .*run id (?P<run_id>\S+), records processed (?P<records>\d+), "
    r"batches completed (?P<batches>\d+), errors (?P<errors>\d+), retries (?P<retries>\d+), jobs (?P<jobs>\d+), "
    r"polls (?P<polls>\d+), API calls (?P<calls>\d+), bytes (?P<bytes>\d+), waiting (?P<waiting>\d+\.\d) s"
)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=2)) as simulated:
        yield simulated


def job_lines(output: Output) -> list[dict[str, str]]:
    return [found.groupdict() for line in output.logs if (found := JOB_LINE.fullmatch(line))]


def summaries(output: Output) -> dict[str, dict[str, str]]:
    found = [match.groupdict() for line in output.logs if (match := SUMMARY.fullmatch(line))]
    assert len({one["object"] for one in found}) == len(found), "one summary a stream"
    return {one["object"]: one for one in found}


@both_concurrencies
def test_every_line_of_a_job_carries_what_finds_it_again(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account", "Contact"], max_concurrent_jobs=jobs, page_size=1000)

    output = connection.sync()

    lines = job_lines(output)
    assert len([line for line in output.logs if "jobId" in line]) == len(lines), "every line with a job has all of it"
    assert len({line["run_id"] for line in lines}) == 1
    made = {job["object"]: job for job in org.control.jobs()}
    for name, pages in (("Account", [300]), ("Contact", [1000, 1000, 500])):
        mine = [line for line in lines if line["object"] == name]
        assert {line["job"] for line in mine} == {made[name]["id"]}
        emitted = [line for line in mine if line["what"] == "page emitted"]
        assert [int(line["rows"]) for line in emitted] == pages
        batches = [line["batch"] for line in emitted]
        assert batches[0] == "first"
        assert len(set(batches)) == len(batches)
        (created,) = [line for line in mine if line["what"].startswith("query job created (")]
        assert created["batch"] == "-"
        (complete,) = [line for line in mine if line["what"] == "query job complete"]
        assert int(complete["rows"]) == sum(pages)
        (window,) = [line for line in mine if line["what"].startswith("window complete")]
        assert int(window["rows"]) == sum(pages)


@both_concurrencies
def test_a_locator_in_the_log_is_the_one_that_fetched_the_page(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Contact"], max_concurrent_jobs=jobs, page_size=1000)
    org.control.reset_requests()

    output = connection.sync()

    asked = [one["query"].get("locator") for one in org.control.request_log() if one["kind"] == "results"]
    logged = [line["batch"] for line in job_lines(output) if line["what"] == "page emitted"]
    assert sorted(logged[1:]) == sorted(locator for locator in asked if locator)


@both_concurrencies
def test_each_stream_ends_with_one_summary_of_what_it_cost(org: SimulatedOrg, jobs: int) -> None:
    names = ["Account", "Contact", "Empty__c"]
    connection = Connection(org, names, max_concurrent_jobs=jobs, page_size=1000)
    org.control.reset_requests()

    output = connection.sync()

    found = summaries(output)
    log = org.control.request_log()
    assert set(found) == set(names)
    for name, rows, pages in (("Account", 300, 1), ("Contact", 2500, 3), ("Empty__c", 0, 0)):
        summary = found[name]
        assert summary["fate"] == "complete"
        counts = {key: int(summary[key]) for key in ("records", "batches", "errors", "retries", "jobs")}
        assert counts == {"records": rows, "batches": pages, "errors": 0, "retries": 0, "jobs": 1}
        job = next(one["id"] for one in org.control.jobs() if one["object"] == name)
        mine = [one for one in log if name in (one["object"], _object_in(one)) or one["job"] == job]
        # Finished jobs are deleted after the last line of the last stream.
        assert int(summary["calls"]) == len([one for one in mine if one["kind"] != "delete"])
        assert int(summary["polls"]) == len([one for one in mine if one["kind"] == "jobInfo"])
        assert (int(summary["bytes"]) > 10_000) == (rows > 0)
    lines = output.logs
    for name in names:
        last = max(index for index, line in enumerate(lines) if re.search(rf"\b{name}\b", line))
        assert SUMMARY.fullmatch(lines[last]), "the summary is the stream's last line"


def _object_in(entry: dict[str, Any]) -> str | None:
    return entry["path"].split("/")[-2] if entry["kind"] == "describe" else None


@both_concurrencies
def test_a_failed_stream_has_its_summary_too(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account", "Contact"], max_concurrent_jobs=jobs)
    org.control.fault("api_error", object="Account", error="INVALIDENTITY", times=None)

    output = connection.attempt()

    found = summaries(output)
    assert found["Account"]["fate"] == "failed"
    assert int(found["Account"]["errors"]) == 1
    assert found["Contact"]["fate"] == "complete"


@both_concurrencies
def test_retries_and_errors_are_counted(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Contact"], max_concurrent_jobs=jobs, page_size=1000)
    org.control.fault("http_error", on="jobInfo", object="Contact", status=503, times=2)
    org.control.fault("short_page", object="Contact", page=2)

    output = connection.sync()

    summary = summaries(output)["Contact"]
    assert int(summary["retries"]) == 3
    assert int(summary["errors"]) == 3


@both_concurrencies
def test_the_run_id_is_the_platforms_where_it_has_one(
    org: SimulatedOrg, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_JOB_ID", "4711")
    monkeypatch.setenv("WORKER_JOB_ATTEMPT", "2")

    output = Connection(org, ["Account"], max_concurrent_jobs=jobs).sync()

    assert {line["run_id"] for line in job_lines(output)} == {"4711-2"}
    assert summaries(output)["Account"]["run_id"] == "4711-2"


@both_concurrencies
def test_no_line_shows_a_record(org: SimulatedOrg, jobs: int) -> None:
    org.control.insert("Account", [{"Name": "Tell-Nobody-4711"}], stamp="2026-01-01T00:00:00Z")
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)
    org.control.fault("ragged_row", object="Account", times=None)

    output = connection.attempt()

    assert output.failed
    assert not any("Tell-Nobody-4711" in line for line in output.logs)
    assert not any("Tell-Nobody-4711" in error["message"] for error in output.errors)


@both_concurrencies
def test_a_stream_with_nothing_to_read_says_so_in_its_summary(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)
    connection.state = [state_of("Account", {"SystemModstamp": "2031-01-01T00:00:00.000Z"})]

    output = connection.sync()

    assert int(summaries(output)["Account"]["records"]) == 0
    assert int(summaries(output)["Account"]["jobs"]) == 0
