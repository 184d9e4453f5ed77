"""From a socket to an answer: routing, counting, sessions, limits, faults, delivery."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import timedelta
from typing import Any

from aiohttp import web

from integration_tests.simulated_org.attacks import attack
from integration_tests.simulated_org.bulk_resources import BulkResources, parsed_json
from integration_tests.simulated_org.clock import http_date
from integration_tests.simulated_org.control_http import ControlResources
from integration_tests.simulated_org.errors import NOT_FOUND, ApiError, OAuthError
from integration_tests.simulated_org.faults import Target
from integration_tests.simulated_org.job_runner import JobRunner
from integration_tests.simulated_org.oauth_resources import OAuthResources
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.request_faults import answer_changed, answer_instead
from integration_tests.simulated_org.rest_resources import Handler, RestResources
from integration_tests.simulated_org.rest_values import dump_json
from integration_tests.simulated_org.routes import OPEN_KINDS, Call, match
from integration_tests.simulated_org.translations import translated_body
from integration_tests.simulated_org.wire import Answer, ConnectionClosed, code_body, deliver, plan_delivery

_MAX_URI = 16_384
_HTML_431 = b"<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"
_NO_REST = frozenset({"token", "revoke", "identity", "userinfo"})
_UNCOUNTED = _NO_REST | {"versions", "unknown"}


class OrgServer:
    """Serves one org on loopback. Belongs to one event loop."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._runner = JobRunner(org)
        self._control = ControlResources(org)
        self._handlers: dict[str, Handler] = {}
        self._web: web.ServerRunner | None = None
        self._requests = 0
        self._instances = ("", "")  # where the org lives, and where it moves to
        self.url = ""

    @property
    def instance_url(self) -> str:
        """The instance URL of token answers."""
        return self._instances[self._org.settings.moved]

    async def start(self, port: int = 0) -> None:
        """Listen; afterwards `url` and `instance_url` are known."""
        server = web.Server(self._handle, max_line_size=4 * _MAX_URI, max_field_size=4 * _MAX_URI, access_log=None)
        self._web = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._web.setup()
        certificate = self._org.settings.certificate
        tls = None if certificate is None else ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if tls is not None:
            tls.load_cert_chain(str(certificate))
        scheme = "http" if tls is None else "https"
        port = await _listen(self._web, port, tls)
        self.url = f"{scheme}://127.0.0.1:{port}"
        self._instances = (
            f"{scheme}://localhost:{port}" if self._org.settings.split_hosts else self.url,
            f"{scheme}://localhost:{await _listen(self._web, 0, tls)}",
        )
        oauth = OAuthResources(self._org, self.url, lambda: self.instance_url)
        bulk = BulkResources(self._org, self._runner)
        self._handlers = oauth.handlers | RestResources(self._org).handlers | bulk.handlers

    async def stop(self) -> None:
        """Stop listening and drop what is under way."""
        await self._runner.close()
        if self._web is not None:
            await self._web.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/__control"):
            return await self._control.handle(request)
        call = await self._call(request)
        self._requests += 1
        call.number = self._requests
        entry = self._note(call)
        try:
            answer = await self._answer(call)
            entry |= {"status": answer.status, "object": call.target.object, "job": call.target.job}
            response = await self._send(call, answer)
        except ConnectionClosed:
            return web.Response(status=500)  # the connection is gone; this is never sent
        if call.kind == "results" and answer.status == 200:
            self._org.events.fire("page_served", call.target.object)
        return response

    async def _call(self, request: web.BaseRequest) -> Call:
        kind, parts = match(request.method, request.rel_url.raw_path)
        body = await request.read()
        job = self._org.jobs.get(parts.get("job", ""))
        name = job.object if job is not None else parts.get("object")
        target = Target(kind, name, job.id if job else None, job.nth if job else None)
        call = Call(kind, request.path, parts, dict(request.query), request.headers, body, target, request)
        if kind == "createJob":
            call.target = Target(kind, _object_in(body))
        elif kind in ("query", "queryAll"):
            call.target = Target(kind, _object_of(call.query.get("q", "")))
        return call

    async def _answer(self, call: Call) -> Answer:
        self._org.request_counts[call.kind] += 1
        self._org.events.fire(call.kind, call.target.object)
        try:
            for fault in self._org.faults.strike(["before"], call.target):
                answer = await answer_instead(fault, call, self._org)
                if answer is not None:
                    return self._finished(answer, call)
            answer = await self._processed(call)
        except ApiError as error:
            answer = Answer.of_json(error.status, error.body())
        except OAuthError as error:
            answer = Answer.of_json(error.status, error.body())
        answer = self._finished(answer, call)
        for fault in self._org.faults.strike(["after"], call.target):
            changed = await answer_changed(fault, answer, call, self._org)
            answer = answer if changed is answer else self._finished(changed, call)
        return answer

    async def _processed(self, call: Call) -> Answer:
        settings = self._org.settings
        if settings.moved and self._at_old_instance(call):
            return Answer(settings.moved_status, b"", {"Location": self.instance_url + call.address})
        if settings.request_seconds:
            await asyncio.sleep(settings.request_seconds)
        refusal = _too_long(call)
        if refusal is not None:
            return refusal
        if call.kind not in OPEN_KINDS:
            call.session = self._org.sessions.check(call.headers.get("Authorization"), settings)
        if call.kind not in _UNCOUNTED:
            if settings.enforce_limits:
                self._org.limits.refuse_exhausted("DailyApiRequests")
            self._org.limits.spend("DailyApiRequests")
        self._check_version(call)
        if call.kind not in self._handlers:
            raise NOT_FOUND.api_error(None)
        if call.kind in ("createJob", "abort"):
            call.json = parsed_json(call.body)
        return await self._handlers[call.kind](call)

    def _at_old_instance(self, call: Call) -> bool:
        host = call.headers.get("Host", "")
        return host == self._instances[0].partition("://")[2] and call.kind not in ("token", "revoke")

    def _skew(self, call: Call) -> timedelta:
        login = call.headers.get("Host", "") == self.url.partition("://")[2]
        settings = self._org.settings
        return timedelta(seconds=settings.login_date_skew if login else settings.instance_date_skew)

    def _check_version(self, call: Call) -> None:
        if not call.version or call.version in self._org.settings.versions:
            return
        if float(call.version) < float(self._org.settings.min_version):
            raise ApiError(410, "UNSUPPORTED_API_VERSION", "The API version is no longer available")
        raise NOT_FOUND.api_error(None)

    def _finished(self, answer: Answer, call: Call) -> Answer:
        answer.json = translated_body(answer.json, self._org.settings.language)
        answer.headers.setdefault("Date", http_date(self._org.clock.now() + self._skew(call)))
        answer.headers.setdefault("Vary", "Accept-Encoding")
        answer.headers.setdefault("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
        answer.headers.setdefault("Set-Cookie", "BrowserId=fakeBrowserId; domain=localhost; path=/")
        if call.kind not in _NO_REST:
            answer.headers.setdefault("X-Sfdc-Request-Id", f"{call.number:032x}")
        if call.kind not in _UNCOUNTED and answer.status != 204 and self._org.settings.limit_info_header:
            answer.headers.setdefault("Sforce-Limit-Info", self._org.limits.header(self._org.settings.limit_info_lag))
        return answer

    async def _send(self, call: Call, answer: Answer) -> web.StreamResponse:
        assert call.request is not None
        settings = self._org.settings
        if answer.json is not None:
            answer.body = dump_json(answer.json)
        for fault in self._org.faults.strike(["attack"], call.target):
            await attack(fault, answer, call.request)
        faults = self._org.faults.strike(["delivery"], call.target)
        answer.may_gzip = settings.gzip_results if call.kind == "results" else settings.gzip_json
        accept = call.headers.get("Accept-Encoding", "") if answer.status not in (204, 304) else ""
        coded = await asyncio.to_thread(code_body, answer, accept, faults)
        plan = plan_delivery(settings, faults, len(coded), settings.transfer if call.kind == "results" else "chunked")
        return await deliver(call.request, answer, coded, plan)

    def _note(self, call: Call) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "kind": call.kind,
            "host": call.headers.get("Host"),
            "path": call.path,
            "query": dict(call.query),
            "object": call.target.object,
            "job": call.target.job,
            "status": None,
            "accept_encoding": call.headers.get("Accept-Encoding"),
            "user_agent": call.headers.get("User-Agent"),
        }
        self._org.request_log.append(entry)
        return entry


async def _listen(runner: web.ServerRunner, port: int, tls: ssl.SSLContext | None) -> int:
    """Listen on a loopback port, 0 for a free one; return the port."""
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    return int(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]


def _too_long(call: Call) -> Answer | None:
    """Return 414 or 431 when the address, or it and the headers, pass the edge's limit."""
    if call.request is None:
        return None
    uri = len(call.request.raw_path if hasattr(call.request, "raw_path") else call.request.path_qs)
    if uri > _MAX_URI:
        return Answer(414)
    if uri + sum(len(name) + len(value) + 4 for name, value in call.headers.items()) > _MAX_URI:
        return Answer(431, _HTML_431, {"Content-Type": "text/html"})
    return None


def _object_in(body: bytes) -> str | None:
    try:
        wanted = json.loads(body)
    except ValueError:
        return None
    return _object_of(str(wanted.get("query", ""))) if isinstance(wanted, dict) else None


def _object_of(soql: str) -> str | None:
    """Return the object after FROM, for faults; the compiler has the last word."""
    words = soql.split()
    upper = [word.upper() for word in words]
    return words[upper.index("FROM") + 1] if "FROM" in upper[:-1] else None
