"""The three OAuth flows: build a token request from credentials, parse the reply into a session.

Source: Salesforce Help, "OAuth 2.0 Refresh Token Flow", "... Client Credentials Flow", "... JWT Bearer Flow". No reply
says when the session expires; a 401 on a data call shows that it has.

No value here shows a secret in its ``repr``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import assert_never
from urllib.parse import SplitResult, urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked, Flow
from source_salesforce_bulk.salesforce.failures import (
    Failure,
    Kind,
    SalesforceError,
    classify_response,
    unreadable_answer,
)
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation, UnreadableBody, whole_number

TOKEN_PATH = "/services/oauth2/token"
PRODUCTION_LOGIN = "https://login.salesforce.com"
SANDBOX_LOGIN = "https://test.salesforce.com"

_ASSERTION_LIFE = timedelta(minutes=3)
# Printable, no blanks: any other text cannot be a token, and could forge the header it is put into.
_TOKEN_TEXT = re.compile(r"[\x21-\x7e]+")
# My Domain hosts of sandboxes and scratch orgs, with and without their instance (cs42), and bare instances.
_SANDBOX_HOST = re.compile(
    r"--[^.-]+(?:-[^.-]+)*\.my\.salesforce\.|\.(sandbox|scratch|cs\d+)\.my\.|^cs\d+\.salesforce\."
)
# Valid host names: an org's address is displayed and put into a header.
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)
_IDENTITY = re.compile(r"/id/(00D\w{12,15})/(005\w{12,15})/?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A user's grant from the consent screen. If the app rotates tokens, each login replaces the refresh token."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The app's own credentials; it acts as its Run As user. Only a My Domain host accepts them."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """A pre-authorized user and the app's private key: RSA, PEM, with line breaks."""

    client_id: str
    username: str
    private_key: str = field(repr=False)


Credentials = RefreshToken | ClientCredentials | JwtBearer


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A POST to the token endpoint; ``form`` holds secrets. ``asked`` explains a refusal."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    asked: Asked = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class Session:
    """The result of a login. ``instance_url`` (scheme and host) is the base of every data call, never the login host.

    ``refresh_token`` is set only if Salesforce rotated it; then the one used for this login is already invalid.
    ``received`` is the time of the reply, in monotonic seconds of the machine that logged in.
    """

    access_token: str = field(repr=False)
    instance_url: str
    issued_at: datetime | None = None
    organization_id: str | None = None
    user_id: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    received: float | None = None


def build_token_request(
    credentials: Credentials, login_url: str, now: datetime, audience: str | None = None
) -> TokenRequest:
    """Build the token request for these credentials. Raises ``SalesforceError`` if the private key cannot sign.

    ``audience`` is the JWT's audience; the default is the first of :func:`audiences`.
    """
    url = login_url.rstrip("/") + TOKEN_PATH
    match credentials:
        case RefreshToken(client_id, client_secret, refresh_token):
            flow = Flow.REFRESH_TOKEN
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
            # An app may be configured not to require its secret.
            form |= {"client_secret": client_secret} if client_secret else {}
        case ClientCredentials(client_id, client_secret):
            flow = Flow.CLIENT_CREDENTIALS
            form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        case JwtBearer():
            flow = Flow.JWT_BEARER
            assertion = _assertion(credentials, audience or audiences(login_url)[0], now)
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        case _:
            assert_never(credentials)
    return TokenRequest(url, form, Asked(flow=flow, sent_at=now))


def audiences(login_url: str) -> tuple[str, ...]:
    """Return the audiences that a JWT for this login host may need, the most likely first.

    Salesforce accepts its two shared login hosts and, for a My Domain, its own URL. Sandboxes and scratch orgs accept
    only the shared sandbox host (CumulusCI issue 2017). The type of an org cannot always be seen from its host name.

    >>> audiences("https://acme--uat.sandbox.my.salesforce.com")
    ('https://test.salesforce.com', 'https://login.salesforce.com')
    >>> audiences("https://acme.my.salesforce.com")
    ('https://acme.my.salesforce.com', 'https://login.salesforce.com', 'https://test.salesforce.com')
    """
    url = login_url.rstrip("/")
    parts = _split(url)
    host = parts.hostname if parts is not None and parts.hostname else ""
    first = SANDBOX_LOGIN if _SANDBOX_HOST.search(host) else url
    return tuple(dict.fromkeys((first, PRODUCTION_LOGIN, SANDBOX_LOGIN)))


def parse_token_reply(
    response: ApiResponse, login_url: str, redact: Callable[[str], str], asked: Asked = NOT_KNOWN
) -> Session | Failure:
    """Return the session in a token reply, or the failure it reports.

    A login over TLS is refused if the session's address has no TLS, even on a loopback host.
    """
    failure = classify_response(Operation.TOKEN, response, redact, asked)
    if failure is not None:
        return failure
    try:
        reply = response.json()
    except UnreadableBody:
        reply = None
    token, base = _text(reply, "access_token"), _base(_text(reply, "instance_url"))
    if token is None or base is None or not _TOKEN_TEXT.fullmatch(token):
        return unreadable_answer(Operation.TOKEN, response)
    if base.startswith("http:") and not login_url.startswith("http:"):  # ignore-https-check: refused here
        return Failure.of(Kind.UNREADABLE_ANSWER, Operation.TOKEN, "its instance_url is not an https address")
    organization_id, user_id = _identity(_text(reply, "id"))
    return Session(
        access_token=token,
        instance_url=base,
        issued_at=_instant(reply.get("issued_at") if isinstance(reply, dict) else None),
        organization_id=organization_id,
        user_id=user_id,
        refresh_token=_text(reply, "refresh_token"),
    )


def rotated_refresh_token(response: ApiResponse) -> str | None:
    """Return the refresh token in a reply, even in an incomplete one, because the old token may be invalid now."""
    try:
        return _text(response.json(), "refresh_token") if response.status == 200 else None
    except UnreadableBody:
        return None


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine, the only one that may be used without TLS.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("login.salesforce.com")
    (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def list_secrets(credentials: Credentials) -> tuple[str, ...]:
    """Return the secrets of the credentials, including each line of a key, because a single line may be echoed."""
    match credentials:
        case RefreshToken(_, client_secret, refresh_token):
            return client_secret, refresh_token
        case ClientCredentials(_, client_secret):
            return (client_secret,)
        case JwtBearer(_, _, private_key):
            lines = (line for line in private_key.splitlines() if line and not line.startswith("-----"))
            return private_key, *lines


def _assertion(credentials: JwtBearer, audience: str, now: datetime) -> str:
    claims = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": audience,
        "exp": int((now + _ASSERTION_LIFE).timestamp()),
    }
    try:
        return jwt.encode(claims, credentials.private_key, algorithm="RS256")
    except (ValueError, TypeError, AttributeError, NotImplementedError, UnsupportedAlgorithm, jwt.PyJWTError):
        # Not chained, because the parser's error may quote the key.
        raise SalesforceError(
            Failure.of(
                Kind.CREDENTIALS_REFUSED,
                Operation.TOKEN,
                "private_key is not an RSA private key in PEM form",
                guidance="Paste the whole key, unencrypted, from its BEGIN line to its END line; its certificate "
                "belongs to the app, under Use digital signatures.",
            )
        ) from None


def _base(instance_url: str | None) -> str | None:
    """Return scheme and host of an address that may receive the token: https, or http on this machine."""
    parts = _split(instance_url)
    if parts is None or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        return None
    return f"{parts.scheme}://{parts.netloc}"


def _split(url: str | None) -> SplitResult | None:
    try:
        parts = urlsplit(url or "")
        # Reading the port validates it.
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _text(reply: object, key: str) -> str | None:
    value = reply.get(key) if isinstance(reply, dict) else None
    return value if isinstance(value, str) and value else None


def _instant(value: object) -> datetime | None:
    """Parse ``issued_at``: milliseconds since the epoch, as a string or a number."""
    milliseconds = whole_number(value)
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _identity(url: str | None) -> tuple[str | None, str | None]:
    """Return organization and user from the identity URL, ``https://login.salesforce.com/id/00D.../005...``."""
    match = _IDENTITY.search(url or "")
    return (match[1], match[2]) if match else (None, None)
