"""Classify an exception of a request by the names of its classes.

This module imports no HTTP library, because it has to classify the exceptions of requests, urllib3 1.25 and 2,
http.client and the CDK's wrappers alike. A test looks up every name in its library.
"""

from __future__ import annotations

from collections.abc import Iterator

from source_salesforce_bulk.salesforce.error_bodies import QUOTE_LENGTH, one_line
from source_salesforce_bulk.salesforce.failure_kinds import TOO_MANY_OPEN, Kind
from source_salesforce_bulk.salesforce.wire import Operation, ProxyRefused, UnusableSetting

_CERTIFICATE = frozenset({"SSLCertVerificationError", "CertificateError"})
_BAD_ADDRESS = frozenset({"InvalidURL", "MissingSchema", "InvalidSchema", "LocationParseError"})
_NEVER_SENT = frozenset(
    {"ConnectTimeout", "ConnectTimeoutError", "NewConnectionError", "ConnectionRefusedError", "gaierror"}
)
_BROKE_OFF = frozenset(
    {
        "ChunkedEncodingError",
        "ContentDecodingError",
        "ProtocolError",
        "ReadTimeoutError",
        "DecodeError",
        "HTTPException",
    }
)
_NETWORK = frozenset({"OSError", "HTTPError", "RequestException", "HTTPException", "EOFError"})
# getaddrinfo's "no such host" (EAI_NONAME, EAI_NODATA) on Linux, macOS and Windows. EAI_AGAIN is temporary.
_NO_SUCH_HOST = frozenset({-2, -5, 8, 11001, 11004})
# Statuses of a proxy that temporarily cannot reach the host or is overloaded. Any other status is a refusal.
_PROXY_IN_TROUBLE = frozenset({408, 425, 429, 500, 502, 503, 504})


def exception_kind(operation: Operation, error: BaseException) -> Kind:
    """Return the kind of an exception that a request of this operation raised.

    For a create request it matters whether the request may have been sent: without a connection, no job can have been
    created; after any later failure, one may exist.
    """
    if not isinstance(error, Exception):
        return Kind.UNEXPECTED
    if isinstance(error, UnusableSetting):
        return Kind.NETWORK_SETTING
    if isinstance(error, ProxyRefused):
        return Kind.CONNECTION if error.status in _PROXY_IN_TROUBLE else Kind.PROXY_REFUSED
    chain = list(_chain(error))
    if any(isinstance(link, OSError) and link.errno in TOO_MANY_OPEN for link in chain):
        return Kind.TOO_MANY_FILES
    names = frozenset(cls.__name__ for link in chain for cls in type(link).__mro__)
    first = frozenset(cls.__name__ for cls in type(error).__mro__)
    if first & _BAD_ADDRESS:
        return Kind.WRONG_LOGIN_HOST if operation is Operation.TOKEN else Kind.UNEXPECTED
    if names & _CERTIFICATE:
        return Kind.CERTIFICATE_REFUSED
    if "ProxyError" in names:
        return Kind.PROXY_UNREACHABLE
    if operation is Operation.TOKEN and _unknown_host(chain):
        return Kind.HOST_NOT_FOUND
    if names & _NEVER_SENT:
        return Kind.CONNECTION
    if operation is Operation.RESULTS and first & _BROKE_OFF:
        return Kind.BODY_BROKEN
    if first & _NETWORK:
        return Kind.ANSWER_LOST if operation is Operation.CREATE_JOB else Kind.CONNECTION
    return Kind.UNEXPECTED


def _unknown_host(chain: list[BaseException]) -> bool:
    return any(type(link).__name__ == "gaierror" and getattr(link, "errno", None) in _NO_SUCH_HOST for link in chain)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all its causes; requests and urllib3 also keep them in ``args`` and ``reason``."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]


def exception_words(error: BaseException) -> str:
    """Return the exception's class, the operating system's message, and the notes, which may name the host.

    Its own text is left out, because it may contain URLs and queries.
    """
    if isinstance(error, (ProxyRefused, UnusableSetting)):
        return one_line(str(error), QUOTE_LENGTH)
    chain = list(_chain(error))
    last = chain[-1]
    outer, inner = type(chain[0]).__name__, type(last).__name__
    words = getattr(last, "strerror", None) if isinstance(last, OSError) else None
    named = outer if outer == inner else f"{outer}, {inner}"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return one_line((f"{named}: {words}" if isinstance(words, str) else named) + notes, QUOTE_LENGTH)
