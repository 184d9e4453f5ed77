from __future__ import annotations

import logging
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, format_instant, query_hash
from unit_tests.extraction_rig import SCOPE, UPPER, ExtractionRig, object_plan, read_one
from unit_tests.fakes import FakeClock, HeldCalls

INCREMENTAL, FULL_REFRESH = Mode.INCREMENTAL, Mode.FULL_REFRESH
STAMPS = ["2026-11-20T00:00:00.000Z", "2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z"]
WHOLE_SOQL = "SELECT Id, Name, SystemModstamp FROM Account"


def rows(count: int = 3) -> list[dict[str, str]]:
    return [
        {"Id": id_18(f"001A{number:011d}"), "Name": f"row {number}", "SystemModstamp": STAMPS[number % 3]}
        for number in range(count)
    ]


def names(run) -> list[str]:
    return sorted(row[1] for row in run.rows)


def all_of(count: int = 3) -> list[str]:
    return sorted(f"row {number}" for number in range(count))


@pytest.fixture
def rig(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(), "Contact": rows(), "Lead": rows()})
    yield rig
    rig.salesforce.close()


def with_jobs(tmp_path, jobs: int) -> ExtractionRig:
    return ExtractionRig(tmp_path, {name: rows() for name in ("Account", "Contact", "Lead")}, jobs=jobs)


def ranges(count: int) -> list[PlannedWindow]:
    cuts = [None, *(id_18(f"001A{number:011d}") for number in range(1, count)), None]
    return [PlannedWindow(Bounds(start=None, end=None, id_from=low, id_to=high)) for low, high in pairwise(cuts)]


def created(rig: ExtractionRig) -> list[str]:
    """Return the object of each created job, in order."""
    return [job.object_name for job in rig.salesforce.jobs.values()]


# How many jobs, and whose


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_jobs_run_in_the_org_than_allowed(tmp_path, jobs):
    rig = with_jobs(tmp_path, jobs)
    rig.salesforce.chance = lambda operation: "running" if operation == "info" else ""
    for name in ("Account", "Contact", "Lead"):
        rig.add(name, FULL_REFRESH)
    rig.read_all(20)
    assert len(rig.salesforce.jobs) == jobs
    assert not rig.extraction.has_free_slot
    rig.salesforce.chance = lambda operation: ""
    rig.read_all()
    assert [names(run) for run in rig.runs] == [all_of()] * 3


def test_a_free_slot_goes_to_the_object_with_the_fewest_jobs(rig):
    rig.salesforce.chance = lambda operation: "running" if operation == "info" else ""
    rig.add("Account", FULL_REFRESH, windows=ranges(3))
    rig.add("Contact", FULL_REFRESH, windows=ranges(3))
    rig.read_all(5)
    assert sorted(created(rig)) == ["Account", "Account", "Contact", "Contact"]


def test_while_another_object_waits_one_takes_half_of_the_slots_at_most(rig):
    rig.salesforce.chance = lambda operation: "running" if operation == "info" else ""
    rig.extraction.others_wait = True
    rig.add("Account", FULL_REFRESH, windows=ranges(4))
    rig.read_all(5)
    assert created(rig) == ["Account", "Account"]
    assert rig.extraction.has_free_slot
    rig.extraction.others_wait = False
    rig.read_all(5)
    assert created(rig) == ["Account"] * 4


def test_an_object_has_no_more_unread_jobs_than_its_state_may_name(rig):
    rig.salesforce.script("info", *["running"] * 40)
    rig.add("Account", FULL_REFRESH, windows=ranges(9))
    for _ in range(9):
        rig.extraction.wait(1.0)
    assert len(rig.salesforce.jobs) == 4
    rig.salesforce._scripts.clear()


def test_jobs_of_an_object_are_created_in_the_order_of_its_windows(rig):
    run = rig.add("Account", FULL_REFRESH, windows=ranges(3))
    planned = [window.soql for window in run.read.windows]
    rig.read_all()
    assert [job.soql for job in rig.salesforce.jobs.values()] == planned
    assert [row[1] for row in run.rows] == all_of()


# A job that does not end well


@pytest.mark.parametrize("fate", ["failed", "aborted", "gone"])
def test_a_job_that_ended_badly_is_asked_for_again_with_the_same_query(rig, fate):
    rig.salesforce.script("info", fate)
    run = read_one(rig, "Account", INCREMENTAL)
    first, second = rig.salesforce.jobs.values()
    assert first.soql == second.soql
    assert first.deleted
    assert second.deleted
    assert names(run) == all_of()
    assert run.read.repeated_rows == 0


def test_a_query_that_fails_three_times_is_split_and_every_row_still_comes(rig):
    rig.salesforce.script("info", "failed", "failed", "failed")
    run = read_one(rig, "Account", INCREMENTAL)
    assert names(run) == all_of()
    assert len({job.soql for job in rig.salesforce.jobs.values()}) > 1
    assert rig.salesforce.left() == set()


@pytest.mark.parametrize("mode", Mode)
def test_a_query_too_large_to_run_is_split_at_once(rig, mode):
    rig.salesforce.script("create", "too large")
    run = read_one(rig, "Account", mode)
    assert names(run) == all_of()
    assert all(job.soql != WHOLE_SOQL for job in rig.salesforce.jobs.values())


def test_the_pieces_of_a_full_refresh_are_open_at_both_ends_and_have_no_date(rig):
    rig.salesforce.script("create", "too large")
    read_one(rig, "Account", FULL_REFRESH)
    wheres = sorted(job.soql.partition(" WHERE ")[2] for job in rig.salesforce.jobs.values())
    assert len(wheres) == 2
    cut = re.fullmatch(r"Id < '(\w{18})'", wheres[0])
    assert cut is not None
    assert wheres[1] == f"Id >= '{cut[1]}'"


def test_a_full_refresh_has_no_bound_on_its_cursor(rig):
    read_one(rig, "Account", FULL_REFRESH)
    (job,) = rig.salesforce.jobs.values()
    assert job.soql == WHOLE_SOQL


def test_what_cannot_be_split_fails_with_the_reason_it_should_have_been(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(1)})
    rig.salesforce.script("create", "too large")
    run = read_one(rig, "Account", FULL_REFRESH)
    assert run.failure is not None
    assert run.failure.kind is Kind.QUERY_TOO_LARGE
    rig.salesforce.close()


def test_a_job_that_is_not_complete_in_time_is_aborted_and_asked_for_again(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows()}, job_timeout=60.0)
    run = rig.add("Account", INCREMENTAL)
    rig.salesforce.chance = lambda operation: "running" if operation == "info" and len(rig.salesforce.jobs) == 1 else ""
    began = rig.clock.monotonic()
    rig.read_all()
    rig.close()
    assert names(run) == all_of()
    assert 60.0 <= rig.clock.monotonic() - began < JobPolicy(60.0).budget
    assert rig.salesforce.count("abort") == 1
    assert rig.salesforce.left() == set()


def test_an_hour_of_waiting_costs_few_polls(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows()}, job_timeout=7200.0)
    rig.add("Account", INCREMENTAL)
    rig.salesforce.chance = lambda operation: (
        "running" if operation == "info" and rig.clock.monotonic() < 1000.0 + 3600 else ""
    )
    rig.read_all()
    assert 4 <= rig.salesforce.count("info") <= 120


# A create whose answer was lost


@pytest.mark.parametrize(("fate", "orphans"), [("lost", 1), ("never came", 0)])
def test_a_create_whose_answer_was_lost_is_sent_once_more_and_its_job_is_never_touched(rig, fate, orphans, caplog):
    rig.salesforce.script("create", fate)
    run = read_one(rig, "Account", INCREMENTAL)
    assert names(run) == all_of()
    assert rig.salesforce.count("create") == 2
    left = [job for job in rig.salesforce.jobs.values() if not job.deleted]
    assert len(left) == orphans
    assert any("left in the org" in record.getMessage() for record in caplog.records)


def test_a_create_that_was_lost_twice_fails_the_object_and_no_third_is_sent(rig):
    rig.salesforce.script("create", "lost", "lost")
    run = read_one(rig, "Account", INCREMENTAL)
    assert run.failure is not None
    assert run.failure.kind is Kind.ANSWER_LOST
    assert rig.salesforce.count("create") == 2


class SlowCreates(HeldCalls):
    """Calls whose first create is answered only after 90 seconds."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.creates = 0
        self.slow: list[tuple[float, Callable[[], None]]] = []

    def submit(self, call, done, failed) -> None:
        super().submit(call, done, failed)
        if "_create_job" in repr(call):
            self.creates += 1
            if self.creates == 1:
                self.slow.append((self._clock.monotonic() + 90, self.held.pop()))

    def drain(self, timeout: float) -> bool:
        for until, answer in self.slow.copy():
            if not self.held and self._clock.monotonic() + timeout >= until:
                self._clock.advance(max(0.0, until - self._clock.monotonic()))
                self.held.append(answer)
                self.slow.clear()
        return super().drain(timeout)


def test_a_create_that_is_not_answered_within_the_timeout_is_replaced_and_its_late_job_ended(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows()}, calls=SlowCreates, job_timeout=60.0)
    rig.salesforce.script("info", *["running"] * 18)
    run = read_one(rig, "Account", INCREMENTAL)
    assert (run.failure, names(run)) == (None, all_of())
    assert rig.salesforce.count("create") == 2
    assert rig.salesforce.left() == set()


def test_a_create_that_is_answered_after_its_object_was_read_leaves_no_job(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows()}, calls=SlowCreates, job_timeout=60.0)
    run = rig.add("Account", INCREMENTAL)
    rig.read_all()
    assert names(run) == all_of()
    rig.extraction.close(rig.named(), 600.0)
    assert rig.salesforce.count("create") == 2
    assert rig.salesforce.left() == set()


# A job that the state names


QUERY: ObjectQuery = object_plan("Account", INCREMENTAL).query
WINDOW = Bounds(start=None, end=UPPER, id_from=None, id_to=None)
SOQL = build_soql(QUERY, WINDOW)


def state(job_id: str = "750old000000000AAA", **changes) -> dict[str, object]:
    point = {
        "job": job_id,
        "locator": None,
        "page": 0,
        "rows": 0,
        "from": None,
        "to": format_instant(UPPER),
        "id_from": None,
        "id_to": None,
        "api_version": "v60.0",
        "page_size": 2,
        "query": query_hash(SOQL, "queryAll"),
    }
    return {"scope": SCOPE, "resume": [point | changes]}


def test_an_earlier_runs_job_is_continued_with_its_own_version_and_page_size(rig):
    rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    run = read_one(rig, "Account", INCREMENTAL, blob=state())
    assert names(run) == all_of()
    assert rig.salesforce.count("create") == 0
    assert all("/v60.0/" in sent.url for sent in rig.salesforce.sent)
    assert {sent.params["maxRecords"] for sent in rig.salesforce.sent if sent.url.endswith("/results")} == {"2"}
    assert rig.salesforce.left() == set()


def test_an_earlier_runs_job_goes_on_behind_the_last_page_of_its_state(rig):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    run = read_one(rig, "Account", INCREMENTAL, blob=state(locator=f"{job.id}-2", page=1, rows=2))
    assert [row[1] for row in run.rows] == ["row 2"]
    assert run.state["SystemModstamp"] == format_instant(UPPER)


def test_a_job_that_is_gone_means_its_window_again_and_a_warning_of_how_many_rows_repeat(rig, caplog):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll", deleted=True)
    run = read_one(rig, "Account", INCREMENTAL, blob=state(locator=f"{job.id}-2", page=1, rows=2))
    assert names(run) == all_of()
    assert run.read.repeated_rows == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("2 rows" in warning for warning in warnings)


@pytest.mark.parametrize(
    "foreign",
    [{"created_by": "005A00000099999AAA"}, {"object_name": "Contact"}, {"operation": "query"}],
    ids=["another user's", "of another object", "of another operation"],
)
def test_a_job_that_turns_out_not_to_be_ours_is_asked_about_once_and_left_alone(rig, foreign):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, **({"operation": "queryAll"} | foreign))
    run = read_one(rig, "Account", INCREMENTAL, blob=state())
    assert names(run) == all_of()
    assert [sent.method for sent in rig.salesforce.sent if job.id in sent.url] == ["GET"]
    assert not job.deleted
    assert "750old" not in str(run.state)


def test_a_job_is_continued_in_an_org_that_names_another_creator_than_its_login_does(rig):
    rig.salesforce.creator = "005A00000099999AAA"
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    run = read_one(rig, "Account", INCREMENTAL, blob=state(locator=f"{job.id}-2", page=1, rows=2))
    assert names(run) == all_of()[2:]
    assert run.read.repeated_rows == 0
    assert [one.soql for one in rig.salesforce.jobs.values() if one is not job] == ["SELECT Id FROM Account LIMIT 1"]
    assert rig.salesforce.left() == set()


REFUSALS = [
    "403 INSUFFICIENT_ACCESS",
    "403 FORBIDDEN",
    "400 INSUFFICIENT_ACCESS_OR_READONLY",
    "400 SOME_NEW_CODE",
    "405 METHOD_NOT_ALLOWED",
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_earlier_runs_job_that_may_not_be_seen_costs_its_window(rig, caplog, refusal):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    rig.salesforce.script("info", refusal)
    run = read_one(rig, "Account", INCREMENTAL, blob=state(locator=f"{job.id}-2", page=1, rows=2))
    assert (run.failure, names(run)) == (None, all_of())
    assert [sent.method for sent in rig.salesforce.sent if job.id in sent.url] == ["GET"]
    assert "750old" not in str(run.state)
    assert any("is not visible to this user" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("refusal", REFUSALS[:4])
def test_an_earlier_runs_job_whose_pages_may_not_be_seen_is_replaced_by_a_new_one(rig, refusal):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    rig.salesforce.script("results", refusal)
    run = read_one(rig, "Account", INCREMENTAL, blob=state(locator=f"{job.id}-2", page=1, rows=2))
    assert (run.failure, names(run)) == (None, all_of())
    assert rig.salesforce.count("create") == 1
    assert rig.salesforce.left() == set()


def test_a_job_of_this_run_whose_pages_may_not_be_seen_fails_its_object(rig):
    rig.salesforce.script("results", "403 INSUFFICIENT_ACCESS")
    run = read_one(rig, "Account", INCREMENTAL)
    assert run.failure is not None
    assert rig.salesforce.count("create") == 1


@pytest.mark.parametrize("stop", ["403 REQUEST_LIMIT_EXCEEDED", "403 API_DISABLED_FOR_ORG"])
def test_what_concerns_the_whole_org_is_no_refusal_of_the_job(rig, stop):
    rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    rig.salesforce.script("info", stop)
    run = read_one(rig, "Account", INCREMENTAL, blob=state())
    assert run.failure is not None
    assert run.read.state.resume[0].job == "750old000000000AAA"


@pytest.mark.parametrize("ours", [True, False])
def test_a_job_that_was_never_confirmed_is_asked_about_once_more_before_it_is_ended(rig, ours):
    """Its polls were not answered within job_timeout, so it is unknown whose job it is."""
    until = rig.clock.monotonic() + 76
    rig.salesforce.chance = lambda what: "unavailable" if what == "info" and rig.clock.monotonic() < until else ""
    changes = {} if ours else {"created_by": "005000000000999AAA"}
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll", **changes)
    run = rig.add("Account", INCREMENTAL, blob=state())
    rig.read_all()
    rig.calls.settle()
    assert names(run) == all_of()
    assert job.deleted is ours
    methods = {sent.method for sent in rig.salesforce.sent if job.id in sent.url}
    assert methods == ({"GET", "DELETE"} if ours else {"GET"})


def test_a_job_of_another_query_is_ended_and_its_window_read_again(rig, caplog):
    job = rig.salesforce.add_job("750old000000000AAA", SOQL, "queryAll")
    run = read_one(rig, "Account", INCREMENTAL, blob=state(query="sha256:other"))
    assert names(run) == all_of()
    assert job.deleted
    assert rig.salesforce.count("results") == 1
    assert any(job.id in record.getMessage() for record in caplog.records)


# Failures


def test_the_failure_of_one_object_is_no_other_objects(rig):
    rig.salesforce.script("create", "refused")
    account, contact = rig.add("Account", INCREMENTAL), rig.add("Contact", INCREMENTAL)
    rig.read_all()
    rig.close()
    assert account.failure is not None
    assert contact.failure is None
    assert names(contact) == all_of()


def test_what_concerns_every_object_stops_them_all_and_keeps_the_jobs_that_states_name(rig):
    rig.salesforce.script("info", "running", "quota")
    account, contact = rig.add("Account", INCREMENTAL), rig.add("Contact", INCREMENTAL)
    rig.read_all()
    rig.close()
    for run in (account, contact):
        assert run.failure is not None
        assert run.failure.kind is Kind.API_CALLS_EXHAUSTED
    assert rig.salesforce.left() == rig.named() != set()


def test_a_few_polls_without_an_answer_are_borne(rig):
    rig.salesforce.script("info", *["unavailable"] * 5, "")
    run = read_one(rig, "Account", INCREMENTAL)
    assert names(run) == all_of()


def test_each_trouble_is_logged_with_all_that_is_needed_to_find_it(rig, caplog):
    rig.salesforce.script("info", "failed")
    read_one(rig, "Account", INCREMENTAL)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    first = next(iter(rig.salesforce.jobs))
    for word in ("run id run-1", "object Account", f"jobId {first}"):
        assert word in line


def test_errors_retries_and_jobs_are_counted(rig):
    rig.salesforce.script("info", "failed")
    read_one(rig, "Account", INCREMENTAL)
    counts = rig.metrics.of("Account")
    assert (counts.errors, counts.retries, counts.jobs) == (1, 1, 2)
