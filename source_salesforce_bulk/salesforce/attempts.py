"""Attempts at one call: the one loop that sends a request again, for data calls (``transport``) and logins (``token``).

A failure that the caller calls passing is tried again after a pause, until it succeeds or the policy's attempts or its
budget of time are spent. The last failure is raised, and says how often it was tried.
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
    """Where calls go out: an HTTP library, time, and chance as a number from 0 to 1. For any thread."""

    http: Http
    clock: Clock
    random01: Callable[[], float]

    def send(self, operation: Operation, request: HttpRequest, on_close: Callable[[Body], None]) -> Body:
        """Send a request once; its answer, whatever it says, with its body still on the wire.

        Raises ``SalesforceError`` where none came.
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
        """Attempt until it succeeds, fails with what does not pass, or the policy has no more attempts or time.

        ``on_retry`` gets each failure that is tried again, and the pause before that. Raises
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
            summary = f"{error.failure.summary} It was attempt {attempts} of {policy.attempts}."
            raise SalesforceError(replace(error.failure, summary=summary)) from error
