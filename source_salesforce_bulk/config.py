"""The configuration: from the mapping a user wrote to a frozen :class:`Config`, or one sentence on what to change.

Shapes are checked by :mod:`source_salesforce_bulk.form`, meanings here. The first problem found is the one
reported. A message quotes what was written, but nothing below ``credentials``, and of a URL at most the host.

Decided here, because both readings were possible:

- A date-time without a time zone is refused. Taken as UTC it could be hours too late, and rows would never be read.
- A key that is ``null`` counts as left out; keys nobody knows are ignored.
- Blanks round a secret, a name or a URL belong to the clipboard and are dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, assert_never
from urllib.parse import urlsplit

import pendulum
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from source_salesforce_bulk.form import (
    DATE_PATTERN,
    DURATION_PATTERN,
    ClientCredentialsForm,
    ConfigForm,
    CredentialsForm,
    JwtBearerForm,
    OverrideForm,
    RefreshTokenForm,
)
from source_salesforce_bulk.salesforce.oauth import ClientCredentials, Credentials, JwtBearer, RefreshToken, is_loopback
from source_salesforce_bulk.salesforce.soql import check_name, check_where

OLDEST_API_VERSION = 58
# Longer ones are typing errors, and would leave the calendar when a look-back is subtracted.
LONGEST_DURATION = timedelta(days=3650)
# Salesforce knows no earlier date.
EARLIEST_START = datetime(1700, 1, 1, tzinfo=UTC)

# What to write, by key; where the fact at hand allows a better answer, that one is given instead.
REMEDIES: Mapping[str, str] = {
    "credentials": "Write an object such as "
    '{"auth_type": "client_credentials", "client_id": "...", "client_secret": "..."}',
    "auth_type": "Write refresh_token, client_credentials or jwt_bearer",
    "client_id": "Write the Consumer Key of your Salesforce app, in quotes",
    "client_secret": "Write the Consumer Secret of your Salesforce app, in quotes",
    "refresh_token": "Write the refresh token that Salesforce gave your app, in quotes",
    "username": 'Write the Salesforce username of the pre-authorized user, such as "integration@example.com"',
    "private_key": "Paste the unencrypted RSA key as `openssl pkey -in FILE` prints it, with its BEGIN and END lines",
    "login_url": 'Write "https://login.salesforce.com", "https://test.salesforce.com" or the My Domain URL of the org, '
    'such as "https://acme.my.salesforce.com"',
    "start_date": 'Write a date such as "2024-01-01", or a date-time with its time zone such as "2024-01-01T00:00:00Z"',
    "objects": 'Write a list of API names or patterns such as ["Account", "*__c"], or ["*"] for all objects',
    "exclude_objects": 'Write a list of API names or patterns such as ["*History", "*Feed"], or leave it out',
    "include_deleted": "Write true or false, without quotes",
    "lookback_window": 'Write an ISO 8601 duration such as "PT10M" (10 minutes) or "P1D" (1 day)',
    "api_version": 'Write a version such as "v66.0"',
    "max_concurrent_jobs": "Write a whole number from 1 up, without quotes, such as 10",
    "page_size": "Write a whole number from 1 up, without quotes, such as 50000",
    "job_timeout": 'Write an ISO 8601 duration such as "PT4H" (4 hours) or "PT30M" (30 minutes)',
    "daily_limit_reserve_percent": "Write a whole number from 0 to 99, without quotes, such as 5",
    "object_overrides": 'Write a list such as [{"object": "Opportunity", "cursor_field": "LastModifiedDate"}]',
    "object": 'Write the API name of the object, such as "Opportunity"',
    "primary_key": 'Write a list of field names such as ["Id"], or leave it out',
    "cursor_field": 'Write the API name of a date/time field, such as "LastModifiedDate", or leave it out',
    "where": "Write a SOQL condition alone, such as \"StageName = 'Closed Won'\", or leave it out",
}

# What pydantic found -> what we say of the key. The value is never quoted: it may be anything, a secret too.
_SHAPES: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "bool_type": "is not true or false",
    "list_type": "is not a list",
    "model_type": "is not a JSON object",
    "model_attributes_type": "is not a JSON object",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
}

_AUTHORITY = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]+)?", re.ASCII)
# Where a browser shows the org. They take no login; the name before them is the org's My Domain.
_BROWSER_DOMAINS = (".lightning.force.com", ".my.salesforce-setup.com")
_SHARED_LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
_PATTERN = re.compile(r"[A-Za-z0-9_*?!\[\]-]+", re.ASCII)
_VERSION = re.compile(r"[vV]?([0-9]{2,3})(?:\.0)?")
_CALENDAR_UNITS = re.compile(r"[0-9.,]+[YM]")
_PRIVATE_KEY = re.compile(r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
# Looked for in this order: an encrypted key may call itself RSA PRIVATE KEY and say so in its second line.
_OTHER_PEM = {
    "ENCRYPTED": "is encrypted",
    "EC PRIVATE KEY": "is not an RSA key",
    "OPENSSH PRIVATE KEY": "is an OpenSSH key",
    "PUBLIC KEY": "is a public key",
    "CERTIFICATE": "is a certificate",
}
_NO_LOOKBACK = (
    "lookback_window is PT0S: rows that become visible after their time stamp was passed are never read. "
    'Write "PT10M" unless you know that there are none.'
)


class ConfigError(ValueError):
    """A value the user has to change: which key, what is wrong with it, and what to write instead."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{key} {problem}. {remedy}.")
        self.key = key
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class ObjectOverride:
    """What the user knows better about one object than its describe; None is "as Salesforce says"."""

    object: str
    primary_key: tuple[str, ...] | None = None
    cursor_field: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was checked. ``warnings`` are sentences for the log."""

    credentials: Credentials
    login_url: str
    start_date: datetime | None
    objects: tuple[str, ...]
    exclude_objects: tuple[str, ...]
    include_deleted: bool
    lookback_window: timedelta
    api_version: str
    max_concurrent_jobs: int
    page_size: int
    job_timeout: timedelta
    daily_limit_reserve_percent: int
    overrides: Mapping[str, ObjectOverride]
    warnings: tuple[str, ...] = ()

    def override_for(self, name: str) -> ObjectOverride | None:
        """The override of an object, whatever the case of its name."""
        return self.overrides.get(name.lower())


def parse_config(raw: Mapping[str, Any]) -> Config:
    """The configuration that ``raw`` (decoded JSON) describes; raises :class:`ConfigError`."""
    form = _filled_in(raw)
    lookback = _duration("lookback_window", form.lookback_window, may_be_zero=True)
    return Config(
        credentials=_credentials(form.credentials),
        login_url=_login_url(form.login_url, form.credentials),
        start_date=None if form.start_date is None else _start_date(form.start_date),
        objects=_patterns("objects", form.objects, may_be_empty=False),
        exclude_objects=_patterns("exclude_objects", form.exclude_objects, may_be_empty=True),
        include_deleted=form.include_deleted,
        lookback_window=lookback,
        api_version=_api_version(form.api_version),
        max_concurrent_jobs=form.max_concurrent_jobs,
        page_size=form.page_size,
        job_timeout=_duration("job_timeout", form.job_timeout, may_be_zero=False),
        daily_limit_reserve_percent=form.daily_limit_reserve_percent,
        overrides=MappingProxyType(_overrides(form.object_overrides)),
        warnings=() if lookback else (_NO_LOOKBACK,),
    )


def _filled_in(raw: object) -> ConfigForm:
    if not isinstance(raw, Mapping):
        raise ConfigError("The configuration", "is not a JSON object", 'Write {"credentials": {...}, ...}')
    try:
        return ConfigForm.model_validate(_without_nulls(raw))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[0]
    # Outside the handler, so that the error carries no context: pydantic's may hold what was typed.
    raise _shape_error(details)


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _shape_error(details: ErrorDetails) -> ConfigError:
    if details["type"] in ("union_tag_not_found", "union_tag_invalid"):
        problem = "is missing" if details["type"] == "union_tag_not_found" else "names no way to log in that is known"
        return _wrong("credentials.auth_type", problem)
    # Below credentials pydantic also names the branch, which is no key.
    path = [part for at, part in enumerate(details["loc"]) if not (at == 1 and details["loc"][0] == "credentials")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return _wrong(key, _SHAPES.get(details["type"], "has a value that cannot be used"))


def _wrong(key: str, problem: str, remedy: str | None = None) -> ConfigError:
    """The error for a dotted key, with the remedy of its last part unless a better one is given."""
    name = re.sub(r"\[\d+\]$", "", key).rpartition(".")[2]
    return ConfigError(key, problem, remedy or REMEDIES[name])


def _quoted(text: str) -> str:
    """What was written, as it stands in JSON, cut where it is long."""
    return json.dumps(text if len(text) <= 60 else f"{text[:60]}...", ensure_ascii=False)


def _credentials(form: CredentialsForm) -> Credentials:
    client_id = _given("credentials.client_id", form.client_id)
    match form:
        case RefreshTokenForm():
            token = _given("credentials.refresh_token", form.refresh_token)
            # An app may be set not to demand its secret.
            return RefreshToken(client_id, form.client_secret.strip(), token)
        case ClientCredentialsForm():
            return ClientCredentials(client_id, _given("credentials.client_secret", form.client_secret))
        case JwtBearerForm():
            username = _given("credentials.username", form.username)
            return JwtBearer(client_id, username, _private_key(form.private_key))
        case _:
            assert_never(form)


def _given(key: str, text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise _wrong(key, "is empty")
    return stripped


def _private_key(text: str) -> str:
    r"""The key block of ``text`` in lines: form fields and JSON turn line breaks into blanks or ``\n``."""
    key = "credentials.private_key"
    plain = _given(key, text).replace("\\r", "").replace("\\n", "\n")
    found = _PRIVATE_KEY.search(plain)
    if found is None:
        problem = next((what for name, what in _OTHER_PEM.items() if name in plain), "is not a private key in PEM form")
        raise _wrong(key, problem)
    label, body = found.groups()
    pem = "\n".join([f"-----BEGIN {label}-----", *body.split(), f"-----END {label}-----", ""])
    flaw = _key_flaw(pem)
    if flaw:
        raise _wrong(key, flaw)
    return pem


def _key_flaw(pem: str) -> str | None:
    """What keeps the key from signing. A value, not an exception: what a parser says of a broken key may quote it."""
    try:
        loaded = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is damaged: part of the key is missing or was changed"
    return None if isinstance(loaded, RSAPrivateKey) else "is not an RSA key"


def _login_url(text: str, credentials: CredentialsForm) -> str:
    """Scheme and host, in lower case; a path is what the browser's address bar added."""
    try:
        parts = urlsplit(text.strip())
        is_url = parts.scheme in ("http", "https") and parts.port != 0  # reading the port judges it
    except ValueError:
        is_url = False
    if not is_url:
        raise _wrong("login_url", "is not a URL that begins with https://")
    if "@" in parts.netloc:
        raise _wrong("login_url", "contains a user name or a password")
    authority, host = parts.netloc.lower(), parts.hostname
    if host is None or not _AUTHORITY.fullmatch(authority):
        raise _wrong("login_url", "is not a URL with a host name")
    for domain in _BROWSER_DOMAINS:
        if host.endswith(domain):
            my_domain = f"https://{host.removesuffix(domain)}.my.salesforce.com"
            raise _wrong("login_url", f"{host} is a page for browsers, not a login host", f'Write "{my_domain}"')
    if parts.scheme == "http" and not is_loopback(host):
        problem = "begins with http://, which sends secrets unencrypted"  # ignore-https-check
        raise _wrong("login_url", problem, f'Write "https://{host}"')
    if isinstance(credentials, ClientCredentialsForm) and host in _SHARED_LOGIN_HOSTS:
        remedy = 'Write the My Domain URL of the org, such as "https://acme.my.salesforce.com"'
        raise _wrong("login_url", f"is {host}, which takes no client credentials", remedy)
    # JWT compares the audience as text: the default port must not show.
    return f"{parts.scheme}://{authority.removesuffix(':443') if parts.scheme == 'https' else authority}"


def _start_date(text: str) -> datetime:
    if re.fullmatch(r"[0-9-]+[Tt ][0-9:.]+", text):
        raise _wrong("start_date", f"{_quoted(text)} has no time zone", "Add Z for UTC, or an offset such as +02:00")
    try:
        # The pattern first: pendulum also reads "now", times of day and intervals.
        parsed = pendulum.parse(text) if re.fullmatch(DATE_PATTERN, text) else None
        # A plain datetime: the arithmetic of pendulum's class gives its own classes again.
        utc = datetime.fromisoformat(str(parsed)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong("start_date", f"{_quoted(text)} is not a date or a date-time in ISO 8601") from None
    if utc < EARLIEST_START:
        raise _wrong("start_date", f"{_quoted(text)} lies before 1700, the first year that Salesforce knows")
    return utc


def _duration(key: str, text: str, *, may_be_zero: bool) -> timedelta:
    if re.fullmatch("-?P[-0-9.A-Z]*", text) and "-" in text:
        raise _wrong(key, f"{_quoted(text)} is negative")
    if _CALENDAR_UNITS.search(text.partition("T")[0]):
        raise _wrong(key, f"{_quoted(text)} counts in months or years, which vary", 'Write days, such as "P30D"')
    # Pendulum computes in 32 bits and does not notice when they are not enough.
    if re.search("[0-9]{9}", re.sub("[.][0-9]+", "", text)):
        raise _wrong(key, f"{_quoted(text)} is longer than ten years")
    try:
        parsed = pendulum.parse(text) if re.fullmatch(DURATION_PATTERN, text) and text[-1] not in "PT" else None
    except (ValueError, OverflowError):
        parsed = None
    if not isinstance(parsed, pendulum.Duration):
        raise _wrong(key, f"{_quoted(text)} is not an ISO 8601 duration")
    if parsed > LONGEST_DURATION:
        raise _wrong(key, f"{_quoted(text)} is longer than ten years")
    if not parsed and not may_be_zero:
        raise _wrong(key, f"{_quoted(text)} leaves no time at all")
    return parsed.as_timedelta()


def _api_version(text: str) -> str:
    """``v66.0``, also where ``66.0`` or ``v66`` was written."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise _wrong("api_version", f"{_quoted(text)} is not an API version")
    if int(found[1]) < OLDEST_API_VERSION:
        remedy = f'Write "v{OLDEST_API_VERSION}.0" or a later one, or leave it out'
        raise _wrong("api_version", f"{_quoted(text)} is too old", remedy)
    return f"v{int(found[1])}.0"


def _patterns(key: str, patterns: list[str], *, may_be_empty: bool) -> tuple[str, ...]:
    if not patterns and not may_be_empty:
        raise _wrong(key, "is an empty list, which shows no object at all")
    for at, pattern in enumerate(patterns):
        if not _PATTERN.fullmatch(pattern.strip()):
            problem = f"{_quoted(pattern)} is not an API name in which * and ? may stand for other text"
            raise _wrong(f"{key}[{at}]", problem)
    return tuple(pattern.strip() for pattern in patterns)


def _overrides(forms: list[OverrideForm]) -> dict[str, ObjectOverride]:
    overrides: dict[str, ObjectOverride] = {}
    for at, form in enumerate(forms):
        override = _override(f"object_overrides[{at}]", form)
        name = override.object.lower()
        if name in overrides:
            problem = f"{_quoted(override.object)} has an override already"
            raise _wrong(
                f"object_overrides[{at}].object", problem, "Write all that concerns an object into one override"
            )
        overrides[name] = override
    return overrides


def _override(key: str, form: OverrideForm) -> ObjectOverride:
    return ObjectOverride(
        object=_name(f"{key}.object", form.object),
        # An empty list is what a form sends for "nothing chosen".
        primary_key=_key_fields(f"{key}.primary_key", form.primary_key) if form.primary_key else None,
        cursor_field=None if form.cursor_field is None else _name(f"{key}.cursor_field", form.cursor_field),
        where=None if form.where is None else _where(f"{key}.where", form.where),
    )


def _name(key: str, text: str) -> str:
    try:
        name = check_name(text.strip())
    except ValueError as error:
        raise _wrong(key, f"{_quoted(text)} {error}") from error
    if "." in name:
        raise _wrong(key, f"{_quoted(text)} leads to another object; only a name without a dot can stand here")
    return name


def _key_fields(key: str, names: list[str]) -> tuple[str, ...]:
    fields = tuple(_name(f"{key}[{at}]", name) for at, name in enumerate(names))
    if len({field.lower() for field in fields}) < len(fields):
        raise _wrong(key, "names a field twice")
    return fields


def _where(key: str, text: str) -> str:
    if re.match(r"\s*WHERE\b", text, re.IGNORECASE):
        raise _wrong(key, "begins with the word WHERE")
    try:
        return check_where(text)
    except ValueError as error:
        raise _wrong(key, str(error)) from error
