"""The retry loop of a single request, used for data calls (``transport``) and logins (``token``).

If the caller considers a failure temporary, the request is sent again after a pause, until it succeeds or the policy's
attempts or time budget are used up. The last failure is raised, and its message says how many attempts were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import tenacity

from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import Failure, SalesforceError, asked_pause, classify_exception
from source_salesforce_bulk.salesforce.http_client import SEND_ERRORS, Body, Http, HttpRequest
from source_salesforce_bulk.salesforce.retry import RetryPolicy
from source_salesforce_bulk.salesforce.wire import Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends requests with an HTTP library, a clock and a source of random numbers from 0 to 1. Thread-safe."""

    http: Http
    clock: Clock
    random01: Callable[[], float]

    def send(self, operation: Operation, request: HttpRequest, on_close: Callable[[Body], None]) -> Body:
        """Send a request once and return its response, whatever its status, before its body has been read.

        Raises ``SalesforceError`` if there is no response.
        """
        try:
            response = self.http.send(request)
        except SEND_ERRORS as error:
            raise SalesforceError(classify_exception(operation, error)) from error
        return Body(operation, response, self.clock, on_close)

    def persist(
        self,
        attempt: Callable[[], T],
        policy: RetryPolicy,
        passes: Callable[[Failure], bool],
        on_retry: Callable[[Failure, float], None] | None = None,
    ) -> T:
        """Call ``attempt`` until it succeeds, fails permanently, or the policy's attempts or time are used up.

        ``on_retry`` is called with each failure that is retried, and the pause before the retry. Raises
        ``SalesforceError`` and ``Stopped``.
        """
        began = self.clock.monotonic()

        def report(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            if on_retry is not None and isinstance(error, SalesforceError):
                on_retry(error.failure, state.upcoming_sleep)

        retrying = tenacity.Retrying(
            sleep=self.clock.sleep,
            stop=policy.stop(lambda: self.clock.monotonic() - began),
            wait=policy.wait(self.random01, asked_pause),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, SalesforceError) and passes(error.failure)
            ),
            before_sleep=report,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except SalesforceError as error:
            attempts = retrying.statistics["attempt_number"]
            if attempts == 1:
                raise
            summary = f"{error.failure.summary} This was attempt {attempts} of {policy.attempts}."
            raise SalesforceError(replace(error.failure, summary=summary)) from error
