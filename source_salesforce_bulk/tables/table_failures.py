"""Classify the failures of a table catalog, and describe each in a sentence. Pure, and without pyiceberg itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from source_salesforce_bulk.salesforce.failures import Consequence

_PASSING = frozenset({"CommitStateUnknownException", "ServiceUnavailableError", "ServerError", "OperationalError"})
_LIBRARIES = ("pyiceberg.", "sqlalchemy.")
# A REST catalog is reached through requests, whose exceptions pyiceberg passes on.
_HTTP = "requests."
_HTTP_CONFIG = frozenset({"SSLError", "InvalidURL", "InvalidProxyURL", "InvalidHeader", "TooManyRedirects"})
_AGAIN = "Nothing is lost; run again later."
_CHECK = "Check the catalog's configuration and the permissions of this process."


class UnusableTable(Exception):
    """This program cannot write to the table. The message is a sentence."""


def table_failure(error: BaseException) -> tuple[Consequence, str] | None:
    """Return the consequence and message of an exception of the tables' libraries; None for any other."""
    kind = type(error)
    if isinstance(error, UnusableTable):
        return Consequence.CONFIG, str(error)
    if kind.__module__.startswith(_HTTP):
        passing = kind.__name__ not in _HTTP_CONFIG
        said = f"the catalog of the tables cannot be reached: {kind.__name__}{_host(error)}."
        return (Consequence.TRANSIENT if passing else Consequence.CONFIG), f"{said} {_AGAIN if passing else _CHECK}"
    if not kind.__module__.startswith(_LIBRARIES):
        return None
    words = " ".join(str(error).split("\n", 1)[0].split()).rstrip(".")
    passing = kind.__name__ in _PASSING
    said = f"the catalog of the tables refused: {kind.__name__}{f': {words}' if words else ''}."
    return (Consequence.TRANSIENT if passing else Consequence.CONFIG), f"{said} {_AGAIN if passing else _CHECK}"


def _host(error: BaseException) -> str:
    """The host of the request that failed, in words; a URL's other parts may hold secrets."""
    host = urlsplit(getattr(getattr(error, "request", None), "url", None) or "").hostname
    return f" at {host}" if host else ""
