"""Every job this run answers for, so that none is left behind (docs/contracts.md, "What may never happen", 9).

A job enters when its id is learnt from Salesforce's answer, or when Salesforce has said that the one a state names is
ours, and leaves when it is gone. What is still here when the run ends is deleted, or aborted first, unless the last
emitted state names it. A job that never entered is never touched: it is somebody else's.
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
    """The jobs a run answers for. Owned by the extraction's thread."""

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
        """Jobs that are being aborted: until Salesforce has answered they are unfinished."""
        return self._aborting

    def expect(self) -> None:
        """A create is on its way; :meth:`answered` follows, whatever becomes of it."""
        self._arriving += 1

    def answered(self) -> None:
        """The create on its way has been answered, or its answer is lost."""
        self._arriving -= 1

    def note(self, job_id: str, version: str, object_name: str) -> None:
        """This job exists and is ours."""
        self._jobs.setdefault(job_id, _Entry(version, object_name))

    def completed(self, job_id: str) -> None:
        """Salesforce works on it no more: deleting it needs no abort."""
        if job_id in self._jobs:
            self._jobs[job_id] = replace(self._jobs[job_id], finished=True)

    def forget(self, job_id: str) -> None:
        """It is gone, or it turned out not to be ours."""
        self._jobs.pop(job_id, None)

    def discard(self, job_id: str) -> None:
        """Nobody will read it: delete it now, beside everything else; abort it first if it may still run."""
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
        """A state names this job and nothing will read it: discard it, once Salesforce says that it is ours.

        Its operation may be the other one: include_deleted may be what has changed since.
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
        """Discard every job but those in ``keep``, and wait for that at most ``seconds``.

        That includes jobs whose create is only answered meanwhile: no state names them.
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
        """Best effort: whether or not it worked, the run goes on."""
        self._leaving -= 1

    def _aborted(self, answer: object) -> None:
        self._aborting -= 1
        self._left(answer)
