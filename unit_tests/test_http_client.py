"""The HTTP client over a real socket, because the library's reading of the socket is what can break."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.salesforce.failures import Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import (
    MAX_BODIES,
    MAX_ERROR_BODY,
    Body,
    Http,
    HttpRequest,
    RequestsHttp,
    Timeouts,
)
from source_salesforce_bulk.salesforce.wire import Operation
from unit_tests.fakes import FakeClock

PAGE = gzip.compress(b'"Id"\n' + b'"001000000000001AAA"\n' * 5000)

BOMB = gzip.compress(b"[" + bytes(1 << 26))
"""64 MiB in 64 KiB."""


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts connections."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        type(self).connections += 1

    def log_message(self, *args):
        pass

    def do_GET(self):
        getattr(self, "answer_" + self.path.strip("/").split("?")[0])()

    def begin(self, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def answer_length(self):
        self.begin(("Content-Length", str(len(PAGE))), ("Content-Encoding", "gzip"))
        self.wfile.write(PAGE)

    def answer_chunked(self):
        self.begin(("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip"))
        for start in range(0, len(PAGE), 100):
            self.write_chunk(PAGE[start : start + 100])
        self.wfile.write(b"0\r\n\r\n")

    def answer_members(self):
        members = gzip.compress(b"[1, ") + gzip.compress(b"2]")
        self.begin(("Content-Length", str(len(members))), ("Content-Encoding", "gzip"))
        self.wfile.write(members)

    def answer_bomb(self):
        self.send_gzip(BOMB)

    def answer_bomb_of_parts(self):
        self.send_gzip(gzip.compress(b"") * 5000)

    def answer_error_bomb(self):
        self.send_gzip(BOMB, status=500)

    def answer_long(self):
        self.begin(("Content-Length", str(1 << 21)))
        self.wfile.write(bytes(1 << 21))

    def send_gzip(self, body: bytes, status: int = 200) -> None:
        self.begin(("Content-Length", str(len(body))), ("Content-Encoding", "gzip"), status=status)
        self.wfile.write(body)

    def answer_short_length(self):
        self.begin(("Content-Length", str(len(PAGE) + 1)))
        self.wfile.write(PAGE)
        self.close_connection = True

    def answer_cut_chunk(self):
        self.begin(("Transfer-Encoding", "chunked"))
        self.wfile.write(b"400\r\nonly this")
        self.close_connection = True

    def answer_missing_chunk(self):
        self.begin(("Transfer-Encoding", "chunked"))
        self.write_chunk(b"whole")
        self.close_connection = True

    def answer_bad_chunk(self):
        self.begin(("Transfer-Encoding", "chunked"))
        self.write_chunk(b"whole")
        self.wfile.write(b"Jane Doe\r\n")
        self.close_connection = True

    def answer_until_close(self):
        self.begin(("Connection", "close"))
        self.wfile.write(PAGE)
        self.close_connection = True

    def answer_redirect(self):
        self.begin(("Location", "/length"), ("Content-Length", "5"), status=302)
        self.wfile.write(b"moved")

    def answer_cookie(self):
        text = self.headers.get("Cookie", "none").encode()
        self.begin(("Set-Cookie", "BrowserId=x; Path=/"), ("Content-Length", str(len(text))))
        self.wfile.write(text)

    def answer_stall(self):
        self.begin(("Content-Length", "10"))
        self.wfile.write(b"half")
        self.wfile.flush()
        self.server.stalled.wait(10)

    def write_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class Server:
    def __init__(self) -> None:
        self.handler = type("CountingHandler", (Handler,), {"connections": 0})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.stalled = threading.Event()
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.stalled.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(params=[RequestsHttp, CdkHttp])
def http(request) -> Http:
    return request.param(4)


@pytest.fixture
def get(server: Server, http: Http) -> Callable[..., Body]:
    def open_body(path: str, operation: Operation = Operation.RESULTS, read_timeout: float = 10.0) -> Body:
        url = f"http://127.0.0.1:{server.server.server_port}/{path}"
        timeouts = Timeouts(10.0, read_timeout, 10.0)
        response = http.send(HttpRequest("GET", url, timeouts, {"Accept-Encoding": "gzip"}))
        return Body(operation, response, FakeClock(), lambda body: None)

    return open_body


@pytest.mark.parametrize("path", ["length", "chunked", "until_close"])
def test_a_body_arrives_as_it_is_on_the_wire(get, path):
    with get(path) as body:
        pieces = list(body.chunks(300))
    assert b"".join(pieces) == PAGE
    assert max(map(len, pieces)) <= 300
    assert body.received == len(PAGE)


@pytest.mark.parametrize("path", ["length", "chunked"])
def test_a_connection_whose_body_was_read_is_used_again(get, server, path):
    for _ in range(3):
        with get(path) as body:
            list(body.chunks(1 << 16))
    assert server.handler.connections == 1


def test_a_connection_whose_body_was_not_read_is_given_up(get, server):
    for _ in range(2):
        with get("chunked") as body:
            next(body.chunks(10))
    assert server.handler.connections == 2


@pytest.mark.parametrize("path", ["short_length", "cut_chunk", "missing_chunk", "bad_chunk"])
def test_a_body_that_ends_early_is_broken(get, path):
    with get(path) as body, pytest.raises(SalesforceError) as raised:
        list(body.chunks(1 << 16))
    assert raised.value.failure.kind is Kind.BODY_BROKEN
    assert "Jane" not in str(raised.value)


def test_a_body_that_stalls_is_broken(get):
    with get("stall", read_timeout=0.05) as body, pytest.raises(SalesforceError) as raised:
        list(body.chunks(1 << 16))
    assert raised.value.failure.kind is Kind.BODY_BROKEN


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (Operation.CREATE_JOB, Kind.ANSWER_LOST),
        (Operation.JOB_INFO, Kind.CONNECTION),
        (Operation.TOKEN, Kind.CONNECTION),
    ],
)
def test_a_broken_body_means_what_it_means_for_the_operation(get, operation, kind):
    with get("short_length", operation) as body, pytest.raises(SalesforceError) as raised:
        body.read_whole()
    assert raised.value.failure.kind is kind


def test_a_whole_answer_is_decoded(get):
    for path in ("length", "chunked"):
        with get(path, Operation.JOB_INFO) as body:
            assert body.read_whole().body == gzip.decompress(PAGE)


def test_gzip_may_come_in_several_members(get):
    with get("members", Operation.JOB_INFO) as body:
        assert body.read_whole().body == b"[1, 2]"


@pytest.mark.parametrize("path", ["bomb", "long"])
def test_an_answer_longer_than_its_operation_has_reason_for_is_refused_in_little_memory(get, path):
    with get(path, Operation.JOB_INFO) as body:
        tracemalloc.start()
        with pytest.raises(SalesforceError, match="longer than 1,048,576 bytes"):
            body.read_whole()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1 << 24


def test_a_gzip_encoding_of_thousands_of_parts_is_refused(get):
    with get("bomb_of_parts", Operation.DESCRIBE) as body, pytest.raises(SalesforceError, match="too many parts"):
        body.read_whole()


def test_an_error_is_decoded_no_further_than_it_is_read(get):
    with get("error_bomb", Operation.JOB_INFO) as body:
        assert len(body.read_error().body) == MAX_ERROR_BODY


def test_every_operation_has_a_bound():
    assert set(MAX_BODIES) == set(Operation)
    assert max(MAX_BODIES.values()) <= 1 << 26


def test_cookies_are_not_kept(get):
    for _ in range(2):
        with get("cookie") as body:
            assert b"".join(body.chunks(100)) == b"none"


def test_redirects_are_not_followed(get):
    with get("redirect") as body:
        assert (body.status, body.headers["location"]) == (302, "/length")
        assert body.read_error().body == b"moved"


def test_what_is_left_of_an_errors_broken_body_is_enough(get):
    with get("cut_chunk", Operation.JOB_INFO) as body:
        assert body.read_error().body in (b"only this", b"")


def test_a_result_page_is_given_up_before_salesforce_cuts_it_and_anything_else_sooner():
    cut = 20 * 60
    long = (Operation.RESULTS, Operation.BLOB)
    assert cut / 2 < Timeouts.of(Operation.RESULTS).body < cut
    assert all(Timeouts.of(operation).body <= 300 for operation in Operation if operation not in long)


def test_no_repr_of_a_request_shows_its_secrets():
    request = HttpRequest("POST", "https://x", Timeouts(1, 1, 1), {"Authorization": "S3CRET"}, form={"x": "S3CRET"})
    assert "S3CRET" not in repr(request)
