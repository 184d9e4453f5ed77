from __future__ import annotations

import builtins
import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests
import urllib3

from source_salesforce_bulk.salesforce import exception_kinds
from source_salesforce_bulk.salesforce.failures import Kind, classify_exception
from source_salesforce_bulk.salesforce.wire import Operation, ProxyRefused, UnusableSetting


@dataclass
class Raised:
    name: str
    error: BaseException
    expected: dict[Operation, Kind]


def connection_error(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/x", reason))  # type: ignore[arg-type]


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def new_connection_error(cause: OSError) -> Exception:
    return caused(urllib3.exceptions.NewConnectionError(None, f"Failed: {cause}"), cause)  # type: ignore[arg-type]


CREATE, RESULTS, QUERY, TOKEN = Operation.CREATE_JOB, Operation.RESULTS, Operation.QUERY, Operation.TOKEN
EVERYWHERE: Callable[[Kind], dict[Operation, Kind]] = lambda kind: dict.fromkeys((CREATE, RESULTS, QUERY, TOKEN), kind)  # noqa: E731
IN_DOUBT = {CREATE: Kind.ANSWER_LOST, RESULTS: Kind.CONNECTION, QUERY: Kind.CONNECTION, TOKEN: Kind.CONNECTION}
BROKEN = {CREATE: Kind.ANSWER_LOST, RESULTS: Kind.BODY_BROKEN, QUERY: Kind.CONNECTION, TOKEN: Kind.CONNECTION}

RAISED = [
    Raised(
        "refused",
        connection_error(new_connection_error(ConnectionRefusedError(111, "Connection refused"))),
        EVERYWHERE(Kind.CONNECTION),
    ),
    Raised("connect timeout", requests.ConnectTimeout("x"), EVERYWHERE(Kind.CONNECTION)),
    Raised(
        "proxy",
        requests.exceptions.ProxyError(
            urllib3.exceptions.MaxRetryError(
                None,  # type: ignore[arg-type]
                "/x",
                urllib3.exceptions.ProxyError("Cannot connect", OSError("Tunnel connection failed: 503")),
            )
        ),
        EVERYWHERE(Kind.PROXY_UNREACHABLE),
    ),
    Raised(
        "no such proxy",
        requests.exceptions.ProxyError(
            urllib3.exceptions.MaxRetryError(
                None,  # type: ignore[arg-type]
                "/x",
                urllib3.exceptions.ProxyError("Cannot connect", socket.gaierror(socket.EAI_NONAME, "not known")),
            )
        ),
        EVERYWHERE(Kind.PROXY_UNREACHABLE),
    ),
    Raised(
        "no such host",
        connection_error(new_connection_error(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))),
        {**EVERYWHERE(Kind.CONNECTION), TOKEN: Kind.HOST_NOT_FOUND},
    ),
    Raised(
        "name server asleep",
        connection_error(new_connection_error(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))),
        EVERYWHERE(Kind.CONNECTION),
    ),
    Raised(
        "certificate",
        requests.exceptions.SSLError(
            urllib3.exceptions.MaxRetryError(
                None,  # type: ignore[arg-type]
                "/x",
                urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate verify failed")),
            )
        ),
        EVERYWHERE(Kind.CERTIFICATE_REFUSED),
    ),
    Raised("too many open files", requests.ConnectionError(OSError(24, "x")), EVERYWHERE(Kind.TOO_MANY_FILES)),
    Raised("the system's files", OSError(23, "Too many open files in system"), EVERYWHERE(Kind.TOO_MANY_FILES)),
    Raised("a bad setting", UnusableSetting("HTTPS_PROXY is x"), EVERYWHERE(Kind.NETWORK_SETTING)),
    Raised("proxy wants a password", ProxyRefused("http://p", "acme", 407), EVERYWHERE(Kind.PROXY_REFUSED)),
    Raised("proxy cannot reach it", ProxyRefused("http://p", "acme", 502), EVERYWHERE(Kind.CONNECTION)),
    Raised("tls breaks", requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred")), IN_DOUBT),
    Raised("read timeout", requests.ReadTimeout("x"), IN_DOUBT),
    Raised(
        "reset before the answer",
        requests.ConnectionError(
            urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset"))
        ),
        IN_DOUBT,
    ),
    Raised(
        "kept-alive connection gone",
        requests.ConnectionError(
            urllib3.exceptions.ProtocolError("Connection aborted.", http.client.RemoteDisconnected("closed"))
        ),
        IN_DOUBT,
    ),
    Raised("broken chunks", requests.exceptions.ChunkedEncodingError("x"), BROKEN),
    Raised(
        "broken body", urllib3.exceptions.ProtocolError("Connection broken", http.client.IncompleteRead(b"")), BROKEN
    ),
    Raised("short body", urllib3.exceptions.IncompleteRead(905, 119), BROKEN),
    Raised("bare short body", http.client.IncompleteRead(b""), BROKEN),
    Raised("stalled body", urllib3.exceptions.ReadTimeoutError(None, "/x", "Read timed out."), BROKEN),  # type: ignore[arg-type]
    Raised("reset", ConnectionResetError(104, "Connection reset by peer"), IN_DOUBT),
    Raised(
        "bad address",
        requests.exceptions.InvalidURL("x"),
        {**EVERYWHERE(Kind.UNEXPECTED), TOKEN: Kind.WRONG_LOGIN_HOST},
    ),
    Raised("a bug", KeyError("x"), EVERYWHERE(Kind.UNEXPECTED)),
    Raised("interrupt", KeyboardInterrupt(), EVERYWHERE(Kind.UNEXPECTED)),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: raised.name)
def test_an_exception_means_what_it_says_about_the_request(raised):
    assert {op: classify_exception(op, raised.error).kind for op in raised.expected} == raised.expected


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: raised.name)
@pytest.mark.parametrize("operation", Operation)
def test_every_exception_has_a_meaning_for_every_operation(raised, operation):
    failure = classify_exception(operation, raised.error)
    assert failure.summary.isprintable()
    assert failure.summary.endswith((".", "…", "!", "?"))


def test_an_exceptions_own_text_is_not_shown():
    error = connection_error(new_connection_error(ConnectionRefusedError(111, "Connection refused")))
    error.args = (*error.args, "https://acme.my.salesforce.com/?q=SELECT secret")
    summary = classify_exception(QUERY, error).summary
    assert "Connection refused" in summary
    assert "secret" not in summary


def test_an_exception_that_contains_itself_ends():
    loop = OSError("x")
    loop.__cause__ = caused(OSError("y"), loop)
    assert classify_exception(QUERY, loop).kind is Kind.CONNECTION


def test_every_class_name_exists_in_a_library():
    """A misspelt name would never match and never fail."""
    libraries = (requests.exceptions, urllib3.exceptions, http.client, builtins, socket, ssl)
    tables = ("_CERTIFICATE", "_BAD_ADDRESS", "_NEVER_SENT", "_BROKE_OFF", "_NETWORK")
    names = {name for table in tables for name in getattr(exception_kinds, table)}
    assert [name for name in names if not any(hasattr(library, name) for library in libraries)] == []
