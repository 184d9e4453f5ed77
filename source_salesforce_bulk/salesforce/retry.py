"""Retry budgets: the number of attempts, the pauses between them, and the total time.

A policy only decides; docs/contracts.md, "Retries", lists the owner of each retry. Time and random numbers are
arguments, so that nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import tenacity

from source_salesforce_bulk.salesforce.wire import Operation, parse_http_date

MAX_RETRY_AFTER = 60.0
"""The longest pause that a response may request, so that a worker does not stay idle for too long."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow by ``factor`` from ``initial`` to ``maximum`` seconds.

    ``jitter`` is the fraction by which a pause may be randomly shortened, so that threads which failed together do not
    retry together.
    """

    initial: float
    factor: float
    maximum: float
    jitter: float

    def delay(self, attempt: int, random01: float) -> float:
        """Return the seconds to wait after attempt number ``attempt`` (the first is 0); ``random01`` is from 0 to 1.

        >>> Backoff(initial=1.0, factor=2.0, maximum=60.0, jitter=0.25).delay(3, random01=0.0)
        8.0
        >>> Backoff(initial=1.0, factor=2.0, maximum=60.0, jitter=0.25).delay(3, random01=1.0)
        6.0
        """
        try:
            grown = self.initial * self.factor ** max(attempt, 0)
        except OverflowError:
            grown = self.maximum
        return min(grown, self.maximum) * (1.0 - self.jitter * random01)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` in total; none begins more than ``budget`` seconds after the first."""

    attempts: int
    backoff: Backoff
    budget: float

    def wait(
        self, random01: Callable[[], float], retry_after: Callable[[BaseException], float | None]
    ) -> Callable[[tenacity.RetryCallState], float]:
        """Return a tenacity wait: the backoff's pause, or the pause that the failed response requested, if longer."""

        def pause(state: tenacity.RetryCallState) -> float:
            own = self.backoff.delay(state.attempt_number - 1, random01())
            error = state.outcome.exception() if state.outcome is not None else None
            asked = retry_after(error) if error is not None else None
            return max(own, asked or 0.0)

        return pause

    def stop(self, elapsed: Callable[[], float]) -> Callable[[tenacity.RetryCallState], bool]:
        """Return a tenacity stop: no attempt is left, or the next would begin after the budget.

        tenacity's ``stop_before_delay`` does the same with the system clock, which tests cannot control.
        """
        no_attempt_left = tenacity.stop_after_attempt(self.attempts)

        def stopped(state: tenacity.RetryCallState) -> bool:
            return no_attempt_left(state) or elapsed() + state.upcoming_sleep > self.budget

        return stopped


def parse_retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Return ``Retry-After`` in seconds, from 0 to ``MAX_RETRY_AFTER``; None if it is missing or invalid.

    Header names must be in lower case. An HTTP date is relative to ``now``, ideally the same response's ``Date``;
    without ``now`` it is ignored.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER)
    date = parse_http_date(text)
    if date is None or now is None:
        return None
    return min(max((date - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


CONNECT_TIMEOUT = 10.0
"""Seconds to establish a connection."""

READ_TIMEOUTS: Mapping[Operation, float] = MappingProxyType(
    {
        Operation.TOKEN: 30.0,
        Operation.VERSIONS: 30.0,
        Operation.SOBJECTS: 120.0,
        # For very wide objects, other connectors needed more than 30 seconds (singer 1.5.4).
        Operation.DESCRIBE: 300.0,
        Operation.LIMITS: 60.0,
        Operation.RECORD_COUNT: 60.0,
        # Salesforce gives a query two minutes to begin, and compiles the query before it responds to a create.
        Operation.QUERY: 150.0,
        Operation.DELETED: 150.0,
        Operation.CREATE_JOB: 150.0,
        Operation.JOB_INFO: 60.0,
        Operation.RESULTS: 120.0,
        Operation.RESULT_PAGES: 120.0,
        Operation.BLOB: 120.0,
        # Clean-up must not delay the end of a run.
        Operation.ABORT_JOB: 10.0,
        Operation.DELETE_JOB: 10.0,
    }
)
"""Seconds for all headers of a response after its request was sent, and between any two bytes of its body.

The body of any response has the same time again, except for result pages and files.
"""

_BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=30.0, jitter=0.25)
_ATTEMPTS = 5

REQUEST_RETRIES = RetryPolicy(_ATTEMPTS, _BACKOFF, budget=_ATTEMPTS * MAX_RETRY_AFTER)
"""One request, by ``transport``: every response may request the longest pause. More attempts would waste API calls."""

LOGIN_RETRIES = REQUEST_RETRIES
"""One login, by ``token``: the same as any request."""

BODY_DEADLINE = 900.0
"""One result page's body, to its last byte. Salesforce ends a download after 20 minutes; this must be shorter."""

BLOB_DEADLINE = 3600.0
"""One file's body, to its last byte: 2 GiB at 0.6 MB/s."""

REFETCH_BACKOFF = _BACKOFF
"""Before a valid page that does not continue the previous pages is fetched again, by the extraction's reader."""

JOB_BACKOFF = Backoff(initial=2.0, factor=4.0, maximum=30.0, jitter=0.25)
"""Before a failed query is created as a new job, by the extraction's scheduler: its cause may need time to pass."""

PAGE_RETRIES = RetryPolicy(_ATTEMPTS, _BACKOFF, budget=_ATTEMPTS * (REQUEST_RETRIES.budget + BODY_DEADLINE))
"""One result page, by ``pages``: each of its downloads may use a request's whole budget and a body's whole time."""

BLOB_RETRIES = RetryPolicy(_ATTEMPTS, _BACKOFF, budget=2 * BLOB_DEADLINE)
"""One file, by ``blob_fetch``: a body that breaks off, or does not have the file's size and checksum."""
