from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from source_salesforce_bulk.extraction.calls import ThreadedCalls, failure_in
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError

LONG = 30.0  # seconds until a test that hangs gives up; no test waits for it


@pytest.fixture
def calls() -> Iterator[ThreadedCalls]:
    threaded = ThreadedCalls(workers=4, name="test")
    yield threaded
    threaded.close()


def test_a_call_runs_beside_this_thread_and_its_answer_comes_back_to_it(calls):
    answers = []
    calls.submit(
        lambda: threading.current_thread().name,
        lambda name: answers.append((name, threading.current_thread())),
        pytest.fail,
    )
    assert calls.drain(LONG)
    ((name, answered_in),) = answers
    assert name.startswith("test")
    assert answered_in is threading.current_thread()


def test_nothing_is_answered_before_somebody_drains(calls):
    answers, ran = [], threading.Event()
    calls.submit(lambda: ran.set() or 47, answers.append, pytest.fail)
    assert ran.wait(LONG)
    assert answers == []
    assert calls.drain(LONG)
    assert answers == [47]


def test_an_exception_of_a_call_is_handed_over_whole(calls):
    failures = []
    error = RuntimeError("broken")

    def broken():
        raise error

    calls.submit(broken, pytest.fail, failures.append)
    assert calls.drain(LONG)
    assert failures == [error]


def test_calls_run_at_the_same_time(calls):
    both = threading.Barrier(2, timeout=LONG)
    answers: list[int] = []
    for _ in range(2):
        calls.submit(both.wait, answers.append, pytest.fail)
    while len(answers) < 2:
        assert calls.drain(LONG)
    assert sorted(answers) == [0, 1]


def test_a_slow_call_holds_no_other_answer_up(calls):
    release, answers = threading.Event(), []
    calls.submit(lambda: release.wait(LONG) and "slow", answers.append, pytest.fail)
    calls.submit(lambda: "fast", answers.append, pytest.fail)
    assert calls.drain(LONG)
    assert answers == ["fast"]
    release.set()
    assert calls.drain(LONG)
    assert answers == ["fast", "slow"]


def test_draining_says_whether_anything_was_due(calls):
    assert not calls.drain(0.0)
    calls.post(lambda: None)
    assert calls.drain(0.0)
    assert not calls.drain(0.0)


def test_a_drain_that_waits_ends_with_the_first_answer(calls):
    release = threading.Event()
    answers = []
    calls.submit(lambda: release.wait(LONG), answers.append, pytest.fail)
    calls.post(release.set)
    assert calls.drain(LONG)
    assert calls.drain(LONG)
    assert answers == [True]


def test_all_that_is_due_is_run_in_order_what_a_callback_posts_included(calls):
    ran = []

    def first():
        ran.append("first")
        calls.post(lambda: ran.append("third"))

    calls.post(first)
    calls.post(lambda: ran.append("second"))
    assert calls.drain(0.0)
    assert ran == ["first", "second", "third"]


def test_callbacks_may_be_posted_from_any_thread(calls):
    ran = []
    posting = threading.Thread(target=lambda: calls.post(lambda: ran.append(threading.current_thread())))
    posting.start()
    posting.join(LONG)
    assert calls.drain(LONG)
    assert ran == [threading.current_thread()]


def test_a_callback_that_breaks_breaks_the_drain_and_loses_no_other(calls):
    ran = []

    def broken():
        raise RuntimeError("broken")

    calls.post(broken)
    calls.post(lambda: ran.append("next"))
    with pytest.raises(RuntimeError, match="broken"):
        calls.drain(0.0)
    assert calls.drain(0.0)
    assert ran == ["next"]


def test_closing_waits_for_no_call_and_begins_none_that_waits():
    calls = ThreadedCalls(workers=1, name="closing")
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert release.wait(LONG)
        ended.set()

    calls.submit(slow, lambda _: None, pytest.fail)
    calls.submit(lambda: pytest.fail("a waiting call was begun"), pytest.fail, pytest.fail)
    assert begun.wait(LONG)
    calls.close()
    assert not ended.is_set()
    with pytest.raises(RuntimeError):
        calls.submit(slow, pytest.fail, pytest.fail)
    release.set()
    assert calls.drain(LONG)
    assert ended.is_set()
    assert not calls.drain(0.0)


def test_a_defect_in_a_call_is_a_failure_that_does_not_quote_it(caplog):
    """Otherwise it would end the object whose turn it is, and its own object would wait for ever."""
    caplog.set_level("DEBUG")
    failure = failure_in(LookupError("a value of a row"))
    assert failure is not None
    assert (failure.kind, failure.action) == (Kind.UNEXPECTED, Action.FAIL_STREAM)
    assert "LookupError" in failure.summary
    assert "a value of a row" not in failure.summary + caplog.text


def test_what_an_exception_of_a_call_means():
    known = Failure.of(Kind.UNAVAILABLE)
    assert failure_in(SalesforceError(known)) is known
    assert failure_in(Stopped("the run is being stopped")) is None
