from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import format_instant
from unit_tests.extraction_rig import SCOPE, UPPER, ExtractionRig, read_one

FULL_REFRESH, INCREMENTAL = Mode.FULL_REFRESH, Mode.INCREMENTAL
INTERRUPTED = Failure.of(Kind.INTERRUPTED)


def rows(count: int) -> list[dict[str, str]]:
    return [
        {"Id": id_18(f"001A{number:011d}"), "Name": f"{number}", "SystemModstamp": "2026-11-20T00:00:00.000Z"}
        for number in range(count)
    ]


@pytest.fixture
def rig(tmp_path):
    """Five rows in two pages."""
    rig = ExtractionRig(tmp_path, {"Account": rows(5), "Contact": rows(5)})
    yield rig
    rig.salesforce.close()


def to_first_page(rig: ExtractionRig, run) -> None:
    while not run.rows:
        if not rig.turn(run):
            rig.extraction.wait(1.0)


# States


def test_the_first_state_names_the_job_before_any_row_and_the_last_has_the_cursor(rig):
    run = read_one(rig, "Account", INCREMENTAL)
    emitted = [
        (rows_before, state.get("SystemModstamp"), len(state.get("resume", []))) for rows_before, state in run.states
    ]
    assert emitted[0] == (0, None, 1)
    assert emitted[-1] == (5, format_instant(UPPER), 0)


def test_a_state_moves_only_when_its_rows_were_handed_on(rig):
    run = rig.add("Account", INCREMENTAL)
    ready = None
    while ready is None:
        rig.extraction.wait(1.0)
        ready = rig.extraction.next_page(run.read)
    before = run.read.state
    assert before.resume[0].rows == 0
    assert rig.extraction.next_page(run.read) == ready
    assert run.read.state == before
    rig.extraction.handed_on(run.read, ready)
    assert run.read.state.resume[0].rows == 3
    rig.close()


def test_a_full_refresh_that_has_ended_says_so_and_nothing_else(rig):
    run = read_one(rig, "Account", FULL_REFRESH)
    assert run.state == {"__ab_full_refresh_sync_complete": True}


# The end


def test_a_run_that_ended_well_leaves_no_job_and_no_page(rig):
    for name in ("Account", "Contact"):
        rig.add(name, INCREMENTAL)
    rig.read_all()
    assert rig.salesforce.left() != set(), "finished jobs are deleted after the last message, not before"
    rig.close()
    assert (rig.salesforce.left(), rig.files(), rig.calls.closed) == (set(), [], True)


def test_a_run_that_is_stopped_keeps_the_jobs_of_its_states_and_ends_the_others(rig):
    account = rig.add("Account", INCREMENTAL)
    to_first_page(rig, account)
    contact = rig.add("Contact", INCREMENTAL)
    rig.calls.settle()
    rig.extraction.stop(INTERRUPTED)
    rig.turn(account)
    rig.extraction.close(rig.named(), 60.0)
    assert contact.states == []
    assert len(rig.named()) == 1
    assert rig.salesforce.left() == rig.named()
    assert rig.files() == []


def test_an_answer_that_comes_while_it_closes_creates_no_job(rig):
    """No code would be left to end it."""
    to_first_page(rig, rig.add("Contact", INCREMENTAL))
    read_until = {"SystemModstamp": format_instant(UPPER), "scope": SCOPE}
    rig.add("Account", INCREMENTAL, read_until, lookback=timedelta(days=7))
    rig.extraction.close(keep=(), seconds=60.0)
    rig.calls.settle()
    assert [job.object_name for job in rig.salesforce.jobs.values()] == ["Contact"]
    assert rig.salesforce.left() == set()
    assert rig.salesforce.count("query") == 1


def test_closing_waits_no_longer_than_it_was_told(rig):
    rig.add("Account", INCREMENTAL)
    rig.calls.settle()
    rig.calls.stuck = True
    before = rig.clock.monotonic()
    rig.extraction.close(keep=(), seconds=8.0)
    assert rig.clock.monotonic() == before + 8.0


def test_after_a_stop_every_object_fails_at_its_next_page_boundary_and_no_job_is_created(rig):
    account = rig.add("Account", INCREMENTAL)
    to_first_page(rig, account)
    rig.extraction.stop(INTERRUPTED)
    assert not rig.extraction.has_free_slot
    contact = rig.add("Contact", INCREMENTAL)
    rig.read_all()
    assert (account.failure, contact.failure) == (INTERRUPTED, INTERRUPTED)
    assert [job.object_name for job in rig.salesforce.jobs.values()] == ["Account"]
    assert account.state["resume"][0]["rows"] == len(account.rows) == 3
    rig.close()


def test_the_first_reason_to_stop_is_the_one_that_is_told(rig):
    rig.extraction.stop(INTERRUPTED)
    rig.extraction.stop(Failure.of(Kind.API_CALLS_EXHAUSTED))
    assert rig.extraction.stop_failure == INTERRUPTED


def test_a_dropped_object_holds_no_page_and_no_slot_of_the_reader(rig):
    run = rig.add("Account", FULL_REFRESH)
    while not rig.files():
        rig.extraction.wait(1.0)
    rig.extraction.drop(run.read)
    rig.calls.settle()
    assert rig.files() == []
    rig.extraction.close(keep=(), seconds=60.0)
    assert rig.salesforce.left() == set()


def test_an_object_with_nothing_to_read_is_finished_and_costs_nothing(rig):
    run = rig.add("Account", INCREMENTAL, {"SystemModstamp": "2030-01-01T00:00:00.000Z"})
    assert run.read.finished
    assert rig.extraction.next_page(run.read) is None
    rig.close()
    assert rig.salesforce.sent == []


def test_an_object_that_failed_fails_whenever_it_is_asked(rig):
    rig.salesforce.script("create", "refused")
    run = rig.add("Account", INCREMENTAL)
    rig.read_all()
    for _ in range(2):
        with pytest.raises(SalesforceError):
            rig.extraction.next_page(run.read)
    rig.close()


# Jobs of states that nothing continues


def test_abandoned_jobs_are_ended_where_they_are_ours(rig):
    soql = "SELECT Id FROM Account"
    ours = rig.salesforce.add_job("750old000000001AAA", soql, "queryAll")
    theirs = rig.salesforce.add_job("750old000000002AAA", soql, "queryAll", created_by="005A00000099999AAA")
    points = [
        {
            "job": job.id,
            "locator": None,
            "page": 0,
            "rows": 0,
            "from": None,
            "to": None,
            "query": "sha256:x",
            "id_from": None,
            "id_to": None,
            "api_version": "v66.0",
            "page_size": 3,
        }
        for job in (ours, theirs)
    ]
    rig.add("Account", INCREMENTAL, {"scope": "sha256:another", "resume": points})
    rig.read_all()
    rig.close()
    assert (ours.deleted, theirs.deleted) == (True, False)


# Waiting


def test_waiting_ends_when_a_poll_is_due(rig):
    rig.salesforce.script("info", *["running"] * 3)
    rig.add("Account", INCREMENTAL)
    rig.calls.settle()
    before = rig.clock.monotonic()
    rig.extraction.wait(600.0)
    assert 0 < rig.clock.monotonic() - before < 1.0
    assert rig.calls.held, "the poll is on its way"
    rig.read_all()


def test_waiting_takes_no_longer_than_it_may(rig):
    before = rig.clock.monotonic()
    rig.extraction.wait(5.0)
    assert rig.clock.monotonic() == before + 5.0


def test_what_is_waited_for_can_be_said(rig):
    assert rig.extraction.describe_waiting() == "no object waits for a job"
    rig.salesforce.chance = lambda operation: "running" if operation == "info" else ""
    rig.add("Account", INCREMENTAL)
    rig.calls.settle()
    rig.clock.advance(42.0)
    sentence = rig.extraction.describe_waiting()
    for word in ("Account", next(iter(rig.salesforce.jobs)), "42 s"):
        assert word in sentence


# What a run tells


def test_every_page_and_window_is_logged_with_run_object_job_and_batch(rig, caplog):
    caplog.set_level(logging.INFO, "salesforce_bulk.extraction")
    read_one(rig, "Account", INCREMENTAL)
    lines = [record.getMessage() for record in caplog.records]
    (job_id,) = rig.salesforce.jobs
    assert all(f"run id run-1, object Account, jobId {job_id}" in line for line in lines)
    pages = [line for line in lines if "emitted" in line]
    assert ["batchId first" in pages[0], f"batchId {job_id}-3" in pages[1]] == [True, True]


def test_rows_and_pages_are_counted(rig):
    read_one(rig, "Account", INCREMENTAL)
    counts = rig.metrics.of("Account")
    assert (counts.records, counts.batches, counts.jobs, counts.errors, counts.retries) == (5, 2, 1, 0, 0)


# Rows that their Id does not identify


@pytest.mark.parametrize("empty", ["000000000000000AAA", "000000000000000"])
def test_rows_with_the_empty_id_are_reported_once_per_object_and_all_of_them_read(tmp_path, caplog, empty):
    events = [{**row, "Id": empty} for row in rows(8)]
    rig = ExtractionRig(tmp_path, {"UriEvent": events, "Account": rows(8)})
    for name in ("UriEvent", "Account"):
        rig.add(name, FULL_REFRESH, primary_key=("Id",))
    rig.read_all()
    assert [len(run.rows) for run in rig.runs] == [8, 8]
    (warning,) = [record.getMessage() for record in caplog.records if "empty Id" in record.getMessage()]
    assert warning.startswith("UriEvent: ")


@pytest.mark.parametrize("key", [("Name",), ("Id", "Name"), ()], ids=str)
def test_an_empty_id_that_is_not_the_key_is_no_news(tmp_path, caplog, key):
    rig = ExtractionRig(tmp_path, {"UriEvent": [{**row, "Id": "000000000000000AAA"} for row in rows(2)]})
    rig.add("UriEvent", FULL_REFRESH, primary_key=key)
    rig.read_all()
    assert not [record for record in caplog.records if "empty Id" in record.getMessage()]
