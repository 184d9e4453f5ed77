"""Read one result page in a Spark executor: download it, verify it, and convert it to Arrow.

An executor has a session but cannot renew it. If the session has expired, the page is not read, and the driver runs the
task again with a newer session. A task can run any number of times, because it only downloads and never queries.

Does not retry: ``fetch`` retries incomplete bodies, ``transport`` retries single calls.
"""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from source_salesforce_bulk.pages.fetch import PageAddress, PageFetcher
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.parquet_sinks import batches_in
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Clock, SystemClock
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import Http, RequestsHttp
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.secret_mask import SecretMask
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiUsage


@dataclass(frozen=True, slots=True)
class PageTask:
    """A page to read; ``number`` identifies it within its wave."""

    number: int
    address: PageAddress


@dataclass(frozen=True, slots=True)
class PageCost:
    """The cost of a page: requests, retries, and received bytes in total.

    ``usage`` is the newest count of the org's daily API calls, None if no response had one.
    """

    calls: int = 0
    retries: int = 0
    received: int = 0
    usage: ApiUsage | None = None


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """The outcome of a page. ``failure`` is None if all its rows were returned; otherwise none of them was.

    ``rows`` and ``size`` (bytes as received) are 0 for a failed page, but ``cost`` is counted.
    ``first_id`` is the Id in its first row; None if it has none.
    """

    number: int
    rows: int = 0
    first_id: str | None = None
    size: int = 0
    cost: PageCost = field(default_factory=PageCost)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    inexact: Mapping[str, int] = field(default_factory=dict)
    failure: Failure | None = None


class SessionEnded(SalesforceError):
    """The session of the task has expired. Raised here so that nothing tries to renew it."""


class GivenSession:
    """``Tokens`` of a machine that was given a session and cannot create another."""

    def __init__(self, given: Session) -> None:
        self._given = given
        self._mask = SecretMask(given.access_token)

    def session(self) -> Session:
        """Return the session that it was given."""
        return self._given

    def refresh(self, stale_access_token: str) -> Session:
        """Raise :class:`SessionEnded`; the driver renews the session."""
        raise SessionEnded(Failure.of(Kind.SESSION_EXPIRED))

    def redact(self, text: str) -> str:
        """Return ``text`` with the access token masked, the only secret here."""
        return self._mask.redact(text)


class _Counting:
    """The cost of a task's calls."""

    def __init__(self) -> None:
        self.so_far = PageCost()

    def on_answer(
        self, request: ApiRequest, status: int | None, seconds: float, size: int, usage: ApiUsage | None
    ) -> None:
        """See ``transport.Observer``."""
        before = self.so_far
        self.so_far = PageCost(before.calls + 1, before.retries, before.received + size, usage or before.usage)

    def on_retry(self, request: ApiRequest, failure: Failure, pause: float) -> None:
        """See ``transport.Observer``."""
        self.so_far = replace(self.so_far, retries=self.so_far.retries + 1)


class SessionSource(Protocol):
    """Provides a partition with its session. It is pickled and sent to every machine, and contains no secret itself."""

    def session(self) -> Session:
        """Return the session to read pages with."""
        ...


class Given(Protocol):
    """The data that every partition of a wave receives, such as a Spark broadcast."""

    @property
    def value(self) -> tuple[SessionSource, PageEncoder, tuple[PageTask, ...]]:
        """The source of the session, the encoder (an ``encoders.batch_file``), and the tasks of all partitions."""
        ...


class PartitionReader:
    """The function for Spark's ``mapInArrow``, whose input is one task number in each partition.

    It yields the rows of the task's page, and passes the outcome to ``report`` (a Spark accumulator's ``add``).
    """

    def __init__(self, given: Given, report: Callable[[Mapping[int, PageOutcome]], None]) -> None:
        self._given = given
        self._report = report

    def __call__(self, numbers: Iterator[Any]) -> Iterator[Any]:
        """See the class."""
        source, encoder, tasks = self._given.value
        runner = PageTaskRunner(source.session(), encoder)
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from runner.run(tasks[number], lambda outcome: self._report({outcome.number: outcome}))


class PageTaskRunner:
    """Reads pages with one session and one connection. The product of ``encoder`` is a file."""

    def __init__(
        self,
        session: Session,
        encoder: PageEncoder,
        http: Http | None = None,
        clock: Clock | None = None,
        random01: Callable[[], float] = random.random,
    ) -> None:
        self._tokens = GivenSession(session)
        self._encoder = encoder
        self._http = http or RequestsHttp(1)
        self._clock = clock or SystemClock(threading.Event())
        self._random01 = random01

    def run(
        self,
        task: PageTask,
        report: Callable[[PageOutcome], None],
        use: Callable[[Path], Iterator[Any]] = batches_in,
    ) -> Iterator[Any]:
        """Yield what ``use`` makes of the verified page's file, and then report the page's outcome.

        By default these are its rows as pyarrow record batches. A page that cannot be read yields nothing, and its
        outcome says why.
        """
        costs = _Counting()
        transport = Transport(Caller(self._http, self._clock, self._random01), self._tokens, costs)
        with tempfile.TemporaryDirectory(prefix="salesforce-bulk-") as directory:
            fetcher = PageFetcher(transport, Workspace(Path(directory)), self._clock, self._random01)
            try:
                page = fetcher.fetch(task.address, lambda _: None, self._encoder)
            except SalesforceError as error:
                report(PageOutcome(task.number, cost=costs.so_far, failure=error.failure))
                return
            yield from use(page.encoded.product.take().path)
        cost = replace(costs.so_far, retries=costs.so_far.retries + page.retries)
        report(
            PageOutcome(
                number=task.number,
                rows=page.rows,
                first_id=page.first_id,
                size=page.size,
                cost=cost,
                unreadable=page.encoded.unreadable,
                inexact=page.encoded.inexact,
            )
        )
