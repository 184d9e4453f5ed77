"""The OAuth resources on the wire: token, userinfo, identity, revoke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl

from integration_tests.simulated_org.oauth import refused
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.rest_resources import Handler
from integration_tests.simulated_org.routes import Call
from integration_tests.simulated_org.wire import Answer


class OAuthResources:
    """Handlers by request kind. `instance_url` gives where the org lives now."""

    def __init__(self, org: Org, login_url: str, instance_url: Callable[[], str]) -> None:
        self._org = org
        self._login_url = login_url
        self._instance_url = instance_url
        self._refreshing: set[str] = set()
        self.handlers: dict[str, Handler] = {
            "token": self.token,
            "userinfo": self.identity,
            "identity": self.identity,
            "revoke": self.revoke,
        }

    async def token(self, call: Call) -> Answer:
        """`POST /services/oauth2/token`."""
        form = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
        credential = form.get("refresh_token", "")
        if credential and credential in self._refreshing and self._org.settings.concurrent_refresh == "fail":
            raise refused("already_processing")
        self._refreshing.add(credential)
        try:
            await asyncio.sleep(self._org.settings.token_seconds)
            answer = self._org.tokens.grant(
                form,
                self._org.settings,
                login_url=self._login_url,
                instance_url=self._instance_url(),
                generic_host=call.headers.get("Host", "").startswith("127.0.0.1"),
            )
        finally:
            self._refreshing.discard(credential)
        return Answer.of_json(200, answer)

    async def identity(self, call: Call) -> Answer:
        """`GET /services/oauth2/userinfo` and the identity URL of a token answer."""
        org = self._org
        user = org.user_of(call.session)
        rest = f"{self._instance_url()}/services/data/v{{version}}"
        return Answer.of_json(
            200,
            {
                "sub": f"{self._login_url}/id/{org.id}/{user}",
                "id": f"{self._login_url}/id/{org.id}/{user}",
                "user_id": user,
                "organization_id": org.id,
                "preferred_username": "integration@simulated.example.org",
                "username": "integration@simulated.example.org",
                "user_type": "STANDARD",
                "urls": {"rest": f"{rest}/", "sobjects": f"{rest}/sobjects/", "query": f"{rest}/query/"},
                "active": True,
            },
        )

    async def revoke(self, call: Call) -> Answer:
        """`POST /services/oauth2/revoke`: ends an access token, or a refresh token with its sessions."""
        token = {**call.query, **dict(parse_qsl(call.body.decode()))}.get("token", "")
        self._org.sessions.end(token=token)
        for app in self._org.tokens.apps.values():
            if token in app.refresh_tokens:
                app.refresh_tokens.remove(token)
                self._org.sessions.end(client_id=app.client_id)
        return Answer(200)
