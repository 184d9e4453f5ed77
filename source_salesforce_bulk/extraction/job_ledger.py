"""The jobs that a run owns, so that none is left behind (docs/contracts.md, "What may never happen", 9).

A job is added when Salesforce returns its id, or when Salesforce confirms that a job named by a state is ours. It is
removed when it is gone. Jobs that are left at the end of the run are aborted if necessary and deleted, unless the last
emitted state names them. A job that was never added belongs to another client and is never touched.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

from source_salesforce_bulk.extraction.calls import Calls
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.salesforce.bulk_api import QUERY, QUERY_ALL, JobInfo
from source_salesforce_bulk.salesforce.clock import Clock


@dataclass(frozen=True, slots=True)
class _Entry:
    version: str
    object_name: str
    finished: bool = False


class JobLedger:
    """The jobs that a run owns. Used only by the extraction's thread."""

    def __init__(self, org: Org, calls: Calls, clock: Clock) -> None:
        self._org = org
        self._calls = calls
        self._clock = clock
        self._jobs: dict[str, _Entry] = {}
        self._arriving = 0
        self._leaving = 0
        self._aborting = 0

    @property
    def aborting(self) -> int:
        """The number of jobs that are being aborted; they count as unfinished until Salesforce has answered."""
        return self._aborting

    def expect(self) -> None:
        """Note that a create was sent; :meth:`answered` always follows."""
        self._arriving += 1

    def answered(self) -> None:
        """Note that a create was answered, or that its response was lost."""
        self._arriving -= 1

    def note(self, job_id: str, version: str, object_name: str) -> None:
        """Add a job that exists and is ours."""
        self._jobs.setdefault(job_id, _Entry(version, object_name))

    def completed(self, job_id: str) -> None:
        """Note that the job has ended, so that it need not be aborted before it is deleted."""
        if job_id in self._jobs:
            self._jobs[job_id] = replace(self._jobs[job_id], finished=True)

    def forget(self, job_id: str) -> None:
        """Remove a job that is gone, or that is not ours."""
        self._jobs.pop(job_id, None)

    def discard(self, job_id: str) -> None:
        """Delete a job that will not be read, in the background; abort it first if it may still be running."""
        entry = self._jobs.pop(job_id, None)
        if entry is None:
            return
        self._leaving += 1
        if entry.finished:
            delete = partial(self._org.delete, entry.version, job_id, entry.object_name)
            self._calls.submit(delete, self._left, self._left)
        else:
            self._aborting += 1
            abort = partial(self._org.abort, entry.version, job_id, entry.object_name)
            self._calls.submit(abort, self._aborted, self._aborted)

    def dispose(self, job_id: str, version: str, object_name: str) -> None:
        """Discard a job that a state names and that will not be read, once Salesforce confirms that it is ours.

        Its operation may differ, because include_deleted may have changed.
        """

        def judge(info: JobInfo | None) -> None:
            self._leaving -= 1
            if info is not None:
                self.note(job_id, version, object_name)
                if info.state.finished:
                    self.completed(job_id)
                self.discard(job_id)

        self._leaving += 1
        confirm = partial(self._org.confirm, version, job_id, object_name, (QUERY, QUERY_ALL))
        self._calls.submit(confirm, judge, self._left)

    def close(self, keep: Collection[str], seconds: float) -> None:
        """Discard every job except those in ``keep``, and wait at most ``seconds`` for that.

        This includes jobs whose create is answered in the meantime, which no state names.
        """
        until = self._clock.monotonic() + seconds
        while True:
            for job_id in [job_id for job_id in self._jobs if job_id not in keep]:
                self.discard(job_id)
            left = until - self._clock.monotonic()
            if not (self._leaving or self._arriving) or left <= 0:
                return
            self._calls.drain(left)

    def _left(self, _: object) -> None:
        """Ignore the result: clean-up is best effort."""
        self._leaving -= 1

    def _aborted(self, answer: object) -> None:
        self._aborting -= 1
        self._left(answer)
