"""Which request is which: one table from method and path to a request kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from integration_tests.simulated_org.faults import Target
from integration_tests.simulated_org.sessions import Session

_VERSION = r"/services/data/v(?P<version>\d+\.\d+)"
_JOB = _VERSION + r"/jobs/query/(?P<job>[^/]+)"
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("POST", r"/services/oauth2/token", "token"),
    ("GET POST", r"/services/oauth2/userinfo", "userinfo"),
    ("GET POST", r"/services/oauth2/revoke", "revoke"),
    ("GET", r"/id/(?P<organization>\w+)/(?P<user>\w+)", "identity"),
    ("GET", r"/services/data/?", "versions"),
    ("GET", _VERSION + r"/?", "resources"),
    ("GET", _VERSION + r"/sobjects/?", "sobjects"),
    ("GET", _VERSION + r"/sobjects/(?P<object>\w+)/describe/?", "describe"),
    ("GET", _VERSION + r"/limits/recordCount/?", "recordCount"),
    ("GET", _VERSION + r"/limits/?", "limits"),
    ("GET", _VERSION + r"/query/?", "query"),
    ("GET", _VERSION + r"/queryAll/?", "queryAll"),
    ("GET", _VERSION + r"/query(?:All)?/(?P<cursor>[\w-]+)", "queryMore"),
    ("GET", _VERSION + r"/sobjects/(?P<object>\w+)/deleted/?", "getDeleted"),
    ("GET", _VERSION + r"/sobjects/(?P<object>\w+)/updated/?", "getUpdated"),
    ("GET", _VERSION + r"/sobjects/(?P<object>\w+)/(?P<id>\w{15,18})/(?P<field>\w+)", "blob"),
    ("POST", _VERSION + r"/composite/batch/?", "compositeBatch"),
    ("POST", _VERSION + r"/jobs/query/?", "createJob"),
    ("GET", _VERSION + r"/jobs/query/?", "listJobs"),
    ("GET", _JOB + r"/?", "jobInfo"),
    ("PATCH", _JOB + r"/?", "abort"),
    ("DELETE", _JOB + r"/?", "delete"),
    ("GET", _JOB + r"/results/?", "results"),
    ("GET", _JOB + r"/result[Pp]ages/?", "resultPages"),
)
_ROUTES = [(frozenset(methods.split()), re.compile(pattern + r"\Z"), kind) for methods, pattern, kind in _TABLE]

REQUEST_KINDS = (*(kind for _, _, kind in _TABLE), "unknown")
OPEN_KINDS = frozenset({"token", "versions", "revoke", "unknown"})  # answered without a session


@dataclass(slots=True)
class Call:
    """One request on its way through the org."""

    kind: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: Target
    request: web.BaseRequest | None = None  # None for a subrequest of a batch
    session: Session | None = None
    json: Any = None
    number: int = 0  # of all requests to the server, from 1

    @property
    def address(self) -> str:
        """The path with its query, as the client sent it."""
        return self.path if self.request is None else str(self.request.rel_url)

    @property
    def version(self) -> str:
        """The API version in the path."""
        return self.parts.get("version", "")


def match(method: str, path: str) -> tuple[str, dict[str, str]]:
    """Return the request kind and the named parts of a path; a path without a resource is `unknown`.

    >>> match("GET", "/services/data/v66.0/jobs/query//750x/results")
    ('unknown', {})
    """
    for methods, pattern, kind in _ROUTES:
        found = pattern.match(path) if method in methods else None
        if found is not None:
            return kind, found.groupdict()
    return "unknown", {}
