from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.org_clock import Moment, OrgClock, Sighting

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def moment(seconds: float, wall: float | None = None) -> Moment:
    """Return this machine's clocks some seconds into the run; ``wall`` if its wall clock differs."""
    return Moment(seconds, START + timedelta(seconds=seconds if wall is None else wall))


def sighting(seconds: float, skew: timedelta = timedelta(0), source: str = "/a", wall: float | None = None) -> Sighting:
    """An answer some seconds into the run, from a server whose clock is ``skew`` ahead of the org's."""
    date = (START + timedelta(seconds=seconds) + skew).replace(microsecond=0)
    return Sighting(date, source, moment(seconds, wall))


def clock_of(*sightings: Sighting) -> OrgClock:
    clock = OrgClock()
    for one in sightings:
        clock = clock.seen(one)
    return clock


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# T


def test_the_smallest_date_of_the_last_minute_is_the_upper_bound():
    clock = clock_of(sighting(0), sighting(20), sighting(55))
    assert clock.upper_bound(moment(56), None) == START


def test_a_date_that_is_older_than_a_minute_is_followed_by_newer_ones():
    clock = clock_of(sighting(0), sighting(70), sighting(95))
    assert clock.upper_bound(moment(100), None) == at(70)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "between", "last"])
@pytest.mark.parametrize("ahead", [HOUR, 50 * MINUTE, 90 * timedelta(seconds=1)], ids=str)
def test_one_fast_answer_does_not_move_the_upper_bound(place, ahead):
    sightings = [sighting(second, ahead if index == place else timedelta(0)) for index, second in enumerate((1, 2, 3))]
    assert clock_of(*sightings).upper_bound(moment(3), None) <= at(3)


def test_a_fast_answer_alone_in_its_minute_is_held_back_by_the_earlier_ones():
    clock = clock_of(sighting(0), sighting(600, 50 * MINUTE))
    assert clock.upper_bound(moment(600), None) == at(600)


def test_answers_that_are_all_ahead_are_held_back_by_the_login_and_the_time_since():
    login = Sighting(START, "the login", moment(0))
    clock = clock_of(sighting(1, 50 * MINUTE), sighting(2, 50 * MINUTE))
    assert clock.upper_bound(moment(40.5), login) == at(40)


def test_an_issued_at_that_is_no_time_of_the_login_does_not_hold_the_org_in_the_past():
    login = Sighting(datetime(2010, 7, 6, tzinfo=UTC), "the login", moment(0))
    assert clock_of(sighting(1)).upper_bound(moment(2), login) == at(1)


def test_a_login_that_lags_counts_where_this_machines_clock_agrees_with_it():
    login = Sighting(START, "the login", moment(0))
    clock = clock_of(sighting(1, 3 * HOUR))
    assert clock.upper_bound(moment(2), login) == at(2)


def test_before_any_date_the_login_and_the_time_since_are_the_upper_bound():
    login = Sighting(START, "the login", moment(0))
    assert OrgClock().upper_bound(moment(90), login) == at(90)


def test_an_org_that_shows_no_time_has_no_upper_bound():
    assert OrgClock().upper_bound(moment(0), None) is None
    assert OrgClock().time_at(moment(0)) is None


def test_the_clock_of_an_idle_org_stands_where_it_was_last_seen():
    assert clock_of(sighting(5)).upper_bound(moment(500), None) == at(5)


ANSWERS = st.lists(
    st.tuples(st.floats(0, 400), st.sampled_from([0, 0, 0, 30, 90, 300, 3000, 3600])), min_size=1, max_size=30
)


@given(ANSWERS, st.floats(0, 400))
def test_the_upper_bound_is_never_ahead_of_any_clock_of_the_org(answers: Sequence[tuple[float, int]], later: float):
    ordered = sorted(answers)
    clock = clock_of(*(sighting(seconds, timedelta(seconds=skew)) for seconds, skew in ordered))
    now = ordered[-1][0] + later
    slowest = min(skew for _, skew in ordered)
    bound = clock.upper_bound(moment(now), None)
    assert bound is not None
    assert bound <= at(now + slowest)
    recent = [s for s, _ in ordered if now - s <= 60]
    if recent and slowest == max(skew for _, skew in ordered):
        # Where all clocks agree it lags by a minute, and the second that dates are cut to, at most.
        assert bound >= at(recent[0] + slowest) - timedelta(seconds=2)
    assert len(clock.recent) <= 62


# Disagreement


def test_answers_that_agree_but_for_the_second_they_are_cut_to_do_not_disagree():
    clock = clock_of(sighting(0.9), sighting(1.0), sighting(300.4))
    assert clock.disagreement is not None
    assert clock.disagreement.gap < timedelta(seconds=2)


@pytest.mark.parametrize("skew", [timedelta(minutes=5), -timedelta(minutes=5), 2 * HOUR], ids=str)
def test_a_disagreement_names_both_addresses_and_which_is_ahead(skew):
    found = clock_of(sighting(0, source="/slow" if skew > timedelta(0) else "/fast"))
    found = found.seen(sighting(60, skew, source="/fast" if skew > timedelta(0) else "/slow"))
    assert found.disagreement is not None
    assert abs(found.disagreement.gap - abs(skew)) <= timedelta(seconds=1)
    assert str(found.disagreement).startswith("/fast is ")
    assert str(found.disagreement).endswith("ahead of /slow")


def test_a_machine_that_slept_does_not_make_the_org_disagree():
    clock = clock_of(sighting(0)).seen(Sighting(START + 3 * HOUR, "/b", moment(10, wall=3 * 3600.0)))
    assert clock.disagreement is not None
    assert clock.disagreement.gap <= timedelta(seconds=10)


def test_a_wall_clock_that_is_set_does_not_make_the_org_disagree():
    clock = clock_of(sighting(0), sighting(10, wall=7210.0))
    assert clock.disagreement is not None
    assert clock.disagreement.gap == timedelta(0)
