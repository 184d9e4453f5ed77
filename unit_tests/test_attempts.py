from __future__ import annotations

import pytest
import requests

from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.failures import Answer as Answered
from source_salesforce_bulk.salesforce.http_client import HttpRequest, Timeouts
from source_salesforce_bulk.salesforce.retry import Backoff, RetryPolicy
from source_salesforce_bulk.salesforce.wire import Operation
from unit_tests.fakes import Answer, FakeClock, ScriptedHttp

POLICY = RetryPolicy(3, Backoff(initial=1.0, factor=2.0, maximum=60.0, jitter=0.5), budget=100.0)
GET = HttpRequest("GET", "https://acme.my.salesforce.com/x", Timeouts(1, 1, 1), {})


class Rig:
    def __init__(self, *outcomes: object) -> None:
        self.clock, self.http = FakeClock(), ScriptedHttp()
        self.outcomes = list(outcomes)
        self.retries: list[tuple[Kind, float]] = []
        self.random01 = 0.0

    def attempt(self) -> object:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def persist(self) -> object:
        return Caller(self.http, self.clock, lambda: self.random01).persist(
            self.attempt,
            POLICY,
            lambda failure: failure.action is Action.RETRY,
            lambda failure, pause: self.retries.append((failure.kind, pause)),
        )


def failed(kind: Kind, retry_after: float | None = None) -> SalesforceError:
    return SalesforceError(Failure.of(kind, answer=Answered(retry_after=retry_after)))


def test_what_passes_is_tried_again_after_growing_pauses_that_are_reported():
    rig = Rig(failed(Kind.UNAVAILABLE), failed(Kind.CONNECTION), "done")
    assert rig.persist() == "done"
    assert rig.retries == [(Kind.UNAVAILABLE, 1.0), (Kind.CONNECTION, 2.0)]
    assert rig.clock.sleeps == [1.0, 2.0]


def test_chance_shortens_a_pause():
    rig = Rig(failed(Kind.UNAVAILABLE), "done")
    rig.random01 = 1.0
    rig.persist()
    assert rig.clock.sleeps == [0.5]


def test_an_answer_may_ask_for_a_longer_pause():
    rig = Rig(failed(Kind.UNAVAILABLE, retry_after=17.0), "done")
    rig.persist()
    assert rig.clock.sleeps == [17.0]


def test_what_does_not_pass_is_raised_as_it_is():
    rig = Rig(failed(Kind.CREDENTIALS_REFUSED))
    with pytest.raises(SalesforceError) as raised:
        rig.persist()
    assert "attempt" not in raised.value.failure.summary
    assert rig.clock.sleeps == []


def test_after_the_last_attempt_the_failure_says_how_many_there_were():
    rig = Rig(*[failed(Kind.UNAVAILABLE)] * 3)
    with pytest.raises(SalesforceError) as raised:
        rig.persist()
    assert raised.value.failure.summary.endswith("This was attempt 3 of 3.")


def test_no_attempt_begins_after_the_budget():
    rig = Rig(failed(Kind.UNAVAILABLE, retry_after=101.0), "never")
    with pytest.raises(SalesforceError):
        rig.persist()
    assert rig.outcomes == ["never"]


def test_an_exception_of_another_kind_is_not_retried():
    with pytest.raises(KeyError):
        Rig(KeyError("x")).persist()


def test_stopping_ends_the_pause():
    rig = Rig(failed(Kind.UNAVAILABLE))
    rig.clock.stopped = True
    with pytest.raises(Stopped):
        rig.persist()


def test_an_answer_comes_back_whatever_it_says():
    rig = Rig()
    rig.http.expect("GET", "/x", Answer(500, b"no"))
    closed: list[int] = []
    with Caller(rig.http, rig.clock, lambda: 0.0).send(
        Operation.LIMITS, GET, lambda body: closed.append(body.status)
    ) as body:
        assert body.read_error().body == b"no"
    assert closed == [500]


def test_an_exception_of_the_library_is_a_failure_of_the_operation():
    rig = Rig()
    rig.http.expect("GET", "/x", Answer(error=requests.ReadTimeout("x")))
    with pytest.raises(SalesforceError) as raised:
        Caller(rig.http, rig.clock, lambda: 0.0).send(Operation.CREATE_JOB, GET, lambda body: None)
    assert raised.value.failure.kind is Kind.ANSWER_LOST
