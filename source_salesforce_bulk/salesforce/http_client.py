"""The thin edge to the HTTP library: a request goes out, an answer comes back with its body still on the wire.

:class:`Http` is all that the rest of the package asks of a library; behind it sits the CDK's ``HttpClient`` on the
Airbyte path and :class:`RequestsHttp` everywhere else. :class:`Body` reads what comes back and notices when it does not
all come. Works with urllib3 1.25 (which AWS Glue has) and 2.

Retries here: none.
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
from source_salesforce_bulk.salesforce.retry import BODY_DEADLINE, CONNECT_TIMEOUT, READ_TIMEOUTS
from source_salesforce_bulk.salesforce.wire import NO_ITEMS, ApiResponse, Operation, parse_http_date

SEND_ERRORS = (OSError, HTTPError)
"""What sending may raise: every ``requests.RequestException`` is an OSError; urllib3 lets a few of its own through."""

MAX_BODIES: Mapping[Operation, int] = MappingProxyType(
    dict.fromkeys(Operation, 1 << 20)
    | {
        # A describe of an object with 1,000 fields has some 2 MB, more with long picklists; 1,300 objects have 2 MB.
        Operation.SOBJECTS: 1 << 25,
        Operation.DESCRIBE: 1 << 26,
        Operation.RECORD_COUNT: 1 << 22,
        Operation.RESULT_PAGES: 1 << 22,
        Operation.QUERY: 1 << 26,
    }
)
"""The longest answer that is held in memory, in bytes, decoded. What is longer is not what was asked for."""

MAX_ERROR_BODY = 1 << 16
"""As much of an error's body as is read and decoded; the rest says nothing more."""

_MAX_MEMBERS = 64
"""As many parts as a gzip encoding may have. A server has reason for one."""

_READ_ERRORS = (OSError, HTTPError, HTTPException, ValueError)
_CHUNK = 1 << 16
# urllib3 1.25 only has a read that blocks until it is full. Small reads keep the deadline's error small.
_BLOCKING_READ = 1 << 13


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for a connection, for the head of an answer, and for its body. ``head`` also bounds any one read."""

    connect: float
    head: float
    body: float

    @classmethod
    def of(cls, operation: Operation) -> Timeouts:
        """The timeouts of an operation. Only a result page has a body that is worth waiting for longer."""
        head = READ_TIMEOUTS[operation]
        return cls(CONNECT_TIMEOUT, head, BODY_DEADLINE if operation is Operation.RESULTS else head)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it goes to the library, its secrets in place: they are in ``headers`` and ``form``."""

    method: str
    url: str
    timeouts: Timeouts
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] = field(default_factory=lambda: NO_ITEMS)
    json: Mapping[str, object] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)


class Http(Protocol):
    """An HTTP library, reduced to what is needed. It neither retries nor follows redirects nor keeps cookies."""

    def send(self, request: HttpRequest) -> requests.Response:
        """Send one request, from any thread, and leave the answer's body on the wire; raises ``SEND_ERRORS``."""
        ...


class RequestsHttp:
    """:class:`Http` on a plain requests session with up to ``connections`` kept-alive connections per host."""

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
    """Leaves the request as it is. Without it requests puts the login of a ``~/.netrc`` over the token."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See the class."""
        return request


def prepare_session(session: requests.Session, adapter: DeadlineAdapter) -> requests.Session:
    """Make a session fit for many threads: one pool for both schemes, and nothing of one call left for the next."""
    session.verify = certificates(os.environ) or True
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # ignore-https-check: config takes it for loopback hosts alone
    session.auth = OwnAuthorization()
    # Asked where a redirect leads, even one it is told not to follow, requests would first read the whole body.
    session.get_redirect_target = _nowhere  # type: ignore[method-assign, assignment]
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _nowhere(_: requests.Response) -> str | None:
    return None


class Body:
    """An answer whose body is still on the wire; a context manager that gives the connection back.

    ``headers`` have lower-case names. ``received`` counts the body's bytes as they came, still encoded. A body that
    ends early, stalls, or takes longer than it may raises ``SalesforceError``, as ``broken_body`` of the operation
    says: for a result page ``BODY_BROKEN``.
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
        """The org's own clock when it answered."""
        return parse_http_date(self.headers.get("date"))

    def close(self) -> None:
        """Let the connection go: back to the pool where the body was read to its end. May be called twice."""
        if self._on_close is not None:
            report, self._on_close = self._on_close, None
            self._response.close()
            report(self)

    def chunks(self, size: int) -> Iterator[bytes]:
        """The body as it is on the wire, gzip kept, in pieces of at most ``size`` bytes, each as soon as it came.

        Raises ``SalesforceError`` as the class says, and ``Stopped`` between two pieces.
        """
        for piece in self._pieces(size):
            yield piece
            self._clock.sleep(0)

    def read_whole(self) -> ApiResponse:
        """The whole answer, decoded; raises ``SalesforceError`` as the class says, and where its gzip is damaged.

        Not cut short when the run is being stopped: clean-up still has to hear its answers.
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
        """As much of an error's answer as can be had; a broken body is no second failure."""
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
        """How many bytes were announced. urllib3 1.25 does not compare them with what came."""
        text = self.headers.get("content-length", "")
        if self.status in (204, 304) or "transfer-encoding" in self.headers:
            return None
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def _broken(self, cause: BaseException | str) -> SalesforceError:
        return SalesforceError(broken_body(self._operation, cause))


def _decoded(data: bytes, headers: Mapping[str, str], limit: int, *, whole: bool) -> bytes:
    """Undo gzip; raises ``zlib.error``. No more than ``limit`` bytes come out, however much there is."""
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
