"""The connection of a run to its org, created from a configuration.

Every runner uses it. The differences between runners are arguments: the HTTP client, the clock, and the callbacks for
secrets.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from source_salesforce_bulk.config import Config
from source_salesforce_bulk.extraction.calls import Calls, ThreadedCalls
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.extraction.quota import Quota, compute_quota
from source_salesforce_bulk.extraction.reader import Elsewhere, PageBounds
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.salesforce_org import JobPagesElsewhere, SalesforceOrg
from source_salesforce_bulk.extraction.temporary_folder import new_folder_for_pages
from source_salesforce_bulk.pages.blob_fetch import BlobFetcher
from source_salesforce_bulk.pages.fetch import PageFetcher, PageSource
from source_salesforce_bulk.pages.listing import PageLister
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.discovery import Discovery
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.org_clock import BELIEVED_WITHIN, Moment, Sighting
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.rest_api import Limits
from source_salesforce_bulk.salesforce.token import Login, SecretHooks, TokenProvider
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("salesforce_bulk.connection")

DESCRIBES_AT_ONCE = 25
"""Concurrent describes. Salesforce limits only calls that take 20 seconds or more, to 25 of them."""

CONNECTIONS = 64
"""Pooled HTTP connections: the maximum number of threads that call at the same time."""

_EXTRA_WORKERS = 16
"""Threads in addition to those that create jobs: for page downloads, polls and clean-up."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment of a run. ``program`` is the program that the user has started.

    ``calls`` creates what runs an extraction's calls, from a number of threads and a name for them.
    """

    caller: Caller
    secrets: SecretHooks
    calls: Callable[[int, str], Calls] = ThreadedCalls
    program: Program = Program.ANY
    run_id: str = field(default_factory=lambda: run_id(os.environ))


def run_id(environment: Mapping[str, str]) -> str:
    """Return the platform's id of this attempt, or a new id. All log lines of a run contain it."""
    job, attempt = environment.get("WORKER_JOB_ID"), environment.get("WORKER_JOB_ATTEMPT")
    if job:
        return f"{job}-{attempt or 0}"
    return str(uuid.uuid4())


class Connection:
    """An org and the objects that access it. ``close`` removes the directory for spooled pages."""

    def __init__(self, config: Config, environment: Environment) -> None:
        self.config = config
        self.clock = environment.caller.clock
        self.run_id = environment.run_id
        self.program = environment.program
        self.metrics = RunMetrics()
        self._caller = environment.caller
        self._random01 = environment.caller.random01
        self._calls = environment.calls
        login = Login(config.credentials, config.login_url)
        self._tokens = TokenProvider(login, environment.caller, environment.secrets)
        self._transport = Transport(environment.caller, self._tokens, self.metrics)
        self.discovery = Discovery(self._transport, config.api_version, DESCRIBES_AT_ONCE)
        self._directory: Path | None = None
        self._opening = threading.Lock()

    def log_in(self) -> Session:
        """Return the session; the first call logs in. Raises ``SalesforceError``."""
        return self._tokens.session()

    def upper_bound(self) -> datetime:
        """Return T: the org's clock in whole seconds, from its slowest responses and the login (see ``org_clock``).

        This machine's clock is never used, because it may be wrong. Raises ``SalesforceError`` if the org's time is not
        known, or if its clocks differ by more than an hour.
        """
        session = self.log_in()
        failure = self.clock_failure()
        if failure is not None:
            raise SalesforceError(failure)
        moment = Moment(self.clock.monotonic(), self.clock.now())
        login = None
        if session.issued_at is not None:
            received = moment if session.received is None else replace(moment, monotonic=session.received)
            login = Sighting(session.issued_at, "the login", received)
        known = self._transport.org_clock.upper_bound(moment, login)
        if known is None:
            raise SalesforceError(
                Failure.of(Kind.UNREADABLE_ANSWER, detail="no answer of the org carries a Date header")
            )
        return known

    def clock_failure(self) -> Failure | None:
        """Return the failure that ends the run if the times of responses differ by more than an hour."""
        found = self._transport.org_clock.disagreement
        if found is None or found.gap <= BELIEVED_WITHIN:
            return None
        return Failure.of(Kind.CLOCKS_DISAGREE, detail=str(found))

    def quota(self) -> Quota:
        """Return what this run may use of the org's limits, unbounded if unknown; raises the same as :meth:`limits`."""
        limits = self.limits()
        return compute_quota(limits, self.config.daily_limit_reserve_percent) if limits is not None else Quota()

    def limits(self) -> Limits | None:
        """Return the org's current daily limits; None, with a warning, if they cannot be read.

        Reading them needs View Setup and Configuration, unlike reading data, and an org may lack them for other
        reasons. Raises ``SalesforceError`` for failures that would affect everything else as well.
        """
        try:
            return self.discovery.limits()
        except SalesforceError as error:
            if error.failure.action is Action.STOP_RUN:
                raise
            LOGGER.warning("The org's limits cannot be read, so no reserve is kept: %s", error.failure.summary)
            return None

    def renew(self, stale_access_token: str) -> Session:
        """Return a newer session than the one of this token; raises ``SalesforceError``."""
        return self._tokens.refresh(stale_access_token)

    def page_lister(self) -> PageLister:
        """Return a lister for the pages of complete jobs."""
        return PageLister(self._transport)

    def org(self, pages: PageSource | None = None) -> SalesforceOrg:
        """Return the org's API calls. Pages are stored under the system's temporary directory (TMPDIR).

        If ``pages`` is given, it reads the pages of jobs instead.
        """
        workspace = Workspace(self._folder_for_pages())
        here = PageFetcher(self._transport, workspace, self.clock, self._random01, self.run_id)
        return SalesforceOrg(
            self._transport,
            here if pages is None else JobPagesElsewhere(here, pages),
            self.clock,
            lambda: self._tokens.session().user_id,
            self.run_id,
        )

    def blob_fetcher(self) -> BlobFetcher:
        """Return a fetcher for the binary content of rows, which is stored where pages are."""
        return BlobFetcher(self._transport, Workspace(self._folder_for_pages()), self._caller)

    def _folder_for_pages(self) -> Path:
        with self._opening:
            if self._directory is None:
                self._directory = new_folder_for_pages(os.environ)
            return self._directory

    def extraction(self, elsewhere: Elsewhere | None = None) -> Extraction:
        """Return a new extraction with its own threads. Pages are read in this process, or ``elsewhere``."""
        jobs = self.config.max_concurrent_jobs
        policy = JobPolicy(job_timeout=self.config.job_timeout.total_seconds())
        run = RunContext(self.run_id, self.clock, self._random01, jobs, policy, self.metrics)
        bounds = elsewhere.bounds if elsewhere is not None else PageBounds()
        waiting = bounds.of_all if elsewhere is not None else 0  # each occupies a thread here while it waits
        calls = self._calls(min(jobs, 20) + _EXTRA_WORKERS + waiting, "salesforce")
        org = self.org(elsewhere.pages if elsewhere is not None else None)
        return Extraction(org, calls, run, bounds)

    def close(self) -> None:
        """Free the disk space; may be called twice."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
