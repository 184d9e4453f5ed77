from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.extraction import query_job
from source_salesforce_bulk.extraction.job_events import (
    AbortJob,
    Command,
    Continue,
    Created,
    CreateFailed,
    CreateJob,
    DeleteJob,
    Event,
    NotReady,
    Opened,
    PagesLost,
    PagesRead,
    Polled,
    PollFailed,
    Probe,
    Probed,
    ProbeWindow,
    SplitWindow,
    Start,
    TimePassed,
    TooLarge,
)
from source_salesforce_bulk.extraction.query_job import (
    IllegalMove,
    JobPolicy,
    Phase,
    QueryJob,
    advance,
    deadline,
    half_job,
    pause_before_create,
    poll_interval,
    polls_until,
)
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind

TIMEOUT = 4 * 3600.0
POLICY = JobPolicy(job_timeout=TIMEOUT)
FINAL = {Phase.DONE, Phase.SPLITTING, Phase.FAILED}
T0 = 1000.0
JOB = "7505g00000AbCdEAAV"
OTHER = "7505g00000AbCdFAAV"

LOST = Failure.of(Kind.ANSWER_LOST)
AGAIN = Failure.of(Kind.JOB_FAILED)
TOO_LARGE = Failure.of(Kind.QUERY_TIMEOUT)
REFUSED = Failure.of(Kind.FIELD_GONE)
QUOTA = Failure.of(Kind.QUERY_JOBS_EXHAUSTED)
UNREACHABLE = Failure.of(Kind.UNAVAILABLE)
GONE = Failure.of(Kind.JOB_GONE)
VERSION = Failure.of(Kind.VERSION_MISMATCH)


def info(state: JobState = JobState.IN_PROGRESS, records: int | None = None, job_id: str = JOB) -> JobInfo:
    return JobInfo(id=job_id, state=state, records_processed=records)


COMPLETE = Polled(info(JobState.JOB_COMPLETE, 47))
FAILED = Polled(info(JobState.FAILED))
ABORTED = Polled(info(JobState.ABORTED))
RUNNING = Polled(info(JobState.IN_PROGRESS))


def move(
    job: QueryJob, event: Event, now: float = T0, policy: JobPolicy = POLICY
) -> tuple[QueryJob, tuple[Command, ...]]:
    return advance(job, event, now, policy, 0.5)


def after(*events: Event, job: QueryJob | None = None, now: float = T0) -> QueryJob:
    """The job after these events, all at one time."""
    job = job or QueryJob()
    for event in events:
        job, _ = move(job, event, now)
    return job


CREATED = Created(info(JobState.UPLOAD_COMPLETE))
IN_PHASE: dict[Phase, QueryJob] = {
    Phase.PLANNED: QueryJob(),
    Phase.PROBING: after(Probe()),
    Phase.CREATING: after(Start()),
    Phase.WAITING: after(Start(), CREATED),
    Phase.READY: after(Start(), CREATED, COMPLETE),
    Phase.DONE: after(Start(), CREATED, COMPLETE, PagesRead()),
    Phase.SPLITTING: after(Start(), CREATED, PollFailed(TOO_LARGE)),
    Phase.FAILED: after(Start(), CreateFailed(REFUSED)),
}
EVENTS: dict[type, Event] = {
    Start: Start(),
    Probe: Probe(),
    Probed: Probed(0),
    TooLarge: TooLarge(),
    Continue: Continue(JOB),
    Created: CREATED,
    Opened: Opened("rest"),
    CreateFailed: CreateFailed(REFUSED),
    Polled: RUNNING,
    PollFailed: PollFailed(UNREACHABLE),
    NotReady: NotReady(),
    PagesLost: PagesLost(AGAIN),
    PagesRead: PagesRead(),
    TimePassed: TimePassed(),
}
LEGAL: dict[tuple[Phase, type], Phase] = {
    (Phase.PLANNED, Start): Phase.CREATING,
    (Phase.PLANNED, Probe): Phase.PROBING,
    (Phase.PLANNED, TooLarge): Phase.SPLITTING,
    (Phase.PLANNED, Continue): Phase.WAITING,
    (Phase.PLANNED, TimePassed): Phase.PLANNED,
    (Phase.PROBING, Probed): Phase.DONE,
    (Phase.PROBING, TimePassed): Phase.PROBING,
    (Phase.CREATING, Created): Phase.WAITING,
    (Phase.CREATING, Opened): Phase.READY,
    (Phase.CREATING, CreateFailed): Phase.FAILED,
    (Phase.CREATING, TimePassed): Phase.CREATING,
    (Phase.WAITING, Polled): Phase.WAITING,
    (Phase.WAITING, PollFailed): Phase.WAITING,
    (Phase.WAITING, TimePassed): Phase.WAITING,
    (Phase.READY, NotReady): Phase.WAITING,
    (Phase.READY, PagesLost): Phase.CREATING,
    (Phase.READY, PagesRead): Phase.DONE,
    (Phase.READY, TimePassed): Phase.READY,
    (Phase.DONE, TimePassed): Phase.DONE,
    (Phase.SPLITTING, TimePassed): Phase.SPLITTING,
    (Phase.FAILED, TimePassed): Phase.FAILED,
}


# The table


def test_every_phase_and_every_event_is_known_to_these_tests():
    assert set(IN_PHASE) == set(Phase)
    assert all(job.phase is phase for phase, job in IN_PHASE.items())
    assert set(EVENTS) == set(get_args(Event))


def test_the_machine_has_a_move_for_exactly_the_legal_pairs():
    assert set(query_job._MOVES) == set(LEGAL)


@pytest.mark.parametrize(
    ("phase", "event"), list(product(Phase, EVENTS)), ids=lambda value: getattr(value, "name", None) or value.__name__
)
def test_a_legal_event_leads_where_the_drawing_says_and_any_other_is_refused(phase, event):
    job = IN_PHASE[phase]
    untouched = replace(job)
    if (phase, event) in LEGAL:
        assert move(job, EVENTS[event])[0].phase is LEGAL[phase, event]
    else:
        with pytest.raises(IllegalMove, match=f"{event.__name__} while {phase.value}"):
            move(job, EVENTS[event])
    assert job == untouched


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in (Phase.WAITING, Phase.CREATING)])
def test_where_no_answer_is_due_passing_time_changes_nothing(phase):
    assert move(IN_PHASE[phase], TimePassed(), T0 + 100 * TIMEOUT) == (IN_PHASE[phase], ())


def test_final_phases_meet_no_event_that_changes_them():
    assert {phase for phase in Phase if {event for p, event in LEGAL if p is phase} == {TimePassed}} == FINAL


def test_a_job_occupies_the_org_while_it_is_created_and_while_it_runs():
    assert {phase for phase in Phase if phase.unfinished_in_org} == {Phase.PROBING, Phase.CREATING, Phase.WAITING}


# The way that everybody hopes for


def test_the_way_of_a_sound_job():
    job, commands = move(QueryJob(), Start(), T0)
    assert (job.phase, job.creates, job.started, commands) == (Phase.CREATING, 1, T0, (CreateJob(),))
    job, commands = move(job, CREATED, T0 + 2)
    assert (job.phase, job.job_id, job.created, commands) == (Phase.WAITING, JOB, T0 + 2, ())
    assert job.next_poll is not None
    assert T0 + 2 < job.next_poll < T0 + 3
    job, commands = move(job, RUNNING, T0 + 3)
    assert (job.phase, commands) == (Phase.WAITING, ())
    job, commands = move(job, COMPLETE, T0 + 9)
    assert (job.phase, job.records, job.next_poll, commands) == (Phase.READY, 47, None, ())
    job, commands = move(job, PagesRead(), T0 + 20)
    assert (job.phase, job.job_id, job.failure, commands) == (Phase.DONE, JOB, None, ())


def test_an_empty_window_is_done_after_its_probe_without_a_job():
    job, commands = move(QueryJob(), Probe())
    assert (job.phase, job.started, commands) == (Phase.PROBING, T0, (ProbeWindow(),))
    job, commands = move(job, Probed(0), T0 + 1)
    assert (job.phase, job.job_id, job.creates, job.records, commands) == (Phase.DONE, None, 0, 0, ())


def test_a_window_that_may_hold_rows_gets_its_job_after_the_probe_like_any_other():
    job, commands = move(after(Probe()), Probed(None), T0 + 1)
    assert (job.phase, job.creates, job.started, commands) == (Phase.CREATING, 1, T0, (CreateJob(),))


def test_a_window_whose_probe_brought_all_of_its_rows_is_ready_without_a_job():
    job, commands = move(after(Probe()), Probed(7), T0 + 1)
    assert (job.phase, job.job_id, job.creates, job.records, commands) == (Phase.READY, None, 0, 7, ())


def test_a_window_that_is_read_through_rest_is_ready_as_soon_as_it_is_opened():
    job, commands = move(after(Start()), Opened("rest"), T0 + 1)
    assert (job.phase, job.job_id, job.next_poll, commands) == (Phase.READY, "rest", None, ())


def test_a_job_named_in_the_state_is_polled_at_once_and_never_created():
    job, commands = move(QueryJob(job_id=JOB), Continue(JOB), T0)
    assert (job.phase, job.job_id, job.next_poll, job.creates, commands) == (Phase.WAITING, JOB, T0, 1, ())
    assert deadline(job, POLICY) == T0 + TIMEOUT


@pytest.mark.parametrize("state", [JobState.UNKNOWN, JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS])
def test_an_unfinished_or_unknown_state_polls_on(state):
    job, commands = move(IN_PHASE[Phase.WAITING], Polled(info(state)), T0 + 5)
    assert (job.phase, commands) == (Phase.WAITING, ())
    assert job.next_poll is not None
    assert job.next_poll > T0 + 5


def test_a_job_that_turns_out_not_to_be_complete_is_polled_again():
    job, commands = move(IN_PHASE[Phase.READY], NotReady(), T0 + 5)
    assert (job.phase, commands) == (Phase.WAITING, ())
    assert job.next_poll is not None
    assert move(job, COMPLETE, T0 + 6)[0].phase is Phase.READY


# A missing count


def test_a_complete_job_without_a_count_is_asked_again_a_bounded_number_of_times():
    uncounted = Polled(info(JobState.JOB_COMPLETE, None))
    job = IN_PHASE[Phase.WAITING]
    for _ in range(POLICY.max_uncounted):
        job, commands = move(job, uncounted)
        assert (job.phase, commands) == (Phase.WAITING, ())
    job, _ = move(job, uncounted)
    assert (job.phase, job.records) == (Phase.READY, None)


def test_a_count_that_comes_late_is_taken():
    job = after(Polled(info(JobState.JOB_COMPLETE, None)), COMPLETE, job=IN_PHASE[Phase.WAITING])
    assert (job.phase, job.records) == (Phase.READY, 47)


def test_a_new_job_is_asked_for_its_count_as_often_as_the_first():
    uncounted = Polled(info(JobState.JOB_COMPLETE, None))
    job = after(*[uncounted] * (POLICY.max_uncounted + 1), PagesLost(AGAIN), CREATED, job=IN_PHASE[Phase.WAITING])
    assert after(*[uncounted] * POLICY.max_uncounted, job=job).phase is Phase.WAITING


def test_zero_records_are_a_count():
    assert move(IN_PHASE[Phase.WAITING], Polled(info(JobState.JOB_COMPLETE, 0)))[0].phase is Phase.READY


# A lost create


def test_a_create_whose_answer_was_lost_is_sent_once_more_and_counts_once():
    job, commands = move(IN_PHASE[Phase.CREATING], CreateFailed(LOST))
    assert (job.phase, job.creates, job.lost_answers, commands) == (Phase.CREATING, 1, 1, (CreateJob(),))


def test_a_create_that_was_lost_twice_fails():
    job, commands = move(after(CreateFailed(LOST), job=IN_PHASE[Phase.CREATING]), CreateFailed(LOST))
    assert (job.phase, job.failure, commands) == (Phase.FAILED, LOST, ())


def test_a_later_create_may_be_lost_once_again():
    job = after(CreateFailed(LOST), CREATED, FAILED, job=IN_PHASE[Phase.CREATING])
    assert (job.phase, job.creates) == (Phase.CREATING, 2)
    assert move(job, CreateFailed(LOST))[1] == (CreateJob(),)


# Trouble, and what is done about it


@pytest.mark.parametrize("event", [FAILED, ABORTED])
def test_a_job_that_ended_badly_is_deleted_and_asked_for_again(event):
    job, commands = move(IN_PHASE[Phase.WAITING], event)
    assert (job.phase, job.creates, commands) == (Phase.CREATING, 2, (DeleteJob(JOB), CreateJob()))
    assert job.failure is not None


def test_a_job_whose_pages_are_lost_is_deleted_and_asked_for_again():
    job, commands = move(IN_PHASE[Phase.READY], PagesLost(AGAIN))
    assert (job.phase, commands) == (Phase.CREATING, (DeleteJob(JOB), CreateJob()))


def test_the_job_that_we_created_is_deleted_whatever_id_an_answer_names():
    answer = Polled(info(JobState.FAILED, job_id=OTHER))
    assert DeleteJob(JOB) in move(IN_PHASE[Phase.WAITING], answer)[1]


def test_a_job_that_is_gone_is_asked_for_again():
    job, commands = move(IN_PHASE[Phase.WAITING], PollFailed(GONE))
    assert (job.phase, commands) == (Phase.CREATING, (CreateJob(),))


@pytest.mark.parametrize(("failure", "phase"), [(VERSION, Phase.CREATING), (TOO_LARGE, Phase.SPLITTING)])
def test_a_job_that_is_left_behind_for_another_is_ended(failure, phase):
    job, commands = move(IN_PHASE[Phase.WAITING], PollFailed(failure))
    assert job.phase is phase
    assert commands[0] == AbortJob(JOB)


def test_the_third_failure_splits_the_window():
    creates, job, commands = 0, QueryJob(), ()
    job, commands = move(job, Start())
    while job.phase is Phase.CREATING:
        creates += commands.count(CreateJob())
        job = after(CREATED, job=job)
        job, commands = move(job, FAILED)
    assert creates == 3
    assert (job.phase, commands) == (Phase.SPLITTING, (DeleteJob(JOB), SplitWindow()))


def test_a_query_that_is_too_large_is_split_at_once():
    job, commands = move(IN_PHASE[Phase.CREATING], CreateFailed(TOO_LARGE))
    assert (job.phase, commands) == (Phase.SPLITTING, (SplitWindow(),))


def test_a_half_gets_one_create_and_is_split_again():
    half = half_job(IN_PHASE[Phase.SPLITTING], POLICY)
    assert (half.phase, half.halvings, half.job_id, half.started) == (Phase.PLANNED, 1, None, None)
    job, commands = move(after(Start(), CREATED, job=half, now=T0 + 60), FAILED, T0 + 60)
    assert (job.phase, commands) == (Phase.SPLITTING, (DeleteJob(JOB), SplitWindow()))


def test_the_seventh_halving_is_refused():
    job, halvings = IN_PHASE[Phase.WAITING], 0
    while True:
        job, commands = move(job, PollFailed(TOO_LARGE))
        if job.phase is not Phase.SPLITTING:
            break
        halvings += commands.count(SplitWindow())
        job = after(Start(), CREATED, job=half_job(job, POLICY))
    assert halvings == 6
    assert (job.phase, job.failure) == (Phase.FAILED, TOO_LARGE)
    assert SplitWindow() not in commands


@pytest.mark.parametrize("failure", [REFUSED, UNREACHABLE, QUOTA])
def test_what_no_new_job_helps_against_fails_the_window(failure):
    job, commands = move(IN_PHASE[Phase.CREATING], CreateFailed(failure))
    assert (job.phase, job.failure, commands) == (Phase.FAILED, failure, ())


def test_a_stop_of_the_whole_run_leaves_the_job_for_the_next():
    for job, event in (
        (IN_PHASE[Phase.WAITING], PollFailed(QUOTA)),
        (IN_PHASE[Phase.READY], PagesLost(QUOTA)),
    ):
        stopped, commands = move(job, event)
        assert (stopped.phase, stopped.job_id, commands) == (Phase.FAILED, JOB, ())


def test_a_result_that_cannot_be_reached_leaves_the_job_for_the_next_run():
    job, commands = move(IN_PHASE[Phase.READY], PagesLost(UNREACHABLE))
    assert (job.phase, job.job_id, commands) == (Phase.FAILED, JOB, ())


def test_a_result_that_this_user_may_not_read_is_left_for_a_run_that_may():
    job, commands = move(IN_PHASE[Phase.READY], PagesLost(REFUSED))
    assert (job.phase, job.job_id, commands) == (Phase.FAILED, JOB, ())


@pytest.mark.parametrize("action", Action)
def test_every_action_of_a_failure_leads_somewhere_legal(action):
    failure = replace(AGAIN, action=action)
    for job, event in (
        (IN_PHASE[Phase.CREATING], CreateFailed(failure)),
        (IN_PHASE[Phase.WAITING], PollFailed(failure)),
        (IN_PHASE[Phase.READY], PagesLost(failure)),
    ):
        moved, commands = move(job, event)
        assert moved.phase in {Phase.CREATING, Phase.WAITING, Phase.SPLITTING, Phase.FAILED}
        assert (moved.phase is Phase.SPLITTING) == (SplitWindow() in commands)
        assert (moved.phase is Phase.CREATING) == (CreateJob() in commands)


def test_a_few_unanswered_polls_in_a_row_are_borne():
    job = IN_PHASE[Phase.WAITING]
    for _ in range(POLICY.max_failed_polls - 1):
        job, commands = move(job, PollFailed(UNREACHABLE))
        assert (job.phase, commands) == (Phase.WAITING, ())
    assert move(job, PollFailed(UNREACHABLE))[0].phase is Phase.FAILED
    assert move(after(RUNNING, job=job), PollFailed(UNREACHABLE))[0].phase is Phase.WAITING


# Time


def test_a_job_that_was_not_created_has_no_deadline():
    with pytest.raises(IllegalMove):
        deadline(QueryJob(), POLICY)
    with pytest.raises(IllegalMove):
        deadline(IN_PHASE[Phase.PROBING], POLICY)


def test_a_create_that_is_not_answered_in_time_is_sent_once_more_and_then_fails():
    creating = IN_PHASE[Phase.CREATING]
    assert deadline(creating, POLICY) == T0 + TIMEOUT
    assert move(creating, TimePassed(), T0 + TIMEOUT - 1) == (creating, ())
    again, commands = move(creating, TimePassed(), T0 + TIMEOUT)
    assert (again.phase, again.lost_answers, commands) == (Phase.CREATING, 1, (CreateJob(),))
    assert deadline(again, POLICY) == T0 + 2 * TIMEOUT
    failed, commands = move(again, TimePassed(), T0 + 2 * TIMEOUT)
    assert (failed.phase, commands) == (Phase.FAILED, ())
    assert failed.failure is not None
    assert failed.failure.kind is Kind.ANSWER_LOST


def test_the_deadline_is_the_jobs_own_or_the_end_of_the_windows_budget():
    assert deadline(IN_PHASE[Phase.WAITING], POLICY) == T0 + TIMEOUT
    late = replace(IN_PHASE[Phase.WAITING], created=T0 + 2.5 * TIMEOUT)
    assert deadline(late, POLICY) == T0 + 3 * TIMEOUT


def test_before_the_deadline_passing_time_changes_nothing():
    job = IN_PHASE[Phase.WAITING]
    assert move(job, TimePassed(), T0 + TIMEOUT - 1) == (job, ())


@pytest.mark.parametrize("event", [TimePassed(), RUNNING, PollFailed(UNREACHABLE)])
def test_a_job_whose_time_is_over_is_aborted_and_asked_for_again(event):
    created = after(CREATED, job=IN_PHASE[Phase.CREATING], now=T0 + 30)
    job, commands = move(created, event, T0 + 30 + TIMEOUT + 30)
    assert job.failure is not None
    assert job.failure.kind is Kind.JOB_TIMED_OUT
    assert (job.phase, commands) == (Phase.CREATING, (AbortJob(JOB), CreateJob()))


def test_a_job_that_is_complete_when_its_time_is_over_is_read():
    assert move(IN_PHASE[Phase.WAITING], COMPLETE, T0 + TIMEOUT + 5)[0].phase is Phase.READY


def test_a_window_that_timed_out_twice_is_split_while_there_is_time_for_the_halves():
    job = after(CREATED, job=IN_PHASE[Phase.CREATING], now=T0 + 30)
    job, _ = move(job, TimePassed(), T0 + 60 + TIMEOUT)
    job = after(CREATED, job=job, now=T0 + 90 + TIMEOUT)
    job, commands = move(job, TimePassed(), T0 + 120 + 2 * TIMEOUT)
    assert (job.phase, commands) == (Phase.SPLITTING, (AbortJob(JOB), SplitWindow()))


def test_a_job_that_timed_out_late_is_split_and_not_asked_for_again():
    failed_halfway = after(FAILED, CREATED, job=IN_PHASE[Phase.WAITING], now=T0 + TIMEOUT / 2)
    assert failed_halfway.creates == 2
    job, commands = move(failed_halfway, TimePassed(), T0 + 1.5 * TIMEOUT)
    assert (job.phase, commands) == (Phase.SPLITTING, (AbortJob(JOB), SplitWindow()))


def test_when_the_budget_is_spent_the_window_fails_and_its_job_is_aborted():
    late = replace(IN_PHASE[Phase.WAITING], created=T0 + 2.5 * TIMEOUT)
    job, commands = move(late, TimePassed(), T0 + 3 * TIMEOUT)
    assert (job.phase, commands) == (Phase.FAILED, (AbortJob(JOB),))


def split_after(seconds: float) -> QueryJob:
    late = replace(IN_PHASE[Phase.WAITING], created=T0 + seconds - 1)
    return after(PollFailed(TOO_LARGE), job=late, now=T0 + seconds)


def test_a_half_has_what_is_left_of_its_parents_time():
    half = after(Start(), CREATED, job=half_job(split_after(2.5 * TIMEOUT), POLICY), now=T0 + 2.5 * TIMEOUT)
    assert deadline(half, POLICY) == T0 + 3 * TIMEOUT
    assert move(half, TimePassed(), T0 + 3 * TIMEOUT)[0].phase is Phase.FAILED


def test_the_time_a_half_waits_for_its_turn_is_not_counted():
    """Rows of the halves before it may take as long as their destination likes."""
    turn = T0 + 100 * TIMEOUT
    half = after(Start(), CREATED, job=half_job(split_after(1.5 * TIMEOUT), POLICY), now=turn)
    assert deadline(half, POLICY) == turn + TIMEOUT
    quarter = half_job(after(PollFailed(TOO_LARGE), job=half, now=turn + TIMEOUT / 2), POLICY)
    assert quarter.spent == 2 * TIMEOUT


def test_a_window_of_a_size_that_failed_is_split_before_a_job_is_tried():
    job, commands = move(QueryJob(), TooLarge())
    assert (job.phase, job.creates, commands) == (Phase.SPLITTING, 0, (SplitWindow(),))
    assert (half_job(job, POLICY).halvings, half_job(job, POLICY).spent) == (1, 0.0)


def test_a_window_that_was_halved_often_enough_is_tried_however_large_it_seems():
    job, commands = move(QueryJob(halvings=POLICY.max_halvings), TooLarge())
    assert (job.phase, commands) == (Phase.CREATING, (CreateJob(),))


# Pauses


def test_no_job_is_asked_for_again_without_a_pause_and_the_first_at_once():
    """An org in trouble is not asked three times within a second."""
    first = after(Start())
    second = after(CREATED, FAILED, job=first)
    third = after(CREATED, FAILED, job=second)
    pauses = [pause_before_create(job, 0.0) for job in (first, second, third)]
    assert pauses[0] == 0
    assert 0 < pauses[1] < pauses[2] < 60


def test_a_create_whose_answer_was_lost_and_that_of_a_half_come_after_a_pause():
    assert pause_before_create(after(CreateFailed(LOST), job=IN_PHASE[Phase.CREATING]), 0.0) > 0
    assert 0 < pause_before_create(after(Start(), job=half_job(IN_PHASE[Phase.SPLITTING], POLICY)), 0.0) < 5


def polls_before(age: float, random01: float) -> int:
    job, _ = advance(IN_PHASE[Phase.CREATING], CREATED, T0, POLICY, random01)
    polls = 0
    while job.next_poll is not None and job.next_poll < T0 + age:
        job, _ = advance(job, RUNNING, job.next_poll, POLICY, random01)
        polls += 1
    return polls


@pytest.mark.parametrize("random01", [0.0, 0.5, 1.0])
def test_a_job_of_an_hour_costs_far_fewer_than_150_polls(random01):
    assert polls_before(3600, random01) < 120
    assert polls_before(5, random01) >= 4


@pytest.mark.parametrize("age", [0.0, 0.25, 1.0, 10.0, 600.0, 3600.0])
def test_the_polls_of_a_job_can_be_told_beforehand(age):
    assert polls_until(age, POLICY) == polls_before(age, 0.5) + 1


def test_polls_come_at_a_fifth_of_the_jobs_age_from_a_quarter_second_to_a_minute():
    assert poll_interval(0, POLICY, 0.5) == 0.25
    assert poll_interval(50, POLICY, 0.5) == pytest.approx(10)
    assert poll_interval(50, POLICY, 0.0) == pytest.approx(9)
    assert poll_interval(50, POLICY, 1.0) == pytest.approx(11)
    assert poll_interval(10**6, POLICY, 0.5) == pytest.approx(60)


def test_no_poll_is_planned_behind_the_deadline():
    job, _ = move(IN_PHASE[Phase.WAITING], RUNNING, T0 + TIMEOUT - 3)
    assert job.next_poll == T0 + TIMEOUT


# Any order of events, against a tiny org


@dataclass
class TinyOrg:
    """An org that answers as a test's script says. Jobs live until they are ended or lost."""

    script: Callable[[int], int]
    asked: int = 0
    made: int = 0
    alive: dict[str, bool] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)

    def choose(self, ways: int) -> int:
        self.asked += 1
        return self.script(self.asked) % ways

    def create(self) -> Event:
        way = self.choose(8)
        if way < 4:
            self.made += 1
            job_id = f"750{self.made:015d}"
            self.alive[job_id] = True
            return Created(info(JobState.UPLOAD_COMPLETE, job_id=job_id))
        return CreateFailed([LOST, TOO_LARGE, REFUSED, UNREACHABLE][way - 4])

    def poll(self, job_id: str) -> Event:
        way = self.choose(11)
        if way == 0:
            self.complete.add(job_id)
            return Polled(info(JobState.JOB_COMPLETE, 47, job_id))
        if way == 1:
            self.complete.add(job_id)
            return Polled(info(JobState.JOB_COMPLETE, None, job_id))
        if way == 2:
            del self.alive[job_id]
            return PollFailed(GONE)
        if way < 5:
            return Polled(info([JobState.FAILED, JobState.ABORTED][way - 3], job_id=job_id))
        if way < 8:
            return PollFailed([UNREACHABLE, VERSION, QUOTA][way - 5])
        return Polled(info([JobState.IN_PROGRESS, JobState.UNKNOWN, JobState.UPLOAD_COMPLETE][way - 8], job_id=job_id))

    def read(self) -> Event:
        return [PagesRead(), NotReady(), PagesLost(AGAIN), PagesLost(UNREACHABLE), PagesLost(TOO_LARGE)][self.choose(5)]

    def end(self, job_id: str) -> None:
        assert self.alive.get(job_id), "ended twice, or never created"
        self.alive[job_id] = False


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.floats(0, 1), st.floats(0.01, 5000))
@settings(max_examples=150, deadline=None)
def test_whatever_an_org_answers_the_window_ends_within_its_bounds_and_leaves_no_job(answers, random01, latency):
    org = TinyOrg(lambda asked: answers[asked % len(answers)])
    now = T0
    windows, finals = [QueryJob()], []
    sent, steps = 0, 0
    while windows:
        job = windows.pop()
        commands: tuple[Command, ...] = ()
        if job.phase in FINAL:
            finals.append(job)
            continue
        steps += 1
        assert steps < 100_000, "no end in sight"
        match job.phase:
            case Phase.PLANNED:
                event: Event = Start()
            case Phase.CREATING:
                now += latency
                event = org.create()
            case Phase.WAITING:
                assert job.next_poll is not None
                assert job.job_id is not None
                now = max(now + latency, job.next_poll)
                event = TimePassed() if now >= deadline(job, POLICY) else org.poll(job.job_id)
            case _:
                assert job.job_id in org.complete, "ready before a complete job was seen"
                now += latency
                event = org.read()
        before = job
        job, commands = advance(job, event, now, POLICY, random01)
        for command in commands:
            match command:
                case CreateJob():
                    sent += 1
                case AbortJob(job_id) | DeleteJob(job_id):
                    org.end(job_id)
        assert job.creates <= POLICY.max_creates
        assert job.halvings <= POLICY.max_halvings
        if job.creates > before.creates and before.phase is not Phase.PLANNED:
            assert now - T0 <= POLICY.budget
        windows += [half_job(job, POLICY)] * 2 if SplitWindow() in commands else [job]
    # A lost answer doubles a create; halvings make a binary tree whose inner nodes all had at least one create.
    assert sent <= 2 * (POLICY.max_creates + 2 ** (POLICY.max_halvings + 1))
    left = {job_id for job_id, alive in org.alive.items() if alive}
    assert left <= {job.job_id for job in finals if job.phase in (Phase.DONE, Phase.FAILED)}


def test_a_budget_follows_from_the_timeout():
    assert JobPolicy(job_timeout=10).budget == 30
    assert {entry.name for entry in fields(JobPolicy)} >= {"max_creates", "max_halvings"}
