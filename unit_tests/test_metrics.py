from __future__ import annotations

import threading

import pytest

from source_salesforce_bulk.extraction.metrics import ObjectMetrics, RunMetrics
from source_salesforce_bulk.pages.page_task import PageCost
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiUsage, Operation

POLL = bulk_api.job_info("v66.0", "750A", "Account")
PAGE = bulk_api.results("v66.0", "750A", None, 50000, "Account")
LOGIN = ApiRequest(Operation.TOKEN, "POST", "/services/oauth2/token", authenticated=False)
USAGE = ApiUsage(used=18, maximum=5000)


def test_an_object_begins_with_nothing_counted():
    assert RunMetrics().of("Account") == ObjectMetrics()


def test_each_object_keeps_its_own_counts():
    metrics = RunMetrics()
    metrics.count("Account", records=3)
    assert metrics.of("Account").records == 3
    assert metrics.of("Contact").records == 0


def test_every_request_is_counted_for_its_object_and_by_what_it_asks():
    metrics = RunMetrics()
    for request, size in ((POLL, 10), (POLL, 10), (PAGE, 1000), (LOGIN, 5)):
        metrics.on_answer(request, 200, 0.1, size, None)
    account = metrics.of("Account")
    assert (account.polls, account.calls[Operation.RESULTS], account.bytes) == (2, 1, 1020)
    assert metrics.of(None).calls == {Operation.TOKEN: 1}
    assert metrics.calls == 4


def test_a_request_without_an_answer_was_a_request():
    metrics = RunMetrics()
    metrics.on_answer(POLL, None, 30.0, 0, None)
    assert metrics.calls == 1


def test_a_request_that_goes_out_again_is_an_error_and_a_retry():
    metrics = RunMetrics()
    metrics.on_retry(PAGE, Failure.of(Kind.UNAVAILABLE), 1.0)
    assert (metrics.of("Account").errors, metrics.of("Account").retries) == (1, 1)


COUNTS = ("records", "batches", "errors", "retries", "jobs", "orphans")


@pytest.mark.parametrize("name", COUNTS)
def test_what_is_counted_is_added_to_its_count_alone(name):
    metrics = RunMetrics()
    for number in (2, 3):
        metrics.count("Account", **{name: number})
    assert metrics.of("Account") == ObjectMetrics(**{name: 5})


def test_a_count_that_another_thread_may_change_is_added_to_under_the_lock():
    metrics, locked = RunMetrics(), []

    class Watched(int):
        def __add__(self, more: int) -> Watched:
            locked.append(metrics._lock.locked())
            return Watched(int(self) + more)

    account = metrics.of("Account")
    for name in (*COUNTS, "bytes"):
        setattr(account, name, Watched())
    metrics.count("Account", records=1)
    metrics.on_answer(POLL, 200, 0.1, 7, USAGE)
    metrics.on_retry(POLL, Failure.of(Kind.UNAVAILABLE), 1.0)
    metrics.on_spent("Account", Operation.RESULTS, PageCost(calls=2, retries=1, received=9))
    assert (account.records, account.bytes, account.errors, account.retries) == (1, 16, 2, 2)
    assert len(locked) >= len(COUNTS) + 1
    assert all(locked)


def test_jobs_are_counted_over_all_objects():
    metrics = RunMetrics()
    metrics.count("Account", jobs=2)
    metrics.count("Contact", jobs=1)
    assert metrics.jobs == 3


def test_what_the_answers_say_of_the_orgs_calls_is_kept_through_answers_without_it():
    metrics = RunMetrics()
    assert metrics.usage is None
    metrics.on_answer(POLL, 200, 0.1, 0, USAGE)
    metrics.on_answer(PAGE, 200, 0.1, 0, None)
    assert metrics.usage == USAGE
    metrics.on_answer(POLL, 200, 0.1, 0, ApiUsage(used=19, maximum=5000))
    assert metrics.usage == ApiUsage(used=19, maximum=5000)


def test_the_closing_line_names_every_count():
    metrics = RunMetrics()
    account = metrics.of("Account")
    account.records, account.batches, account.errors, account.retries = 1, 2, 3, 4
    account.jobs, account.waiting = 5, 6.25
    metrics.on_answer(POLL, 200, 0.1, 7, None)
    metrics.on_answer(PAGE, 200, 0.1, 8, None)
    assert account.summary() == (
        "records processed 1, batches completed 2, errors 3, retries 4, jobs 5, polls 1, API calls 2, bytes 15, "
        "waiting 6.2 s"
    )


def test_counts_from_many_threads_are_all_there():
    metrics = RunMetrics()
    together = threading.Barrier(8, timeout=30)

    def count():
        together.wait()
        for _ in range(500):
            metrics.on_answer(POLL, 200, 0.0, 1, USAGE)
            metrics.on_retry(POLL, Failure.of(Kind.UNAVAILABLE), 0.0)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    account = metrics.of("Account")
    assert (metrics.calls, account.bytes, account.retries, account.errors) == (4000, 4000, 4000, 4000)


def test_what_other_machines_spend_is_counted_like_calls_of_this_one():
    metrics = RunMetrics()
    metrics.on_answer(PAGE, 200, 0.1, 10, None)
    metrics.on_spent("Account", Operation.RESULTS, PageCost(3, 2, 500, USAGE))
    account = metrics.of("Account")
    assert (account.calls[Operation.RESULTS], account.retries, account.errors, account.bytes) == (4, 2, 2, 510)
    assert metrics.usage == USAGE
    metrics.on_spent("Account", Operation.RESULTS, PageCost(calls=1))
    assert metrics.usage == USAGE
