"""Quotas: Salesforce's refusals, the reserve, and the point at which a run stops."""

from __future__ import annotations

import pytest

from integration_tests.connector import Connector, configure, state_of
from integration_tests.fault_trial import (
    BYSTANDER,
    FIELDS,
    PAGE_SIZE,
    SETTINGS,
    STRUCK,
    Complete,
    Fails,
    Trial,
    covered_rows,
    on_account,
    streams,
    trials,
    try_fault,
    with_settings,
)
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import Fault, SimulatedOrg

LIMITS = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB")
CATALOG_NAMES = list(FIELDS)


def stops(message: str) -> Fails:
    return Fails("transient_error", message, everything=True)


def refused(error: str, message: str, on: str = "createJob", **more: int) -> Trial:
    fault = Fault(kind="api_error", on=on, error=error, times=None, **more)
    return Trial([fault], stops(message), requests={"createJob": 4, "jobInfo": 6, "results": 8})


REFUSALS = {
    "query_jobs": refused("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached"),
    "result_volume": refused("LIMIT_EXCEEDED/volume", "The org's daily volume of Bulk query results is used up"),
    "api_calls": refused("REQUEST_LIMIT_EXCEEDED", "The org's daily API calls are used up"),
    "api_calls_while_polling": refused("REQUEST_LIMIT_EXCEEDED", "The org's daily API calls are used up", "jobInfo"),
    "api_calls_between_pages": refused(
        "REQUEST_LIMIT_EXCEEDED", "The org's daily API calls are used up", "results", after=1
    ),
    "long_transactions_once": Trial([on_account("api_error", error="REQUEST_LIMIT_EXCEEDED/long")]),
    "no_usage_header": Trial(
        [Fault(kind="drop_header", name="Sforce-Limit-Info", times=None)], requests={"results": 12}
    ),
    "limits_not_for_this_user": Trial(
        [Fault(kind="api_error", on="limits", error="INSUFFICIENT_ACCESS", times=None)],
        Complete(warning="no reserve is kept"),
    ),
    "no_api_access": Trial(
        [Fault(kind="api_error", on="limits", error="API_DISABLED_FOR_ORG", times=None)],
        Fails("config_error", "may not use the API", everything=True),
    ),
}


@trials(REFUSALS)
def test_limit(trial: Trial, jobs: int) -> None:
    """A refusal for a limit stops the run in a resumable state and names the limit and the time to run again."""
    output, _ = try_fault(trial, jobs)
    if isinstance(trial.outcome, Fails) and trial.outcome.type == "transient_error":
        assert all("24 hours" in cause for cause in output.causes)


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_run_that_starts_below_the_reserve_asks_twice_and_hands_its_states_back(limit: str, jobs: int) -> None:
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs)
        catalog = configure(streams(), CATALOG_NAMES, "incremental", FIELDS)
        incoming = [state_of(name, {"SystemModstamp": "2026-01-01T00:00:00.000Z"}) for name in CATALOG_NAMES]
        org.control.set_limit(limit, remaining=40, maximum=1000)

        output = connector.read(catalog, incoming)

        asked = org.control.requests()
        assert sum(asked.values()) - asked["token"] <= 2, asked
        assert output.final_states() == incoming
        assert [error["failure_type"] for error in output.errors] == ["transient_error"] * 2
        (cause,) = output.causes
        assert limit in cause
        assert "of 1,000" in cause
        assert "daily_limit_reserve_percent" in cause
        assert "24 hours" in cause
        assert not output.rows
        assert org.control.jobs() == []


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_run_whose_calls_run_out_stops_at_the_next_page_and_goes_on_with_it(jobs: int) -> None:
    """Others use the org, too: after the first page less is left than the reserve."""
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE)
        catalog = configure(streams(), CATALOG_NAMES, "incremental", FIELDS)
        org.control.when("page_served", "set_limit", {"name": "DailyApiRequests", "remaining": 10, "maximum": 1000})

        first = connector.read(catalog)

        assert first.failed
        assert first.statuses[STRUCK][-1] == "INCOMPLETE"
        assert {error["failure_type"] for error in first.errors} == {"transient_error"}
        assert len(first.rows[STRUCK]) < 300
        assert first.states[STRUCK][-1]["resume"][0]["rows"] == len(first.rows[STRUCK])
        org.control.set_limit("DailyApiRequests", remaining=900, maximum=1000)
        jobs_before = len(org.control.jobs(STRUCK))
        second = connector.read(catalog, first.final_states())
        assert not second.failed, second.errors
        for name in CATALOG_NAMES:
            both = [*covered_rows(first, name), *second.rows[name]]
            assert_same_rows(both, GroundTruth(org).records(name, fields=FIELDS[name]))
        # One more job at most, for the window that begins where the first run's ended.
        assert len(org.control.jobs(STRUCK)) <= jobs_before + 1
        assert all(job["deleted"] for job in org.control.jobs())


def test_a_reserve_of_zero_uses_the_org_to_its_last_call() -> None:
    with SimulatedOrg(with_settings()) as org:
        connector = Connector(org, impatient=True, daily_limit_reserve_percent=0)
        org.control.set_limit("DailyBulkV2QueryJobs", remaining=1, maximum=1000)
        output = connector.read(configure(streams(), [BYSTANDER], "incremental", FIELDS))
        assert not output.failed, output.errors
