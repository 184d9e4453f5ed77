"""The token endpoint: three grants, rotation, and every refusal that a client must distinguish."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from integration_tests.simulated_org.clock import OrgClock
from integration_tests.simulated_org.errors import OAUTH_ERRORS, OAuthError
from integration_tests.simulated_org.ids import record_id
from integration_tests.simulated_org.sessions import Session, Sessions
from integration_tests.simulated_org.settings import OrgSettings

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(slots=True)
class App:
    """One connected app: its secret, living refresh tokens, and the public key for JWT bearer."""

    client_id: str
    client_secret: str
    username: str = "integration@simulated.example.org"
    refresh_tokens: list[str] = field(default_factory=list)
    public_key: str | None = None
    client_credentials: bool = False
    user_number: int = 0  # with `own_users`: the n-th User row is who logs in


@cache
def make_key_pair() -> tuple[str, str]:
    """Make an RSA key pair, one per process because it is slow; give private and public key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class TokenEndpoint:
    """Grants sessions to apps. Pure apart from the org's clock: the wire form is the caller's."""

    def __init__(self, sessions: Sessions, clock: OrgClock, org_id: str) -> None:
        self._sessions = sessions
        self._clock = clock
        self._org_id = org_id
        self._rotations = 0
        self.apps: dict[str, App] = {}

    def grant(
        self, form: Mapping[str, str], settings: OrgSettings, *, login_url: str, instance_url: str, generic_host: bool
    ) -> dict[str, Any]:
        """Answer a token request.

        :raises OAuthError: the grant is refused.
        """
        match form.get("grant_type"):
            case "refresh_token":
                app, rotated = self._refresh(form, settings)
            case "client_credentials":
                app, rotated = self._client_credentials(form, settings, generic_host), None
            case grant if grant == _JWT_GRANT:
                app, rotated = self._jwt_bearer(form, settings, (login_url, instance_url)), None
            case _:
                raise OAUTH_ERRORS["unsupported_grant_type"].oauth_error()
        ends_older = rotated is not None and settings.old_token_dies_on_refresh
        ends_older = ends_older or (settings.old_token_dies_on_refresh and form["grant_type"] == "refresh_token")
        session = self._sessions.open(app.client_id, ends_older=ends_older)
        return self._answer(session, rotated, settings, login_url, instance_url)

    def user_of(self, session: Session, settings: OrgSettings) -> str:
        """Return the Id of the user that a session is of."""
        return record_id("005", self.apps[session.client_id].user_number if settings.own_users else 0)

    def _answer(
        self, session: Session, rotated: str | None, settings: OrgSettings, login_url: str, instance_url: str
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "access_token": session.token,
            "instance_url": instance_url,
            "id": f"{login_url}/id/{self._org_id}/{self.user_of(session, settings)}",
            "issued_at": str(int(self._clock.seconds() * 1000)),
        }
        digest = hashlib.sha256((answer["id"] + answer["issued_at"]).encode()).digest()
        answer["signature"] = base64.b64encode(digest).decode()
        answer |= {"token_type": "Bearer", "scope": "api refresh_token"}
        if settings.token_api_instance_url:
            answer["api_instance_url"] = "https://api.salesforce.com"
        if rotated is not None:
            answer["refresh_token"] = rotated
        return {key: value for key, value in answer.items() if key not in settings.token_keys_left_out}

    def _app(self, form: Mapping[str, str]) -> App:
        app = self.apps.get(form.get("client_id", ""))
        if app is None:
            raise OAUTH_ERRORS["client_identifier_invalid"].oauth_error()
        if form.get("client_secret") != app.client_secret:
            raise OAUTH_ERRORS["invalid_client"].oauth_error()
        return app

    def _refresh(self, form: Mapping[str, str], settings: OrgSettings) -> tuple[App, str | None]:
        app = self._app(form)
        token = form.get("refresh_token", "")
        if token not in app.refresh_tokens:
            raise OAUTH_ERRORS["expired"].oauth_error()
        if not settings.rotate_refresh_tokens:
            return app, None
        self._rotations += 1
        rotated = f"5Aep.fake.rotated.{self._rotations:04d}.{hashlib.sha256(token.encode()).hexdigest()[:32]}"
        app.refresh_tokens[app.refresh_tokens.index(token)] = rotated
        return app, rotated

    def _client_credentials(self, form: Mapping[str, str], settings: OrgSettings, generic_host: bool) -> App:
        if generic_host and settings.login_refuses_client_credentials:
            raise OAUTH_ERRORS["not_on_login_host"].oauth_error()
        app = self._app(form)
        if not (app.client_credentials and settings.client_credentials_user):
            raise OAUTH_ERRORS["no_client_credentials_user"].oauth_error()
        return app

    def _jwt_bearer(self, form: Mapping[str, str], settings: OrgSettings, audiences: tuple[str, ...]) -> App:
        try:
            claims = jwt.decode(form.get("assertion", ""), options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise OAUTH_ERRORS["invalid_assertion"].oauth_error() from error
        app = self.apps.get(str(claims.get("iss")))
        if app is None or app.public_key is None:
            raise OAUTH_ERRORS["client_identifier_invalid"].oauth_error()
        self._verify(form["assertion"], app, settings, audiences)
        if claims.get("sub") != app.username or not settings.jwt_user_approved:
            raise OAUTH_ERRORS["not_approved"].oauth_error()
        return app

    def _verify(self, assertion: str, app: App, settings: OrgSettings, audiences: tuple[str, ...]) -> None:
        known = _audiences(settings.jwt_audiences, audiences)
        try:
            claims = jwt.decode(
                assertion,
                app.public_key or "",
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_iat": False, "require": ["exp", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise OAUTH_ERRORS["invalid_assertion"].oauth_error() from error
        if str(claims["aud"]).rstrip("/") not in known:
            raise OAUTH_ERRORS["audience"].oauth_error()
        now = self._clock.seconds() if settings.jwt_exp_by_org_clock else time.time()
        if float(claims["exp"]) < now:
            raise OAUTH_ERRORS["expired_assertion"].oauth_error()


def _audiences(accepted: str, own: tuple[str, ...]) -> tuple[str, ...]:
    login, test = "https://login.salesforce.com", "https://test.salesforce.com"
    return {"any": (*own, login, test), "own": own, "login": (login,), "test": (test,)}[accepted]


def refused(name: str) -> OAuthError:
    """Return a named refusal of the token endpoint."""
    return OAUTH_ERRORS[name].oauth_error()
