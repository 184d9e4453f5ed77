"""Check the environment's proxies and certificates before use, so that a message can name an invalid one.

requests reads ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, and for certificates ``REQUESTS_CA_BUNDLE`` and
``CURL_CA_BUNDLE``. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, which OpenSSL and most other programs read, come after them.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from source_salesforce_bulk.salesforce.wire import printable

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", re.ASCII)
_USER = re.compile(r"(^|//)[^/]*@")


def certificates(environment: Mapping[str, str]) -> str | None:
    """Return the certificate file or folder that OpenSSL's variables name; None if they are not set."""
    return next((path for name in _CERTIFICATES if (path := environment.get(name))), None)


@functools.cache
def certificates_problem(path: str) -> str | None:
    """Return why a certificate file or folder cannot be used, with its variable; None if it can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:
        reason = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        return f"{_named(path)} is {printable(path)}, which cannot be read as a certificate file ({reason})"
    return None


def proxy_problem(proxy: str) -> str | None:
    """Return why a proxy's address cannot be used, without its password; None if it can."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")  # ignore-https-check: of a proxy
        usable = parts.scheme in _PROXY_SCHEMES and parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        usable = None
    if not usable:
        form = "http://host:port"  # ignore-https-check: a proxy's address
        return f"{_named(proxy)} is {without_password(proxy)}, which is not the address of a proxy ({form})"
    if parts.scheme.startswith("socks") and find_spec("socks") is None:
        return f"{_named(proxy)} is {without_password(proxy)}, and SOCKS proxies need the Python package PySocks"
    return None


def without_password(proxy: str) -> str:
    """Return a proxy's address without user and password.

    >>> without_password("https://user:secret@proxy.example:3128")
    'https://proxy.example:3128'
    """
    return printable(_USER.sub(r"\1", proxy))


def _named(value: str) -> str:
    """Return the environment variables that hold this value."""
    names = [name for name, known in os.environ.items() if known == value]
    return " and ".join(sorted(names)) or "A network setting"
