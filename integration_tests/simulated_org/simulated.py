"""The org in the same process, with a server on its own thread, for tests."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from integration_tests.simulated_org.control import LocalControl
from integration_tests.simulated_org.credentials import AuthType, org_credentials
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.server import OrgServer
from integration_tests.simulated_org.settings import OrgSettings


class SimulatedOrg:
    """An org that listens on a free loopback port while the context is open.

    `url` is the login URL, `instance_url` what the token answer says, `control` the control API in Python.
    """

    def __init__(self, settings: OrgSettings | None = None, *, port: int = 0) -> None:
        self.org = Org(settings or OrgSettings())
        self.control = LocalControl(self.org)
        self._server = OrgServer(self.org)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-org", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(self._port), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self.org.close()

    @property
    def url(self) -> str:
        """The login URL, `http://127.0.0.1:port`."""
        return self._server.url

    @property
    def instance_url(self) -> str:
        """The instance URL of token answers."""
        return self._server.instance_url

    @property
    def control_url(self) -> str:
        """The URL of the control API."""
        return self._server.url + "/__control"

    def credentials(self, auth_type: AuthType = "refresh_token") -> dict[str, Any]:
        """Return working credentials for a flow, in the form of the connector's `credentials` option."""
        return org_credentials(self.org, auth_type)
