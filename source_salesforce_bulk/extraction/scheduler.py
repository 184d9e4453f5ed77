"""Schedule query jobs ahead of the reader: create them as slots allow, in order and fairly, poll, recreate and split.

``query_job`` decides about the job of each window; this module passes it events and executes its commands. It does not
retry by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from source_salesforce_bulk.extraction.calls import Calls, failure_in
from source_salesforce_bulk.extraction.cuts import find_halves
from source_salesforce_bulk.extraction.job_events import (
    AbortJob,
    Command,
    Continue,
    Created,
    CreateFailed,
    CreateJob,
    DeleteJob,
    Event,
    PagesRead,
    Polled,
    PollFailed,
    Probe,
    ProbeWindow,
    SplitWindow,
    Start,
    TimePassed,
    TooLarge,
)
from source_salesforce_bulk.extraction.job_ledger import JobLedger
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.query_job import (
    Phase,
    QueryJob,
    advance,
    deadline,
    half_job,
    is_refusal,
    pause_before_create,
)
from source_salesforce_bulk.extraction.quota import jobs_used_up
from source_salesforce_bulk.extraction.rest_lane import RestLane, can_be_cut
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.window_log import WindowLog
from source_salesforce_bulk.extraction.window_read import FirstStep, WindowRead
from source_salesforce_bulk.extraction.windows import Halves
from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.bulk_api import JobInfo
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind
from source_salesforce_bulk.salesforce.soql import abridged


class JobScheduler:
    """The jobs of all objects of a run. Used by one thread only; its calls run on ``calls``.

    ``on_stop`` is called with a failure that affects every object.
    """

    def __init__(
        self, org: Org, calls: Calls, run: RunContext, ledger: JobLedger, on_stop: Callable[[Failure], None]
    ) -> None:
        self._org = org
        self._calls = calls
        self._run = run
        self._ledger = ledger
        self.log = WindowLog(run.run_id, run.clock.monotonic)
        self._rest = RestLane(org, calls, run, self.apply, self.log)
        self._on_stop = on_stop
        self._last_create: int | None = None
        self._halted = False
        self._asked_about: set[WindowRead] = set()
        self._creates_held: list[tuple[ObjectRead, WindowRead]] = []
        self.creates = 0

    def allow_jobs(self, until: int | None) -> None:
        """Send no create once :attr:`creates` has reached ``until``; None means no limit."""
        self._last_create = until

    def halt(self) -> None:
        """Create no further jobs."""
        self._halted = True

    def has_free_slot(self, reads: Sequence[ObjectRead]) -> bool:
        """Return whether one more unfinished job is allowed in the org."""
        return self._unfinished(reads) < self._run.max_concurrent_jobs

    def next_timer(self, reads: Sequence[ObjectRead]) -> float | None:
        """Return when the next poll is due, in monotonic seconds; None if a poll of every waiting job is running."""
        due = [
            window.job.next_poll
            for read in reads
            for window in read.windows
            if window.job.phase is Phase.WAITING
            and window.job.next_poll is not None
            and window not in self._asked_about
        ]
        return min(due, default=None)

    def keep_time(self, reads: Sequence[ObjectRead]) -> None:
        """Poll the jobs that are due, and give up the jobs that are past their deadline."""
        now = self._run.clock.monotonic()
        for read in reads:
            for window in [window for window in read.windows if window.job.phase in (Phase.CREATING, Phase.WAITING)]:
                job = window.job
                if now >= deadline(job, self._run.jobs):
                    self.apply(read, window, TimePassed())
                elif window not in self._asked_about and job.next_poll is not None and now >= job.next_poll:
                    self._poll(read, window)

    def start_jobs(self, reads: Sequence[ObjectRead], *, others_wait: bool) -> None:
        """Create jobs while slots are free. ``others_wait``: an object that is not yet in ``reads`` needs a slot.

        A job that replaces one that is being aborted is created after the abort.
        """
        while self._creates_held and self._unfinished(reads) <= self._run.max_concurrent_jobs:
            self._send_create(*self._creates_held.pop(0))
        while self.has_free_slot(reads):
            chosen = self._next_job(reads, others_wait)
            if chosen is None:
                return
            read, window = chosen
            if window.unconfirmed and window.job.job_id is not None:
                where = f"after page {window.walk.page}" if window.walk.page else "from its first page"
                self.log(read, window, f"continuing an earlier run's job {where}", event="job_continued")
                self.apply(read, window, Continue(window.job.job_id))
            elif read.is_too_large(window):
                self.apply(read, window, TooLarge())
            else:
                self.apply(
                    read, window, Probe() if window.first_step is FirstStep.PROBE and self._rest.probes_pay else Start()
                )

    def apply(self, read: ObjectRead, window: WindowRead, event: Event) -> Phase:
        """Apply ``event`` to a window's job, execute the resulting commands, and return the job's phase."""
        before = window.job
        job, commands = advance(before, event, self._run.clock.monotonic(), self._run.jobs, self._run.random01())
        window.give(job)
        if window.job.failure is not None and window.job.failure is not before.failure:
            self._run.metrics.count(read.plan.object_name, errors=1)
            self._log_trouble(read, window, window.job.failure)
        for command in commands:
            self._carry_out(read, window, command)
        if window.job.phase is Phase.FAILED and window.job.failure is not None:
            self.give_up(read, window, window.job.failure)
        read.publish()
        return window.job.phase

    def give_up(self, read: ObjectRead, window: WindowRead, failure: Failure) -> None:
        """End the window's object with ``failure``, or the whole run if it affects every object."""
        if failure.action is Action.STOP_RUN:
            self._on_stop(failure)
        else:
            read.fail(replace(failure, job_id=window.job.job_id))
            if read.state.refused:
                what = "Bulk refuses the object; the next run that is given this run's state reads it through REST"
                self.log(read, window, what, level=logging.WARNING, event="refused_by_bulk")

    def _log_trouble(self, read: ObjectRead, window: WindowRead, failure: Failure) -> None:
        """Log why a job is created again or split. A failure that ends the object is reported once, by its reader."""
        ends = window.job.phase is Phase.FAILED
        what = f"no further job is created ({failure.kind.value})" if ends else failure.summary
        level = logging.INFO if ends else logging.WARNING
        self.log(read, window, what, level=level, event="job_failed", why=failure.summary, ends=ends)

    def _next_job(self, reads: Sequence[ObjectRead], others_wait: bool) -> tuple[ObjectRead, WindowRead] | None:
        """Return the window whose job is next: of the object with the fewest unfinished jobs, then in catalog order.

        While another object waits, one object holds at most half of the slots.
        """
        candidates = [
            (read.jobs_unfinished(), index, read, window)
            for index, read in enumerate(reads)
            if read.failure is None
            and read.jobs_ahead() < self._run.max_concurrent_jobs
            and (window := read.next_to_start()) is not None
        ]
        if not candidates:
            return None
        unfinished, _, read, window = min(candidates, key=lambda entry: entry[:2])
        crowded = others_wait or len(candidates) > 1
        half = max(1, self._run.max_concurrent_jobs // 2)
        return None if crowded and unfinished >= half else (read, window)

    def _carry_out(self, read: ObjectRead, window: WindowRead, command: Command) -> None:
        match command:
            case CreateJob() if window.question is not None:
                self._rest.open(read, window)
            case CreateJob():
                self._create(read, window)
            case ProbeWindow():
                self._rest.probe(read, window)
            case AbortJob() | DeleteJob() if window.question is not None:
                pass
            case AbortJob(job_id) | DeleteJob(job_id) if window.unconfirmed:
                self._ledger.dispose(job_id, window.api_version, read.plan.object_name)
            case AbortJob(job_id):
                self._ledger.discard(job_id)
            case DeleteJob(job_id):
                self._ledger.completed(job_id)
                self._ledger.discard(job_id)
            case SplitWindow():
                self._split(read, window)

    def _unfinished(self, reads: Sequence[ObjectRead]) -> int:
        """Return the number of jobs that are unfinished in the org or about to be created."""
        return sum(read.jobs_unfinished() for read in reads) + self._ledger.aborting

    def _create(self, read: ObjectRead, window: WindowRead) -> None:
        if self._halted:
            return
        if self._last_create is not None and self.creates >= self._last_create:
            self.apply(read, window, CreateFailed(jobs_used_up()))
            return
        self.creates += 1
        if window.job.creates > 1 or window.job.lost_answers:
            self._run.metrics.count(read.plan.object_name, retries=1)
        self._start_over(read, window)
        if self._ledger.aborting:
            self._creates_held = [held for held in self._creates_held if held[1] is not window]
            self._creates_held.append((read, window))
        else:
            self._send_create(read, window)

    def _send_create(self, read: ObjectRead, window: WindowRead) -> None:
        if read.failure is not None:
            return
        self._ledger.expect()
        asked = window.job
        pause = pause_before_create(window.job, self._run.random01())
        self._calls.submit(
            partial(self._create_job, read, window, pause),
            partial(self._created, read, window, asked),
            partial(self._create_failed, read, window, asked),
        )

    def _create_job(self, read: ObjectRead, window: WindowRead, pause: float) -> JobInfo:
        """Create the job; runs on a pool thread."""
        self._run.clock.sleep(pause)
        return self._org.create(window.api_version, window.soql, read.plan.query)

    def _created(self, read: ObjectRead, window: WindowRead, asked: QueryJob, info: JobInfo) -> None:
        self._ledger.answered()
        self._ledger.note(info.id, window.api_version, read.plan.object_name)
        self._run.metrics.count(read.plan.object_name, jobs=1)
        if window.job is not asked:
            # It was given up before its response arrived, and another job replaces it.
            self._ledger.discard(info.id)
        elif read.failure is None:
            self.apply(read, window, Created(info))
            what = f"query job created ({window.bounds}): {abridged(window.soql)}"
            self.log(read, window, what, event="job_created", soql=window.soql)

    def _create_failed(self, read: ObjectRead, window: WindowRead, asked: QueryJob, error: Exception) -> None:
        self._ledger.answered()
        failure = failure_in(error)
        if failure is None or window.job is not asked:
            return
        if failure.action is Action.SEND_ONCE_MORE:
            self._run.metrics.count(read.plan.object_name, orphans=1)
            self.log(read, window, "an unused job may be left in the org", level=logging.WARNING)
        if read.failure is None:
            self.apply(read, window, CreateFailed(failure))

    def _poll(self, read: ObjectRead, window: WindowRead) -> None:
        self._asked_about.add(window)
        job_id = window.job.job_id or ""
        query = read.plan.query
        failed = partial(self._poll_failed, read, window, job_id)
        if window.unconfirmed:
            confirm = partial(self._org.confirm, window.api_version, job_id, query.object_name, (query.operation,))
            self._calls.submit(confirm, partial(self._confirmed, read, window, job_id), failed)
        else:
            ask = partial(self._org.info, window.api_version, job_id, query.object_name)
            self._calls.submit(ask, partial(self._polled, read, window, job_id), failed)

    def _confirmed(self, read: ObjectRead, window: WindowRead, job_id: str, info: JobInfo | None) -> None:
        waited_for = window.job.phase is Phase.WAITING and window.job.job_id == job_id
        if info is None:
            self._asked_about.discard(window)
            if waited_for:
                self._leave_alone(read, window, "the job that the state names is not this stream's")
            return
        if waited_for:
            self._ledger.note(job_id, window.api_version, read.plan.object_name)
            window.confirm()
        self._polled(read, window, job_id, info)

    def _polled(self, read: ObjectRead, window: WindowRead, job_id: str, info: JobInfo) -> None:
        self._asked_about.discard(window)
        if window.job.phase is not Phase.WAITING or window.job.job_id != job_id:
            return
        self.log(read, window, f"query job {info.state.value}", level=logging.DEBUG, event="job_polled")
        if self.apply(read, window, Polled(info, Asked(read.plan.query, window.soql))) is Phase.READY:
            window.count(window.job.records)
            self._ledger.completed(job_id)
            self.log(read, window, "query job complete", rows=window.job.records, event="job_complete")
            if window.walk.counted and window.walk.page == 0 and not window.ranged:
                self._nothing_to_fetch(read, window)

    def _nothing_to_fetch(self, read: ObjectRead, window: WindowRead) -> None:
        """Skip the pages of a job that found no row.

        The page of an Id range is still read, because it marks the end of the range, and perhaps of its window.
        """
        self.apply(read, window, PagesRead())
        if window is read.front:
            read.close_front(self._org.now())

    def _poll_failed(self, read: ObjectRead, window: WindowRead, job_id: str, error: Exception) -> None:
        self._asked_about.discard(window)
        failure = failure_in(error)
        if failure is None or window.job.phase is not Phase.WAITING or window.job.job_id != job_id:
            return
        if window.unconfirmed and is_refusal(failure):
            self._leave_alone(read, window, f"the state's job is not visible to this user ({failure.summary})")
            return
        if failure.kind is Kind.JOB_GONE:
            self._ledger.forget(job_id)
        self.apply(read, window, PollFailed(failure))

    def _leave_alone(self, read: ObjectRead, window: WindowRead, why: str) -> None:
        """Read the window with a new job, and do not touch the state's job, which may belong to another client."""
        self.log(read, window, why, level=logging.WARNING)
        self._start_over(read, window)
        window.give(QueryJob())
        read.publish()

    def _start_over(self, read: ObjectRead, window: WindowRead) -> None:
        unconfirmed, repeated = window.unconfirmed, read.restart(window)
        if repeated or unconfirmed:
            what = f"the window is read again from its start; {repeated} rows already emitted are repeated"
            self.log(read, window, what, level=logging.WARNING)

    def _split(self, read: ObjectRead, window: WindowRead) -> None:
        if window.job.failure is not None:
            read.note_too_large(window)
        if window.question is not None and not can_be_cut(window.question, window.job.failure):
            self._replace(read, window, None)
            return
        self._calls.submit(
            partial(find_halves, self._org, read.plan, window.bounds, window.job.halvings),
            partial(self._replace, read, window),
            partial(self._not_split, read, window),
        )

    def _replace(self, read: ObjectRead, window: WindowRead, halves: Halves | None) -> None:
        if window not in read.windows or read.failure is not None:
            return
        if halves is not None:
            self._start_over(read, window)
            self.log(read, window, "the window is split in two")
            read.split(window, halves, half_job(window.job, self._run.jobs))
        elif window.job.failure is not None:
            self.give_up(read, window, window.job.failure)
        else:
            window.keep_whole()

    def _not_split(self, read: ObjectRead, window: WindowRead, error: Exception) -> None:
        failure = failure_in(error)
        if failure is not None:
            self.give_up(read, window, failure)
