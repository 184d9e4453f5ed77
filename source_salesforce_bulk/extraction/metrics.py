"""The counts of a run, per object."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from source_salesforce_bulk.extraction.quota import RecentUsage
from source_salesforce_bulk.salesforce.failures import Failure
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiUsage, Operation

if TYPE_CHECKING:  # imports Arrow
    from source_salesforce_bulk.pages.page_task import PageCost

LOGGER = logging.getLogger("salesforce_bulk.transport")


@dataclass(slots=True)
class ObjectMetrics:
    """One object's counts. ``batches`` are delivered result pages; ``waiting`` is seconds without a row to deliver.

    ``orphans`` are creates whose response was lost: each may have left a job with unknown id. ``files`` are those of
    ``--files`` that were stored, with ``file_bytes``.
    """

    records: int = 0
    batches: int = 0
    errors: int = 0
    retries: int = 0
    jobs: int = 0
    orphans: int = 0
    bytes: int = 0
    files: int = 0
    file_bytes: int = 0
    waiting: float = 0.0
    unreadable: Counter[str] = field(default_factory=Counter)
    inexact: Counter[str] = field(default_factory=Counter)
    calls: Counter[Operation] = field(default_factory=Counter)

    @property
    def polls(self) -> int:
        """The number of polls."""
        return self.calls[Operation.JOB_INFO]

    def summary(self) -> str:
        """Return the last log line of a stream."""
        orphans = f", jobs possibly left behind {self.orphans}" if self.orphans else ""
        return (
            f"records processed {self.records}, batches completed {self.batches}, errors {self.errors}, "
            f"retries {self.retries}, jobs {self.jobs}, polls {self.polls}, API calls {self.calls.total()}, "
            f"bytes {self.bytes}, waiting {self.waiting:.1f} s{orphans}"
        )


class RunMetrics:
    """The counts of all objects, and the org's used daily API calls. Observes the transport.

    The transport notifies it from many threads, so counting is done by methods of this class. ``waiting``,
    ``unreadable``, ``inexact`` and the counts of files are changed only by the deciding thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str | None, ObjectMetrics] = {}
        self._usage = RecentUsage()

    @property
    def usage(self) -> ApiUsage | None:
        """The org's daily API calls according to its recent responses; None before the first response with a count."""
        return self._usage.believed

    def of(self, object_name: str | None) -> ObjectMetrics:
        """Return the counts of one object; for None, of calls that belong to no object."""
        with self._lock:
            return self._objects.setdefault(object_name, ObjectMetrics())

    @property
    def calls(self) -> int:
        """The total number of requests."""
        with self._lock:
            return sum(counts.calls.total() for counts in self._objects.values())

    @property
    def jobs(self) -> int:
        """The total number of created query jobs."""
        with self._lock:
            return sum(counts.jobs for counts in self._objects.values())

    def count(
        self,
        object_name: str | None,
        *,
        records: int = 0,
        batches: int = 0,
        errors: int = 0,
        retries: int = 0,
        jobs: int = 0,
        orphans: int = 0,
    ) -> None:
        """Add to one object's counts. A retry does not count as an error unless both are given."""
        counts = self.of(object_name)
        with self._lock:
            counts.records += records
            counts.batches += batches
            counts.errors += errors
            counts.retries += retries
            counts.jobs += jobs
            counts.orphans += orphans

    def on_answer(
        self, request: ApiRequest, status: int | None, seconds: float, size: int, usage: ApiUsage | None
    ) -> None:
        """Count a request; ``status`` is None without a response."""
        counts = self.of(request.object_name)
        with self._lock:
            counts.calls[request.operation] += 1
            counts.bytes += size
            self._usage = self._usage.seen(usage)

    def on_retry(self, request: ApiRequest, failure: Failure, pause: float) -> None:
        """Count a retry, which is sent after ``pause`` seconds."""
        what = f"{request.operation.value} is sent again in {pause:.1f} s: {failure.summary}"
        extra = {"object": request.object_name, "event": "retry", "facts": {"why": what}}
        LOGGER.debug("%s", what, extra=extra)
        self.count(request.object_name, errors=1, retries=1)

    def on_spent(self, object_name: str, operation: Operation, cost: PageCost) -> None:
        """Count the calls of a page that another machine of this run has fetched."""
        self.count(object_name, errors=cost.retries, retries=cost.retries)
        counts = self.of(object_name)
        with self._lock:
            counts.calls[operation] += cost.calls
            counts.bytes += cost.received
            self._usage = self._usage.seen(cost.usage)
