"""One org for one run, from a configuration: logged in, counted, and ready to be read.

Every runner begins here. What differs between them comes in as arguments: the HTTP client, the clock, what to do with a
rotated refresh token.
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
from source_salesforce_bulk.extraction.reader import PageBounds
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.extraction.temporary_folder import new_folder_for_pages
from source_salesforce_bulk.pages.fetch import Page, PageSource
from source_salesforce_bulk.pages.listing import PageLister
from source_salesforce_bulk.pages.page_encoders import PageEncoders
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
"""Concurrent describes. Salesforce bounds only calls that last 20 seconds or more, and allows 25 of those."""

CONNECTIONS = 64
"""Pooled HTTP connections: as many threads as ever call at once."""

_EXTRA_WORKERS = 16
"""Threads beside those that create jobs: page downloads, polls, clean-up."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a run lives in. ``program`` is the one that the user has started.

    ``calls`` makes the place where an extraction's calls run, from a number of threads and a name for them.
    """

    caller: Caller
    secrets: SecretHooks
    calls: Callable[[int, str], Calls] = ThreadedCalls
    encoding_workers: int = 0
    program: Program = Program.ANY
    run_id: str = field(default_factory=lambda: run_id(os.environ))


def run_id(environment: Mapping[str, str]) -> str:
    """The platform's name for this attempt, or a new one: one id in all log lines of a run."""
    job, attempt = environment.get("WORKER_JOB_ID"), environment.get("WORKER_JOB_ATTEMPT")
    if job:
        return f"{job}-{attempt or 0}"
    return str(uuid.uuid4())


class Connection:
    """An org and everything that talks to it. ``close`` removes the directory that pages are spooled to."""

    def __init__(self, config: Config, environment: Environment) -> None:
        self.config = config
        self.clock = environment.caller.clock
        self.run_id = environment.run_id
        self.program = environment.program
        self.metrics = RunMetrics()
        self._random01 = environment.caller.random01
        self._calls = environment.calls
        login = Login(config.credentials, config.login_url)
        self._tokens = TokenProvider(login, environment.caller, environment.secrets)
        self._transport = Transport(environment.caller, self._tokens, self.metrics)
        self.discovery = Discovery(self._transport, config.api_version, DESCRIBES_AT_ONCE)
        self._encoders = PageEncoders(environment.encoding_workers)
        self._directory: Path | None = None
        self._opening = threading.Lock()

    def log_in(self) -> Session:
        """The session, from a login at the first call; raises ``SalesforceError``."""
        return self._tokens.session()

    def upper_bound(self) -> datetime:
        """T: the org's own clock, cut to the second, as its slowest answers and the login show it (``org_clock``).

        Never this machine's clock, which may be wrong. Raises ``SalesforceError`` where the org shows no clock at all,
        or clocks that are more than an hour apart.
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
        """The failure that ends the run, where answers have shown times that are more than an hour apart."""
        found = self._transport.org_clock.disagreement
        if found is None or found.gap <= BELIEVED_WITHIN:
            return None
        return Failure.of(Kind.CLOCKS_DISAGREE, detail=str(found))

    def quota(self) -> Quota:
        """What the org's limits leave to this run; no bound where they cannot be seen. Raises as :meth:`limits`."""
        limits = self.limits()
        return compute_quota(limits, self.config.daily_limit_reserve_percent) if limits is not None else Quota()

    def limits(self) -> Limits | None:
        """The org's daily limits as they stand; None, with a warning, where they cannot be seen.

        Reading them needs View Setup and Configuration, which reading data does not, and an org may be without them for
        other reasons. Raises ``SalesforceError`` for what is known to stand in the way of everything else, too.
        """
        try:
            return self.discovery.limits()
        except SalesforceError as error:
            if error.failure.action is Action.STOP_RUN:
                raise
            LOGGER.warning("The org's limits cannot be read, so no reserve can be kept: %s", error.failure.summary)
            return None

    def renew(self, stale_access_token: str) -> Session:
        """A session newer than the one this token belongs to; raises ``SalesforceError``."""
        return self._tokens.refresh(stale_access_token)

    def page_lister(self) -> PageLister:
        """What lists the pages of a job before they are read."""
        return PageLister(self._transport)

    def org(
        self, on_page: Callable[[Page], Page] = lambda page: page, pages: PageSource | None = None
    ) -> SalesforceOrg:
        """The calls of an extraction; pages are spooled under the system's temporary directory (TMPDIR).

        Where ``pages`` is given, they are read there.
        """
        with self._opening:
            if self._directory is None:
                self._directory = new_folder_for_pages(os.environ)
        return SalesforceOrg(
            self._transport,
            self._directory,
            self.clock,
            self._random01,
            lambda: self._tokens.session().user_id,
            on_page,
            self.run_id,
            encode=self._encoders.encode,
            pages=pages,
        )

    def extraction(
        self,
        on_page: Callable[[Page], Page] = lambda page: page,
        pages: PageSource | None = None,
        page_bounds: PageBounds | None = None,
    ) -> Extraction:
        """A new extraction, with threads of its own; ``on_page`` is the org's, see :class:`SalesforceOrg`.

        ``pages`` that are read elsewhere come with the bounds that suit that place.
        """
        jobs = self.config.max_concurrent_jobs
        policy = JobPolicy(job_timeout=self.config.job_timeout.total_seconds())
        run = RunContext(self.run_id, self.clock, self._random01, jobs, policy, self.metrics)
        elsewhere = page_bounds.of_all if page_bounds else 0  # each of them waits on a thread here
        calls = self._calls(min(jobs, 20) + _EXTRA_WORKERS + elsewhere, "salesforce")
        org = self.org(on_page, pages)
        return Extraction(org, calls, run, page_bounds)

    def close(self) -> None:
        """End the processes it started and give the disk space back; may be called twice."""
        self._encoders.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
