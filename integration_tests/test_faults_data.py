"""Data that is awkward by its amount or its timestamps, or because it changes while it is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_tests.connector import Connector, configure, state_of
from integration_tests.fault_trial import (
    FIELDS,
    PAGE_SIZE,
    SETTINGS,
    STRUCK,
    Complete,
    Trial,
    on_account,
    streams,
    trials,
    try_fault,
    with_settings,
)
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import Fault, SimulatedOrg

RETRIED = "InternalServerError : Retried more than 15 times"


def at_the_create(method: str, **arguments: str) -> Callable[[SimulatedOrg], object]:
    """Let something happen between Account's describe and the creation of its job."""
    return lambda org: org.control.when("createJob", method, arguments, object=STRUCK)


DRIFT = {
    "field_removed_after_describe": (at_the_create("remove_field", object=STRUCK, field="Industry"), "Industry"),
    "field_hidden_after_describe": (at_the_create("hide_field", object=STRUCK, field="Industry"), "Industry"),
    "object_removed_after_describe": (at_the_create("remove_object", object=STRUCK), "The object does not exist"),
}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("name", DRIFT)
def test_what_disappears_in_the_middle_of_a_run_is_named(name: str, jobs: int) -> None:
    """No second run completes such a stream before its user has looked: only this one is judged here."""
    happen, message = DRIFT[name]
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs)
        happen(org)
        output = connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS))
        assert output.statuses[STRUCK][-1] == "INCOMPLETE"
        assert output.statuses["Campaign"][-1] == "COMPLETE"
        trace = next(error for error in output.errors if error["stream_descriptor"]["name"] == STRUCK)
        assert trace["failure_type"] == "config_error"
        assert message in trace["message"]
        assert org.control.requests()["createJob"] == 2
        assert all(job["deleted"] for job in org.control.jobs())


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_rows_of_one_instant_that_are_too_many_for_a_job_are_read_by_id(mode: str, jobs: int) -> None:
    with SimulatedOrg(with_settings(ties=200)) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE)
        catalog = configure(connector.streams(objects=["Ties__c"]), ["Ties__c"], mode)
        fault = Fault(kind="job_failed", object="Ties__c", message=RETRIED, value="above", rows=60, times=None)
        org.control.add_fault(fault)
        output = connector.read(catalog)
        assert not output.failed, output.errors
        assert org.control.fault_log()[0]["fired"]
        assert_same_rows(output.rows["Ties__c"], GroundTruth(org).records("Ties__c"))
        assert any("Id >= " in job["query"] for job in org.control.jobs("Ties__c"))
        assert not any(word in job["query"] for job in org.control.jobs() for word in (" LIMIT ", " ORDER BY "))
        again = connector.read(catalog, output.final_states())
        assert not again.failed
        assert not again.rows


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("event", ["job_processing", "job_completed", "page_served"])
def test_a_row_that_changes_while_its_job_runs_is_in_the_next_run(event: str, jobs: int) -> None:
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE)
        catalog = configure(streams(), [STRUCK], "incremental", FIELDS)
        changed = org.control.rows(STRUCK, fields=["Id"])[150]["Id"]
        org.control.when(event, "update", {"object": STRUCK, "values": {"Industry": "Changed"}, "ids": [changed]})
        first = connector.read(catalog)
        org.control.advance_clock(60)
        second = connector.read(catalog, first.final_states())
        assert not first.failed
        assert not second.failed
        newest = {row["Id"]: row for row in [*first.rows[STRUCK], *second.rows[STRUCK]]}
        assert_same_rows(newest.values(), GroundTruth(org).records(STRUCK, fields=FIELDS[STRUCK]))
        assert newest[changed]["Industry"] == "Changed"


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_job_of_another_client_is_never_touched(jobs: int) -> None:
    """A state that was edited, or is another's, may name it."""
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE)
        catalog = configure(streams(), [STRUCK], "incremental", FIELDS)
        org.control.add_fault(on_account("http_error", on="results", status=503, times=None))
        first = connector.read(catalog)
        org.control.clear_faults()
        state = first.states[STRUCK][-1]
        foreign = org.control.add_foreign_job(STRUCK)
        state["resume"][0]["job"] = foreign
        second = connector.read(catalog, [state_of(STRUCK, state)])
        assert not second.failed, second.errors
        assert_same_rows(second.rows[STRUCK], GroundTruth(org).records(STRUCK, fields=FIELDS[STRUCK]))
        (theirs,) = (job for job in org.control.jobs() if job["id"] == foreign)
        assert (theirs["aborted"], theirs["deleted"], theirs["pages_served"]) == (False, False, 0)


def test_no_address_has_an_empty_part_and_every_request_is_one_that_the_org_knows() -> None:
    """A double slash in front of a locator was a 404 in production, after a first page of 17 seconds."""
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, page_size=PAGE_SIZE)
        assert not connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS)).failed
        assert not any("//" in request["path"] for request in org.control.request_log())
        assert "unknown" not in org.control.requests()


TIMES = {
    "clock_behind": Trial([], settings=with_settings(clock_offset=-86_400.0, frozen_at=None)),
    "clock_ahead": Trial([], settings=with_settings(clock_offset=86_400.0, frozen_at=None)),
    "rest_query_done_early": Trial(
        [on_account("job_failed", message=RETRIED), Fault(kind="query_done_early", on="queryAll", times=2)],
        Complete(warning="the window is split in two"),
    ),
    "no_date_header": Trial([Fault(kind="drop_header", on="*", name="Date", times=None)]),
}


@trials(TIMES)
def test_time(trial: Trial, jobs: int) -> None:
    """Clocks that differ, and answers without one."""
    try_fault(trial, jobs)
