from __future__ import annotations

from collections.abc import Collection
from typing import cast

import pytest

from source_salesforce_bulk.extraction.job_ledger import JobLedger
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from unit_tests.fakes import FakeClock, HeldCalls

VERSION = "v66.0"


class FakeOrg:
    """Records what is done to jobs. ``jobs`` are those it knows; anything else is gone."""

    def __init__(self, **jobs: JobInfo) -> None:
        self.jobs = jobs
        self.done: list[tuple[str, str, str, str]] = []

    def abort(self, version: str, job_id: str, object_name: str) -> bool:
        self.done.append(("abort", version, job_id, object_name))
        return True

    def delete(self, version: str, job_id: str, object_name: str) -> bool:
        self.done.append(("delete", version, job_id, object_name))
        return True

    def confirm(self, version: str, job_id: str, object_name: str, operations: Collection[str]) -> JobInfo | None:
        self.done.append(("confirm", version, job_id, object_name))
        if job_id not in self.jobs:
            raise SalesforceError(Failure.of(Kind.JOB_GONE))
        info = self.jobs[job_id]
        return info if info.object_name == object_name and info.operation in operations else None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def calls(clock) -> HeldCalls:
    return HeldCalls(clock)


@pytest.fixture
def org() -> FakeOrg:
    ours = JobInfo(id="ours", state=JobState.IN_PROGRESS, object_name="Account", operation="queryAll")
    return FakeOrg(
        ours=ours,
        ended=JobInfo(id="ended", state=JobState.JOB_COMPLETE, object_name="Account", operation="queryAll"),
        theirs=JobInfo(id="theirs", state=JobState.IN_PROGRESS, object_name="Contact", operation="queryAll"),
    )


@pytest.fixture
def ledger(org, calls, clock) -> JobLedger:
    return JobLedger(cast(Org, org), calls, clock)


def test_a_job_that_may_still_run_is_aborted_with_its_own_version(ledger, org, calls):
    ledger.note("750A", "v58.0", "Account")
    ledger.discard("750A")
    assert org.done == []
    calls.settle()
    assert org.done == [("abort", "v58.0", "750A", "Account")]


def test_a_finished_job_is_deleted_without_an_abort(ledger, org, calls):
    ledger.note("750A", VERSION, "Account")
    ledger.completed("750A")
    ledger.discard("750A")
    calls.settle()
    assert org.done == [("delete", VERSION, "750A", "Account")]


def test_a_job_is_discarded_once(ledger, org, calls):
    ledger.note("750A", VERSION, "Account")
    ledger.discard("750A")
    ledger.discard("750A")
    ledger.close(keep=(), seconds=10)
    assert len(org.done) == 1


def test_a_job_that_was_noted_twice_stays_what_it_was(ledger, org, calls):
    ledger.note("750A", VERSION, "Account")
    ledger.completed("750A")
    ledger.note("750A", VERSION, "Account")
    ledger.discard("750A")
    calls.settle()
    assert org.done == [("delete", VERSION, "750A", "Account")]


def test_a_job_that_never_entered_is_never_touched(ledger, org, calls):
    ledger.completed("750B")
    ledger.forget("750B")
    ledger.discard("750B")
    ledger.close(keep=(), seconds=10)
    assert org.done == []


def test_a_job_that_is_forgotten_is_left_alone(ledger, org, calls):
    ledger.note("750A", VERSION, "Account")
    ledger.forget("750A")
    ledger.close(keep=(), seconds=10)
    assert org.done == []


def test_a_job_that_a_state_names_is_discarded_once_salesforce_says_that_it_is_ours(ledger, org, calls):
    ledger.dispose("ours", VERSION, "Account")
    calls.settle()
    assert org.done == [("confirm", VERSION, "ours", "Account"), ("abort", VERSION, "ours", "Account")]


def test_a_finished_job_that_a_state_names_is_deleted(ledger, org, calls):
    ledger.dispose("ended", VERSION, "Account")
    calls.settle()
    assert org.done == [("confirm", VERSION, "ended", "Account"), ("delete", VERSION, "ended", "Account")]


@pytest.mark.parametrize("job_id", ["theirs", "gone"])
def test_a_job_that_is_not_ours_or_gone_is_asked_about_and_no_more(ledger, org, calls, job_id):
    ledger.dispose(job_id, VERSION, "Account")
    calls.settle()
    ledger.close(keep=(), seconds=10)
    assert org.done == [("confirm", VERSION, job_id, "Account")]


def test_at_the_end_every_job_but_those_that_the_state_names_is_discarded(ledger, org, calls):
    for job_id in ("750A", "750B", "750C"):
        ledger.note(job_id, VERSION, "Account")
    ledger.completed("750C")
    ledger.close(keep={"750B"}, seconds=10)
    assert sorted(org.done) == [("abort", VERSION, "750A", "Account"), ("delete", VERSION, "750C", "Account")]


def test_the_end_waits_for_what_is_under_way_and_no_longer(ledger, org, calls, clock):
    ledger.note("750A", VERSION, "Account")
    ledger.dispose("ours", VERSION, "Account")
    before = clock.monotonic()
    ledger.close(keep=(), seconds=10)
    assert {what for what, *_ in org.done} == {"confirm", "abort"}
    assert ("abort", VERSION, "ours", "Account") in org.done
    assert clock.monotonic() == before


def test_the_end_gives_up_after_its_seconds(ledger, org, calls, clock):
    ledger.note("750A", VERSION, "Account")
    calls.stuck = True
    before = clock.monotonic()
    ledger.close(keep=(), seconds=10)
    assert clock.monotonic() == before + 10
    assert org.done == []


def test_an_end_without_jobs_waits_for_nothing(ledger, calls, clock):
    before = clock.monotonic()
    ledger.close(keep=(), seconds=10)
    assert clock.monotonic() == before


def test_clean_up_that_fails_does_not_keep_the_end_waiting(ledger, org, calls, clock, monkeypatch):
    def refuse(version: str, job_id: str, object_name: str) -> bool:
        raise SalesforceError(Failure.of(Kind.UNAVAILABLE))

    monkeypatch.setattr(org, "abort", refuse)
    ledger.note("750A", VERSION, "Account")
    before = clock.monotonic()
    ledger.close(keep=(), seconds=10)
    assert clock.monotonic() == before


def test_a_create_that_is_answered_during_the_end_is_no_job_left_behind(ledger, org, calls):
    ledger.expect()

    def created(_: object) -> None:
        ledger.answered()
        ledger.note("750A", VERSION, "Account")

    calls.submit(lambda: None, created, created)
    ledger.close(keep=(), seconds=10)
    assert org.done == [("abort", VERSION, "750A", "Account")]


def test_the_end_waits_for_the_answer_of_a_create_and_no_longer(ledger, org, calls, clock):
    before = clock.monotonic()
    ledger.expect()
    ledger.close(keep=(), seconds=10)
    assert clock.monotonic() == before + 10
    ledger.answered()
    ledger.close(keep=(), seconds=10)
    assert clock.monotonic() == before + 10


def test_a_job_that_is_being_aborted_counts_until_salesforce_has_answered(ledger, calls):
    ledger.note("750A", VERSION, "Account")
    ledger.note("750B", VERSION, "Account")
    ledger.completed("750B")
    ledger.discard("750A")
    ledger.discard("750B")
    assert ledger.aborting == 1
    calls.settle()
    assert ledger.aborting == 0
