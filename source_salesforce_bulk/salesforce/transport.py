"""Every data call to the org: with the token of the moment, a timeout, and up to five attempts.

Retries here: answers and exceptions whose action is ``RETRY`` (5xx, 406, 420, 429, connections that fail before a body
began), with backoff and jitter, or for as long as ``Retry-After`` asks, within ``REQUEST_RETRIES``. Where that is
exhausted nobody else tries the same request again. A session that has ended: a login through ``token``, then the same
request. It fails for good where a session is refused that no call of this run was ever answered with, or the fifth.

Not here: a result page's body that breaks (``pages``), a create in doubt and new jobs (``query_job``), the login's own
retries (``token``).

The token goes to the host of ``instance_url`` and to no other; redirects are not followed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

import tenacity

from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import (
    Action,
    Answer,
    Failure,
    Kind,
    SalesforceError,
    asked_pause,
    classify_exception,
    classify_response,
)
from source_salesforce_bulk.salesforce.http_client import SEND_ERRORS, Body, Http, HttpRequest, Timeouts
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.org_clock import AGREE_WITHIN, Disagreement, Moment, OrgClock, Sighting
from source_salesforce_bulk.salesforce.retry import REQUEST_RETRIES
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, ApiUsage, Operation, parse_limit_info

LOGGER = logging.getLogger("airbyte.salesforce.transport")

T = TypeVar("T")

MAX_LOGINS = 4
"""Logins for one request: where sessions are short, others may have used up the one it was to go out with."""

_JSON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}
# Without an Accept that fits CSV, Salesforce answered 406 for finished jobs (airbyte pull request 35947).
_CSV_HEADERS = {"Accept": "text/csv", "Accept-Encoding": "gzip"}


class Tokens(Protocol):
    """Where the session of the moment comes from; ``token.TokenProvider`` is one."""

    def session(self) -> Session:
        """The session to use now; raises ``SalesforceError``."""
        ...

    def refresh(self, stale_access_token: str) -> Session:
        """A session newer than the one this token belongs to; raises ``SalesforceError``."""
        ...

    def redact(self, text: str) -> str:
        """The text without any secret."""
        ...


class Observer(Protocol):
    """Hears of every attempt, from many threads."""

    def on_answer(
        self, request: ApiRequest, status: int | None, seconds: float, size: int, usage: ApiUsage | None
    ) -> None:
        """One attempt is over, after its body; ``status`` is None where no answer came. ``size``: bytes as received."""
        ...

    def on_retry(self, request: ApiRequest, failure: Failure, pause: float) -> None:
        """The same request goes out again after ``pause`` seconds."""
        ...


class Transport:
    """Sends requests to the org. One instance serves every thread."""

    def __init__(
        self, http: Http, tokens: Tokens, clock: Clock, random01: Callable[[], float], observer: Observer
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._clock = clock
        self._random01 = random01
        self._observer = observer
        self._org_clock = OrgClock()
        self._answered: set[str] = set()  # the access tokens of sessions that were good once
        self._learning = threading.Lock()

    @property
    def org_clock(self) -> OrgClock:
        """What the ``Date`` headers of the org's successful answers show of its clock."""
        return self._org_clock

    def redact(self, text: str) -> str:
        """``text`` with every secret this run knows of masked."""
        return self._tokens.redact(text)

    def call(self, request: ApiRequest) -> ApiResponse:
        """The whole answer, a success of the sort the operation expects; raises ``SalesforceError`` or ``Stopped``."""
        return self._persist(request, self._whole)

    def open(self, request: ApiRequest) -> AbstractContextManager[Body]:
        """A result page whose headers are in and whose body is not; raises as :meth:`call` does.

        What goes wrong while the body is read is raised by :meth:`Body.chunks` and retried by nobody here.
        """
        return self._persist(request, self._streamed)

    def _persist(self, request: ApiRequest, attempt: Callable[[ApiRequest, Session], T]) -> T:
        """Attempt until it succeeds, cannot succeed, or the budget is spent."""
        began = self._clock.monotonic()
        logins = 0

        def attempt_with_token() -> T:
            nonlocal logins
            while True:
                session = self._tokens.session()
                try:
                    return attempt(request, session)
                except SalesforceError as error:
                    if error.failure.action is not Action.REFRESH_TOKEN:
                        raise
                    if logins == MAX_LOGINS or (logins and session.access_token not in self._answered):
                        raise SalesforceError(_refused_again(error.failure)) from error
                logins += 1
                self._tokens.refresh(session.access_token)

        retrying = tenacity.Retrying(
            sleep=self._clock.sleep,
            stop=REQUEST_RETRIES.stop(lambda: self._clock.monotonic() - began),
            wait=REQUEST_RETRIES.wait(self._random01, asked_pause),
            retry=tenacity.retry_if_exception(_is_retried_here),
            before_sleep=lambda state: self._report_retry(request, state),
            reraise=True,
        )
        try:
            return retrying(attempt_with_token)
        except SalesforceError as error:
            attempts = retrying.statistics["attempt_number"]
            if attempts == 1:
                raise
            summary = f"{error.failure.summary} It was attempt {attempts} of {REQUEST_RETRIES.attempts}."
            raise SalesforceError(replace(error.failure, summary=summary)) from error

    def _whole(self, request: ApiRequest, session: Session) -> ApiResponse:
        with self._send(request, session) as body:
            response = body.read_whole()
        self._raise_for(request, response)
        return response

    def _streamed(self, request: ApiRequest, session: Session) -> Body:
        body = self._send(request, session)
        try:
            self._raise_for(request, ApiResponse(body.status, body.headers, b""))
        except SalesforceError:
            body.close()
            raise
        return body

    def _send(self, request: ApiRequest, session: Session) -> Body:
        """One request on its way; its answer, if it is no error. Every attempt is reported once."""
        began = self._clock.monotonic()
        try:
            response = self._http.send(_http_request(request, session))
        except SEND_ERRORS as error:
            self._observer.on_answer(request, None, self._clock.monotonic() - began, 0, None)
            raise SalesforceError(classify_exception(request.operation, error)) from error
        body = Body(request.operation, response, self._clock, lambda over: self._report_answer(request, over, began))
        if 200 <= body.status < 300 or body.status == 304:
            self._note_answer(request, body.date, session)
            return body
        with body:
            answer = body.read_error()
        self._raise_for(request, answer)
        return body

    def _raise_for(self, request: ApiRequest, response: ApiResponse) -> None:
        failure = classify_response(request.operation, response, self._tokens.redact, request.asked)
        if failure is not None:
            raise SalesforceError(failure)

    def _note_answer(self, request: ApiRequest, date: datetime | None, session: Session) -> None:
        received = Moment(self._clock.monotonic(), self._clock.now())
        with self._learning:
            self._answered.add(session.access_token)
            if date is not None:
                before = self._org_clock
                source = session.instance_url + request.path.partition("?")[0]
                self._org_clock = before.seen(Sighting(date, source, received))
                _report_disagreement(before.disagreement, self._org_clock.disagreement)

    def _report_answer(self, request: ApiRequest, body: Body, began: float) -> None:
        seconds = self._clock.monotonic() - began
        self._observer.on_answer(request, body.status, seconds, body.received, parse_limit_info(body.headers))

    def _report_retry(self, request: ApiRequest, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, SalesforceError):
            self._observer.on_retry(request, error.failure, state.upcoming_sleep)


def _is_retried_here(error: BaseException) -> bool:
    """A login that failed was retried by ``token``; trying it again here would multiply its attempts."""
    return (
        isinstance(error, SalesforceError)
        and error.failure.action is Action.RETRY
        and error.failure.operation is not Operation.TOKEN
    )


def _report_disagreement(before: Disagreement | None, now: Disagreement | None) -> None:
    """Warn once, when two answers first disagree about the time by more than the look-back is meant to cover."""
    if now is not None and now.gap > AGREE_WITHIN and (before is None or before.gap <= AGREE_WITHIN):
        LOGGER.warning("Salesforce's servers disagree about the time: %s. The earlier time counts.", now)


def _refused_again(failure: Failure) -> Failure:
    answer = Answer(failure.status, failure.error_codes, failure.request_id)
    return Failure.of(Kind.SESSION_REFUSED, failure.operation, answer=answer)


def _http_request(request: ApiRequest, session: Session) -> HttpRequest:
    return HttpRequest(
        request.method,
        _address(request, session),
        Timeouts.of(request.operation),
        _headers(request, session),
        request.params,
        request.json,
    )


def _address(request: ApiRequest, session: Session) -> str:
    """The request's address at the org. A path may come from an answer, and must not lead the token elsewhere."""
    if not request.path.startswith("/"):
        raise SalesforceError(Failure.of(Kind.UNEXPECTED, request.operation, "its address does not belong to the org"))
    return session.instance_url + request.path


def _headers(request: ApiRequest, session: Session) -> dict[str, str]:
    accept = _CSV_HEADERS if request.operation is Operation.RESULTS else _JSON_HEADERS
    token = {"Authorization": f"Bearer {session.access_token}"} if request.authenticated else {}
    return {**accept, **request.headers, **token}
