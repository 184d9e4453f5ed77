"""Fakes for time and for Salesforce. They record calls, and fail on unexpected requests and on unused answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import requests
import urllib3

from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, SalesforceError
from source_salesforce_bulk.salesforce.http_client import HttpRequest
from source_salesforce_bulk.salesforce.oauth import Session


class FakeClock:
    """Time that passes only through sleeps and :meth:`advance`. ``sleeps`` records every real pause."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._elapsed = 1000.0
        self.sleeps: list[float] = []
        self.stopped = False

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        if self.stopped:
            raise Stopped("the run is being stopped")
        if seconds > 0:
            self.sleeps.append(seconds)
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._elapsed += seconds
            self._now += timedelta(seconds=seconds)


@dataclass
class Answer:
    """One scripted answer: an HTTP answer, or the exception the library raises in its place.

    ``body`` is bytes, a value sent as JSON, or an iterable of pieces; a piece that is an exception is raised when the
    reader gets there, a piece that is callable is called (to move a clock, say) and gives no bytes.
    """

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None


class _Pieces:
    """A file of scripted pieces, one per read, as a socket gives what has come in."""

    def __init__(self, pieces: Iterable[object]) -> None:
        self._pieces: Iterator[object] = iter(pieces)
        self._rest = b""
        self.closed = False

    def read(self, amount: int = -1) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            if isinstance(piece, Exception):
                raise piece
            if callable(piece):
                piece()
            else:
                assert isinstance(piece, bytes)
                self._rest = piece
        amount = len(self._rest) if amount is None or amount < 0 else amount
        given, self._rest = self._rest[:amount], self._rest[amount:]
        return given

    read1 = read

    def close(self) -> None:
        self.closed = True


def http_response(answer: Answer) -> requests.Response:
    """The answer as requests hands it out, its body still on the wire; raises its error where it has one."""
    if answer.error is not None:
        raise answer.error
    headers = dict(answer.headers)
    body = answer.body
    if isinstance(body, (dict, list)) and not _is_script(body):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json;charset=UTF-8")
    pieces = [body] if isinstance(body, bytes) else body
    assert isinstance(pieces, Iterable)
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(headers)
    response.raw = urllib3.HTTPResponse(
        body=_Pieces(piece for piece in pieces if piece != b""),  # type: ignore[arg-type]
        headers=headers,
        status=answer.status,
        preload_content=False,
        # As in urllib3 1.25: only our own code compares the received length with the announced one.
        enforce_content_length=False,
    )
    return response


def _is_script(body: object) -> bool:
    return isinstance(body, list) and any(isinstance(piece, bytes | Exception) or callable(piece) for piece in body)


class FakeTokens:
    """Sessions T0, T1, ... of one org at ``base``; a refresh of the current one gives the next. S3CRET is a secret."""

    def __init__(self, failure: Failure | None = None, base: str = "https://acme.my.salesforce.com") -> None:
        self.generation = 0
        self.refreshed: list[str] = []
        self.failure = failure
        self.base = base
        self.base_after_refresh: str | None = None

    def session(self) -> Session:
        return Session(f"T{self.generation}", self.base)

    def refresh(self, stale_access_token: str) -> Session:
        self.refreshed.append(stale_access_token)
        if self.failure is not None:
            raise SalesforceError(self.failure)
        self.generation += 1
        self.base = self.base_after_refresh or self.base
        return self.session()

    def redact(self, text: str) -> str:
        return text.replace("S3CRET", "****")


class ScriptedHttp:
    """An ``Http`` that answers what a test scripted, in that order.

    An unexpected request fails at once, an unused answer when the ``with`` block ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: list[tuple[str, str, Answer, Callable[[HttpRequest], None] | None]] = []
        self.sent: list[HttpRequest] = []

    def expect(
        self, method: str, url_end: str, answer: Answer, check: Callable[[HttpRequest], None] | None = None
    ) -> ScriptedHttp:
        """Script the next answer, to a request whose URL (without its query) ends with ``url_end``."""
        self._script.append((method, url_end, answer, check))
        return self

    def send(self, request: HttpRequest) -> requests.Response:
        method, url = request.method, request.url
        with self._lock:
            self.sent.append(request)
            assert self._script, f"nothing more is scripted, but {method} {url} came"
            expected_method, url_end, answer, check = self._script.pop(0)
        assert method == expected_method, f"expected {expected_method} {url_end}, but {method} {url} came"
        assert url.endswith(url_end), f"expected {expected_method} {url_end}, but {method} {url} came"
        if check is not None:
            check(request)
        return http_response(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            unused = [f"{method} {url_end}" for method, url_end, _, _ in self._script]
            assert unused == [], f"never asked for: {unused}"


class HeldCalls:
    """``Calls`` that run in the drainer's own thread, one per drain, oldest first.

    A drain without anything to run takes all the time it was given. ``stuck`` is a pool in which nothing answers.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.held: list[Callable[[], None]] = []
        self.stuck = False
        self.closed = False

    def submit(self, call, done, failed) -> None:
        assert not self.closed, "a call after the last"

        def run() -> None:
            try:
                result = call()
            except Exception as error:  # noqa: BLE001 - as the real ones do
                failed(error)
            else:
                done(result)

        self.held.append(run)

    def post(self, callback: Callable[[], None]) -> None:
        self.held.append(callback)

    def drain(self, timeout: float) -> bool:
        if self.stuck or not self.held:
            self._clock.advance(timeout)
            return False
        self.held.pop(self.next_one())()
        return True

    def next_one(self) -> int:
        """Return the held call that is answered next."""
        return 0

    def settle(self) -> None:
        """Answer every running call, and the calls that follow from them."""
        while self.drain(0.0):
            pass

    def close(self) -> None:
        self.closed = True
