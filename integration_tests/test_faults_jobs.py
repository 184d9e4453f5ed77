"""Jobs that fail, hang, vanish or miscount, and creates whose answer is lost."""

from __future__ import annotations

import pytest

from integration_tests.connector import Connector, configure
from integration_tests.fault_trial import (
    FIELDS,
    SETTINGS,
    STRUCK,
    Complete,
    Fails,
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
UNEXPECTED = "Unexpected exception encountered in query processing. Please contact support with the following id: 1-2"


def failed(message: str | None = None, **attributes: object) -> Fault:
    return on_account("job_failed", message=message, **attributes)


def fails(message: str, **more: object) -> Fails:
    return Fails("transient_error", message, **more)


ENDINGS = {
    "failed": Trial([failed()], Complete(warning="Salesforce reports the query job as failed")),
    "failed_with_a_message": Trial([failed(UNEXPECTED)], Complete(warning="Unexpected exception encountered")),
    "failed_twice": Trial([failed(times=2)]),
    "failed_always": Trial(
        [failed(times=None)], fails("Salesforce reports the query job as failed"), requests={"createJob": 40}
    ),
    "failed_for_a_field": Trial(
        [failed("InvalidBatch : Field name not found : Industry", times=None)],
        Fails("config_error", "Field name not found : Industry"),
        requests={"createJob": 2},
    ),
    "failed_for_serialization": Trial(
        [failed("FeatureNotEnabled : Cannot serialize value for 'Description' in CSV format", times=None)],
        Fails("config_error", "Cannot serialize value for 'Description'"),
        requests={"createJob": 2},
    ),
    "query_timeout": Trial([failed("QUERY_TIMEOUT : Your query request was running for too long.")]),
    "retried_too_often": Trial([failed(RETRIED)], Complete(warning="the window is split in two")),
    "aborted": Trial([on_account("job_aborted")], Complete(warning="The query job was aborted")),
    "aborted_always": Trial(
        [on_account("job_aborted", times=None)], fails("The query job was aborted"), requests={"createJob": 40}
    ),
    "stuck": Trial(
        [on_account("job_stuck")],
        Complete(warning="not complete within job_timeout"),
        config={"job_timeout": "PT5M"},
    ),
    "stuck_always": Trial(
        [on_account("job_stuck", times=None)],
        fails("The query job was not complete within job_timeout"),
        config={"job_timeout": "PT5M"},
        requests={"jobInfo": 200},
    ),
    "unknown_state": Trial(
        [on_account("job_state", value="NotProcessed")],
        Complete(warning="not complete within job_timeout"),
        config={"job_timeout": "PT5M"},
    ),
    "state_in_other_words": Trial([on_account("job_state", value="Not Processed")], config={"job_timeout": "PT5M"}),
    "slow": Trial([on_account("job_slow", polls=12)]),
}

SIZES = {
    "too_many_rows_by_date": Trial(
        [failed(RETRIED, value="above", rows=100, times=None)], requests={"createJob": 20, "queryAll": 40}
    ),
    "too_many_rows_by_id": Trial(
        [failed(RETRIED, value="above", rows=100, times=None)],
        mode="full_refresh",
        requests={"createJob": 20, "queryAll": 40},
    ),
    "far_too_many_rows": Trial(
        [failed(value="above", rows=20, times=None)],
        requests={"createJob": 80, "jobInfo": 80, "delete": 80, "queryAll": 160},
    ),
}

LOSSES = {
    "expires_while_polled": Trial(
        [on_account("job_slow", polls=5), on_account("job_expires", polls=2)], Complete(warning="no longer exists")
    ),
    "vanishes_before_its_first_page": Trial([Fault(kind="http_error", on="results", object=STRUCK, status=404)]),
    "vanishes_between_pages": Trial(
        [on_account("job_vanishes", at=1)], Complete(repeats=True, warning="rows already emitted are repeated")
    ),
    "vanishes_between_pages_of_a_full_refresh": Trial(
        [on_account("job_vanishes", at=2)], Complete(repeats=True), mode="full_refresh"
    ),
}

TOTALS = {
    "total_missing": Trial([on_account("total_missing", times=None)]),
    "total_late": Trial([Fault(kind="json_without", object=STRUCK, name="numberRecordsProcessed", times=2)]),
    "total_too_high": Trial([on_account("total_wrong")], fails("The number of rows received")),
    "total_too_low": Trial([on_account("total_wrong", delta=-1)], fails("The number of rows received")),
    "total_too_low_in_a_full_refresh": Trial(
        [on_account("total_wrong", delta=-1)], fails("The number of rows received"), mode="full_refresh"
    ),
    "total_too_low_twice": Trial([on_account("total_wrong", delta=-150)], fails("The number of rows received")),
    "total_missing_and_a_page_short": Trial(
        [on_account("total_missing", times=None), on_account("short_page", page=3)]
    ),
    "early_count": Trial([], settings=with_settings(count_while_running="total")),
    "snapshot_at_creation": Trial([], settings=with_settings(snapshot_at="creation")),
}

CREATES = {
    "answer_lost": Trial([on_account("answer_lost")], Complete(orphans=1, warning="may be left in the org")),
    "answer_lost_twice": Trial(
        [on_account("answer_lost", times=2)],
        fails("The answer to the creation of a query job was lost", orphans=2),
        requests={"createJob": 5},
    ),
    "error_after": Trial([on_account("error_after", status=500, body="html")], Complete(orphans=1)),
    "answer_unreadable": Trial([Fault(kind="unparsable_json", on="createJob", object=STRUCK)], Complete(orphans=1)),
    "answer_html": Trial([Fault(kind="html_200", on="createJob", object=STRUCK)], Complete(orphans=1)),
    "answer_without_an_id": Trial(
        [Fault(kind="json_without", on="createJob", object=STRUCK, name="id")], Complete(orphans=1)
    ),
    "closed_before": Trial([Fault(kind="close_before", on="createJob")], Complete()),
}


@trials(ENDINGS)
def test_ending(trial: Trial, jobs: int) -> None:
    """Jobs that end badly, or never."""
    try_fault(trial, jobs)


@trials(SIZES)
def test_size(trial: Trial, jobs: int) -> None:
    """Jobs that fail for the number of their rows."""
    try_fault(trial, jobs)


@pytest.mark.parametrize(("mode", "most"), [("incremental", 12), ("full_refresh", 12)])
@pytest.mark.parametrize("jobs", [1, 4])
def test_a_size_that_failed_is_not_tried_again(jobs: int, mode: str, most: int) -> None:
    """A tree of halvings without memory would fail at every inner node: 15 times, and twice more at its root."""
    with SimulatedOrg(SETTINGS) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs)
        org.control.add_fault(failed(RETRIED, value="above", rows=40, times=None))
        output = connector.read(configure(streams(), [STRUCK], mode, FIELDS))
        assert not output.failed, output.errors
        assert_same_rows(output.rows[STRUCK], GroundTruth(org).records(STRUCK, fields=FIELDS[STRUCK]))
        failures = [job for job in org.control.jobs(STRUCK) if job["state"] == "Failed"]
        assert 3 <= len(failures) <= most


@trials(LOSSES)
def test_loss(trial: Trial, jobs: int) -> None:
    """Jobs that are there no more."""
    try_fault(trial, jobs)


@trials(TOTALS)
def test_total(trial: Trial, jobs: int) -> None:
    """Jobs whose own count is missing, late or wrong."""
    try_fault(trial, jobs)


@trials(CREATES)
def test_create(trial: Trial, jobs: int) -> None:
    """Creates after which it is unknown whether there is a job."""
    try_fault(trial, jobs)
