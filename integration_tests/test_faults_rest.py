"""The REST lane: pages that are wrong, late, lost or refused, and the limits of the org."""

from __future__ import annotations

from typing import Any

import pytest

from integration_tests.connector import Connector, configure
from integration_tests.fault_trial import (
    FIELDS,
    PAGE_SIZE,
    SETTINGS,
    STRUCK,
    Complete,
    Fails,
    Outcome,
    Trial,
    covered_rows,
    on_account,
    streams,
    trials,
    try_fault,
)
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import SimulatedOrg

LANE: dict[str, Any] = {"object_overrides": [{"object": STRUCK, "api": "rest"}]}
BOUNDS = {"queryAll": 24}
"""Requests of the first run at most: Account has four pages, and each is asked for a few times."""


def once(kind: str, *, after: int = 1, **attributes: Any) -> Trial:
    return lane(Complete(), kind, after=after, **attributes)


def always(outcome: Outcome, kind: str, *, after: int = 1, **attributes: Any) -> Trial:
    return lane(outcome, kind, after=after, times=None, **attributes)


def lane(outcome: Outcome, kind: str, **attributes: Any) -> Trial:
    fault = on_account(kind, on="queryAll", **attributes)
    return Trial([fault], outcome, config=LANE, requests=BOUNDS)


DAMAGED = "transient_error"

PAGES = {
    "done_early_once": once("query_done_early"),
    "short_once": once("query_short", rows=3),
    "repeats_once": once("query_repeats", rows=3),
    "total_too_large_once": once("query_total_wrong", delta=1),
    "total_too_small_once": once("query_total_wrong", delta=-1),
    "cut_json_once": once("unparsable_json"),
    "html_once": once("http_error", status=200, body="html"),
    "empty_once": once("http_error", status=200, body="empty"),
    "closed_once": once("close_before"),
    "answer_lost_once": once("answer_lost"),
    "server_error_once": once("http_error", status=500),
    "unavailable_once": once("http_error", status=503, body="html"),
    "session_ends_once": once("session_ends"),
    "first_page_lost_once": once("close_before", after=0),
    "short_always": always(
        Fails(DAMAGED, "Account, job rest: A result page is not valid (results): 97 rows came"), "query_short", rows=3
    ),
    "repeats_always": always(Fails(DAMAGED, "is not valid (results): 103 rows came"), "query_repeats", rows=3),
    "cut_json_always": always(Fails(DAMAGED, ""), "unparsable_json"),
    "unavailable_always": always(Fails(DAMAGED, ""), "http_error", status=503, body="html"),
    "closed_always": always(Fails(DAMAGED, ""), "close_before"),
}

REFUSALS = {
    "api_calls": always(
        Fails("transient_error", "The org's daily API calls are used up", everything=True),
        "api_error",
        error="REQUEST_LIMIT_EXCEEDED",
    ),
    "long_transactions_once": once("api_error", error="REQUEST_LIMIT_EXCEEDED/long"),
    "query_timeout_once": once("api_error", error="QUERY_TIMEOUT"),
    "field_hidden": always(Fails("config_error", ""), "api_error", error="INVALID_FIELD"),
    "object_hidden": always(Fails("config_error", ""), "api_error", error="INVALID_TYPE"),
}


@trials(PAGES)
def test_page(trial: Trial, jobs: int) -> None:
    """A page that is lost is asked for again; one that stays damaged fails its object, and none of its rows leaves."""
    output, _ = try_fault(trial, jobs)
    assert len({row["Id"] for row in output.rows[STRUCK]}) == len(output.rows[STRUCK])


@trials(REFUSALS)
def test_refusal(trial: Trial, jobs: int) -> None:
    """A refusal has the sentence and the consequence that it has for a job."""
    try_fault(trial, jobs)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_lane_whose_calls_run_out_stops_at_the_next_page_and_goes_on_with_it(jobs: int) -> None:
    """Others use the org, too: after some pages less is left than the reserve."""
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE, **LANE)
        catalog = configure(streams(), [STRUCK], "incremental", FIELDS)
        limit = {"name": "DailyApiRequests", "remaining": 10, "maximum": 1000}
        org.control.when("queryAll", "set_limit", limit, object=STRUCK, nth=2)
        first = connector.read(catalog)
        assert first.failed
        assert {error["failure_type"] for error in first.errors} == {"transient_error"}
        assert 0 < len(first.rows[STRUCK]) < 300
        (point,) = first.states[STRUCK][-1]["resume"]
        assert (point["job"], point["rows"]) == ("rest", len(first.rows[STRUCK]))
        org.control.set_limit("DailyApiRequests", remaining=900, maximum=1000)
        second = connector.read(catalog, first.final_states())
        assert not second.failed, second.errors
        both = [*covered_rows(first, STRUCK), *second.rows[STRUCK]]
        assert_same_rows(both, GroundTruth(org).records(STRUCK, fields=FIELDS[STRUCK]))
        assert not org.control.jobs()


def test_a_run_that_starts_below_the_reserve_asks_the_lane_for_nothing() -> None:
    with SimulatedOrg(SETTINGS) as org:
        org.control.set_limit("DailyApiRequests", remaining=40, maximum=1000)
        output = Connector(org, impatient=True, **LANE).read(configure(streams(), [STRUCK], "incremental", FIELDS))
        assert output.failed
        assert not {"query", "queryAll"} & set(org.control.requests())


def test_a_reserve_of_zero_uses_the_org_to_its_last_call() -> None:
    with SimulatedOrg(SETTINGS) as org:
        org.control.set_limit("DailyApiRequests", remaining=20, maximum=1000)
        connector = Connector(org, impatient=True, daily_limit_reserve_percent=0, page_size=PAGE_SIZE, **LANE)
        output = connector.read(configure(streams(), [STRUCK], "incremental", FIELDS))
        assert not output.failed, output.errors
        assert len(output.rows[STRUCK]) == 300
