"""Retry budgets: how often, how long between, how long in all. Every budget of the package is written here, once.

A policy only decides; who retries what stands in docs/contracts.md, "Retries". Time and chance come
in as arguments, so that nothing here waits, and tests do not either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import tenacity

from source_salesforce_bulk.salesforce.wire import Operation, parse_http_date

MAX_RETRY_AFTER = 60.0
"""The longest pause an answer may ask for: a worker that waits longer than this does nothing for its run."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow by ``factor`` from ``initial`` to ``maximum`` seconds.

    ``jitter`` is the share of a pause that chance may take off it, so that threads which failed together do not come
    back together.
    """

    initial: float
    factor: float
    maximum: float
    jitter: float

    def delay(self, attempt: int, random01: float) -> float:
        """Seconds to wait after attempt number ``attempt`` (the first is 0), with chance as a number from 0 to 1.

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
    """At most ``attempts`` in all; none begins when ``budget`` seconds have passed since the first began."""

    attempts: int
    backoff: Backoff
    budget: float

    def wait(
        self, random01: Callable[[], float], retry_after: Callable[[BaseException], float | None]
    ) -> Callable[[tenacity.RetryCallState], float]:
        """A tenacity wait: the backoff's pause, or what the failed answer asked for where that is longer."""

        def pause(state: tenacity.RetryCallState) -> float:
            own = self.backoff.delay(state.attempt_number - 1, random01())
            error = state.outcome.exception() if state.outcome is not None else None
            asked = retry_after(error) if error is not None else None
            return max(own, asked or 0.0)

        return pause

    def stop(self, elapsed: Callable[[], float]) -> Callable[[tenacity.RetryCallState], bool]:
        """A tenacity stop: no attempt is left, or the next would begin after the budget.

        tenacity's own ``stop_before_delay`` does the same with the system clock, which tests cannot move.
        """
        no_attempt_left = tenacity.stop_after_attempt(self.attempts)

        def stopped(state: tenacity.RetryCallState) -> bool:
            return no_attempt_left(state) or elapsed() + state.upcoming_sleep > self.budget

        return stopped


def parse_retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """What ``Retry-After`` asks for, from 0 to ``MAX_RETRY_AFTER`` seconds; None where it asks for nothing readable.

    Header names are lower case. An HTTP date counts from ``now``, best the same answer's ``Date``; without, it is None.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER)
    date = parse_http_date(text)
    if date is None or now is None:
        return None
    return min(max((date - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


CONNECT_TIMEOUT = 10.0
"""Seconds for a connection to come about."""

READ_TIMEOUTS: Mapping[Operation, float] = MappingProxyType(
    {
        Operation.TOKEN: 30.0,
        Operation.VERSIONS: 30.0,
        Operation.SOBJECTS: 120.0,
        # Very wide objects took others more than 30 seconds (singer 1.5.4).
        Operation.DESCRIBE: 300.0,
        Operation.LIMITS: 60.0,
        Operation.RECORD_COUNT: 60.0,
        # Salesforce gives a query two minutes to begin, and a create compiles its query before it answers.
        Operation.QUERY: 150.0,
        Operation.CREATE_JOB: 150.0,
        Operation.JOB_INFO: 60.0,
        Operation.RESULTS: 120.0,
        Operation.RESULT_PAGES: 120.0,
        # Clean-up must not hold up the end of a run.
        Operation.ABORT_JOB: 10.0,
        Operation.DELETE_JOB: 10.0,
    }
)
"""Seconds for the whole head of an answer from when its request is out, and between any two bytes of its body.

A body that is not a result page's has as many again.
"""

_BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=30.0, jitter=0.25)
_ATTEMPTS = 5

REQUEST_RETRIES = RetryPolicy(_ATTEMPTS, _BACKOFF, budget=_ATTEMPTS * MAX_RETRY_AFTER)
"""One request, by ``transport``: time for every answer to ask for the longest pause. More would drain the API calls."""

LOGIN_RETRIES = REQUEST_RETRIES
"""One login, by ``token``: as any request."""

BODY_DEADLINE = 900.0
"""One result page's body, to its last byte. Salesforce cuts a download after 20 minutes; ours must be over before."""

REFETCH_BACKOFF = _BACKOFF
"""Before an accepted page that does not fit behind the others is fetched again, by the extraction's reader."""

JOB_BACKOFF = Backoff(initial=2.0, factor=4.0, maximum=30.0, jitter=0.25)
"""Before a query is asked for again as a new job, by the extraction's scheduler: what failed a job takes a moment."""

PAGE_RETRIES = RetryPolicy(_ATTEMPTS, _BACKOFF, budget=_ATTEMPTS * (REQUEST_RETRIES.budget + BODY_DEADLINE))
"""One result page, by ``pages``: each of its downloads may use up a request's budget, and then a body's time."""
