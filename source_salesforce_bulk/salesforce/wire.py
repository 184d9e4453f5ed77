"""Requests and responses as values, independent of any HTTP library.

Every data call is an :class:`ApiRequest` (built by ``rest_api`` or ``bulk_api``), and its result an
:class:`ApiResponse`. Neither contains a token: ``transport`` adds it when it sends the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from types import MappingProxyType

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked

NO_ITEMS: Mapping[str, str] = MappingProxyType({})


class Operation(Enum):
    """The operation of a request. Failures are classified by it, and calls are counted by it."""

    TOKEN = "token"
    VERSIONS = "versions"
    SOBJECTS = "sobjects"
    DESCRIBE = "describe"
    LIMITS = "limits"
    RECORD_COUNT = "record count"
    QUERY = "query"
    DELETED = "deleted rows"
    CREATE_JOB = "create job"
    JOB_INFO = "job info"
    RESULTS = "results"
    RESULT_PAGES = "result pages"
    BLOB = "file"
    ABORT_JOB = "abort job"
    DELETE_JOB = "delete job"


class UnreadableBody(ValueError):
    """A response body is not JSON, or lacks a required part."""


class UnusableSetting(OSError):
    """A proxy or certificate setting of the environment cannot be used. The text is safe to display."""


class ProxyRefused(OSError):
    """A proxy answered CONNECT to ``host`` with the error ``status``. ``proxy`` contains no password."""

    def __init__(self, proxy: str, host: str, status: int) -> None:
        super().__init__(proxy, host, status)
        self.proxy = proxy
        self.host = host
        self.status = status

    def __str__(self) -> str:
        return f"the proxy {self.proxy} answered {self.status} when asked for {self.host}"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call. ``path`` is relative to the instance's root; ``object_name`` only labels counts and log lines.

    ``asked`` helps to explain a refusal.
    """

    operation: Operation
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=lambda: NO_ITEMS)
    json: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NO_ITEMS)
    object_name: str | None = None
    authenticated: bool = True
    asked: Asked = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A complete response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body as JSON; raises :class:`UnreadableBody`, because even a 2xx response may be other text."""
        return parse_json(self.body)

    @property
    def date(self) -> datetime | None:
        """The org's clock at the time of the response (``Date`` header, whole seconds, UTC); None if unreadable."""
        return parse_http_date(self.headers.get("date"))


MAX_JSON_VALUES = 2_000_000
"""The approximate maximum number of values in a response: each takes about a hundred bytes of memory."""


def _no_number(word: str) -> str:
    raise ValueError(f"{word} is no JSON")


def _as_digits(body: bytes) -> object:
    return json.loads(body, parse_float=str, parse_int=str, parse_constant=_no_number)


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(body: bytes, *, digits: bool = False) -> object:
    """Parse the body as JSON; raises :class:`UnreadableBody`, also for a body that would take too much memory.

    Half a surrogate pair, which cannot be encoded, becomes U+FFFD. With ``digits``, a number becomes the text of its
    digits, so that none of them is lost.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_JSON_VALUES:
        raise UnreadableBody(f"the answer holds more than {MAX_JSON_VALUES:,} values")
    try:
        payload: object = _as_digits(body) if digits else json.loads(body)
        return _without_surrogates(payload) if _SURROGATE.search(body) else payload
    except (ValueError, RecursionError) as error:
        raise UnreadableBody("the answer is not JSON") from error


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case _:
            return value


def printable(text: str) -> str:
    r"""Return ``text`` with a question mark for every unprintable character.

    >>> printable("750\x1b[2J\ud800")
    '750?[2J?'
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def parse_http_date(text: str | None) -> datetime | None:
    """Return an HTTP date as a UTC instant, or None."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_LARGEST = 10**18


def whole_number(value: object) -> int | None:
    """Return a whole number below 10**18, given as a number or as digits; None for any other value."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if _DIGITS.fullmatch(digits) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value < _LARGEST or (isinstance(value, float) and not value.is_integer()):
        return None
    return int(value)


@dataclass(frozen=True, slots=True)
class ApiUsage:
    """The daily API calls of the whole org, as every data response reports them."""

    used: int
    maximum: int


# The header may also report one app's share, as ``per-app-api-usage``, which does not limit the org.
_ORG_USAGE = re.compile(r"(?<![\w-])api-usage=(\d{1,18})/(\d{1,18})", re.ASCII)


def parse_limit_info(headers: Mapping[str, str]) -> ApiUsage | None:
    """Parse ``Sforce-Limit-Info``; None if it is absent or unreadable.

    >>> parse_limit_info({"sforce-limit-info": "api-usage=18/5000; per-app-api-usage=17/250(appName=sample)"})
    ApiUsage(used=18, maximum=5000)
    """
    match = _ORG_USAGE.search(headers.get("sforce-limit-info", ""))
    return ApiUsage(int(match[1]), int(match[2])) if match else None
