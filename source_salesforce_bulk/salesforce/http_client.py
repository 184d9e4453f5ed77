"""The interface to the HTTP library: send a request, get a response whose body has not been read yet.

:class:`Http` is all that the package needs of a library. The Airbyte connector implements it with the CDK's
``HttpClient``; everything else uses :class:`RequestsHttp`. :class:`Body` reads a response and detects incomplete
bodies. Works with urllib3 1.25 (the version in AWS Glue) and 2.

Does not retry.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.connections import DeadlineAdapter, Monotonic, limit_body
from source_salesforce_bulk.salesforce.failures import SalesforceError, broken_body
from source_salesforce_bulk.salesforce.network_settings import certificates
from source_salesforce_bulk.salesforce.retry import BLOB_DEADLINE, BODY_DEADLINE, CONNECT_TIMEOUT, READ_TIMEOUTS
from source_salesforce_bulk.salesforce.wire import NO_ITEMS, ApiResponse, Operation, parse_http_date

SEND_ERRORS = (OSError, HTTPError)
"""The exceptions of sending: every ``requests.RequestException`` is an OSError; urllib3 raises a few of its own."""

MAX_BODIES: Mapping[Operation, int] = MappingProxyType(
    dict.fromkeys(Operation, 1 << 20)
    | {
        # The describe of an object with 1,000 fields has about 2 MB, more with long picklists; 1,300 objects have 2 MB.
        Operation.SOBJECTS: 1 << 25,
        Operation.DESCRIBE: 1 << 26,
        Operation.RECORD_COUNT: 1 << 22,
        Operation.RESULT_PAGES: 1 << 22,
        Operation.QUERY: 1 << 26,
        # An answer names at most 600,000 deleted rows.
        Operation.DELETED: 1 << 26,
    }
)
"""The maximum size of a decoded response in memory, in bytes. A longer response cannot be a valid one."""

_LONG_BODIES: Mapping[Operation, float] = MappingProxyType(
    {Operation.RESULTS: BODY_DEADLINE, Operation.BLOB: BLOB_DEADLINE}
)

MAX_ERROR_BODY = 1 << 16
"""The part of an error's body that is read and decoded; the rest is ignored."""

_MAX_MEMBERS = 64
"""The maximum number of members in a gzip encoding. A server normally sends one."""

_READ_ERRORS = (OSError, HTTPError, HTTPException, ValueError)
_CHUNK = 1 << 16
# In urllib3 1.25 a read blocks until its buffer is full. Small reads keep the deadline accurate.
_BLOCKING_READ = 1 << 13


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a connection, the headers of a response, and its body. ``head`` also limits every single read."""

    connect: float
    head: float
    body: float

    @classmethod
    def of(cls, operation: Operation) -> Timeouts:
        """Return the timeouts of an operation. Only result pages and files may take longer than their headers."""
        head = READ_TIMEOUTS[operation]
        return cls(CONNECT_TIMEOUT, head, _LONG_BODIES.get(operation, head))


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request for the library, including its secrets, which are in ``headers`` and ``form``."""

    method: str
    url: str
    timeouts: Timeouts
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] = field(default_factory=lambda: NO_ITEMS)
    json: Mapping[str, object] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)


class Http(Protocol):
    """The required part of an HTTP library. It does not retry, follow redirects, or keep cookies."""

    def send(self, request: HttpRequest) -> requests.Response:
        """Send one request without reading the response's body. Thread-safe; raises ``SEND_ERRORS``."""
        ...


class RequestsHttp:
    """:class:`Http` with a plain requests session and up to ``connections`` persistent connections per host."""

    def __init__(self, connections: int, monotonic: Monotonic = time.monotonic) -> None:
        self._session = prepare_session(requests.Session(), DeadlineAdapter(connections, monotonic))

    def send(self, request: HttpRequest) -> requests.Response:
        """See :class:`Http`."""
        response = self._session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            params=dict(request.params),
            json=request.json,
            data=request.form,
            stream=True,
            timeout=(request.timeouts.connect, request.timeouts.head),
            allow_redirects=False,
        )
        limit_body(response, request.timeouts.body)
        return response


class OwnAuthorization(AuthBase):
    """Leave the request unchanged. Otherwise requests would replace the token by the login in a ``~/.netrc``."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See the class."""
        return request


def prepare_session(session: requests.Session, adapter: DeadlineAdapter) -> requests.Session:
    """Prepare a session for many threads: one pool for both schemes, and no state shared between calls."""
    session.verify = certificates(os.environ) or True
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # ignore-https-check: config accepts it for loopback hosts only
    session.auth = OwnAuthorization()
    # requests reads the whole body before it looks up a redirect's target, even if it must not follow it.
    session.get_redirect_target = _nowhere  # type: ignore[method-assign, assignment]
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _nowhere(_: requests.Response) -> str | None:
    return None


class Body:
    """A response whose body has not been read yet; a context manager that releases the connection.

    ``headers`` have lower-case names. ``received`` counts the body's bytes as received, before decoding. A body that
    ends early, stalls, or takes too long raises the ``SalesforceError`` of ``broken_body``: for a result page, of the
    kind ``BODY_BROKEN``; for a file, of the kind ``FILE_BROKEN``.
    """

    def __init__(
        self, operation: Operation, response: requests.Response, clock: Clock, on_close: Callable[[Body], None]
    ) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.received = 0
        self._operation = operation
        self._response = response
        self._clock = clock
        self._on_close: Callable[[Body], None] | None = on_close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def date(self) -> datetime | None:
        """The org's clock at the time of the response."""
        return parse_http_date(self.headers.get("date"))

    def close(self) -> None:
        """Release the connection: to the pool if the body was read to its end. May be called twice."""
        if self._on_close is not None:
            report, self._on_close = self._on_close, None
            self._response.close()
            report(self)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the body as received, without decoding gzip, in pieces of at most ``size`` bytes as they arrive.

        Raises ``SalesforceError`` (see the class), and ``Stopped`` between two pieces.
        """
        for piece in self._pieces(size):
            yield piece
            self._clock.sleep(0)

    def read_whole(self) -> ApiResponse:
        """Return the whole response, decoded; raises ``SalesforceError`` (see the class), also for damaged gzip.

        Does not stop when the run is being stopped, because clean-up still needs its responses.
        """
        limit = MAX_BODIES[self._operation]
        data = b"".join(self._bounded(limit))
        try:
            text = _decoded(data, self.headers, limit + 1, whole=True)
        except zlib.error as error:
            raise self._broken(f"its gzip encoding is damaged ({error})") from error
        if len(text) > limit:
            raise self._broken(f"it is longer than {limit:,} bytes")
        return ApiResponse(self.status, self.headers, text)

    def read_error(self) -> ApiResponse:
        """Return the readable part of an error response; an incomplete body is not a second failure."""
        data = bytearray()
        try:
            for piece in self._pieces(_CHUNK):
                data += piece
                if len(data) >= MAX_ERROR_BODY:
                    break
        except SalesforceError:
            pass
        try:
            body = _decoded(bytes(data), self.headers, MAX_ERROR_BODY, whole=False)
        except zlib.error:
            body = b""
        return ApiResponse(self.status, self.headers, body)

    def _pieces(self, size: int) -> Iterator[bytes]:
        while piece := self._read(size):
            self.received += len(piece)
            yield piece
        expected = self._content_length()
        if expected is not None and self.received < expected:
            raise self._broken(f"{self.received:,} of {expected:,} bytes came")

    def _bounded(self, limit: int) -> Iterator[bytes]:
        for piece in self._pieces(_CHUNK):
            if self.received > limit:
                raise self._broken(f"it is longer than {limit:,} bytes")
            yield piece

    def _read(self, size: int) -> bytes:
        raw = self._response.raw
        try:
            if hasattr(raw, "read1"):
                piece: bytes = raw.read1(size, decode_content=False)
            else:
                piece = raw.read(min(size, _BLOCKING_READ), decode_content=False)
        except _READ_ERRORS as error:
            raise self._broken(error) from error
        return piece

    def _content_length(self) -> int | None:
        """Return the announced number of bytes, which urllib3 1.25 does not compare with the received number."""
        text = self.headers.get("content-length", "")
        if self.status in (204, 304) or "transfer-encoding" in self.headers:
            return None
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def _broken(self, cause: BaseException | str) -> SalesforceError:
        return SalesforceError(broken_body(self._operation, cause))


def _decoded(data: bytes, headers: Mapping[str, str], limit: int, *, whole: bool) -> bytes:
    """Decode gzip to at most ``limit`` bytes; raises ``zlib.error``."""
    if not data or headers.get("content-encoding", "").lower() not in ("gzip", "x-gzip"):
        return data[:limit]
    text = b""
    for _ in range(_MAX_MEMBERS):  # RFC 1952 allows several
        decoder = zlib.decompressobj(wbits=31)
        text += decoder.decompress(data, limit - len(text))
        if len(text) >= limit:
            return text
        if whole and not decoder.eof:
            raise zlib.error("it does not end")
        data = decoder.unused_data
        if not data:
            return text
    raise zlib.error("it has too many parts")
