"""Use the CDK's ``HttpClient`` as this package's ``Http``: the Airbyte connector sends every request through it.

Its error handling is switched off. Retries belong to ``salesforce.transport`` and ``salesforce.token``, so every
response counts as a success here, and every exception of requests is passed on unchanged. Its debug log, which would
contain tokens, forms and responses, is never written, regardless of the log level.

Does not retry.
"""

from __future__ import annotations

import logging
import threading
import time

import requests
from airbyte_cdk.sources.streams.call_rate import APIBudget, LimiterSession
from airbyte_cdk.sources.streams.http import HttpClient
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution, ResponseAction

from source_salesforce_bulk.salesforce.connections import DeadlineAdapter, Monotonic, limit_body
from source_salesforce_bulk.salesforce.http_client import HttpRequest, prepare_session

_SUCCESS = ErrorResolution(ResponseAction.SUCCESS)


class CdkHttp:
    """One ``HttpClient`` for all threads, with up to ``connections`` persistent connections per host."""

    def __init__(self, connections: int, monotonic: Monotonic = time.monotonic) -> None:
        session = LimiterSession(api_budget=APIBudget(policies=[]))
        self._raised = _Raised()
        self._client = HttpClient(
            name="salesforce",
            logger=_QuietLogger("salesforce_bulk.http"),
            error_handler=self._raised,
            session=prepare_session(session, DeadlineAdapter(connections, monotonic)),
            disable_retries=True,
        )

    def send(self, request: HttpRequest) -> requests.Response:
        """See ``salesforce.http_client.Http``."""
        self._raised.clear()
        timeout = (request.timeouts.connect, request.timeouts.head)
        _, response = self._client.send_request(
            http_method=request.method,
            url=request.url,
            request_kwargs={"stream": True, "timeout": timeout, "allow_redirects": False},
            headers=request.headers,
            params=request.params,
            json=request.json,
            data=request.form,
        )
        error = self._raised.take()
        if error is not None:
            raise error
        limit_body(response, request.timeouts.body)
        return response


class _Raised(ErrorHandler):
    """Treats everything as a success, and stores an exception for the thread that caused it.

    Raising an exception here, or a failing resolution, would trigger the CDK's backoff and logging, and would keep the
    request with its token in the client's table of attempts. The client calls this in the sending thread.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def max_retries(self) -> int:
        """No retries."""
        return 0

    @property
    def max_time(self) -> int:
        """No waiting."""
        return 0

    def interpret_response(self, response: requests.Response | Exception | None) -> ErrorResolution:
        """See the class."""
        if isinstance(response, Exception):
            self._local.error = response
        return _SUCCESS

    def clear(self) -> None:
        """Forget this thread's exception."""
        self._local.error = None

    def take(self) -> Exception | None:
        """Return this thread's exception and forget it; None if there was a response."""
        error: Exception | None = self._local.error
        self._local.error = None
        return error


class _QuietLogger(logging.Logger):
    """A logger that is never in debug mode; the CDK asks it before it formats headers and bodies."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parent = logging.getLogger("airbyte")

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name is the library's)
        """Return whether this level is logged: only warnings and errors."""
        return level >= logging.WARNING and super().isEnabledFor(level)
