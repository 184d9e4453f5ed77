"""Every data call to the org: with the token of the moment, a timeout, and up to five attempts.

Retries here: answers and exceptions whose action is ``RETRY`` (5xx, 406, 420, 429, connections that fail before a body
began), with backoff and jitter, or for as long as ``Retry-After`` asks, within ``REQUEST_RETRIES``. Where that is
exhausted nobody else tries the same request again. A session that has ended, or one that was good and is redirected: a
login through ``token``, then the same request, at the new session's instance. A session that is refused although no
call of this run has ever been answered with it is a failure for good, and so is the fifth session of one request.

Not here: a result page's body that breaks (``pages``), a create in doubt and new jobs (``query_job``), the login's own
retries (``token``).

The token goes to the host of ``instance_url`` and to no other; redirects are not followed.
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

    def __init__(self, caller: Caller, tokens: Tokens, observer: Observer) -> None:
        self._caller = caller
        self._clock = caller.clock
        self._tokens = tokens
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
        """Whether a new login may help; raises ``SalesforceError`` where logins did not.

        An org that has moved redirects to where it is now. A session that was good before then asks for the new one's
        ``instance_url``, once; maintenance redirects, too.
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
        """One request on its way; its answer, if it is no error. Every attempt is reported once."""
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
    """A login that failed was retried by ``token``; trying it again here would multiply its attempts."""
    return failure.action is Action.RETRY and failure.operation is not Operation.TOKEN


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
