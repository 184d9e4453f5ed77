"""Access tokens: created at the token endpoint, checked by every data request, ended in every possible way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from integration_tests.simulated_org.clock import OrgClock
from integration_tests.simulated_org.errors import API_ERRORS, INVALID_SESSION
from integration_tests.simulated_org.settings import OrgSettings


@dataclass(slots=True)
class Session:
    """One access token and its use."""

    token: str
    client_id: str
    last_used: float
    requests: int = 0
    ended_with: str | None = None  # a key of API_ERRORS


class Sessions:
    """Every session the org has given out."""

    def __init__(self, org_id: str, clock: OrgClock) -> None:
        self._org_id = org_id
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self, client_id: str, *, ends_older: bool) -> Session:
        """Return out a new token; with `ends_older` the app's earlier tokens die."""
        if ends_older:
            self.end(client_id=client_id)
        digest = hashlib.sha256(f"{client_id}/{len(self._sessions)}".encode()).hexdigest()
        session = Session(f"{self._org_id}!AQ.fake.{digest}", client_id, self._clock.seconds())
        self._sessions[session.token] = session
        return session

    def check(self, authorization: str | None, settings: OrgSettings) -> Session:
        """Return the session of an Authorization header and count the request.

        :raises ApiError: 401, the session is unknown, ended, used up or too old.
        """
        scheme, _, token = (authorization or "").partition(" ")
        session = self._sessions.get(token.strip()) if scheme.lower() in ("bearer", "oauth") else None
        if session is None:
            raise INVALID_SESSION.api_error(None)
        self._age(session, settings)
        if session.ended_with is not None:
            raise API_ERRORS[session.ended_with].api_error(None)
        session.requests += 1
        session.last_used = self._clock.seconds()
        return session

    def end(self, *, client_id: str | None = None, token: str | None = None, reason: str = "INVALID_SESSION_ID") -> int:
        """End every living session, or those of one app or one token; return how many."""
        ended = 0
        for session in self.all():
            if session.ended_with is None and client_id in (None, session.client_id) and token in (None, session.token):
                session.ended_with = reason
                ended += 1
        return ended

    def all(self) -> list[Session]:
        """Return every session in the order of creation."""
        return list(self._sessions.values())

    def _age(self, session: Session, settings: OrgSettings) -> None:
        used_up = settings.session_max_requests is not None and session.requests >= settings.session_max_requests
        idle = self._clock.seconds() - session.last_used
        too_old = settings.session_max_age is not None and idle > settings.session_max_age
        if session.ended_with is None and (used_up or too_old):
            session.ended_with = "INVALID_SESSION_ID"
