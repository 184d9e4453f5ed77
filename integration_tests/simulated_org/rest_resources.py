"""The REST resources: versions, describe, limits, record counts, query, composite batch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from integration_tests.simulated_org.clock import http_date
from integration_tests.simulated_org.describe import describe_global, describe_object
from integration_tests.simulated_org.errors import NOT_FOUND, ApiError
from integration_tests.simulated_org.faults import Target
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.replication import ReplicationResources
from integration_tests.simulated_org.rest_query import QueryResources
from integration_tests.simulated_org.routes import Call, match
from integration_tests.simulated_org.translations import translated_body
from integration_tests.simulated_org.wire import Answer

Handler = Callable[[Call], Awaitable[Answer]]
_MAX_SUBREQUESTS = 25


class RestResources:
    """Handlers by request kind."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.handlers: dict[str, Handler] = {
            "versions": self.versions,
            "resources": self.resources,
            "sobjects": self.sobjects,
            "describe": self.describe,
            "limits": self.limits,
            "recordCount": self.record_count,
            "compositeBatch": self.composite_batch,
            **QueryResources(org).handlers,
            **ReplicationResources(org).handlers,
        }

    async def versions(self, call: Call) -> Answer:
        """`GET /services/data`."""
        return Answer.of_json(
            200,
            [
                {"label": f"Release {version}", "url": f"/services/data/v{version}", "version": version}
                for version in self._org.settings.versions
            ],
        )

    async def resources(self, call: Call) -> Answer:
        """`GET /services/data/vXX.X/`."""
        names = ("sobjects", "query", "queryAll", "limits", "jobs", "composite", "tooling", "search")
        return Answer.of_json(200, {name: f"/services/data/v{call.version}/{name}" for name in names})

    async def sobjects(self, call: Call) -> Answer:
        """`GET …/sobjects`."""
        return Answer.of_json(200, describe_global(list(self._org.schema), call.version))

    async def describe(self, call: Call) -> Answer:
        """`GET …/sobjects/{name}/describe`, 304 when nothing changed since the time the client names."""
        await asyncio.sleep(self._org.settings.describe_seconds)
        login = self._org.login_of(call.session)
        declared = self._org.schema.find(call.parts["object"], login)
        if declared is None:
            raise NOT_FOUND.api_error(None)
        changed = self._org.schema.changed(declared.name)
        headers = {"Last-Modified": http_date(changed), "ETag": f'"{int(changed.timestamp())}"'}
        since = call.headers.get("If-Modified-Since")
        if since is not None and changed <= parsedate_to_datetime(since):
            return Answer(304, headers=headers)
        children = [
            (other, field)
            for other in self._org.schema
            if not other.name.startswith("Extra")
            for field in other.fields
            if declared.name in field.targets
        ]
        return Answer.of_json(200, describe_object(declared, call.version, children), headers)

    async def limits(self, call: Call) -> Answer:
        """`GET …/limits`."""
        return Answer.of_json(200, self._org.limits.body())

    async def record_count(self, call: Call) -> Answer:
        """`GET …/limits/recordCount?sObjects=A,B`: an estimate, for known queryable objects only."""
        names = [name for name in call.query.get("sObjects", "").split(",") if name]
        found = [self._org.schema.find(name) for name in names] if names else list(self._org.schema)
        bias = self._org.settings.record_count_bias
        known = [declared.name for declared in found if declared is not None and declared.queryable]
        counts = await asyncio.to_thread(lambda: [self._org.count(name) for name in known])
        counted = [{"count": int(count * bias), "name": name} for name, count in zip(known, counts, strict=True)]
        return Answer.of_json(200, {"sObjects": counted})

    async def composite_batch(self, call: Call) -> Answer:
        """`POST …/composite/batch`: up to 25 GETs, one after the other, each counting as a call."""
        wanted = json.loads(call.body or b"{}")
        requests = wanted.get("batchRequests") or []
        if not 0 < len(requests) <= _MAX_SUBREQUESTS:
            raise ApiError(400, "INVALID_BATCH_REQUEST", f"batchRequests must hold 1 to {_MAX_SUBREQUESTS} requests")
        results: list[dict[str, Any]] = []
        for one in requests:
            failed = any(result["statusCode"] >= 400 for result in results)
            results.append(_halted() if failed and wanted.get("haltOnError") else await self._subrequest(one, call))
        return Answer.of_json(200, {"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results})

    async def _subrequest(self, one: dict[str, Any], call: Call) -> dict[str, Any]:
        self._org.limits.spend("DailyApiRequests")
        split = urlsplit(str(one.get("url", "")))
        path = "/services/data/" + split.path.removeprefix("/services/data/").lstrip("/")
        kind, parts = match(str(one.get("method", "GET")).upper(), path)
        self._org.request_counts[f"batch:{kind}"] += 1
        target = Target(kind, parts.get("object"))
        inner = Call(kind, path, parts, dict(parse_qsl(split.query)), {}, b"", target, session=call.session)
        try:
            if kind not in self.handlers or kind == "compositeBatch":
                raise NOT_FOUND.api_error(None)
            answer = await self.handlers[kind](inner)
        except ApiError as error:
            body = translated_body(error.body(), self._org.settings.language)
            return {"statusCode": error.status, "result": body}
        return {"statusCode": answer.status, "result": answer.json}


def _halted() -> dict[str, Any]:
    body = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]
    return {"statusCode": 412, "result": body}
