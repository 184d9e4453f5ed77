from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.query_job import JobPolicy, Phase, half_job
from source_salesforce_bulk.extraction.stream_state import Mode, ResumePoint, StreamState, read_state
from source_salesforce_bulk.extraction.windows import (
    WHOLE,
    IncrementalPlan,
    PlannedWindow,
    date_span,
    halve_by_date,
    halve_by_id,
    plan_full_refresh,
    plan_incremental,
)
from source_salesforce_bulk.pages.encoders import record_lines
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, format_instant

LOOKBACK = timedelta(minutes=10)
NONE = timedelta(0)
SECOND = timedelta(seconds=1)


def at(hour: float, day: int = 23) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour)


def dates(start: datetime | None, end: datetime | None, id_from: str | None = None, id_to: str | None = None) -> Bounds:
    return Bounds(start=start, end=end, id_from=id_from, id_to=id_to)


def point(bounds: Bounds, job: str = "750A") -> ResumePoint:
    return ResumePoint(
        job=job, locator=None, page=0, rows=0, bounds=bounds, api_version="v66.0", page_size=50000, query="sha256:q"
    )


def state(cursor: datetime | None = None, *points: ResumePoint, mode: Mode = Mode.INCREMENTAL) -> StreamState:
    return StreamState(mode=mode, cursor=cursor, scope="s", resume=points)


def incremental(of: StreamState, upper: datetime) -> IncrementalPlan:
    return plan_incremental(of, upper=upper, start=None, lookback=LOOKBACK)


def plan(of: StreamState, upper: datetime, start: datetime | None = None, lookback: timedelta = LOOKBACK):
    return plan_incremental(of, upper=upper, start=start, lookback=lookback).windows


def bounds_of(planned: tuple[PlannedWindow, ...]) -> list[Bounds]:
    return [window.bounds for window in planned]


# An incremental run


def test_the_first_run_reads_everything_below_the_orgs_clock():
    assert plan(state(), at(2)) == (PlannedWindow(dates(None, at(2))),)


def test_the_first_run_begins_at_the_start_date():
    assert plan(state(), at(2), start=at(0)) == (PlannedWindow(dates(at(0), at(2))),)


def test_the_second_run_begins_before_the_end_of_the_first():
    assert plan(state(at(2)), at(3)) == (PlannedWindow(dates(at(2) - LOOKBACK, at(3))),)


def test_the_look_back_does_not_reach_behind_the_start_date():
    assert bounds_of(plan(state(at(2)), at(3), start=at(2) - LOOKBACK / 2)) == [dates(at(2) - LOOKBACK / 2, at(3))]


def test_without_a_look_back_windows_of_two_runs_meet():
    assert bounds_of(plan(state(at(2)), at(3), lookback=NONE)) == [dates(at(2), at(3))]


def test_a_run_at_the_same_moment_reads_the_look_back_again_and_without_one_nothing():
    assert bounds_of(plan(state(at(2)), at(2))) == [dates(at(2) - LOOKBACK, at(2))]
    assert plan(state(at(2)), at(2), lookback=NONE) == ()


def test_a_cursor_in_the_future_reads_nothing():
    assert incremental(state(at(3)), at(2)).cursor_ahead
    assert plan(state(at(3)), at(2)) == ()
    assert plan(state(at(2) + LOOKBACK / 2), at(2)) == ()
    assert not incremental(state(at(2)), at(2)).cursor_ahead
    assert not incremental(state(), at(2)).cursor_ahead


def test_a_start_date_in_the_future_reads_nothing():
    assert plan(state(), at(2), start=at(3)) == ()
    assert plan(state(), at(2), start=at(2)) == ()


@pytest.mark.parametrize("year", [1, 9999])
def test_a_cursor_at_either_end_of_time_is_borne(year):
    cursor = datetime(year, 1, 1, tzinfo=UTC)
    planned = plan(state(cursor), at(2))
    assert planned == () if year == 9999 else planned[0].bounds.end == at(2)


# What an earlier run left open


def test_an_interrupted_window_is_resumed_as_it_was_and_what_is_new_follows_with_a_look_back():
    left = point(dates(None, at(2)))
    assert plan(state(None, left), at(3)) == (
        PlannedWindow(left.bounds, left),
        PlannedWindow(dates(at(2) - LOOKBACK, at(3))),
    )


def test_an_interrupted_window_that_itself_looked_back_is_not_preceded_by_another():
    left = point(dates(at(2) - LOOKBACK, at(3)))
    assert bounds_of(plan(state(at(2), left), at(4))) == [left.bounds, dates(at(3) - LOOKBACK, at(4))]


def test_windows_are_resumed_in_ascending_order_whatever_the_states():
    first, second = point(dates(None, at(1)), "750A"), point(dates(at(1), at(2)), "750B")
    planned = plan(state(None, second, first), at(3))
    assert [window.resume for window in planned] == [first, second, None]


def test_a_short_window_is_finished_before_the_one_whose_look_back_reaches_behind_it():
    """Otherwise older rows of the short one would follow newer ones."""
    short, later = point(dates(at(1), at(1) + LOOKBACK / 2), "750A"), point(dates(at(1) - LOOKBACK / 2, at(2)), "750B")
    planned = plan(state(at(1), later, short), at(3))
    assert [window.resume for window in planned] == [short, later, None]


def test_halves_of_one_run_meet_without_a_look_back():
    second = point(dates(at(1), at(2)))
    assert bounds_of(plan(state(at(1), second), at(3)))[0] == second.bounds


def test_a_gap_before_a_resumed_window_is_read():
    second = point(dates(at(1), at(2)))
    assert bounds_of(plan(state(None, second), at(3))) == [
        dates(None, at(1)),
        dates(at(1), at(2)),
        dates(at(2) - LOOKBACK, at(3)),
    ]
    assert bounds_of(plan(state(at(0), second), at(3)))[0] == dates(at(0) - LOOKBACK, at(1))


def test_a_gap_between_resumed_windows_is_read_with_a_look_back():
    first, third = point(dates(None, at(1)), "750A"), point(dates(at(2), at(3)), "750C")
    assert bounds_of(plan(state(None, first, third), at(4))) == [
        dates(None, at(1)),
        dates(at(1) - LOOKBACK, at(2)),
        dates(at(2), at(3)),
        dates(at(3) - LOOKBACK, at(4)),
    ]


def test_a_window_that_begins_at_the_start_date_has_no_gap_before_it():
    left = point(dates(at(0), at(1)))
    assert bounds_of(plan(state(None, left), at(2), start=at(0)))[0] == left.bounds


def test_a_window_that_ends_now_is_followed_by_its_look_back_only():
    left = point(dates(None, at(2)))
    assert bounds_of(plan(state(None, left), at(2))) == [left.bounds, dates(at(2) - LOOKBACK, at(2))]
    assert bounds_of(plan(state(None, left), at(2), lookback=NONE)) == [left.bounds]


def test_id_ranges_of_one_window_are_resumed_with_their_gaps_and_their_open_end():
    first, third = point(dates(None, at(1), None, "B"), "750A"), point(dates(None, at(1), "C", "D"), "750C")
    planned = plan(state(None, third, first), at(2))
    assert [window.bounds for window in planned[:-1]] == [
        dates(None, at(1), None, "B"),
        dates(None, at(1), "B", "C"),
        dates(None, at(1), "C", "D"),
        dates(None, at(1), "D", None),
    ]
    assert [window.resume for window in planned] == [first, None, third, None, None]


def test_id_ranges_below_the_first_one_in_front_were_read():
    left = point(dates(None, at(1), "C", None))
    assert bounds_of(plan(state(None, left), at(2))) == [left.bounds, dates(at(1) - LOOKBACK, at(2))]


def test_id_ranges_below_the_first_one_of_a_window_that_is_not_in_front_were_not_read():
    front, later = point(dates(None, at(1)), "750A"), point(dates(at(1), at(2), "C", None), "750B")
    assert bounds_of(plan(state(None, front, later), at(2), lookback=NONE)) == [
        front.bounds,
        dates(at(1), at(2), None, "C"),
        later.bounds,
    ]
    assert bounds_of(plan(state(None, later), at(2), lookback=NONE)) == [
        dates(None, at(1)),
        dates(at(1), at(2), None, "C"),
        later.bounds,
    ]


# A full refresh


def test_a_full_refresh_has_no_upper_bound():
    empty = state(mode=Mode.FULL_REFRESH)
    assert plan_full_refresh(empty, start=None) == (PlannedWindow(WHOLE),)
    assert plan_full_refresh(empty, start=at(0)) == (PlannedWindow(dates(at(0), None)),)


def test_an_interrupted_full_refresh_reads_what_is_left_of_its_id_ranges():
    second, fourth = point(dates(None, None, "B", "C"), "750B"), point(dates(None, None, "D", "E"), "750D")
    planned = plan_full_refresh(state(None, fourth, second, mode=Mode.FULL_REFRESH), start=None)
    assert bounds_of(planned) == [
        dates(None, None, "B", "C"),
        dates(None, None, "C", "D"),
        dates(None, None, "D", "E"),
        dates(None, None, "E", None),
    ]
    assert [window.resume for window in planned] == [second, None, fourth, None]


def test_an_interrupted_full_refresh_of_one_job_is_that_job():
    left = point(WHOLE)
    assert plan_full_refresh(state(None, left, mode=Mode.FULL_REFRESH), start=None) == (PlannedWindow(WHOLE, left),)


# Halves


def test_halves_by_date_meet_at_a_whole_second():
    assert halve_by_date(dates(at(0), at(3))) == (dates(at(0), at(1.5)), dates(at(1.5), at(3)))
    one, other = halve_by_date(dates(at(0), at(0) + timedelta(seconds=3))) or (None, None)
    assert one is not None
    assert other is not None
    assert one.end == other.start == at(0) + timedelta(seconds=1)


def test_a_window_that_is_open_below_is_halved_and_stays_open():
    one, other = halve_by_date(dates(None, at(0))) or (WHOLE, WHOLE)
    assert (one.start, other.end) == (None, at(0))
    assert one.end == other.start
    assert one.end is not None
    assert 2010 < one.end.year < 2015


@pytest.mark.parametrize(
    "bounds",
    [
        WHOLE,
        dates(at(0), None),
        dates(at(0), at(0)),
        dates(at(1), at(0)),
        dates(at(0), at(0) + timedelta(seconds=1)),
        dates(at(0), at(0) + timedelta(seconds=1.9)),
        dates(None, datetime(1998, 1, 1, tzinfo=UTC)),
        dates(at(0), at(3), None, "B"),
        dates(at(0), at(3), "B", None),
    ],
)
def test_what_dates_cannot_halve_is_left_to_ids(bounds):
    assert halve_by_date(bounds) is None


def test_halves_by_date_are_cut_where_the_rows_are_known_to_lie():
    """Years without rows do not cost a halving."""
    first, last = at(10), at(12)
    assert halve_by_date(dates(None, at(20)), first, last) == (dates(None, at(11)), dates(at(11), at(20)))


@pytest.mark.parametrize("last", [at(1), at(1) + SECOND / 2, at(1) + 0.999 * SECOND])
def test_rows_of_one_second_have_no_halves_by_date(last):
    assert halve_by_date(dates(at(0), at(3)), at(1), last) is None


def test_rows_of_two_seconds_are_told_apart():
    halves = halve_by_date(dates(at(0), at(3)), at(1), at(1) + SECOND)
    assert halves == (dates(at(0), at(1) + SECOND), dates(at(1) + SECOND, at(3)))


def test_only_a_window_of_dates_with_both_ends_has_a_length():
    assert date_span(dates(at(0), at(3))) == timedelta(hours=3)
    assert date_span(dates(None, at(3))) is None
    assert date_span(WHOLE) is None
    assert date_span(dates(at(0), at(3), "001A0000006Vm9rIAC")) is None


def test_halves_by_id_meet_and_leave_the_outer_ends_as_they_were():
    assert halve_by_id(WHOLE, "M") == (dates(None, None, None, "M"), dates(None, None, "M", None))
    assert halve_by_id(dates(at(0), at(1), "B", "Y"), "M") == (
        dates(at(0), at(1), "B", "M"),
        dates(at(0), at(1), "M", "Y"),
    )


moments = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(st.none() | moments, moments)
def test_halves_by_date_cover_exactly_their_window(start, end):
    window = dates(start, end)
    halves = halve_by_date(window)
    if halves is None:
        return
    lower, upper = halves
    assert (lower.start, upper.end) == (start, end)
    assert lower.end == upper.start
    assert lower.end is not None
    assert lower.end.microsecond == 0
    assert start is None or start < lower.end
    assert lower.end < end


# Any history

BASE = at(0)
IDS = [f"{number:018d}" for number in range(6)]
POLICY = JobPolicy(job_timeout=60)
QUERY = ObjectQuery(
    object_name="Account",
    fields=("Id", "SystemModstamp"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where=None,
    exclude_deleted=False,
)
Cell = tuple[datetime, str]


def holds(bounds: Bounds, cell: Cell) -> bool:
    stamp, record_id = cell
    return (
        (bounds.start is None or stamp >= bounds.start)
        and (bounds.end is None or stamp < bounds.end)
        and (bounds.id_from is None or record_id >= bounds.id_from)
        and (bounds.id_to is None or record_id < bounds.id_to)
    )


def cells_below(upper: datetime, start: datetime | None) -> set[Cell]:
    first = start or BASE - 2 * SECOND
    stamps = [first + number * SECOND for number in range(int((upper - first) / SECOND))]
    return {(stamp, record_id) for stamp in stamps for record_id in IDS}


class History:
    """Runs of one object that are interrupted anywhere, and what they have read so far."""

    def __init__(self, mode: Mode, start: datetime | None, lookback: timedelta) -> None:
        self.mode = mode
        self.start = start
        self.lookback = lookback
        self.state = StreamState(mode=mode, scope="s")
        # A full refresh is read as of no moment: rows that come later are not its concern.
        self.upper = BASE if mode is Mode.INCREMENTAL else BASE + 6 * SECOND
        self.done: set[Cell] = set()
        self.jobs = 0

    def plan(self, of: StreamState) -> tuple[PlannedWindow, ...]:
        if self.mode is Mode.FULL_REFRESH:
            return plan_full_refresh(of, start=self.start)
        return plan_incremental(of, upper=self.upper, start=self.start, lookback=self.lookback).windows

    def begin(self, seconds: int) -> ObjectRead:
        if self.mode is Mode.INCREMENTAL:
            self.upper += seconds * SECOND
        plan = ObjectPlan(
            query=QUERY,
            columns=(),
            mode=self.mode,
            state=self.state,
            start=self.start,
            lookback=self.lookback,
            api_version="v66.0",
            page_size=50000,
        )
        return ObjectRead(plan, self.plan(self.state), record_lines("Account", ()))

    def happen(self, read: ObjectRead, what: int, which: int) -> None:
        if what == 0:
            window = read.next_to_start()
            if window is not None:
                self.jobs += 1
                job_id = window.job.job_id or f"750{self.jobs}"
                window.job = replace(window.job, phase=Phase.WAITING, job_id=job_id)
                read.publish()
        elif what == 1 and read.front is not None and read.front.job.phase is not Phase.PLANNED:
            self.done |= {cell for cell in cells_below(self.upper, self.start) if holds(read.front.bounds, cell)}
            read.close_front(self.upper)
        elif what > 1 and read.windows:
            window = read.windows[which % len(read.windows)]
            halves = halve_by_date(window.bounds) if what == 2 and self.mode is Mode.INCREMENTAL else None
            middle = IDS[which % len(IDS)]
            inside = (window.bounds.id_from or "") < middle and (window.bounds.id_to or "~") > middle
            if window.job.phase is not Phase.PLANNED and (halves or inside):
                read.restart(window)
                read.split(window, halves or halve_by_id(window.bounds, middle), half_job(window.job, POLICY))

    def interrupt(self, read: ObjectRead) -> None:
        """The state as it would be emitted now is all that the next run knows: nothing may be missing from both."""
        blob = read.state.to_json("SystemModstamp")
        if blob and not read.state.complete:
            self.state = read_state(blob, self.mode, "SystemModstamp", "s").state
        if not read.state.complete:
            self.expect_cover(self.state)
        # A total that was wrong drops resume and keeps the cursor.
        if self.mode is Mode.INCREMENTAL:
            self.expect_cover(replace(self.state, resume=()))

    def expect_cover(self, of: StreamState) -> None:
        planned = self.plan(of)
        everything = cells_below(self.upper, self.start)
        covered = {cell for cell in everything for window in planned if holds(window.bounds, cell)}
        assert self.done | covered == everything


# Jobs are created more often than anything else happens: most of what can go wrong needs several.
steps = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 3]), st.integers(0, 5)), max_size=16)


@given(
    st.sampled_from(Mode),
    st.sampled_from([None, BASE - SECOND, BASE + 3 * SECOND]),
    st.sampled_from([NONE, 2 * SECOND]),
    st.lists(st.tuples(st.integers(0, 6), steps), min_size=1, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_however_runs_are_interrupted_what_was_read_and_what_is_planned_cover_everything(mode, start, lookback, runs):
    history = History(mode, start, lookback)
    for seconds, happenings in runs:
        read = history.begin(seconds)
        history.interrupt(read)
        for what, which in happenings:
            history.happen(read, what, which)
            history.interrupt(read)
        if read.state.complete:
            break


# A state that knows the future


def test_a_window_that_ends_behind_the_orgs_clock_is_read_as_if_never_begun():
    """Closing it would move the cursor past future rows."""
    within, behind = point(dates(None, at(2))), point(dates(at(2), at(2) + SECOND))
    planned = incremental(state(None, within, behind), at(2))
    assert (planned.state, planned.ahead) == (state(None, within), (behind,))
    assert planned.windows == plan(state(None, within), at(2))


def test_a_window_without_an_end_knows_no_future():
    open_above = state(None, point(WHOLE))
    planned = incremental(open_above, at(2))
    assert (planned.state, planned.ahead) == (open_above, ())


def test_each_thing_in_the_future_has_a_sentence_with_the_clock_and_what_to_do():
    behind = point(dates(None, at(2) + SECOND))
    said = list(incremental(state(at(3), behind), at(2)).warnings("Account", at(2), "reset the stream"))
    assert [sentence.partition(" is ")[0] for sentence in said[:1]] == ["Account: the saved cursor"]
    assert said[0].endswith("If the cursor is wrong, reset the stream.")
    assert f"job {behind.job} " in said[1]
    assert all(f"later than the org's clock ({format_instant(at(2))})" in sentence for sentence in said)
    assert list(incremental(state(at(1)), at(2)).warnings("Account", at(2), "reset the stream")) == []
