"""The control API on the wire: `POST /__control/<method>` with a JSON object of keyword arguments."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from integration_tests.simulated_org.control import Control, control_methods
from integration_tests.simulated_org.org import Org


class ControlResources:
    """Maps addresses to the methods of `Control`; `GET /__control/` lists them."""

    def __init__(self, org: Org) -> None:
        self._control = Control(org)
        self._methods = control_methods()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer `{"result": …}`, or 400 or 404 with `{"error": …}`."""
        name = request.path.removeprefix("/__control").strip("/")
        if not name:
            return web.json_response({"methods": self._methods})
        if name not in self._methods:
            return web.json_response({"error": f"no such control method: {name}"}, status=404)
        body = await request.read()
        try:
            arguments = json.loads(body) if body else dict(request.query)
            result = await asyncio.to_thread(getattr(self._control, name), **arguments)
        except Exception as error:  # noqa: BLE001 - the caller's mistake, whatever it is, must reach the caller
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({"result": result})
