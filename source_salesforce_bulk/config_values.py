"""Parse the values of a configuration, or raise an error that says what to change. Pure.

The length of every text is checked before a pattern or parser is applied, and all patterns run in linear time.
A message quotes the input, except anything below ``credentials``, and only the host of a URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pendulum
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from source_salesforce_bulk.credentials_form import ClientCredentialsForm, CredentialsForm
from source_salesforce_bulk.form import DATE_PATTERN, DURATION_PATTERN
from source_salesforce_bulk.salesforce.oauth import is_loopback
from source_salesforce_bulk.salesforce.soql import check_name, check_where

OLDEST_API_VERSION = 58
# Longer ones are mistakes, and subtracting them as a look-back could leave the range of datetime.
LONGEST_DURATION = timedelta(days=3650)
# Salesforce supports no earlier date.
EARLIEST_START = datetime(1700, 1, 1, tzinfo=UTC)
# Characters. An RSA key of 16,384 bits takes 13,000 in PEM form, a SOQL query at most 100,000.
_LONGEST_TEXT, _LONGEST_NAME, _LONGEST_URL, _LONGEST_KEY, _LONGEST_WHERE = 100, 255, 2048, 65_536, 100_000

# The remedy for each key, unless an error has a more specific one.
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
    "detect_deletes": 'Write "none", "recycle_bin" or "all"',
    "full_audit_every": 'Write an ISO 8601 duration such as "P7D" (7 days) or "PT12H" (12 hours)',
    "max_deletes": "Write a whole number from 0 to 100, without quotes, such as 20",
    "formula_fields": 'Write "read", "refresh" or "leave_out"',
    "backfill_new_fields": "Write true or false, without quotes",
    "clock_formulas": 'Write "leave_out" or "daily"',
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
    "fields": 'Write a list of field names such as ["Name", "Amount"], or leave it out',
    "exclude_fields": 'Write a list of field names such as ["Description"], or leave it out',
    "hash_fields": 'Write a list of field names such as ["Email"], or leave it out',
    "hash_key": "Write a long random text, in quotes, and keep it as you keep a password",
    "compound_fields": 'Write "parts", "object" or "both", or leave it out',
    "api": 'Write "auto", "bulk" or "rest", or leave it out',
    "where": "Write a SOQL condition alone, such as \"StageName = 'Closed Won'\", or leave it out",
}

_AUTHORITY = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]+)?", re.ASCII)
# Hosts of the org's pages in a browser. They do not accept logins; the name before them is the org's My Domain.
_BROWSER_DOMAINS = (".lightning.force.com", ".my.salesforce-setup.com")
_SHARED_LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
_PATTERN = re.compile(r"[A-Za-z0-9_*?!\[\]-]+", re.ASCII)
_VERSION = re.compile(r"[vV]?([0-9]{2,3})(?:\.0)?")
_CALENDAR_UNITS = re.compile(r"[0-9.,][YM]")
_PRIVATE_KEY = re.compile(r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
# Checked in this order: an encrypted key may be labelled RSA PRIVATE KEY, with the encryption in its second line.
_OTHER_PEM = {
    "ENCRYPTED": "is encrypted",
    "EC PRIVATE KEY": "is not an RSA key",
    "OPENSSH PRIVATE KEY": "is an OpenSSH key",
    "PUBLIC KEY": "is a public key",
    "CERTIFICATE": "is a certificate",
}


class ConfigError(ValueError):
    """A value that the user has to change: the key, the problem, and what to write instead."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{key} {problem}. {remedy}.")
        self.key = key
        self.problem = problem
        self.remedy = remedy


def wrong(key: str, problem: str, remedy: str | None = None) -> ConfigError:
    """Return the error for a dotted key, with the remedy of its last part unless a better one is given."""
    name = re.sub(r"\[\d+\]$", "", key).rpartition(".")[2]
    return ConfigError(key, problem, remedy or REMEDIES[name])


def quoted(text: str) -> str:
    """Return the input as JSON, shortened if it is long."""
    return json.dumps(text if len(text) <= 60 else f"{text[:60]}...", ensure_ascii=not text.isprintable())


def _bounded(key: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise wrong(key, f"is longer than {longest:,} characters")
    return text


def required_text(key: str, text: str) -> str:
    """Return ``text`` without surrounding blanks; raises :class:`ConfigError` if nothing is left."""
    stripped = text.strip()
    if not stripped:
        raise wrong(key, "is empty")
    return stripped


def parse_private_key(text: str) -> str:
    r"""Return the key in ``text`` with its line breaks, which form fields and JSON may turn into blanks or ``\n``."""
    key = "credentials.private_key"
    plain = required_text(key, _bounded(key, text, _LONGEST_KEY)).replace("\\r", "").replace("\\n", "\n")
    found = _PRIVATE_KEY.search(plain)
    if found is None:
        problem = next((what for name, what in _OTHER_PEM.items() if name in plain), "is not a private key in PEM form")
        raise wrong(key, problem)
    label, body = found.groups()
    pem = "\n".join([f"-----BEGIN {label}-----", *body.split(), f"-----END {label}-----", ""])
    flaw = _key_flaw(pem)
    if flaw:
        raise wrong(key, flaw)
    return pem


def _key_flaw(pem: str) -> str | None:
    """Return why the key cannot sign, or None. Does not raise, because a parser's error may quote the key."""
    try:
        loaded = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is damaged: part of the key is missing or was changed"
    return None if isinstance(loaded, RSAPrivateKey) else "is not an RSA key"


def parse_login_url(text: str, credentials: CredentialsForm) -> str:
    """Return scheme and host, in lower case, without a path copied from the browser."""
    _bounded("login_url", text, _LONGEST_URL)
    try:
        parts = urlsplit(text.strip())
        is_url = parts.scheme in ("http", "https") and parts.port != 0  # reading the port validates it
    except ValueError:
        is_url = False
    if not is_url:
        raise wrong("login_url", "is not a URL that begins with https://")
    if "@" in parts.netloc:
        raise wrong("login_url", "contains a user name or a password")
    authority, host = parts.netloc.lower(), parts.hostname
    if host is None or not _AUTHORITY.fullmatch(authority):
        raise wrong("login_url", "is not a URL with a host name")
    for domain in _BROWSER_DOMAINS:
        if host.endswith(domain):
            my_domain = f"https://{host.removesuffix(domain)}.my.salesforce.com"
            raise wrong("login_url", f"{host} is a page for browsers, not a login host", f'Write "{my_domain}"')
    if parts.scheme == "http" and not is_loopback(host):
        problem = "begins with http://, which sends secrets unencrypted"  # ignore-https-check
        raise wrong("login_url", problem, f'Write "https://{host}"')
    if isinstance(credentials, ClientCredentialsForm) and host in _SHARED_LOGIN_HOSTS:
        remedy = 'Write the My Domain URL of the org, such as "https://acme.my.salesforce.com"'
        raise wrong("login_url", f"is {host}, which does not accept client credentials", remedy)
    # The audience of a JWT is compared as text, so the default port must be left out.
    return f"{parts.scheme}://{authority.removesuffix(':443') if parts.scheme == 'https' else authority}"


def parse_start_date(text: str) -> datetime:
    """Return the instant of a date or a date-time with its zone, in UTC."""
    _bounded("start_date", text, _LONGEST_TEXT)
    if re.fullmatch(r"[0-9-]+[Tt ][0-9:.]+", text):
        raise wrong("start_date", f"{quoted(text)} has no time zone", "Add Z for UTC, or an offset such as +02:00")
    try:
        # The pattern first, because pendulum also accepts "now", times of day and intervals.
        parsed = pendulum.parse(text) if re.fullmatch(DATE_PATTERN, text) else None
        # A plain datetime, because arithmetic with pendulum's class returns pendulum's classes.
        utc = datetime.fromisoformat(str(parsed)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong("start_date", f"{quoted(text)} is not a date or a date-time in ISO 8601") from None
    if utc < EARLIEST_START:
        raise wrong("start_date", f"{quoted(text)} lies before 1700, the first year that Salesforce knows")
    return utc


def parse_duration(key: str, text: str, *, may_be_zero: bool) -> timedelta:
    """Return an ISO 8601 duration without calendar units, of at most :data:`LONGEST_DURATION`."""
    _bounded(key, text, _LONGEST_TEXT)
    if re.fullmatch("-?P[-0-9.A-Z]*", text) and "-" in text:
        raise wrong(key, f"{quoted(text)} is negative")
    if _CALENDAR_UNITS.search(text.partition("T")[0]):
        raise wrong(key, f"{quoted(text)} counts in months or years, which vary", 'Write days, such as "P30D"')
    # Pendulum computes in 32 bits and does not detect overflows.
    if re.search("[0-9]{9}", re.sub("[.][0-9]+", "", text)):
        raise wrong(key, f"{quoted(text)} is longer than ten years")
    try:
        parsed = pendulum.parse(text) if re.fullmatch(DURATION_PATTERN, text) and text[-1] not in "PT" else None
    except (ValueError, OverflowError):
        parsed = None
    if not isinstance(parsed, pendulum.Duration):
        raise wrong(key, f"{quoted(text)} is not an ISO 8601 duration")
    if parsed > LONGEST_DURATION:
        raise wrong(key, f"{quoted(text)} is longer than ten years")
    if not parsed and not may_be_zero:
        raise wrong(key, f"{quoted(text)} leaves no time at all")
    return parsed.as_timedelta()


def parse_api_version(text: str) -> str:
    """Return a version such as ``v66.0``, also for ``66.0`` or ``v66``."""
    found = _VERSION.fullmatch(_bounded("api_version", text, _LONGEST_TEXT).strip())
    if found is None:
        raise wrong("api_version", f"{quoted(text)} is not an API version")
    if int(found[1]) < OLDEST_API_VERSION:
        remedy = f'Write "v{OLDEST_API_VERSION}.0" or a later one, or leave it out'
        raise wrong("api_version", f"{quoted(text)} is too old", remedy)
    return f"v{int(found[1])}.0"


def parse_patterns(key: str, patterns: list[str], *, may_be_empty: bool) -> tuple[str, ...]:
    """Return API names and patterns without blanks around them."""
    if not patterns and not may_be_empty:
        raise wrong(key, "is an empty list, which selects no object at all")
    for at, pattern in enumerate(patterns):
        if not _PATTERN.fullmatch(_bounded(f"{key}[{at}]", pattern, _LONGEST_NAME).strip()):
            problem = f"{quoted(pattern)} is not an API name in which * and ? may stand for other text"
            raise wrong(f"{key}[{at}]", problem)
    return tuple(pattern.strip() for pattern in patterns)


def parse_name(key: str, text: str) -> str:
    """Return the API name of an object or of one of its own fields."""
    _bounded(key, text, _LONGEST_NAME)
    try:
        name = check_name(text.strip())
    except ValueError as error:
        raise wrong(key, f"{quoted(text)} {error}") from error
    if "." in name:
        raise wrong(key, f"{quoted(text)} belongs to another object; write a name without a dot")
    return name


def parse_key_fields(key: str, names: list[str]) -> tuple[str, ...]:
    """Return the names of the fields of a key."""
    fields = tuple(parse_name(f"{key}[{at}]", name) for at, name in enumerate(names))
    if len({field.lower() for field in fields}) < len(fields):
        raise wrong(key, "names a field twice")
    return fields


def parse_where(key: str, text: str) -> str:
    """Return a SOQL condition that can be inserted into a query."""
    _bounded(key, text, _LONGEST_WHERE)
    if re.match(r"\s*WHERE\b", text, re.IGNORECASE):
        raise wrong(key, "begins with the word WHERE")
    try:
        return check_where(text)
    except ValueError as error:
        raise wrong(key, str(error)) from error
