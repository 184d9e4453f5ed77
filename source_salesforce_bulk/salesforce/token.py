"""The current session, shared by all threads of a run.

Threads that find the same session expired wait for one token request and share its session, because Salesforce refuses
simultaneous logins, and a new session can end the previous one. Callers must not store a token.

A rotated refresh token is passed on before the reply is processed any further: the old one is invalid, and losing the
new one would lock the user out.

Retries logins after temporary failures (``RETRY``), within ``LOGIN_RETRIES``. Refused credentials are not tried again
in the same run, because that would lock the user. Newer credentials from the secrets store are tried.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import HttpRequest, Timeouts
from source_salesforce_bulk.salesforce.oauth import (
    Credentials,
    JwtBearer,
    RefreshToken,
    Session,
    TokenRequest,
    audiences,
    build_token_request,
    list_secrets,
    parse_token_reply,
    rotated_refresh_token,
)
from source_salesforce_bulk.salesforce.retry import LOGIN_RETRIES
from source_salesforce_bulk.salesforce.secret_mask import SecretMask
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation

LOGGER = logging.getLogger("salesforce_bulk.token")

# By default, requests also offers deflate, which is not decoded here.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials and the login host."""

    credentials: Credentials
    url: str


@dataclass(frozen=True, slots=True)
class SecretHooks:
    """Callbacks of a run for secrets.

    ``on_rotation`` is called with a new refresh token after a rotation, ``on_secret`` with every secret in a login's
    reply, before it is used. ``newer_credentials`` is called after a refused login; if it returns other credentials,
    they are tried once.
    """

    on_rotation: Callable[[str], None]
    on_secret: Callable[[str], None]
    newer_credentials: Callable[[], Credentials | None] = lambda: None


class TokenProvider:
    """Logs in when needed. Thread-safe."""

    def __init__(self, login: Login, caller: Caller, hooks: SecretHooks) -> None:
        self._credentials = login.credentials
        self._login_url = login.url
        self._audiences = audiences(login.url)
        self._caller = caller
        self._hooks = hooks
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._login: Future[Session] | None = None
        self._refusal: Failure | None = None
        self._mask = SecretMask(*list_secrets(login.credentials))

    def session(self) -> Session:
        """Return the current session; the first call logs in. Raises ``SalesforceError`` or ``Stopped``."""
        return self._current(stale=None)

    def refresh(self, stale_access_token: str) -> Session:
        """Return a newer session than the one of this token; raises the same exceptions as :meth:`session`.

        Threads that call it with the same token share one login. A later caller gets the existing session.
        """
        return self._current(stale=stale_access_token)

    def redact(self, text: str) -> str:
        """Return the text with all configured and received secrets masked, in any encoding."""
        return self._mask.redact(text)

    def _current(self, stale: str | None) -> Session:
        with self._lock:
            if self._session is not None and self._session.access_token != stale:
                return self._session
            if self._refusal is not None:
                raise SalesforceError(self._refusal)
            login, leads = self._login, self._login is None
            if login is None:
                login = self._login = Future()
        if leads:
            self._lead(login)
        return login.result()

    def _lead(self, login: Future[Session]) -> None:
        """Log in for all threads that wait for ``login``."""
        try:
            session = self._persist_with_newer()
        except BaseException as error:  # noqa: BLE001 (passed on to the waiting threads)
            with self._lock:
                self._login = None
                if isinstance(error, SalesforceError) and error.failure.action is not Action.RETRY:
                    self._refusal = error.failure
            login.set_exception(error)
        else:
            with self._lock:
                self._login = None
                self._session = session
            login.set_result(session)

    def _persist_with_newer(self) -> Session:
        try:
            return self._persist()
        except SalesforceError as error:
            newer = None if error.failure.action is Action.RETRY else self._hooks.newer_credentials()
            if newer is None or newer == self._credentials:
                raise
            for secret in list_secrets(newer):
                self._announce(secret)
            self._credentials = newer
            return self._persist()

    def _persist(self) -> Session:
        """Log in; if a JWT's audience is refused, try each of the other audiences once."""
        while True:
            try:
                return self._caller.persist(self._log_in, LOGIN_RETRIES, _passes)
            except SalesforceError as error:
                if not self._is_of_audience(error.failure) or len(self._audiences) == 1:
                    raise
                self._audiences = self._audiences[1:]
                LOGGER.info("Salesforce refused the JWT's audience; trying %s", self._audiences[0])

    def _is_of_audience(self, failure: Failure) -> bool:
        refused = failure.kind is Kind.WRONG_LOGIN_HOST and failure.status in (400, 401, 403)
        return refused and isinstance(self._credentials, JwtBearer)

    def _log_in(self) -> Session:
        clock = self._caller.clock
        request = build_token_request(self._credentials, self._login_url, clock.now(), self._audiences[0])
        if "assertion" in request.form:
            self._announce(request.form["assertion"])
        response = self._exchange(request)
        self._keep_rotated(rotated_refresh_token(response))
        reply = parse_token_reply(response, self._login_url, self.redact, request.asked)
        if isinstance(reply, Failure):
            raise SalesforceError(reply)
        self._announce(reply.access_token)
        return replace(reply, refresh_token=None, received=clock.monotonic())

    def _exchange(self, request: TokenRequest) -> ApiResponse:
        sent = HttpRequest("POST", request.url, Timeouts.of(Operation.TOKEN), _HEADERS, form=request.form)
        with self._caller.send(Operation.TOKEN, sent, on_close=lambda _: None) as body:
            return body.read_whole() if body.status == 200 else body.read_error()

    def _keep_rotated(self, refresh_token: str | None) -> None:
        """Use a new refresh token from now on, after passing it on."""
        credentials = self._credentials
        if not isinstance(credentials, RefreshToken) or not refresh_token or refresh_token == credentials.refresh_token:
            return
        self._mask.learn(refresh_token)
        self._credentials = replace(credentials, refresh_token=refresh_token)
        try:
            self._hooks.on_rotation(refresh_token)
        finally:
            self._hooks.on_secret(refresh_token)

    def _announce(self, secret: str) -> None:
        self._mask.learn(secret)
        self._hooks.on_secret(secret)


def _passes(failure: Failure) -> bool:
    return failure.action is Action.RETRY
