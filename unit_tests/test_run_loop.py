"""The loop of a run: the order of beginnings, the checks between turns, and a clean-up that takes every step."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from source_salesforce_bulk.extraction.extraction import CLEAN_UP, CLEAN_UP_STOPPED
from source_salesforce_bulk.extraction.interleaving import TURN_OVER
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.quota import Quota
from source_salesforce_bulk.extraction.run_loop import Participant, RunLoop
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from unit_tests.fakes import FakeClock


class FakeExtraction:
    """Slots and stops as a test sets them; every wait takes a second."""

    def __init__(self, clock):
        self.clock = clock
        self.others_wait = False
        self.has_free_slot = True
        self.stop_failure = None
        self.creates = 0
        self.closed = []

    def stop(self, failure):
        self.stop_failure = self.stop_failure or failure

    def wait(self, seconds):
        self.clock.advance(1.0)

    def allow_jobs(self, jobs, *, counted_at):
        self.jobs = jobs

    def close(self, keep, seconds):
        self.closed.append((set(keep), seconds))


class Rig:
    def __init__(self):
        self.clock = FakeClock()
        self.extraction = FakeExtraction(self.clock)
        self.signals = False
        self.quota = Quota(jobs=7)
        self.watched = 0
        self.connection = SimpleNamespace(
            clock=self.clock,
            metrics=RunMetrics(),
            config=SimpleNamespace(daily_limit_reserve_percent=5),
            log_in=lambda: None,
            quota=lambda: self.quota,
            clock_failure=lambda: None,
            close=lambda: self.extraction.closed.append("connection"),
        )
        self.loop = RunLoop(self.connection, self.extraction, lambda: self.signals, self.watch)

    def watch(self):
        self.watched += 1

    def told(self, *participants):
        return list(self.loop.messages(participants))


@pytest.fixture
def rig():
    return Rig()


def test_a_run_begins_within_the_limits(rig):
    rig.loop.begin()
    assert rig.extraction.jobs == 7


def test_a_run_below_its_reserve_does_not_begin(rig):
    rig.quota = Quota(failure=Failure.of(Kind.API_CALLS_EXHAUSTED))
    with pytest.raises(SalesforceError):
        rig.loop.begin()


def test_participants_take_turns(rig):
    one = Participant("A", iter(["a1", TURN_OVER, "a2"]))
    other = Participant("B", iter(["b1", TURN_OVER, "b2"]))
    assert rig.told(one, other) == ["a1", "b1", "a2", "b2"]


def test_an_object_waits_for_a_slot_and_for_what_it_needs(rig):
    known = []

    def first():
        yield "a1"
        yield TURN_OVER
        yield "a2"
        known.append("B")

    waiting = Participant("B", iter(["b1"]), lambda: "B" in known)
    assert rig.told(Participant("A", first()), waiting) == ["a1", "a2", "b1"]
    rig.extraction.has_free_slot = False
    ready = Participant("B", iter(["b1"]))
    assert rig.told(Participant("A", iter(["a1", TURN_OVER, "a2"])), ready) == ["a1", "a2", "b1"]


def test_others_wait_until_the_last_object_has_begun(rig):
    seen = []

    def object_turns(name):
        seen.append((name, rig.extraction.others_wait))
        yield TURN_OVER
        yield name

    rig.told(Participant("A", object_turns("a")), Participant("B", object_turns("b")))
    assert seen == [("a", True), ("b", True)]
    assert not rig.extraction.others_wait


def test_a_signal_stops_the_extraction_at_the_next_turn(rig):
    def turns():
        yield "a1"
        rig.signals = True
        yield TURN_OVER
        assert rig.extraction.stop_failure.kind is Kind.INTERRUPTED

    assert rig.told(Participant("A", turns())) == ["a1"]
    assert rig.watched


def test_the_time_between_two_silent_turns_is_waiting(rig):
    rig.told(Participant("A", iter([TURN_OVER, TURN_OVER, TURN_OVER, "a1"])))
    assert rig.connection.metrics.of("A").waiting == 2.0


def test_clean_up_takes_every_step_and_hides_no_end(rig, caplog):
    steps = []

    def broken():
        steps.append("broken")
        raise OSError("the disk")

    rig.loop.finish()
    rig.loop.close(lambda: ["750"], broken, lambda: steps.append("second"))
    assert steps == ["broken", "second"]
    assert rig.extraction.closed == [({"750"}, CLEAN_UP), "connection"]
    assert "OSError" in caplog.text


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_that_was_cut_short_cleans_up_in_haste(rig, finished):
    rig.signals = finished  # a signal came before the end
    if finished:
        rig.loop.finish()
    rig.loop.close(list)
    assert rig.extraction.closed[0] == (set(), CLEAN_UP_STOPPED)
