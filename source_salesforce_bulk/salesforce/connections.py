"""HTTP connections with deadlines, without proxies for loopback addresses, whose errors name the host.

A socket's timeout limits a single read. A peer that sends a byte now and then, of a status line, a header, a ``100
Continue`` or a chunk's extension, never exceeds it, and its response never ends. So a response has deadlines:

    request sent             headers received           body received
         |----- read timeout ----->|----- body deadline ----->|

Every read of the socket gets the remaining time until the deadline, or the read timeout if that is shorter. The connect
timeout limits the connection, including a proxy's answer to CONNECT; the operating system limits a TLS handshake as one
wait. Works with urllib3 1.25 (the version in AWS Glue 5.0) and 2.

Requests to loopback addresses never use a proxy: they may be unencrypted, and the proxy is another machine.
"""

from __future__ import annotations

import errno
import http.client
import io
import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from source_salesforce_bulk.salesforce.network_settings import certificates_problem, proxy_problem, without_password
from source_salesforce_bulk.salesforce.oauth import is_loopback
from source_salesforce_bulk.salesforce.wire import ProxyRefused, UnusableSetting

_HOSTS = 10
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})\b")  # http.client's message
_IDLE, _BETWEEN, _PROBES = 60, 10, 6

Monotonic = Callable[[], float]


class DeadlineAdapter(HTTPAdapter):
    """A pool of up to ``connections`` persistent connections per host, with the deadlines above. Does not retry.

    Adds a note with the host and the proxy to every exception. Raises ``UnusableSetting`` if the proxy or the
    certificates of the environment cannot be used, and ``ProxyRefused``.
    """

    def __init__(self, connections: int, monotonic: Monotonic = time.monotonic) -> None:
        self._pools = {
            "http": partial(_pool, HTTPConnectionPool, partial(_TimedConnection, monotonic=monotonic)),
            "https": partial(_pool, HTTPSConnectionPool, partial(_TimedTlsConnection, monotonic=monotonic)),
        }
        super().__init__(_HOSTS, connections)

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        """See the base class."""
        super().init_poolmanager(*args, socket_options=_keep_alive(), **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> Any:
        """See the base class."""
        manager: Any = super().proxy_manager_for(proxy, socket_options=_keep_alive(), **keywords)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """See the base class."""
        url = request.url or ""
        host = urlsplit(url).hostname
        proxy = None if is_loopback(host) else select_proxy(url, proxies)
        problem = (proxy and proxy_problem(proxy)) or (isinstance(verify, str) and certificates_problem(verify))
        if problem:
            raise UnusableSetting(problem)
        try:
            return super().send(request, stream, timeout, verify, cert, proxies if proxy else {})
        except Exception as error:
            refusal = _TUNNEL_REFUSED.search(str(error)) if isinstance(error, requests.exceptions.ProxyError) else None
            if refusal is not None:
                raise ProxyRefused(without_password(proxy or ""), host or "", int(refusal[1])) from error
            error.add_note(f"host {host}, proxy {without_password(proxy)}" if proxy else f"host {host}")
            raise


def limit_body(response: requests.Response, seconds: float) -> None:
    """Limit the time for the rest of a response of a :class:`DeadlineAdapter` to ``seconds`` from now."""
    original = getattr(response.raw, "_original_response", None)
    if isinstance(original, _TimedResponse):
        original.limit(seconds)


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline, which is initially one read timeout of the socket from now."""

    def __init__(self, sock: socket.socket, monotonic: Monotonic) -> None:
        super().__init__()
        self._sock = sock
        self._monotonic = monotonic
        self._pause = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)
        self._until: float | None = None
        if self._pause is not None:
            self.limit(self._pause)

    def limit(self, seconds: float) -> None:
        """Set the deadline to ``seconds`` from now."""
        self._until = self._monotonic() + seconds

    def readinto(self, buffer: Any) -> int | None:
        """See ``io.RawIOBase``; raises TimeoutError once the deadline has passed."""
        if self._until is not None:
            left = self._until - self._monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "the response was not complete in time")
            self._sock.settimeout(min(left, self._pause or left))
        return self._raw.readinto(buffer)

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def fileno(self) -> int:
        """See ``io.RawIOBase``."""
        return self._raw.fileno()

    def close(self) -> None:
        """Release the socket without closing it: the connection may still use it."""
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """A response that is read through a :class:`_TimedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, monotonic: Monotonic, **keywords: Any) -> None:
        super().__init__(sock, *args, **keywords)
        self._reader = _TimedReader(sock, monotonic)
        untimed, self.fp = self.fp, io.BufferedReader(self._reader)
        untimed.close()

    def limit(self, seconds: float) -> None:
        """See :func:`limit_body`."""
        self._reader.limit(seconds)


class _Timed:
    """Mixin for a connection whose responses have deadlines."""

    def __init__(self, *args: Any, monotonic: Monotonic, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        connection: Any = self
        connection.response_class = partial(_TimedResponse, monotonic=monotonic)

    def putrequest(self, *args: Any, **keywords: Any) -> None:
        """See http.client. Clears the deadline of the previous response."""
        connection: Any = self
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        super().putrequest(*args, **keywords)  # type: ignore[misc]  # defined by the other base class


class _TimedConnection(_Timed, HTTPConnection):
    """Without TLS."""


class _TimedTlsConnection(_Timed, HTTPSConnection):
    """With TLS."""


def _pool(kind: Callable[..., Any], connection: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    pool = kind(*args, **keywords)
    pool.ConnectionCls = connection
    return pool


def _keep_alive() -> list[tuple[int, int, int]]:
    """Return socket options for keep-alive probes, which detect a lost peer and keep firewall state alive."""
    return [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *(
            (socket.IPPROTO_TCP, getattr(socket, name), value)
            for name, value in (("TCP_KEEPIDLE", _IDLE), ("TCP_KEEPINTVL", _BETWEEN), ("TCP_KEEPCNT", _PROBES))
            if hasattr(socket, name)
        ),
    ]
