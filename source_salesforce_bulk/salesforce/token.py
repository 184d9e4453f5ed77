"""The session of the moment, for every thread of a run.

One login serves all: threads that find the same session ended wait for one token request and share its session, because
Salesforce fails logins that happen at the same time, and a new session can end the one before. Nobody keeps a token.

A refresh token that Salesforce rotated is handed on before anything else is done with the reply: the old one is dead,
and a run that lost the new one locks the user out.

Retries here: a login that met trouble which passes (``RETRY``), within ``LOGIN_RETRIES``. Refused credentials are not
tried again in the same run: they would only lock the user. Others, which a secrets store has meanwhile, are.
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

# Else requests offers deflate, too, which nobody here undoes.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class Login:
    """Whom to log in, and at which host."""

    credentials: Credentials
    url: str


@dataclass(frozen=True, slots=True)
class SecretHooks:
    """What a run does with secrets.

    ``on_rotation`` gets a refresh token that Salesforce has replaced, ``on_secret`` every secret that a login brought,
    before it is used. ``newer_credentials`` is asked when a login was refused: others are tried, once.
    """

    on_rotation: Callable[[str], None]
    on_secret: Callable[[str], None]
    newer_credentials: Callable[[], Credentials | None] = lambda: None


class TokenProvider:
    """Logs in when needed; every method may be called from any thread."""

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
        """The session to use now, from a login at the first call; raises ``SalesforceError`` or ``Stopped``."""
        return self._current(stale=None)

    def refresh(self, stale_access_token: str) -> Session:
        """A session newer than the one this token belongs to; raises as :meth:`session` does.

        Threads that come with the same token share one login. One that comes late gets the session that is there.
        """
        return self._current(stale=stale_access_token)

    def redact(self, text: str) -> str:
        """The text with the configured secrets and every one seen so far masked, however it is spelled."""
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
        """Log in for everybody who waits for ``login``."""
        try:
            session = self._persist_with_newer()
        except BaseException as error:  # noqa: BLE001 (whatever it is, those who wait must hear of it)
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
        """Log in; where a JWT's audience is refused, once more for each other that it may need."""
        while True:
            try:
                return self._caller.persist(self._log_in, LOGIN_RETRIES, _passes)
            except SalesforceError as error:
                if not self._is_of_audience(error.failure) or len(self._audiences) == 1:
                    raise
                self._audiences = self._audiences[1:]
                LOGGER.info("Salesforce refuses the JWT's audience; %s is tried", self._audiences[0])

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
        """Use a new refresh token from now on, and hand it on first of all."""
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
