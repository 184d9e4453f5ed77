"""Faults that answer a request themselves, or change its answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from integration_tests.simulated_org.attacks import endless_result_pages
from integration_tests.simulated_org.clock import http_date
from integration_tests.simulated_org.errors import API_ERRORS, OAUTH_ERRORS
from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.rest_values import dump_json
from integration_tests.simulated_org.routes import Call
from integration_tests.simulated_org.wire import Answer, ConnectionClosed, close

_HTML_431 = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"
_HTML_420 = (
    "<!DOCTYPE html><html><head><title>Setting things up</title></head><body>We're setting things up.</body></html>"
)
_HTML = (
    "<!DOCTYPE html><html><head><title>Salesforce</title></head>"
    "<body><h1>{status}</h1>We are down for maintenance.</body></html>"
)
_CODES = {
    401: "INVALID_SESSION_ID",
    403: "REQUEST_LIMIT_EXCEEDED",
    404: "NOT_FOUND",
    429: "TOO_MANY_REQUESTS",
    500: "UNKNOWN_EXCEPTION",
    502: "UNKNOWN_EXCEPTION",
    503: "SERVER_UNAVAILABLE",
}
_HANG_SECONDS = 3_600.0


async def answer_instead(fault: Fault, call: Call, org: Org) -> Answer | None:
    """Return the answer of a `before` fault, None when the request goes on.

    :raises ConnectionClosed: the fault ended the connection.
    """
    match fault.kind:
        case "delay":
            await asyncio.sleep(fault.seconds or 0)
            return None
        case "session_ends":
            token = call.headers.get("Authorization", "").partition(" ")[2]
            org.sessions.end(token=token, reason=fault.error or "INVALID_SESSION_ID")
            return None
        case "close_before":
            raise _closed(call, fault)
        case "hang":
            await asyncio.sleep(fault.seconds or _HANG_SECONDS)
            raise _closed(call, fault)
        case "echo_secret":
            return _echo(fault, call)
        case "maintenance_redirect":
            return Answer(302, _HTML.encode(), {"Location": "/maintenance.html", "Content-Type": "text/html"})
        case _:
            return error_answer(fault, call)


async def answer_changed(fault: Fault, answer: Answer, call: Call, org: Org) -> Answer:
    """Return the answer that an `after` fault makes of the right one.

    :raises ConnectionClosed: the fault ended the connection.
    """
    match fault.kind:
        case "answer_lost":
            raise _closed(call, fault)
        case "error_after":
            return error_answer(fault, call)
        case "late_answer":
            await asyncio.sleep(fault.seconds or 0)
        case "unparsable_json":
            text = dump_json(answer.json).decode()
            answer.json, answer.body = None, (fault.body or text[: max(1, len(text) // 2)]).encode()
        case "html_200":
            return Answer(200, _HTML.format(status=200).encode(), {"Content-Type": "text/html"})
        case "empty_object_array":
            return Answer.of_json(fault.status or 400, [{}])
        case "date_skew":
            answer.headers["Date"] = http_date(org.clock.now() + timedelta(seconds=fault.seconds or 0))
        case "endless_result_pages" if answer.status == 200:
            answer.json = endless_result_pages(fault, answer.json, org.jobs[call.parts["job"]], call.path)
        case "drop_header":
            answer.headers.pop(fault.name or "", None)
        case "set_header":
            answer.headers[fault.name or ""] = str(fault.value)
        case "json_without" if isinstance(answer.json, dict):
            answer.json = {key: value for key, value in answer.json.items() if key != fault.name}
        case "json_set" if isinstance(answer.json, dict):
            answer.json = answer.json | {fault.name: fault.value}
        case kind if kind.startswith("query_") and isinstance(answer.json, dict) and "records" in answer.json:
            answer.json = _damaged_batch(fault, answer.json, call, org)
        case _:
            pass
    return answer


def _damaged_batch(fault: Fault, body: dict[str, Any], call: Call, org: Org) -> dict[str, Any]:
    """Return a batch of a REST query as a fault leaves it."""
    done = {key: value for key, value in body.items() if key != "nextRecordsUrl"} | {"done": True}
    records = body["records"]
    match fault.kind:
        case "query_done_early":
            return done
        case "query_short":
            return body | {"records": records[: -fault.rows]}
        case "query_repeats":
            return body | {"records": records + records[-fault.rows :]}
        case "query_total_wrong":
            return body | {"totalSize": body["totalSize"] + fault.delta}
        case "query_endless":
            cursor = call.parts.get("cursor", "").partition("-")[0] or next(reversed(org.cursors), "")
            return body | {"done": False, "nextRecordsUrl": f"/services/data/v{call.version}/query/{cursor}-0"}
        case _:
            return body


def error_answer(fault: Fault, call: Call) -> Answer:
    """Return the error that a fault describes: by name, or by status and body style."""
    name = fault.error
    if fault.kind == "maintenance_html":
        status = fault.status or 503
        return Answer(status, _HTML.format(status=status).encode(), _headers(fault, "text/html"))
    if name in OAUTH_ERRORS and (call.kind == "token" or name not in API_ERRORS):
        refusal = OAUTH_ERRORS[name].oauth_error()
        return Answer.of_json(fault.status or refusal.status, refusal.body(), _headers(fault))
    if name is not None and name not in API_ERRORS:
        known = {"error": name, "error_description": fault.message or name}
        array = [{"errorCode": name, "message": fault.message or name}]
        return Answer.of_json(fault.status or 400, known if call.kind == "token" else array, _headers(fault))
    status = fault.status or (API_ERRORS[name].status if name else 500)
    error = API_ERRORS[name or _CODES.get(status, "UNKNOWN_EXCEPTION")].api_error(call.target.object)
    entry = {"message": fault.message or error.message, "errorCode": error.error_code}
    return _styled(fault, status, entry)


def _styled(fault: Fault, status: int, entry: dict[str, str]) -> Answer:
    headers = _headers(fault)
    match fault.body:
        case None | "json":
            return Answer.of_json(status, [entry], headers)
        case "object":
            return Answer.of_json(status, entry, headers)
        case "[{}]":
            return Answer.of_json(status, [{}], headers)
        case "empty":
            return Answer(status, b"", headers)
        case "html":
            text = {431: _HTML_431, 420: _HTML_420}.get(status, _HTML.format(status=status))
            return Answer(status, text.encode(), headers | {"Content-Type": "text/html;charset=UTF-8"})
        case text:
            return Answer(status, text.encode(), headers | {"Content-Type": "text/plain;charset=UTF-8"})


def _headers(fault: Fault, content_type: str | None = None) -> dict[str, str]:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return headers if fault.retry_after is None else headers | {"Retry-After": str(fault.retry_after)}


def _echo(fault: Fault, call: Call) -> Answer:
    said = f"Rejected: {call.headers.get('Authorization', '')} {call.body.decode(errors='replace')}"
    status = fault.status or 400
    if call.kind == "token":
        return Answer.of_json(status, {"error": "invalid_request", "error_description": said})
    entry: dict[str, Any] = {"message": said, "errorCode": fault.error or "UNKNOWN_EXCEPTION"}
    return Answer.of_json(status, [entry])


def _closed(call: Call, fault: Fault) -> ConnectionClosed:
    if call.request is not None:
        close(call.request, reset=fault.value == "reset")
    return ConnectionClosed()
