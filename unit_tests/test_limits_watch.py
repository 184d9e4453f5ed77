from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from source_salesforce_bulk.extraction.limits_watch import LIMITS_AGAIN, LimitsWatch
from source_salesforce_bulk.extraction.quota import Quota
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.wire import ApiUsage

USED_UP = Failure.of(Kind.QUERY_JOBS_EXHAUSTED)


@dataclass
class Around:
    """A connection, its configuration and its metrics in one: what the watch asks of them."""

    answer: Quota = field(default_factory=Quota)
    usage: ApiUsage | None = None
    daily_limit_reserve_percent: int = 5
    clocks: Failure | None = None

    @property
    def config(self) -> Around:
        return self

    @property
    def metrics(self) -> Around:
        return self

    def quota(self) -> Quota:
        return self.answer

    def clock_failure(self) -> Failure | None:
        return self.clocks


@dataclass
class Extraction:
    """Records its calls. A question waits until the test answers it."""

    creates: int = 0
    allowed: list[tuple[int | None, int]] = field(default_factory=list)
    stopped: list[Failure] = field(default_factory=list)
    asked: list[tuple[Callable[[], Quota], Callable[[Quota], None], Callable[[Exception], None]]] = field(
        default_factory=list
    )

    def allow_jobs(self, jobs: int | None, *, counted_at: int) -> None:
        self.allowed.append((jobs, counted_at))

    def stop(self, failure: Failure) -> None:
        self.stopped.append(failure)

    def ask(self, call, done, failed) -> None:
        self.asked.append((call, done, failed))

    def answer(self) -> None:
        call, done, _ = self.asked[-1]
        done(call())


@pytest.fixture
def around() -> Around:
    return Around(Quota(jobs=100))


@pytest.fixture
def extraction() -> Extraction:
    return Extraction()


@pytest.fixture
def watch(around, extraction) -> LimitsWatch:
    return LimitsWatch(around, extraction)


def test_an_org_whose_servers_disagree_about_the_time_stops_the_run(watch, around, extraction):
    watch.look()
    assert extraction.stopped == []
    around.clocks = Failure.of(Kind.CLOCKS_DISAGREE)
    watch.look()
    assert extraction.stopped == [around.clocks]


def test_the_first_look_bounds_the_jobs_of_the_run(watch, extraction):
    assert watch.begin() is None
    assert extraction.allowed == [(100, 0)]


def test_a_first_look_that_finds_too_little_is_handed_back_and_nothing_is_begun(watch, around, extraction):
    around.answer = Quota(USED_UP, jobs=0)
    assert watch.begin() is USED_UP
    assert (extraction.allowed, extraction.stopped) == ([], [])


def test_the_org_is_asked_again_after_every_fifty_jobs_and_not_sooner(watch, extraction):
    for extraction.creates in range(2 * LIMITS_AGAIN + 1):
        watch.look()
        assert len(extraction.asked) == extraction.creates // LIMITS_AGAIN


def test_an_answer_counts_from_the_jobs_that_there_were_when_it_was_asked_for(watch, extraction):
    extraction.creates = 50
    watch.look()
    extraction.creates = 57
    extraction.answer()
    assert extraction.allowed == [(100, 50)]
    assert extraction.stopped == []


def test_a_later_look_that_finds_too_little_stops_the_run(watch, around, extraction):
    extraction.creates = LIMITS_AGAIN
    watch.look()
    around.answer = Quota(USED_UP, jobs=0)
    extraction.answer()
    assert extraction.stopped == [USED_UP]


@pytest.mark.parametrize(("used", "stops"), [(950, False), (951, True), (2000, True)])
def test_the_header_of_any_answer_stops_the_run_below_the_reserve(watch, around, extraction, used, stops):
    around.usage = ApiUsage(used=used, maximum=1000)
    extraction.creates = LIMITS_AGAIN
    watch.look()
    assert [failure.kind for failure in extraction.stopped] == [Kind.API_CALLS_EXHAUSTED] * stops
    assert len(extraction.asked) == (0 if stops else 1)


def test_a_look_that_fails_is_a_warning_and_the_reading_goes_on(watch, extraction, caplog):
    extraction.creates = LIMITS_AGAIN
    watch.look()
    failed = extraction.asked[-1][2]
    with caplog.at_level(logging.WARNING):
        failed(Stopped("the run is being stopped"))
        assert caplog.records == []
        failed(SalesforceError(Failure.of(Kind.UNAVAILABLE)))
    assert [record.getMessage() for record in caplog.records] == [
        f"The org's limits could not be read: {Failure.of(Kind.UNAVAILABLE).summary}"
    ]
    assert extraction.stopped == []
    with pytest.raises(ZeroDivisionError):
        failed(ZeroDivisionError())
