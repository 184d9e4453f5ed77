"""Send data calls to the org with the current token, a timeout, and up to five attempts.

Retries responses and exceptions whose action is ``RETRY`` (5xx, 406, 420, 429, connections that fail before the body),
with backoff and jitter, or after the pause in ``Retry-After``, within ``REQUEST_RETRIES``. When these are used up, no
other layer retries the same request.

If the session has expired, or a session that worked before is redirected, ``token`` logs in and the request is sent
again to the new session's instance. Two cases are final failures: a session is refused before any call of this run has
succeeded with it, and a request's fifth session is refused.

Other layers retry an incomplete body of a result page (``pages``), a create without a response and failed jobs
(``query_job``), and logins (``token``).

The token is sent only to the host of ``instance_url``; redirects are not followed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import Action, Answer, Failure, Kind, SalesforceError, classify_response
from source_salesforce_bulk.salesforce.http_client import Body, HttpRequest, Timeouts
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.org_clock import AGREE_WITHIN, Disagreement, Moment, OrgClock, Sighting
from source_salesforce_bulk.salesforce.retry import REQUEST_RETRIES
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, ApiUsage, Operation, parse_limit_info

LOGGER = logging.getLogger("salesforce_bulk.transport")

T = TypeVar("T")

MAX_LOGINS = 4
"""Logins for one request: with short sessions, a session may expire before a waiting request is sent."""

_JSON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}
# Without an Accept header for CSV, Salesforce answered 406 for finished jobs (airbyte pull request 35947).
_CSV_HEADERS = {"Accept": "text/csv", "Accept-Encoding": "gzip"}


class Tokens(Protocol):
    """Provides the current session, as ``token.TokenProvider`` does."""

    def session(self) -> Session:
        """Return the current session; raises ``SalesforceError``."""
        ...

    def refresh(self, stale_access_token: str) -> Session:
        """Return a newer session than the one of this token; raises ``SalesforceError``."""
        ...

    def redact(self, text: str) -> str:
        """Return the text with all secrets masked."""
        ...


class Observer(Protocol):
    """Is notified of every attempt, from many threads."""

    def on_answer(
        self, request: ApiRequest, status: int | None, seconds: float, size: int, usage: ApiUsage | None
    ) -> None:
        """Called at the end of an attempt and its body; ``status`` is None without a response. ``size`` is in bytes."""
        ...

    def on_retry(self, request: ApiRequest, failure: Failure, pause: float) -> None:
        """Called before the same request is sent again after ``pause`` seconds."""
        ...


class Transport:
    """Sends requests to the org. Thread-safe."""

    def __init__(self, caller: Caller, tokens: Tokens, observer: Observer) -> None:
        self._caller = caller
        self._clock = caller.clock
        self._tokens = tokens
        self._observer = observer
        self._org_clock = OrgClock()
        self._answered: set[str] = set()  # access tokens with at least one successful call
        self._learning = threading.Lock()

    @property
    def org_clock(self) -> OrgClock:
        """The org's clock according to the ``Date`` headers of its successful responses."""
        return self._org_clock

    def redact(self, text: str) -> str:
        """Return ``text`` with all secrets of this run masked."""
        return self._tokens.redact(text)

    def call(self, request: ApiRequest) -> ApiResponse:
        """Return the whole successful response; raises ``SalesforceError`` or ``Stopped``."""
        return self._persist(request, self._whole)

    def open(self, request: ApiRequest) -> AbstractContextManager[Body]:
        """Request a result page and return it before its body has been read; raises the same as :meth:`call`.

        Errors while the body is read are raised by :meth:`Body.chunks` and are not retried here.
        """
        return self._persist(request, self._streamed)

    def _persist(self, request: ApiRequest, attempt: Callable[[ApiRequest, Session], T]) -> T:
        """Call ``attempt`` until it succeeds, cannot succeed, or the budget is used up."""
        logins = 0

        def attempt_with_token() -> T:
            nonlocal logins
            while True:
                session = self._tokens.session()
                try:
                    return attempt(request, session)
                except SalesforceError as error:
                    if not self._needs_login(error.failure, session, logins):
                        raise
                logins += 1
                self._tokens.refresh(session.access_token)

        def on_retry(failure: Failure, pause: float) -> None:
            self._observer.on_retry(request, failure, pause)

        return self._caller.persist(attempt_with_token, REQUEST_RETRIES, _is_retried_here, on_retry)

    def _needs_login(self, failure: Failure, session: Session, logins: int) -> bool:
        """Return whether a new login may help; raises ``SalesforceError`` if new logins have not helped.

        An org that has moved redirects. A session that worked before then logs in once to get the new ``instance_url``,
        because a redirect may also mean maintenance.
        """
        was_good = session.access_token in self._answered
        if failure.kind is Kind.REDIRECTED and session.access_token:
            return was_good and logins == 0
        if failure.action is not Action.REFRESH_TOKEN:
            return False
        if logins == MAX_LOGINS or (logins and not was_good):
            raise SalesforceError(_refused_again(failure))
        return True

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
        """Send one request and return its response, if it is not an error. Every attempt is reported once."""
        began = self._clock.monotonic()
        try:
            body = self._caller.send(
                request.operation,
                _http_request(request, session),
                on_close=lambda over: self._report_answer(request, over, began),
            )
        except SalesforceError:
            self._observer.on_answer(request, None, self._clock.monotonic() - began, 0, None)
            raise
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


def _is_retried_here(failure: Failure) -> bool:
    """Return whether to retry. A failed login was already retried by ``token``; its attempts must not multiply."""
    return failure.action is Action.RETRY and failure.operation is not Operation.TOKEN


def _report_disagreement(before: Disagreement | None, now: Disagreement | None) -> None:
    """Warn once, when two responses first disagree about the time by more than the look-back covers."""
    if now is not None and now.gap > AGREE_WITHIN and (before is None or before.gap <= AGREE_WITHIN):
        LOGGER.warning("Salesforce's servers disagree about the time: %s. The earlier time is used.", now)


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
    """Return the request's URL. A path may come from a response, and must not direct the token to another host."""
    if not request.path.startswith("/"):
        raise SalesforceError(Failure.of(Kind.UNEXPECTED, request.operation, "its address does not belong to the org"))
    return session.instance_url + request.path


def _headers(request: ApiRequest, session: Session) -> dict[str, str]:
    accept = _CSV_HEADERS if request.operation is Operation.RESULTS else _JSON_HEADERS
    token = {"Authorization": f"Bearer {session.access_token}"} if request.authenticated else {}
    return {**accept, **request.headers, **token}
