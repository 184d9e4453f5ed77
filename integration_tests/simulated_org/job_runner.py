"""Run query jobs: compile at creation, render the result when processing starts, end by polls or by time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from integration_tests.simulated_org.csv_text import DELIMITERS, LINE_ENDINGS, CsvForm
from integration_tests.simulated_org.errors import JOB_FAILURES
from integration_tests.simulated_org.faults import Target
from integration_tests.simulated_org.ids import record_id
from integration_tests.simulated_org.jobs import (
    ABORTED,
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    TERMINAL,
    UPLOAD_COMPLETE,
    QueryJob,
)
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.sessions import Session

_WAIT_FOR_RENDERING = 5.0  # a poll that is due waits this long; then the job stays InProgress until it is done


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A query job that a session asks for."""

    soql: str
    operation: str
    version: str
    delimiter: str
    ending: str
    session: Session | None


class JobRunner:
    """Moves the jobs of one org on. Belongs to the server's event loop."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def create(self, request: JobRequest) -> QueryJob:
        """Make a job of a session, which sees what that login sees.

        :raises ApiError: the statement is refused.
        """
        org = self._org
        login = org.login_of(request.session)
        compiled = await asyncio.to_thread(  # a table may have to be filled first
            org.compile,
            request.soql,
            all_rows=request.operation == "queryAll",
            alphabetical=float(request.version) < 50,
            login=login,
        )
        name = compiled.declared.name
        nth = 1 + sum(job.object == name and not job.foreign for job in org.jobs.values())
        identifier = record_id("750", len(org.jobs))
        plan = org.faults.strike(["job"], Target("createJob", name, identifier, nth))
        job = QueryJob(
            identifier,
            request.operation,
            request.soql,
            name,
            request.version,
            request.delimiter,
            request.ending,
            org.user_of(request.session),
            org.clock.now(),
            compiled,
            plan,
            nth=nth,
        )
        org.jobs[identifier] = job
        org.limits.spend("DailyBulkV2QueryJobs")
        org.note_unfinished_jobs()
        org.events.fire("job_created", name)
        await self._start(job)
        return job

    async def _start(self, job: QueryJob) -> None:
        settings = self._org.settings
        if settings.snapshot_at == "creation":
            await self._render(job)
        if self._seconds(job) is not None:
            self._tasks[f"{job.id}/time"] = asyncio.create_task(self._by_time(job))
        elif self._polls(job) == 0:
            await self._begin(job)
            await self._finish(job)

    async def poll(self, job: QueryJob) -> None:
        """Count a poll and do what is due at it."""
        job.polls += 1
        expires = job.planned("job_expires")
        if expires is not None and job.polls > (expires.polls or 1):
            job.expired = True
        if job.state in TERMINAL or self._seconds(job) is not None:
            return
        if job.state == UPLOAD_COMPLETE and not await self._begin(job):
            return
        if job.polls >= self._polls(job):
            await self._finish(job)

    def abort(self, job: QueryJob) -> None:
        """End a running job at its client's wish."""
        job.aborted = True
        self._end(job, ABORTED)

    async def close(self) -> None:
        """End what is under way; a rendering in a thread stops at its next batch."""
        self._org.closing = True
        for name, task in self._tasks.items():
            if name.endswith("/time"):
                task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _polls(self, job: QueryJob) -> int:
        slow = job.planned("job_slow")
        return slow.polls if slow is not None and slow.polls is not None else self._org.settings.polls_until_complete

    def _seconds(self, job: QueryJob) -> float | None:
        slow = job.planned("job_slow")
        return slow.seconds if slow is not None and slow.seconds is not None else self._org.settings.latency

    async def _by_time(self, job: QueryJob) -> None:
        await asyncio.sleep(self._org.settings.queue_seconds)
        while not await self._begin(job):  # noqa: ASYNC110 - a place falls free when any job ends
            await asyncio.sleep(0.02)
        await asyncio.sleep(self._seconds(job) or 0)
        await self._finish(job)
        while job.state not in TERMINAL and f"{job.id}/render" in self._tasks:
            await asyncio.wait([self._tasks[f"{job.id}/render"]])
            await self._finish(job)

    async def _begin(self, job: QueryJob) -> bool:
        """Start processing; False when the org runs as many jobs as it may."""
        limit = self._org.settings.max_running_jobs
        running = sum(other.state == IN_PROGRESS for other in self._org.jobs.values())
        if job.state == UPLOAD_COMPLETE:
            if limit is not None and running >= limit:
                return False
            job.move(IN_PROGRESS, self._org.clock.now())
            self._org.events.fire("job_processing", job.object)
        if job.snapshot is None and not job.deleted:
            await self._render(job)
        return True

    async def _finish(self, job: QueryJob) -> None:
        if job.state in TERMINAL or job.planned("job_stuck") or job.planned("job_state"):
            return
        if job.planned("job_aborted"):
            self._end(job, ABORTED)
        elif job.snapshot is None:
            return  # still rendering
        elif self._fails(job):
            self._end(job, FAILED)
        else:
            self._org.limits.spend("DailyBulkV2QueryFileStorageMB", job.snapshot.size / 1_000_000)
            self._end(job, COMPLETE)
            self._org.events.fire("job_completed", job.object)

    def _fails(self, job: QueryJob) -> bool:
        failing = job.planned("job_failed")
        complex_columns = [
            column.header for column in (job.compiled.columns if job.compiled else ()) if column.field.kind == "complex"
        ]
        if complex_columns and self._org.settings.complexvalue_in_bulk == "fails":
            job.error_message = f"FeatureNotEnabled : Cannot serialize value for '{complex_columns[0]}' in CSV format"
            return True
        if failing is None:
            return False
        if failing.value == "above" and job.snapshot is not None and job.snapshot.rows <= failing.rows:
            return False
        job.error_message = failing.message
        if failing.error is not None:
            job.error_message = JOB_FAILURES[failing.error].replace("{object}", job.object)
        return True

    def _end(self, job: QueryJob, state: str) -> None:
        job.move(state, self._org.clock.now())
        self._org.events.fire("job_ended", job.object)

    async def _render(self, job: QueryJob) -> None:
        """Take the snapshot once: wait for it when it is small, else let it go on in the background."""
        name = f"{job.id}/render"
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(asyncio.to_thread(self._take_snapshot, job))
        await asyncio.wait([self._tasks[name]], timeout=_WAIT_FOR_RENDERING)
        if self._tasks[name].done():
            self._tasks[name].result()

    def _take_snapshot(self, job: QueryJob) -> None:
        assert job.compiled is not None
        if self._org.is_endless(job.compiled):
            return  # it stays InProgress
        form = CsvForm(DELIMITERS[job.column_delimiter], LINE_ENDINGS[job.line_ending], self._org.settings.quoting)
        job.snapshot = self._org.render(job.compiled, form)
