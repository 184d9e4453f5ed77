"""The org in the same process: a server on a thread of its own, for tests."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Literal, Self

from integration_tests.simulated_org.control import LocalControl
from integration_tests.simulated_org.org import APP_CREDENTIALS, APP_JWT, APP_REFRESH, Org
from integration_tests.simulated_org.server import OrgServer
from integration_tests.simulated_org.settings import OrgSettings

AuthType = Literal["refresh_token", "client_credentials", "jwt_bearer"]


class SimulatedOrg:
    """An org that listens on a free loopback port while the context is open.

    `url` is the login URL, `instance_url` what the token answer says, `control` the hidden hand.
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
        """Where the control API answers over HTTP."""
        return self._server.url + "/__control"

    def credentials(self, auth_type: AuthType = "refresh_token") -> dict[str, Any]:
        """Give working credentials for a flow, in the form of the connector's `credentials` option."""
        return org_credentials(self.org, auth_type)


def org_credentials(org: Org, auth_type: AuthType) -> dict[str, Any]:
    """Give an org's present credentials for a flow."""
    match auth_type:
        case "refresh_token":
            app = org.tokens.apps[APP_REFRESH]
            return {
                "auth_type": auth_type,
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": app.refresh_tokens[0],
            }
        case "client_credentials":
            app = org.tokens.apps[APP_CREDENTIALS]
            return {"auth_type": auth_type, "client_id": app.client_id, "client_secret": app.client_secret}
        case "jwt_bearer":
            app = org.tokens.apps[APP_JWT]
            return {
                "auth_type": auth_type,
                "client_id": app.client_id,
                "username": app.username,
                "private_key": org.private_key,
            }
