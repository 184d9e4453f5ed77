"""Connections over real sockets of this machine. No test waits: the deadlines are read from the test's own clock."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Kind, SalesforceError, classify_exception
from source_salesforce_bulk.salesforce.http_client import SEND_ERRORS, Body, HttpRequest, RequestsHttp, Timeouts
from source_salesforce_bulk.salesforce.wire import Operation
from unit_tests.fakes import FakeClock

DRIPS = 3000
"""Bytes after which a server that drips gives up: far more than any test lets it send."""
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peer:
    """A server of one connection at a time, which reads the head of each request and then does as it was told."""

    def __init__(self, answer: Callable[[Peer, bytes], None], tls: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(10)
        self.port = self._listening.getsockname()[1]
        self.connection: socket.socket | None = None
        self.heads: list[bytes] = []
        self.sent = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def drip(self, data: bytes) -> None:
        """Send ``data`` again and again, a byte at a time."""
        for number in itertools.cycle(data):
            if self.sent > DRIPS or self._over.wait(0.001):
                return
            self.write(bytes([number]))

    def _serve(self) -> None:
        try:
            while not self._over.is_set():
                self.connection, _ = self._listening.accept()
                self.connection.settimeout(10)
                if self._tls is not None:
                    self.connection = self._tls.wrap_socket(self.connection, server_side=True)
                with self.connection:
                    while head := self._head():
                        self.heads.append(head)
                        self._answer(self, head)
        except OSError:
            pass

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.connection.recv(1)
            if not piece:
                return b""
            head += piece
        return head

    def stop(self) -> None:
        """End every wait of the server, and the server."""
        self._over.set()
        with suppress(OSError, AttributeError):
            self.connection.shutdown(socket.SHUT_RDWR)
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._thread.join(15)
        self._listening.close()
        assert not self._thread.is_alive()


@contextmanager
def peer(answer: Callable[[Peer, bytes], None], tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    server = Peer(answer, tls)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=[RequestsHttp, CdkHttp])
def make_http(request):
    """Makes the two HTTP clients, with a clock that advances by a second at each call."""
    return lambda step=1.0: request.param(4, itertools.count(0, step).__next__)


def ask(http, port: int, operation: Operation = Operation.JOB_INFO, host: str = "127.0.0.1") -> Body:
    request = HttpRequest("GET", f"http://{host}:{port}/x", Timeouts(10.0, 20.0, 30.0), {"Accept-Encoding": "gzip"})
    try:
        return Body(operation, http.send(request), FakeClock(), lambda _: None)
    except SEND_ERRORS as error:
        raise SalesforceError(classify_exception(operation, error)) from error


# An answer that never comes to its end


DRIPPED_HEADS = {
    "status line": lambda it, _: it.drip(b"H"),
    "header": lambda it, _: (it.write(b"HTTP/1.1 200 OK\r\nX-Slow: "), it.drip(b"y")),
    "many headers": lambda it, _: (it.write(b"HTTP/1.1 200 OK\r\n"), it.drip(b"A: b\r\n")),
    "100 continue": lambda it, _: it.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "header of a 100 continue": lambda it, _: (it.write(b"HTTP/1.1 100 Continue\r\nX-Slow: "), it.drip(b"y")),
}


@pytest.mark.parametrize("name", DRIPPED_HEADS)
@pytest.mark.parametrize(
    ("operation", "kind"), [(Operation.JOB_INFO, Kind.CONNECTION), (Operation.CREATE_JOB, Kind.ANSWER_LOST)]
)
def test_a_head_that_drips_is_given_up_after_the_read_timeout_in_all(make_http, name, operation, kind):
    with peer(DRIPPED_HEADS[name]) as server:
        with pytest.raises(SalesforceError) as raised:
            ask(make_http(), server.port, operation)
        assert raised.value.failure.kind is kind
        assert "(host 127.0.0.1)" in raised.value.failure.summary
        assert server.sent < DRIPS


DRIPPED_BODIES = {
    "body": lambda it, _: (it.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), it.drip(b"x")),
    "body to the end of the connection": lambda it, _: (it.write(b"HTTP/1.0 200 OK\r\n\r\n"), it.drip(b"x")),
    "chunk size": lambda it, _: (it.write(HEAD), it.drip(b"0")),
    "chunk extension": lambda it, _: (it.write(HEAD + b"5;x="), it.drip(b"y")),
    "chunks of one byte": lambda it, _: (it.write(HEAD), it.drip(b"1\r\nx\r\n")),
    "trailer": lambda it, _: (it.write(HEAD + b"1\r\nx\r\n0\r\nX-Slow: "), it.drip(b"y")),
}


@pytest.mark.parametrize("name", DRIPPED_BODIES)
def test_a_body_that_drips_is_given_up_at_its_deadline(make_http, name):
    with peer(DRIPPED_BODIES[name]) as server:
        body = ask(make_http(), server.port, Operation.RESULTS)
        with body, pytest.raises(SalesforceError) as raised:
            for _ in body.chunks(1 << 16):
                pass
        assert raised.value.failure.kind is Kind.BODY_BROKEN
        assert "not complete in time" in raised.value.failure.summary
        assert server.sent < DRIPS


def test_a_proxy_that_drips_its_answer_to_connect_is_given_up(make_http, monkeypatch):
    with peer(lambda it, _: it.drip(b"H")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        request = HttpRequest("GET", "https://acme.my.salesforce.com/x", Timeouts(10.0, 20.0, 30.0), {})
        with pytest.raises(requests.RequestException) as raised:
            make_http().send(request)
        assert classify_exception(Operation.JOB_INFO, raised.value).kind is Kind.CONNECTION
        assert proxy.sent < DRIPS


def test_an_answer_in_many_pieces_is_read_as_long_as_it_is_in_time(make_http):
    def answer(it: Peer, _: bytes) -> None:
        it.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\n", b"wh", b"ole"):
            it.write(piece)

    with peer(answer) as server, ask(make_http(0.1), server.port) as body:
        assert body.read_whole().body == b"whol"


def test_what_was_left_of_one_answers_time_is_no_bound_for_the_next_request(make_http):
    def answer(it: Peer, _: bytes) -> None:
        it.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    http = make_http(4.0)
    with peer(answer) as server:
        for _ in range(6):
            with ask(http, server.port) as body:
                assert body.read_whole().body == b"{}"
        assert len(server.heads) == 6


# Proxies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_request_to_this_machine_uses_no_proxy(make_http, monkeypatch, host, variable):
    def answer(it: Peer, _: bytes) -> None:
        it.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with peer(answer) as org, peer(answer) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        with ask(make_http(), org.port, host=host) as body:
            assert body.read_whole().body == b"{}"
        assert (len(org.heads), proxy.heads) == (1, [])


def through_proxy(http, monkeypatch, proxy: str, operation: Operation = Operation.TOKEN):
    """The failure of a request to Salesforce through a proxy."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    request = HttpRequest("GET", "https://acme.my.salesforce.com/x", Timeouts(10.0, 20.0, 30.0), {})
    with pytest.raises(SEND_ERRORS) as raised:
        http.send(request)
    return classify_exception(operation, raised.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 501])
@pytest.mark.parametrize("operation", [Operation.TOKEN, Operation.CREATE_JOB, Operation.RESULTS])
def test_a_proxy_that_refuses_is_the_users_to_correct(make_http, monkeypatch, status, operation):
    with peer(lambda it, _: it.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)) as server:
        proxy = f"http://user:S3CRET@127.0.0.1:{server.port}"
        failure = through_proxy(make_http(), monkeypatch, proxy, operation)
    assert (failure.kind, failure.consequence) == (Kind.PROXY_REFUSED, Consequence.CONFIG)
    said = f"the proxy http://127.0.0.1:{server.port} answered {status} when asked for acme.my.salesforce.com"
    assert said in failure.summary
    assert "S3CRET" not in str(failure)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_in_trouble_is_tried_again(make_http, monkeypatch, status):
    with peer(lambda it, _: it.write(b"HTTP/1.1 %d Wait\r\nContent-Length: 0\r\n\r\n" % status)) as server:
        failure = through_proxy(make_http(), monkeypatch, f"http://127.0.0.1:{server.port}")
    assert (failure.kind, failure.action) == (Kind.CONNECTION, Action.RETRY)
    assert f"answered {status}" in failure.summary


def test_a_proxy_that_is_not_there_is_named_with_the_host(make_http, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    failure = through_proxy(make_http(), monkeypatch, f"http://user:S3CRET@127.0.0.1:{port}")
    assert (failure.kind, failure.action) == (Kind.PROXY_UNREACHABLE, Action.RETRY)
    assert f"(host acme.my.salesforce.com, proxy http://127.0.0.1:{port})" in failure.summary
    assert "S3CRET" not in str(failure)


@pytest.mark.parametrize("proxy", ["http://", "ftp://proxy:21", "http://proxy:port", "http://u:S3CRET@pro xy:3128"])
def test_an_address_that_is_no_proxys_names_the_variable_and_not_the_login_url(make_http, monkeypatch, proxy):
    failure = through_proxy(make_http(), monkeypatch, proxy)
    assert (failure.kind, failure.action) == (Kind.NETWORK_SETTING, Action.STOP_RUN)
    assert "HTTPS_PROXY is " in failure.summary
    assert "S3CRET" not in str(failure)
    assert "login_url" not in failure.guidance


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A file with a certificate for localhost that no one has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_certificates_of_the_environment_are_trusted(make_http, monkeypatch, certificate, tls, variable):
    monkeypatch.setenv(variable, str(certificate))
    with peer(lambda it, _: it.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), tls) as server:
        request = HttpRequest("GET", f"https://localhost:{server.port}/x", Timeouts(10.0, 20.0, 30.0), {})
        assert make_http().send(request).content == b"{}"


def test_the_certificates_of_requests_variable_come_before_openssls(make_http, monkeypatch, tmp_path, certificate, tls):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    test_the_certificates_of_the_environment_are_trusted(make_http, monkeypatch, certificate, tls, "CURL_CA_BUNDLE")


def test_an_answer_over_tls_has_the_same_deadlines(make_http, monkeypatch, certificate, tls):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with peer(DRIPPED_HEADS["header"], tls) as server:
        request = HttpRequest("GET", f"https://localhost:{server.port}/x", Timeouts(10.0, 20.0, 30.0), {})
        with pytest.raises(requests.ReadTimeout):
            make_http().send(request)
        assert server.sent < DRIPS


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, b"", b"not PEM", b"\xff\xfe"])
def test_certificates_that_cannot_be_read_are_the_users_to_correct(make_http, monkeypatch, tmp_path, variable, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(path))
    request = HttpRequest("POST", "https://127.0.0.1:9/x", Timeouts(10.0, 20.0, 30.0), {})
    with pytest.raises(SEND_ERRORS) as raised:
        make_http().send(request)
    failure = classify_exception(Operation.TOKEN, raised.value)
    assert (failure.kind, failure.consequence) == (Kind.NETWORK_SETTING, Consequence.CONFIG)
    assert f"{variable} is {path}" in failure.summary
