r"""The life of one window's query, as a pure state machine.

A window is read by one Salesforce job at a time. If a job fails, disappears or times out, the same query is created
again as a new job. If that does not help, the window is split, and each half has its own state machine.

            Start              Created              Polled(JobComplete)          PagesRead
    PLANNED ------> CREATING ------------> WAITING --------------------> READY ------------> DONE
                     ^    |                 |  ^  \                       |
                     |    | refused         |  |   \ Failed, Aborted,     | NotReady
      recreate (3x)  |    v                 |  +----\--------------------+
                     +-- trouble <----------+-------  timed out, gone, pages lost
                            |
                            +--> SPLITTING (6x)      +--> FAILED

A create without a response within ``job_timeout`` is treated like a lost response: it is sent once more.

A window that probably has few rows is PROBING first: a synchronous query with its exact WHERE. If the answer is empty,
the window is DONE; if it has all rows, READY; otherwise a job is created (docs/contracts.md, "What may never happen",
12). A window that is read through REST needs no job: it is READY as soon as it is opened.

:func:`advance` decides and returns commands; it never acts, sleeps or reads a clock. This module owns one kind of
retry: *new jobs for the same query*. ``transport`` retries single calls, ``pages.fetch`` retries pages.

Limits (docs/contracts.md, "Retries"): three creates of a window, then six halvings whose pieces get one create each,
and three ``job_timeout`` in total. The time that a window took before it was split counts for its halves. The time that
a half waits for its turn does not count, because it depends on the rows before it. A job that timed out is created
again only if most of a ``job_timeout`` would be left for a split afterwards, which is the case after a single time-out
unless other failures came before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

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
from source_salesforce_bulk.salesforce.bulk_api import JobState
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, classify_job_state
from source_salesforce_bulk.salesforce.retry import JOB_BACKOFF
from source_salesforce_bulk.salesforce.wire import Operation


class Phase(Enum):
    """The state of a window's query."""

    PLANNED = "planned"
    PROBING = "being probed"
    CREATING = "creating"
    WAITING = "waiting"
    READY = "ready"
    DONE = "done"
    SPLITTING = "splitting"
    FAILED = "failed"

    @property
    def unfinished_in_org(self) -> bool:
        """True if it occupies one of the org's job slots, or may do so at any moment."""
        return self in (Phase.PROBING, Phase.CREATING, Phase.WAITING)


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """The limits for one window's query; times are in seconds."""

    job_timeout: float
    max_creates: int = 3
    max_halvings: int = 6
    max_failed_polls: int = 5
    max_uncounted: int = 3
    max_not_ready: int = 10
    first_poll: float = 0.25
    poll_growth: float = 0.2
    longest_poll: float = 60.0

    @property
    def budget(self) -> float:
        """The seconds that all jobs of a window may take in total."""
        return 3 * self.job_timeout

    @property
    def two_more_jobs(self) -> float:
        """The seconds required for one more complete job and, if it also times out, for a split.

        Less than two timeouts, because creating and polling the first job took time as well.
        """
        return 1.75 * self.job_timeout


@dataclass(frozen=True, slots=True)
class QueryJob:
    """One window's query. Times are monotonic seconds; ``next_poll`` is None if no poll is due.

    ``job_id`` is the newest known job; it is kept after that job has failed, so that a state written in the meantime
    still names the window. ``asked`` is the time of the current create. ``spent`` is the number of seconds that
    were used by the windows from which this one was split.
    """

    phase: Phase = Phase.PLANNED
    job_id: str | None = None
    creates: int = 0
    halvings: int = 0
    lost_answers: int = 0
    failed_polls: int = 0
    uncounted: int = 0
    not_ready: int = 0
    spent: float = 0.0
    started: float | None = None
    asked: float | None = None
    created: float | None = None
    next_poll: float | None = None
    records: int | None = None
    failure: Failure | None = None


Move = tuple[QueryJob, tuple[Command, ...]]


class IllegalMove(RuntimeError):
    """An event that cannot occur in this phase; nothing was changed. Always a defect of the caller."""


@dataclass(frozen=True, slots=True)
class _Circumstances:
    now: float
    policy: JobPolicy
    random01: float


def half_job(parent: QueryJob, policy: JobPolicy) -> QueryJob:
    """Return the query of one half of a split window: one create, and the remaining time of its parent."""
    return QueryJob(creates=policy.max_creates - 1, halvings=parent.halvings + 1, spent=parent.spent)


def is_refusal(failure: Failure) -> bool:
    """Return whether Salesforce refused the request permanently."""
    return failure.action is Action.FAIL_STREAM and failure.status is not None


def pause_before_create(job: QueryJob, random01: float) -> float:
    """Return the seconds to wait before a create: none for the first one, more after each failed job.

    >>> pause_before_create(QueryJob(phase=Phase.CREATING, creates=1), random01=0.0)
    0.0
    >>> pause_before_create(QueryJob(phase=Phase.CREATING, creates=3), random01=0.0)
    8.0
    """
    tried = job.creates - 1 + job.lost_answers
    if job.halvings:
        tried = 1 + job.lost_answers
    return JOB_BACKOFF.delay(tried - 1, random01) if tried else 0.0


def deadline(job: QueryJob, policy: JobPolicy) -> float:
    """Return when the current job or the pending create is given up, in monotonic seconds."""
    if job.phase is Phase.CREATING and job.asked is not None:
        return job.asked + policy.job_timeout
    if job.started is None or job.created is None:
        raise IllegalMove("a job that was not created has no deadline")
    return min(job.created + policy.job_timeout, job.started + policy.budget - job.spent)


def poll_interval(age: float, policy: JobPolicy, random01: float) -> float:
    """Return the seconds until the next poll of a job: a fifth of its ``age``, with jitter, at most a minute."""
    interval = min(max(policy.first_poll, age * policy.poll_growth), policy.longest_poll)
    return interval * (0.9 + 0.2 * random01)


def polls_until(age: float, policy: JobPolicy) -> int:
    """Return the number of polls of a job that is complete after ``age`` seconds, at least one; without jitter."""
    polled, polls = poll_interval(0.0, policy, 0.5), 1
    while polled < age:
        polled += poll_interval(polled, policy, 0.5)
        polls += 1
    return polls


def advance(job: QueryJob, event: Event, now: float, policy: JobPolicy, random01: float) -> Move:
    """Return the job after ``event`` at monotonic time ``now``, and the commands to execute.

    ``random01`` (0 to 1) is the jitter of the next poll. Raises :class:`IllegalMove` for an event that is not valid in
    the job's phase.
    """
    handler = _MOVES.get((job.phase, type(event)))
    if handler is None:
        raise IllegalMove(f"{type(event).__name__} while {job.phase.value}")
    return handler(job, event, _Circumstances(now, policy, random01))


def _start(job: QueryJob, event: Start, at: _Circumstances) -> Move:
    started = at.now if job.started is None else job.started
    creating = replace(
        job,
        phase=Phase.CREATING,
        started=started,
        asked=at.now,
        creates=job.creates + 1,
        lost_answers=0,
        uncounted=0,
        not_ready=0,
    )
    return creating, (CreateJob(),)


def _too_large(job: QueryJob, event: TooLarge, at: _Circumstances) -> Move:
    if job.halvings >= at.policy.max_halvings:
        return _start(job, Start(), at)
    return replace(job, phase=Phase.SPLITTING), (SplitWindow(),)


def _probe(job: QueryJob, event: Probe, at: _Circumstances) -> Move:
    return replace(job, phase=Phase.PROBING, started=at.now), (ProbeWindow(),)


def _probed(job: QueryJob, event: Probed, at: _Circumstances) -> Move:
    if event.rows is None:
        return _start(job, Start(), at)
    return replace(job, phase=Phase.READY if event.rows else Phase.DONE, records=event.rows), ()


def _continue(job: QueryJob, event: Continue, at: _Circumstances) -> Move:
    return replace(
        job, phase=Phase.WAITING, job_id=event.job_id, started=at.now, created=at.now, next_poll=at.now, creates=1
    ), ()


def _created(job: QueryJob, event: Created, at: _Circumstances) -> Move:
    next_poll = at.now + poll_interval(0.0, at.policy, at.random01)
    waiting = replace(
        job,
        phase=Phase.WAITING,
        job_id=event.info.id,
        created=at.now,
        next_poll=next_poll,
        failed_polls=0,
        uncounted=0,
    )
    return waiting, ()


def _opened(job: QueryJob, event: Opened, at: _Circumstances) -> Move:
    return replace(job, phase=Phase.READY, job_id=event.job_id, created=at.now), ()


def _create_failed(job: QueryJob, event: CreateFailed, at: _Circumstances) -> Move:
    if event.failure.action is Action.SEND_ONCE_MORE and job.lost_answers == 0:
        return replace(job, lost_answers=1, asked=at.now), (CreateJob(),)
    return _trouble(job, event.failure, at)


def _unanswered(job: QueryJob, event: TimePassed, at: _Circumstances) -> Move:
    if at.now < deadline(job, at.policy):
        return job, ()
    detail = f"it was not answered within {at.policy.job_timeout:.0f} seconds"
    return _create_failed(job, CreateFailed(Failure.of(Kind.ANSWER_LOST, Operation.CREATE_JOB, detail)), at)


def _polled(job: QueryJob, event: Polled, at: _Circumstances) -> Move:
    info = event.info
    polled = replace(job, failed_polls=0)
    if info.state is JobState.JOB_COMPLETE:
        if info.records_processed is None and job.uncounted < at.policy.max_uncounted:
            # Without numberRecordsProcessed an incomplete result cannot be detected, so poll again.
            return _wait_on(replace(polled, uncounted=job.uncounted + 1), at)
        return replace(polled, phase=Phase.READY, records=info.records_processed, next_poll=None), ()
    failure = classify_job_state(info.state, info.error_message, event.asked)
    if failure is not None:
        return _trouble(polled, failure, at, DeleteJob(_id(polled)))
    return _wait_on(polled, at)


def _poll_failed(job: QueryJob, event: PollFailed, at: _Circumstances) -> Move:
    polled = replace(job, failed_polls=job.failed_polls + 1)
    if event.failure.action is Action.RETRY and polled.failed_polls < at.policy.max_failed_polls:
        return _wait_on(polled, at)
    replaced = event.failure.action in (Action.NEW_JOB, Action.SPLIT) and event.failure.kind is not Kind.JOB_GONE
    return _trouble(polled, event.failure, at, *((AbortJob(_id(polled)),) if replaced else ()))


def _time_passed(job: QueryJob, event: TimePassed, at: _Circumstances) -> Move:
    if at.now < deadline(job, at.policy):
        return job, ()
    return _timed_out(job, at)


def _not_ready(job: QueryJob, event: NotReady, at: _Circumstances) -> Move:
    if job.not_ready >= at.policy.max_not_ready:
        # Its state is complete but its results permanently are not, so only another job can help.
        failure = Failure.of(Kind.JOB_NOT_COMPLETE, detail="although its state is JobComplete", action=Action.NEW_JOB)
        return _trouble(job, failure, at, DeleteJob(_id(job)))
    return _wait_on(replace(job, phase=Phase.WAITING, not_ready=job.not_ready + 1), at)


def _pages_lost(job: QueryJob, event: PagesLost, at: _Circumstances) -> Move:
    if event.failure.action is Action.FAIL_STREAM:
        # The result is sound, and a run with the missing permission or space can continue it.
        return _trouble(job, event.failure, at)
    return _trouble(job, event.failure, at, DeleteJob(_id(job)))


def _pages_read(job: QueryJob, event: PagesRead, at: _Circumstances) -> Move:
    return replace(job, phase=Phase.DONE), ()


def _nothing(job: QueryJob, event: Event, at: _Circumstances) -> Move:
    return job, ()


def _wait_on(job: QueryJob, at: _Circumstances) -> Move:
    """Poll again later, or give up the job after its deadline."""
    if at.now >= deadline(job, at.policy):
        return _timed_out(job, at)
    age = at.now - (job.created if job.created is not None else at.now)
    pause = poll_interval(age, at.policy, at.random01)
    return replace(job, next_poll=min(at.now + pause, deadline(job, at.policy))), ()


def _timed_out(job: QueryJob, at: _Circumstances) -> Move:
    failure = Failure.of(Kind.JOB_TIMED_OUT, detail=f"{at.policy.job_timeout:.0f} seconds")
    return _trouble(job, failure, at, AbortJob(_id(job)))


def _trouble(job: QueryJob, failure: Failure, at: _Circumstances, *clean_up: Command) -> Move:
    """Create again, split, or fail, depending on the failure and the remaining limits."""
    stopped = replace(job, next_poll=None, failure=failure)
    if failure.action in (Action.FAIL_STREAM, Action.STOP_RUN):
        return replace(stopped, phase=Phase.FAILED), clean_up if failure.action is Action.FAIL_STREAM else ()
    if failure.action not in (Action.NEW_JOB, Action.SPLIT):
        return replace(stopped, phase=Phase.FAILED), ()
    spent = job.spent + at.now - (job.started if job.started is not None else at.now)
    left = at.policy.budget - spent
    needed = at.policy.two_more_jobs if failure.kind is Kind.JOB_TIMED_OUT else 0.0
    splittable = job.halvings < at.policy.max_halvings and left > 0
    if failure.action is Action.NEW_JOB and job.creates < at.policy.max_creates and left > needed:
        again, commands = _start(stopped, Start(), at)
        return again, (*clean_up, *commands)
    if splittable:
        return replace(stopped, phase=Phase.SPLITTING, spent=spent), (*clean_up, SplitWindow())
    return replace(stopped, phase=Phase.FAILED), clean_up


def _id(job: QueryJob) -> str:
    if job.job_id is None:
        raise IllegalMove("no job was created")
    return job.job_id


_MOVES: dict[tuple[Phase, type], Callable[..., Move]] = {
    (Phase.PLANNED, Start): _start,
    (Phase.PLANNED, Probe): _probe,
    (Phase.PLANNED, TooLarge): _too_large,
    (Phase.PLANNED, Continue): _continue,
    (Phase.PLANNED, TimePassed): _nothing,
    (Phase.PROBING, Probed): _probed,
    (Phase.PROBING, TimePassed): _nothing,
    (Phase.CREATING, Created): _created,
    (Phase.CREATING, Opened): _opened,
    (Phase.CREATING, CreateFailed): _create_failed,
    (Phase.CREATING, TimePassed): _unanswered,
    (Phase.WAITING, Polled): _polled,
    (Phase.WAITING, PollFailed): _poll_failed,
    (Phase.WAITING, TimePassed): _time_passed,
    (Phase.READY, NotReady): _not_ready,
    (Phase.READY, PagesLost): _pages_lost,
    (Phase.READY, PagesRead): _pages_read,
    (Phase.READY, TimePassed): _nothing,
    (Phase.DONE, TimePassed): _nothing,
    (Phase.SPLITTING, TimePassed): _nothing,
    (Phase.FAILED, TimePassed): _nothing,
}
